#include "limiter/bucket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tidegate::limiter {
namespace {

constexpr steady_ns second = 1'000'000'000;

TEST(bucket, gives_its_burst_at_once_and_then_its_rate) {
  const rate_clock clock(10, 0);
  bucket b(clock, 5, 1);
  const units token = clock.to_units(1);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(b.try_debit(token, 0));
  EXPECT_FALSE(b.try_debit(token, 0));
  EXPECT_FALSE(b.try_debit(token, second / 10 - 1));
  EXPECT_TRUE(b.try_debit(token, second / 10 + 1));
  EXPECT_FALSE(b.try_debit(token, second / 10 + 1));
}

TEST(bucket, never_holds_more_than_its_burst) {
  const rate_clock clock(10, 0);
  bucket b(clock, 5, 1);
  EXPECT_TRUE(b.try_debit(clock.to_units(5), 0));
  EXPECT_DOUBLE_EQ(b.tokens(1'000'000 * second), 5);
  EXPECT_TRUE(b.try_debit(clock.to_units(5), 1'000'000 * second));
  EXPECT_FALSE(b.try_debit(clock.to_units(1), 1'000'000 * second));
}

TEST(bucket, lets_a_cost_above_the_burst_pass_when_full_and_owes_the_rest) {
  const rate_clock clock(10, 0);
  bucket b(clock, 5, 1);
  EXPECT_TRUE(b.try_debit(clock.to_units(100), 0));
  EXPECT_NEAR(b.tokens(0), -95, 1e-6);
  EXPECT_FALSE(b.try_debit(clock.to_units(1), 9 * second));
  EXPECT_TRUE(b.try_debit(clock.to_units(1), 9 * second + second * 7 / 10));
  EXPECT_FALSE(b.try_debit(clock.to_units(6), 9 * second + second * 8 / 10));
  EXPECT_TRUE(b.try_debit(clock.to_units(6), 11 * second));
}

TEST(bucket, with_a_burst_of_0_passes_one_cost_at_a_time) {
  const rate_clock clock(10, 0);
  bucket b(clock, 0, 1);
  EXPECT_TRUE(b.try_debit(clock.to_units(1), 0));
  EXPECT_FALSE(b.try_debit(clock.to_units(1), second / 10 - 1));
  EXPECT_TRUE(b.try_debit(clock.to_units(1), second / 10 + 1));
}

TEST(bucket, survives_the_extremes_of_rate_and_cost) {
  for (const double rate : {0.0, 1e-3, 1e12}) {
    const rate_clock clock(rate, 0);
    for (const std::uint64_t burst : {std::uint64_t{0}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
      bucket b(clock, burst, workers_max);
      const units huge = clock.to_units(std::uint64_t{1} << 40);
      EXPECT_TRUE(b.try_debit(huge, 0));
      EXPECT_LE(b.tokens(0), static_cast<double>(burst));
      b.refund(huge);
      EXPECT_TRUE(b.try_debit(clock.to_units(1), 1));
      EXPECT_GE(b.wait_for(units_max, 1), 0);
      EXPECT_GE(b.wait_for(units_max, never), 0);
      (void)b.try_debit(units_max, never);
      EXPECT_FALSE(b.try_debit(units_max, never));
    }
  }
  const rate_clock fast(1e12, 0);
  bucket b(fast, 0, 1);
  const units cost = fast.to_units(std::uint64_t{1} << 40);
  EXPECT_TRUE(b.try_debit(cost, 0));
  const steady_ns wait = b.wait_for(cost, 0);  // 2^40 at 10^12/s
  EXPECT_NEAR(static_cast<double>(wait), 1.0995e9, 1e6);
  EXPECT_FALSE(b.try_debit(cost, wait - 10));
  EXPECT_TRUE(b.try_debit(cost, wait));
}

TEST(bucket, at_rate_0_gives_its_burst_and_then_nothing_for_ever) {
  const rate_clock clock(0, 0);
  bucket b(clock, 2, 1);
  EXPECT_TRUE(b.try_debit(clock.to_units(2), 0));
  EXPECT_EQ(b.wait_for(clock.to_units(1), 0), never);
  EXPECT_FALSE(b.try_debit(clock.to_units(1), never));
}

TEST(bucket, is_after_debit_and_refund_as_it_was) {
  const rate_clock clock(10, 0);
  bucket b(clock, 5, 1);
  ASSERT_TRUE(b.try_debit(clock.to_units(3), 0));
  const double before = b.tokens(second / 20);
  ASSERT_TRUE(b.try_debit(clock.to_units(2), second / 20));
  b.refund(clock.to_units(2));
  EXPECT_DOUBLE_EQ(b.tokens(second / 20), before);
  bucket full(clock, 5, 1);
  ASSERT_TRUE(full.try_debit(clock.to_units(9), 0));
  full.refund(clock.to_units(9));
  EXPECT_TRUE(full.try_debit(clock.to_units(5), 2));
  EXPECT_FALSE(full.try_debit(clock.to_units(1), 2));
}

TEST(bucket, says_how_long_a_cost_must_wait) {
  const rate_clock clock(10, 0);
  bucket b(clock, 5, 1);
  EXPECT_EQ(b.wait_for(clock.to_units(5), 0), 0);
  EXPECT_EQ(b.wait_for(clock.to_units(50), 0), 0);
  ASSERT_TRUE(b.try_debit(clock.to_units(5), 0));
  for (const std::uint64_t cost : {1U, 3U, 5U, 50U}) {
    const steady_ns wait = b.wait_for(clock.to_units(cost), 0);
    EXPECT_FALSE(b.covers(clock.to_units(cost), wait - 2)) << cost;
    EXPECT_TRUE(b.covers(clock.to_units(cost), wait)) << cost;
  }
}

TEST(bucket, a_raised_burst_is_no_gift_whether_it_was_idle_or_spent) {
  const rate_clock clock(10, 0);
  bucket idle(clock, 5, 1);
  idle.set_burst(1000, 100 * second);
  EXPECT_NEAR(idle.tokens(100 * second), 5, 1e-6);
  EXPECT_NEAR(idle.tokens(101 * second), 15, 1e-6);
  bucket spent(clock, 5, 1);
  ASSERT_TRUE(spent.try_debit(clock.to_units(4), 0));
  spent.set_burst(1000, 0);
  EXPECT_NEAR(spent.tokens(0), 1, 1e-6);
  bucket owing(clock, 5, 1);
  ASSERT_TRUE(owing.try_debit(clock.to_units(20), 0));
  owing.set_burst(1000, 0);
  EXPECT_NEAR(owing.tokens(0), -15, 1e-6);
}

TEST(bucket, a_lowered_burst_clamps_what_is_in_it) {
  const rate_clock clock(10, 0);
  bucket b(clock, 100, 1);
  b.set_burst(5, 0);
  EXPECT_DOUBLE_EQ(b.tokens(0), 5);
  b.set_burst(100, 0);
  EXPECT_NEAR(b.tokens(0), 5, 1e-6);
  ASSERT_TRUE(b.try_debit(clock.to_units(3), 0));
  b.set_burst(4, 0);
  EXPECT_NEAR(b.tokens(0), 2, 1e-6);
}

TEST(bucket, that_starts_empty_fills_from_that_moment) {
  const rate_clock clock(10, 0);
  bucket b(clock, 100, 1);
  b.start_empty(clock.minted(5 * second));
  EXPECT_FALSE(b.try_debit(clock.to_units(1), 5 * second));
  EXPECT_NEAR(b.tokens(7 * second), 20, 1e-6);
  EXPECT_DOUBLE_EQ(b.tokens(700 * second), 100);
}

TEST(bucket, a_stale_now_mints_nothing_twice) {
  const rate_clock clock(10, 0);
  bucket b(clock, 5, 1);
  ASSERT_TRUE(b.try_debit(clock.to_units(5), 10 * second));
  EXPECT_FALSE(b.try_debit(clock.to_units(1), 9 * second));
  EXPECT_FALSE(b.try_debit(clock.to_units(1), 0));
  EXPECT_FALSE(b.try_debit(clock.to_units(1), 10 * second));
  EXPECT_TRUE(b.try_debit(clock.to_units(1), 10 * second + second / 10 + 1));
}

// The plain picture of a token bucket: tokens that drip in, up to the burst.
struct model {
  units tokens, burst, seen = 0;
  void drip(units minted) {
    tokens = std::min(burst, tokens + (minted - seen));
    seen = minted;
  }
  bool debit(units cost) {
    if (tokens < std::min(cost, burst)) return false;
    tokens = std::min(tokens, burst - 1) - cost;  // the unit of rounding that a full bucket gives up
    return true;
  }
};

TEST(bucket, does_what_the_plain_model_does_over_a_million_operations) {
  std::mt19937_64 random(20261122);
  rate_clock clock(2000, 0);
  bucket b(clock, 500, 3);
  model plain{clock.to_units(500), clock.to_units(500)};
  steady_ns now = 0;
  int admitted = 0, refused = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    now += static_cast<steady_ns>(random() % 2'000'000);
    plain.drip(clock.minted(now));
    const std::uint64_t dice = random() % 1000;
    if (dice < 990) {
      const units cost = dice < 5 ? clock.to_units(random() % 5000) : static_cast<units>(random() % (4ULL << 20));
      const bool expected = plain.debit(cost);
      ASSERT_EQ(b.try_debit(cost, now), expected) << i;
      ++(expected ? admitted : refused);
      if (expected && dice > 900) {
        b.refund(cost);
        plain.tokens += cost;
      }
    } else if (dice < 995) {
      clock.set_rate(static_cast<double>(random() % 4000), now);
    } else {
      const std::uint64_t burst = random() % 1000;
      b.set_burst(burst, now);
      plain.burst = clock.to_units(burst);
      plain.tokens = std::min(plain.tokens, plain.burst);
    }
  }
  EXPECT_GT(admitted, 100'000);
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace tidegate::limiter
