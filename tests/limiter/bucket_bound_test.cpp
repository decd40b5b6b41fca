// The one promise that makes a limit a limit: in no window of length t does more than rate x t + max(burst, largest
// cost) pass. Checked over every window between two recorded admissions, in whole numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "limiter/bucket.hpp"
#include "limiter/wide.hpp"

namespace tidegate::limiter {
namespace {

struct event {
  steady_ns at = 0;
  std::uint64_t passed = 0;  // tokens; 0 = a change
  std::uint64_t rate = 0;    // in force from here on
  std::uint64_t burst = 0;
};

// The smallest slack over all windows, in tokens x 1e9; negative = more passed than may.
wide_signed tightest_window(const std::vector<event>& events) {
  wide_signed tightest = wide_signed{1} << 100;
  for (std::size_t first = 0; first < events.size(); ++first) {
    if (events[first].passed == 0) continue;
    std::uint64_t rate = events[first].rate, burst = events[first].burst, largest = 0, lowered = 0, sum = 0;
    for (std::size_t last = first; last < events.size(); ++last) {
      const event& one = events[last];
      if (last > first && one.burst < events[last - 1].burst) lowered += events[last - 1].burst - one.burst;
      rate = std::max(rate, one.rate);
      burst = std::max(burst, one.burst);
      largest = std::max(largest, one.passed);
      sum += one.passed;
      if (one.passed == 0) continue;
      const std::uint64_t at_once = std::max(burst, largest > one.burst ? largest + lowered : largest);
      const wide_signed slack = static_cast<wide_signed>(rate) * (one.at - events[first].at) +
                                (static_cast<wide_signed>(at_once) - static_cast<wide_signed>(sum)) * 1'000'000'000;
      tightest = std::min(tightest, slack);
    }
  }
  return tightest;
}

struct load {
  std::uint64_t seed, rate, burst, cost_max;
  steady_ns gap_max;
  bool changes_rate, changes_burst;
};

std::vector<event> run(const load& of) {
  std::mt19937_64 random(of.seed);
  std::vector<event> events;
  std::uint64_t rate = of.rate, burst = of.burst;
  rate_clock clock(static_cast<double>(rate), 0);
  bucket b(clock, burst, 1);
  steady_ns now = 0;
  for (int i = 0; i < 6000 && events.size() < 1500; ++i) {
    now += static_cast<steady_ns>(random() % static_cast<std::uint64_t>(of.gap_max));
    if (random() % 400 == 0) now += of.gap_max * 200;  // idle: the bucket fills
    const std::uint64_t cost = 1 + random() % of.cost_max;
    const units in_units = clock.to_units(cost);
    // At the very nanosecond of its turn, and right before it: where rounding would show.
    const steady_ns wait = b.wait_for(in_units, now);
    if (wait > 0 && wait != never && random() % 2 == 0) now += wait - static_cast<steady_ns>(random() % 2);
    if (b.try_debit(in_units, now)) events.push_back({now, cost, rate, burst});
    if (of.changes_rate && random() % 50 == 0) {
      rate = random() % 10 == 0 ? 0 : 1 + random() % (2 * of.rate);
      clock.set_rate(static_cast<double>(rate), now);
      events.push_back({now, 0, rate, burst});
    }
    if (of.changes_burst && random() % 50 == 0) {
      burst = random() % (2 * of.burst);
      b.set_burst(burst, now);
      events.push_back({now, 0, rate, burst});
    }
  }
  return events;
}

TEST(bucket_bound, holds_in_every_window_at_a_constant_rate_and_is_reached) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const std::vector<event> events = run({seed, 3, 7, 7, 400'000'000, false, false});
    ASSERT_GT(events.size(), 1000U);
    const wide_signed tightest = tightest_window(events);
    EXPECT_GE(tightest, 0) << "seed " << seed;
    EXPECT_LT(tightest, 1000) << "the limit gives away less than a millionth of a token, seed " << seed;
  }
}

TEST(bucket_bound, holds_with_costs_above_the_burst) {
  for (std::uint64_t seed = 10; seed < 16; ++seed) {
    EXPECT_GE(tightest_window(run({seed, 2000, 100, 500, 40'000'000, false, false})), 0) << "seed " << seed;
  }
}

TEST(bucket_bound, holds_against_the_highest_rate_in_force_while_the_rate_changes) {
  for (std::uint64_t seed = 20; seed < 26; ++seed) {
    EXPECT_GE(tightest_window(run({seed, 997, 50, 60, 20'000'000, true, false})), 0) << "seed " << seed;
  }
}

TEST(bucket_bound, holds_while_rate_and_burst_change) {
  for (std::uint64_t seed = 30; seed < 36; ++seed) {
    EXPECT_GE(tightest_window(run({seed, 997, 50, 60, 20'000'000, true, true})), 0) << "seed " << seed;
  }
}

TEST(bucket_bound, holds_at_rates_that_divide_no_nanosecond) {
  for (const std::uint64_t rate : {1ULL, 3ULL, 7ULL, 999'999'937ULL}) {
    EXPECT_GE(tightest_window(run({rate, rate, 1, 3, static_cast<steady_ns>(2'000'000'000 / rate) + 2, false, false})),
              0)
        << rate;
  }
}

}  // namespace
}  // namespace tidegate::limiter
