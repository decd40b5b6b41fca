#include "proxy/net/loop_watchdog.hpp"

#include <gtest/gtest.h>

#include <array>

namespace tidegate::net_test {
namespace {

using net::loop_watchdog;
using what = loop_watchdog::what;

std::vector<loop_watchdog::finding> ticks(loop_watchdog& dog, std::array<std::uint64_t, 2> turns, unsigned count) {
  std::vector<loop_watchdog::finding> all;
  for (unsigned i = 0; i < count; ++i) {
    for (const auto& one : dog.tick(turns)) all.push_back(one);
  }
  return all;
}

TEST(LoopWatchdog, SaysNothingOfLoopsThatTurn) {
  loop_watchdog dog(2);
  for (std::uint64_t turn = 1; turn < 200; ++turn) {
    EXPECT_TRUE(dog.tick(std::array<std::uint64_t, 2>{turn, 2 * turn}).empty());
    EXPECT_TRUE(dog.all_turning());
  }
}

TEST(LoopWatchdog, LetsAnIdleLoopSleepForAnIdleTurn) {
  loop_watchdog dog(2);
  for (std::uint64_t turn = 1; turn < 20; ++turn) EXPECT_TRUE(ticks(dog, {turn, turn}, 12).empty());
}

TEST(LoopWatchdog, TellsAStallOnceAndItsEndOnce) {
  loop_watchdog dog(2);
  (void)ticks(dog, {1, 1}, 1);
  std::uint64_t turn = 1;
  unsigned stalled = 0;
  for (unsigned i = 0; i < loop_watchdog::stalled_ticks + 10; ++i) {
    for (const auto& one : dog.tick(std::array<std::uint64_t, 2>{1, ++turn})) {
      EXPECT_EQ(one.worker, 0U);
      EXPECT_EQ(one.happened, what::stalled);
      ++stalled;
    }
  }
  EXPECT_EQ(stalled, 1U);
  EXPECT_FALSE(dog.all_turning());
  const auto back = dog.tick(std::array<std::uint64_t, 2>{2, ++turn});
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].happened, what::recovered);
  EXPECT_TRUE(dog.all_turning());
}

TEST(LoopWatchdog, CallsALoopStuckOnceAfterItsTicks) {
  loop_watchdog dog(2);
  (void)ticks(dog, {1, 1}, 1);
  const auto found = ticks(dog, {1, 1}, loop_watchdog::stuck_ticks - 1);
  EXPECT_EQ(found.size(), 2U);  // both stalled
  const auto stuck = ticks(dog, {1, 1}, 1);
  ASSERT_EQ(stuck.size(), 2U);
  EXPECT_EQ(stuck[0].happened, what::stuck);
  EXPECT_TRUE(ticks(dog, {1, 1}, 200).empty());
}

}  // namespace
}  // namespace tidegate::net_test
