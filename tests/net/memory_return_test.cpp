#include "proxy/net/memory_return.hpp"

#include <gtest/gtest.h>

namespace tidegate::net_test {
namespace {

using net::memory_return;
constexpr std::int64_t mib = 1 << 20;

// Of `ticks` at which nothing changes, those at which memory is due to be given back.
int dues(memory_return& judge, int ticks, std::int64_t connections) {
  int count = 0;
  for (int i = 0; i < ticks; ++i) count += judge.due({connections}, {}) ? 1 : 0;
  return count;
}

TEST(MemoryReturn, IsDueWhenMostHaveGoneAndNoMoreAreGoing) {
  memory_return judge;
  EXPECT_FALSE(judge.due({10'000}, {}));
  EXPECT_FALSE(judge.due({4'000}, {})) << "they are still going";
  EXPECT_FALSE(judge.due({100}, {}));
  EXPECT_TRUE(judge.due({100}, {}));
  EXPECT_FALSE(judge.due({100}, {})) << "it has been given back";
  EXPECT_FALSE(judge.due({0}, {})) << "too few to matter";
  EXPECT_FALSE(judge.due({0}, {}));
}

TEST(MemoryReturn, IsDueAgainAfterAnotherCrowd) {
  memory_return judge;
  for (int crowd = 0; crowd < 3; ++crowd) {
    EXPECT_FALSE(judge.due({1'000}, {}));
    EXPECT_FALSE(judge.due({10}, {}));
    EXPECT_TRUE(judge.due({10}, {}));
  }
}

TEST(MemoryReturn, IsDueOnceMoreWhenAllHasRested) {
  memory_return judge;
  EXPECT_FALSE(judge.due({1'000}, {}));
  EXPECT_FALSE(judge.due({10}, {}));
  EXPECT_TRUE(judge.due({10}, {}));
  EXPECT_EQ(dues(judge, memory_return::ticks_of_rest - 1, 10), 0);
  EXPECT_EQ(dues(judge, 1, 10), 1);
  EXPECT_EQ(dues(judge, 100, 10), 0) << "that was the last";
}

// 1,000 TLS clients left a busy machine in two parts; what the second, too small to count by itself, had freed was
// kept.
TEST(MemoryReturn, IsDueAfterThoseWhoLeaveWhenTheFallHasPaused) {
  memory_return judge;
  EXPECT_FALSE(judge.due({1'000}, {}));
  EXPECT_FALSE(judge.due({240}, {}));
  EXPECT_TRUE(judge.due({240}, {})) << "a pause, taken for the end";
  for (const std::int64_t connections : {200, 150, 100, 50, 0}) {
    EXPECT_EQ(dues(judge, memory_return::ticks_of_rest - 1, connections), 0) << "they are still going: " << connections;
  }
  EXPECT_EQ(dues(judge, 1, 0), 1);
  EXPECT_EQ(dues(judge, 100, 0), 0);
}

TEST(MemoryReturn, IsNotPutOffByThoseWhoComeAndGo) {
  memory_return judge;
  EXPECT_FALSE(judge.due({1'000}, {}));
  EXPECT_FALSE(judge.due({10}, {}));
  EXPECT_TRUE(judge.due({10}, {}));
  int count = 0;
  for (int i = 0; i < 2 * memory_return::ticks_of_rest; ++i) count += judge.due({10 + i % 2 * 50}, {}) ? 1 : 0;
  EXPECT_EQ(count, 1);
}

TEST(MemoryReturn, IsNotDueForAFewOrWhileHalfStay) {
  memory_return judge;
  for (const std::int64_t connections : {200, 0, 0, 1'000, 600, 600, 501, 501}) {
    EXPECT_FALSE(judge.due({connections}, {})) << connections;
  }
}

TEST(MemoryReturn, IsDueForBytesAsForConnections) {
  memory_return judge;
  EXPECT_FALSE(judge.due({5}, {500 * mib, 500 * mib}));
  EXPECT_FALSE(judge.due({5}, {}));
  EXPECT_TRUE(judge.due({5}, {}));
  EXPECT_FALSE(judge.due({5}, {}));
}

TEST(MemoryReturn, SeesACrowdThatCameAndWentBetweenTwoTicks) {
  memory_return judge;
  EXPECT_FALSE(judge.due({5}, {}));
  EXPECT_TRUE(judge.due({5}, {0, 500 * mib}));
  EXPECT_FALSE(judge.due({5}, {}));
  EXPECT_TRUE(judge.due({5, 9'936}, {})) << "ten thousand come and go within a second";
  EXPECT_FALSE(judge.due({5, 5}, {}));
}

}  // namespace
}  // namespace tidegate::net_test
