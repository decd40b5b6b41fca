#include "evidence/keyspace/pacing.hpp"

#include <gtest/gtest.h>

namespace tidegate::keyspace {
namespace {

constexpr steady_ns ms = 1'000'000, us = 1000, second = 1'000'000'000;

class paced : public testing::Test {
 protected:
  paced() {
    while (!pace.has_baseline()) pace.answered(200 * us, now);
  }
  void answer(steady_ns took, int times = 10) {
    for (int i = 0; i < times; ++i) pace.answered(took, now += 100 * ms);
  }
  void settle() { answer(200 * us, 200); }

  steady_ns now = second;
  pacing pace{10'000, now};
};

TEST_F(paced, BeginsSlowlyAndGrowsToTheWantedRate) {
  EXPECT_DOUBLE_EQ(pace.rate(), 1000);
  settle();
  EXPECT_DOUBLE_EQ(pace.rate(), 10'000);
  EXPECT_EQ(pace.held_by(), "");
}

TEST_F(paced, NeverSendsMoreThanTheRateAndABurst) {
  settle();
  std::uint64_t sent = 0;
  const steady_ns begin = now;
  while (now - begin < second) {
    const steady_ns wait = pace.ask(10, now);
    if (wait == 0) {
      sent += 10;
    } else {
      now += wait;
    }
  }
  EXPECT_LE(sent, 10'000U + 100U + 10U);
  EXPECT_GE(sent, 9'900U);
}

TEST_F(paced, LetsABatchLargerThanItsBurstThroughInItsTime) {
  while (pace.ask(5000, now) != 0) now += ms;
  EXPECT_GT(pace.ask(1, now), 0) << "it is paid for afterwards";
}

TEST_F(paced, HalvesWhenAnswersBecomeSlow) {
  settle();
  answer(2 * ms);
  EXPECT_DOUBLE_EQ(pace.rate(), 5000);
  EXPECT_EQ(pace.held_by(), "latency");
  answer(2 * ms, 200);
  EXPECT_DOUBLE_EQ(pace.rate(), pace.slowest()) << "it never stops altogether";
  settle();
  EXPECT_DOUBLE_EQ(pace.rate(), 10'000) << "and recovers";
}

TEST_F(paced, HalvesWhenATenthOfTheAnswersBecomesSlow) {
  settle();
  for (int i = 0; i < 30; ++i) pace.answered((i % 8 == 0 ? 2 * ms : 200 * us), now += 50 * ms);
  EXPECT_EQ(pace.held_by(), "latency") << "their median is as it was";
  EXPECT_LE(pace.rate(), 6000);
}

TEST_F(paced, IgnoresOneLateAnswer) {
  settle();
  pace.answered(50 * ms, now += 50 * ms);
  answer(200 * us, 30);
  EXPECT_EQ(pace.halvings(), 0U);
  EXPECT_DOUBLE_EQ(pace.rate(), 10'000);
}

TEST_F(paced, TakesAFewHundredMicrosecondsMoreForNoise) {
  settle();
  answer(390 * us, 100);
  EXPECT_EQ(pace.halvings(), 0U) << "less than twice as long";
  answer(450 * us, 10);
  EXPECT_EQ(pace.halvings(), 1U);
}

TEST_F(paced, JudgesEachRateByTheAnswersThatCameUnderIt) {
  settle();
  answer(5 * ms, 3);
  EXPECT_EQ(pace.halvings(), 1U);
  answer(200 * us, 9);
  EXPECT_DOUBLE_EQ(pace.rate(), 5000) << "it waits for enough of them";
  answer(200 * us, 1);
  EXPECT_GT(pace.rate(), 5000);
  EXPECT_EQ(pace.halvings(), 1U) << "the slow ones were another rate's";
}

TEST_F(paced, DoesNotTakeItsOwnLoadForTheNorm) {
  settle();
  answer(2 * ms, 300);
  EXPECT_EQ(pace.baseline(), 200 * us);
}

TEST_F(paced, SlowsWhileMemoryIsShort) {
  settle();
  pace.loaded({.memory_fraction = 0.96}, now);
  EXPECT_EQ(pace.held_by(), "memory");
  answer(200 * us, 50);
  EXPECT_DOUBLE_EQ(pace.rate(), 5000) << "it does not grow meanwhile";
  pace.loaded({.memory_fraction = 0.80}, now);
  settle();
  EXPECT_DOUBLE_EQ(pace.rate(), 10'000);
}

TEST_F(paced, SlowsWhenEvictionsBegin) {
  settle();
  pace.loaded({.memory_fraction = 0.5, .evicted_keys = 10}, now);
  EXPECT_DOUBLE_EQ(pace.rate(), 10'000) << "old evictions are not ours";
  pace.loaded({.memory_fraction = 0.5, .evicted_keys = 11}, now += second);
  EXPECT_EQ(pace.held_by(), "evictions");
  EXPECT_DOUBLE_EQ(pace.rate(), 5000);
}

TEST_F(paced, SlowsWhenOthersHaveMoreToDo) {
  settle();
  pace.loaded({.memory_fraction = 0.5, .evicted_keys = 0, .others_per_second = 1500}, now);
  pace.loaded({.memory_fraction = 0.5, .evicted_keys = 0, .others_per_second = 2900}, now += second);
  EXPECT_DOUBLE_EQ(pace.rate(), 10'000);
  pace.loaded({.memory_fraction = 0.5, .evicted_keys = 0, .others_per_second = 3100}, now += second);
  EXPECT_EQ(pace.held_by(), "load");
}

}  // namespace
}  // namespace tidegate::keyspace
