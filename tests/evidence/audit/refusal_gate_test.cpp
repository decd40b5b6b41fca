#include "evidence/audit/refusal_gate.hpp"

#include <gtest/gtest.h>

namespace tidegate::audit {
namespace {

using namespace std::chrono_literals;

TEST(RefusalGate, LetsTheFirstOfEachMinuteThroughAndTellsTheNumberOfTheOthersOnce) {
  refusal_gate gate;
  const refusal_gate::clock::time_point begin{1h};
  for (std::uint64_t i = 0; i < refusal_gate::lines_max; ++i) EXPECT_EQ(gate.take(begin + 1ms * i), 0U);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(gate.take(begin + 30s));
  EXPECT_EQ(gate.take(begin + 60s), 1000U) << "a minute later";
  EXPECT_EQ(gate.take(begin + 61s), 0U);
}

TEST(RefusalGate, TellsWhatIsLeftOverWhenNobodyKnocksAgain) {
  refusal_gate gate;
  const refusal_gate::clock::time_point begin{1h};
  for (std::uint64_t i = 0; i < refusal_gate::lines_max + 3; ++i) (void)gate.take(begin);
  EXPECT_EQ(gate.minute_ends(), begin + 60s);
  EXPECT_EQ(gate.left_over(begin + 59s), 0U) << "the minute is not over";
  EXPECT_EQ(gate.left_over(begin + 60s), 3U);
  EXPECT_EQ(gate.left_over(begin + 60s), 0U);
}

}  // namespace
}  // namespace tidegate::audit
