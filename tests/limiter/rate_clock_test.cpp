#include "limiter/rate_clock.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tidegate::limiter {
namespace {

constexpr steady_ns second = 1'000'000'000;

TEST(rate_clock, mints_the_rate_in_tokens_over_any_time) {
  for (const double rate : {1e-3, 0.3, 1.0, 3.0, 2000.0, 153600.0, 1e6, 1e9, 1e12}) {
    const rate_clock clock(rate, 5 * second);
    for (const steady_ns elapsed : {second, 7 * second, 1000 * second}) {
      const double expected = rate * static_cast<double>(elapsed) / 1e9;
      const double minted = static_cast<double>(clock.minted(5 * second + elapsed)) / clock.units_per_token();
      EXPECT_LE(minted, expected * (1 + 1e-15)) << rate;
      EXPECT_GE(minted, expected * (1 - 1e-3) - 1 / clock.units_per_token()) << rate;
    }
  }
}

TEST(rate_clock, has_about_2_to_the_30_units_a_second_and_one_a_token_at_least) {
  for (const double rate : {1e-3, 0.7, 1.0, 1000.0, 1e8, 1.07e9}) {
    const rate_clock clock(rate, 0);
    EXPECT_GE(clock.units_per_token() * rate, 0x1p29) << rate;
    EXPECT_LE(clock.units_per_token() * rate, 0x1p31) << rate;
  }
  EXPECT_EQ(rate_clock(0x1p35, 0).units_per_token(), 1);
  EXPECT_LE(rate_clock(1e12, 0).units_per_token() * 1e12, 0x1p36);
}

TEST(rate_clock, lasts_for_years_at_the_highest_rate) {
  const rate_clock clock(rate_max, 0);
  const steady_ns year = 366LL * 86400 * second;
  EXPECT_GT(clock.minted(2 * year), clock.minted(2 * year - second));
}

TEST(rate_clock, stands_at_its_end_instead_of_wrapping) {
  rate_clock clock(1e-3, 0);
  clock.set_rate(rate_max, 0);
  const units end = clock.minted(1000 * second);
  EXPECT_EQ(end, clock.minted(never));
  EXPECT_LT(end, units_max - 1);
  EXPECT_GT(end, units_max - 3);
  clock.set_rate(rate_max, never);
  EXPECT_EQ(clock.minted(never), end);
}

TEST(rate_clock, mints_nothing_at_rate_0_and_for_what_is_no_rate) {
  for (const double rate : {0.0, -1.0, std::nan(""), 1e-300}) {
    const rate_clock clock(rate, 0);
    EXPECT_EQ(clock.minted(1000 * second), 0) << rate;
    EXPECT_EQ(clock.time_for(1), never) << rate;
    EXPECT_EQ(clock.time_for(0), 0) << rate;
  }
  EXPECT_EQ(rate_clock(std::numeric_limits<double>::infinity(), 0).tokens_per_second(), rate_max);
}

TEST(rate_clock, goes_on_from_where_it_stands_when_the_rate_changes) {
  rate_clock clock(1000, 0);
  const units at_one = clock.minted(second);
  clock.set_rate(10, second);
  EXPECT_EQ(clock.minted(second), at_one);
  EXPECT_NEAR(static_cast<double>(clock.minted(2 * second) - at_one), 10 * clock.units_per_token(), 12);
  clock.set_rate(0, 2 * second);
  const units at_two = clock.minted(2 * second);
  EXPECT_EQ(clock.minted(1'000'000 * second), at_two);
  clock.set_rate(1000, 3 * second);
  EXPECT_NEAR(static_cast<double>(clock.minted(4 * second) - at_two), 1000 * clock.units_per_token(), 1002);
}

TEST(rate_clock, answers_for_a_now_before_the_last_change_by_the_rate_before_it) {
  rate_clock clock(1000, 0);
  std::vector<units> before;
  for (steady_ns now = 0; now <= second; now += second / 100) before.push_back(clock.minted(now));
  clock.set_rate(7, second);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(clock.minted(static_cast<steady_ns>(i) * (second / 100)), before[i]);
  }
  EXPECT_EQ(clock.minted(-second), 0);
}

