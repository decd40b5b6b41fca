#include "evidence/ledger/rows.hpp"

#include <gtest/gtest.h>

namespace tidegate::ledger {
namespace {

TEST(ttl_histogram, IsWrittenWithTheClassesThatHoldSomethingAndReadBack) {
  ttl_histogram some;
  some.add(attribution::ttl_class_of(600'000), 3, 300);
  some.add(attribution::ttl_class_none, 2, 50);
  some.add(attribution::ttl_class_keep, 1, 0);
  EXPECT_EQ(some.to_json(), R"({"10":[3,300],"none":[2,50],"keep":[1,0]})");
  EXPECT_EQ(ttl_histogram::from_json(some.to_json()), some);
  EXPECT_EQ(ttl_histogram{}.to_json(), "{}");
}

TEST(ttl_histogram, CountsOddTextAsNothing) {
  for (const char* odd : {"", "[", "[]", "7", R"({"27":[1,1]})", R"({"x":[1,1]})", R"({"1":[1]})", R"({"1":[-1,1]})",
                          R"({"-1":[1,1]})", R"({"1":"a"})"}) {
    EXPECT_TRUE(ttl_histogram::from_json(odd).empty()) << odd;
  }
  EXPECT_EQ(ttl_histogram::from_json(R"({"99":[1,1],"1":[5,6]})").cells[1].bytes, 6U);
}

TEST(write_sums, MergesCountsAndTheShortestAndLongestTtl) {
  write_sums left, right;
  left.commands = 1;
  right.commands = 2;
  right.ttl_min_ms = right.ttl_max_ms = 5'000;
  left.merge(right);
  EXPECT_EQ(left.commands, 3U);
  EXPECT_EQ(left.ttl_min_ms, 5'000);
  right.ttl_min_ms = 1'000;
  right.ttl_max_ms = 9'000;
  left.merge(right);
  EXPECT_EQ(left.ttl_min_ms, 1'000);
  EXPECT_EQ(left.ttl_max_ms, 9'000);
}

}  // namespace
}  // namespace tidegate::ledger
