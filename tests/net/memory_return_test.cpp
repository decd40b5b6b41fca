#include "proxy/net/memory_return.hpp"

#include <gtest/gtest.h>

namespace tidegate::net_test {
namespace {

using net::memory_return;
constexpr std::int64_t mib = 1 << 20;

TEST(MemoryReturn, IsDueOnceWhenMostHaveGoneAndNoMoreAreGoing) {
  memory_return judge;
  EXPECT_FALSE(judge.due(10'000, 0, 0));
  EXPECT_FALSE(judge.due(4'000, 0, 0)) << "they are still going";
  EXPECT_FALSE(judge.due(100, 0, 0));
  EXPECT_TRUE(judge.due(100, 0, 0));
  EXPECT_FALSE(judge.due(100, 0, 0)) << "it has been given back";
  EXPECT_FALSE(judge.due(0, 0, 0)) << "too few to matter";
  EXPECT_FALSE(judge.due(0, 0, 0));
}

TEST(MemoryReturn, IsDueAgainAfterAnotherCrowd) {
  memory_return judge;
  for (int crowd = 0; crowd < 3; ++crowd) {
    EXPECT_FALSE(judge.due(1'000, 0, 0));
    EXPECT_FALSE(judge.due(10, 0, 0));
    EXPECT_TRUE(judge.due(10, 0, 0));
  }
}

TEST(MemoryReturn, IsNotDueForAFewOrWhileHalfStay) {
  memory_return judge;
  for (const std::int64_t connections : {200, 0, 0, 1'000, 600, 600, 501, 501}) {
    EXPECT_FALSE(judge.due(connections, 0, 0)) << connections;
  }
}

TEST(MemoryReturn, IsDueForBytesAsForConnections) {
  memory_return judge;
  EXPECT_FALSE(judge.due(5, 500 * mib, 500 * mib));
  EXPECT_FALSE(judge.due(5, 0, 0));
  EXPECT_TRUE(judge.due(5, 0, 0));
  EXPECT_FALSE(judge.due(5, 0, 0));
}

TEST(MemoryReturn, SeesACrowdThatCameAndWentBetweenTwoTicks) {
  memory_return judge;
  EXPECT_FALSE(judge.due(5, 0, 0));
  EXPECT_TRUE(judge.due(5, 0, 500 * mib));
  EXPECT_FALSE(judge.due(5, 0, 0));
}

}  // namespace
}  // namespace tidegate::net_test