TEST(rate_clock, takes_a_change_dated_before_the_last_one_as_made_with_it) {
  rate_clock clock(1000, 0);
  clock.set_rate(2000, 10 * second);
  const units there = clock.minted(10 * second);
  clock.set_rate(1, 5 * second);
  EXPECT_EQ(clock.minted(10 * second), there);
}

TEST(rate_clock, never_mints_more_than_the_highest_rate_between_two_instants) {
  std::mt19937_64 random(1);
  rate_clock clock(1000, 0);
  double highest = 1000;
  steady_ns now = 0;
  for (int round = 0; round < 20000; ++round) {
    const steady_ns from = now;
    const units at = clock.minted(from);
    now += static_cast<steady_ns>(random() % 1'000'000);
    if (round % 3 == 0) {
      const double rate = static_cast<double>(random() % 5000);
      highest = std::max(clock.tokens_per_second(), rate);
      clock.set_rate(rate, now);
      now += static_cast<steady_ns>(random() % 1'000'000);
    } else {
      highest = clock.tokens_per_second();
    }
    const double most = highest * clock.units_per_token() * static_cast<double>(now - from) / 1e9;
    EXPECT_LT(static_cast<double>(clock.minted(now) - at), most + 1 + 1e-3);
    EXPECT_GE(clock.minted(now), at);
  }
}

TEST(rate_clock, converts_tokens_exactly_and_saturates) {
  const rate_clock slow(1e-3, 0);
  EXPECT_EQ(slow.to_units(1), units{1} << 40);
  EXPECT_EQ(slow.to_units((1U << 22) - 1), ((units{1} << 22) - 1) << 40);
  EXPECT_EQ(slow.to_units(1U << 22), units_max);
  EXPECT_EQ(slow.to_units(std::uint64_t{1} << 40), units_max);
  EXPECT_EQ(slow.to_units(std::numeric_limits<std::uint64_t>::max()), units_max);
  const rate_clock fast(1e12, 0);
  ASSERT_EQ(fast.units_per_token(), 1.0 / 16);
  EXPECT_EQ(fast.to_units(1), 1);  // never less than it is
  EXPECT_EQ(fast.to_units(16), 1);
  EXPECT_EQ(fast.to_units(17), 2);
  EXPECT_EQ(fast.to_allowance(17), 1);  // never more
  EXPECT_EQ(fast.to_allowance(15), 0);
  EXPECT_EQ(fast.to_units(std::uint64_t{1} << 40), units{1} << 36);
  EXPECT_LE(fast.to_units(std::numeric_limits<std::uint64_t>::max()), units_max);
  EXPECT_EQ(fast.to_units(0), 0);
}

TEST(rate_clock, waits_until_a_deficit_is_minted_and_hardly_longer) {
  for (const double rate : {1e-6, 1e-3, 0.3, 3.0, 2000.0, 1e9, 1e12}) {
    const rate_clock clock(rate, 0);
    for (const units deficit : {units{1}, units{12345}, units{1} << 30, units{1} << 45}) {
      const steady_ns time = clock.time_for(deficit);
      if (time == never) continue;
      EXPECT_GE(clock.minted(time), deficit) << rate;
      const auto late = static_cast<steady_ns>(static_cast<double>(time) * 1e-6) + 1;
      EXPECT_LT(clock.minted(time - late), deficit) << rate;
    }
  }
  // 2^22 tokens: 133 years.
  EXPECT_NEAR(static_cast<double>(rate_clock(1e-3, 0).time_for(units_max)), 0x1p22 * 1e12, 1e10);
  EXPECT_EQ(rate_clock(1e-4, 0).time_for(units_max), never);
}

TEST(rate_clock, says_which_rates_it_can_take_over) {
  const rate_clock clock(1000, 0);
  for (const double rate : {0.0, 1.0, 100.0, 1000.0, 30000.0}) EXPECT_TRUE(clock.suits(rate)) << rate;
  for (const double rate : {1e-6, 1e6, 1e12}) EXPECT_FALSE(clock.suits(rate)) << rate;
  for (const double rate : {0.0, 1e-300, 1e-12, 1e-3, 1.0, 1e12}) EXPECT_TRUE(rate_clock(rate, 0).suits(rate)) << rate;
}

}  // namespace
}  // namespace tidegate::limiter
