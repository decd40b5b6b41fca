#include "limiter/pressure.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace tidegate::limiter {
namespace {

TEST(pressure, tightens_at_once) {
  pressure p;
  EXPECT_FALSE(p.in_force().has_value());
  p.read(0.6);
  EXPECT_EQ(p.in_force(), 0.6);
  p.read(0.6001);
  EXPECT_EQ(p.in_force(), 0.6001);
  p.read(1.3);
  EXPECT_EQ(p.in_force(), 1.3);
}

TEST(pressure, relaxes_after_three_readings_in_a_row_that_are_two_points_lower) {
  pressure p;
  p.read(0.8);
  p.read(0.78);
  p.read(0.70);
  EXPECT_EQ(p.in_force(), 0.8);
  p.read(0.75);
  EXPECT_EQ(p.in_force(), 0.78);  // the highest of the three
}

TEST(pressure, counts_anew_when_a_reading_comes_within_two_points) {
  pressure p;
  p.read(0.8);
  p.read(0.7);
  p.read(0.7);
  p.read(0.79);
  p.read(0.7);
  p.read(0.7);
  EXPECT_EQ(p.in_force(), 0.8);
  p.read(0.7);
  EXPECT_EQ(p.in_force(), 0.7);
}

TEST(pressure, never_relaxes_by_readings_just_under_the_one_in_force) {
  pressure p;
  p.read(0.8);
  for (int i = 0; i < 100; ++i) p.read(0.7801);
  EXPECT_EQ(p.in_force(), 0.8);
}

TEST(pressure, of_the_unknown_is_none_and_the_next_reading_holds_at_once) {
  for (const double unknown : {-1.0, std::nan("")}) {
    pressure p;
    p.read(0.9);
    p.read(0.1);
    p.read(0.1);
    p.read(unknown);
    EXPECT_FALSE(p.in_force().has_value());
    p.read(0.5);
    EXPECT_EQ(p.in_force(), 0.5);
    p.read(0.1);
    EXPECT_EQ(p.in_force(), 0.5);
  }
}

TEST(pressure, shrinks_the_rate_linearly_from_1_to_the_floor) {
  const config::memory_pressure rule{0.6, 0.85, 0.1};
  EXPECT_EQ(rate_share(rule, std::nullopt), 1);
  EXPECT_EQ(rate_share(rule, 0.0), 1);
  EXPECT_EQ(rate_share(rule, 0.6), 1);
  EXPECT_NEAR(rate_share(rule, 0.725), 0.55, 1e-12);
  EXPECT_EQ(rate_share(rule, 0.85), 0.1);
  EXPECT_EQ(rate_share(rule, 5.0), 0.1);
  EXPECT_EQ(rate_share({0.6, 0.85, 0}, 1.0), 0);
}

}  // namespace
}  // namespace tidegate::limiter
