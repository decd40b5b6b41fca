// Both incidents' timelines, as their documents tell them, played to the forecaster: each is called within the first
// four minutes of its burst to within five percentage points of its real peak, and the quiet time before raises
// nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "tests/evidence/forecast/timeline.hpp"

namespace tidegate::forecast {
namespace {

// Minutes as the report has them; the burst begins at -25.
timeline first_incident() {
  return {.points = {{-90, 57.5},
                     {-60, 57.5},
                     {-40, 57.5},
                     {-30, 57.2},
                     {-25, 59.5},
                     {-20, 67.1},
                     {-17, 72.7},
                     {-15, 75.8},
                     {-10, 74.9},
                     {0, 74.4}},
          .ttl_from = 20,
          .ttl_to = 40,
          .untimed = 0.07};
}
constexpr double first_peak = 75.8;

// Minutes after 13:00; the first uptick is at 13:52, the burst begins at 13:57.
timeline second_incident() {
  return {.points = {{0, 61.3},
                     {16, 61.1},
                     {32, 61.2},
                     {48, 61.2},
                     {52, 61.5},
                     {57, 61.5},
                     {60, 71.0},
                     {64, 81.4},
                     {68, 87.5},
                     {72, 87.3},
                     {76, 89.4},
                     {80, 87.7},
                     {84, 86.8},
                     {88, 85.5}},
          .ttl_from = 11,
          .ttl_to = 29,
          .untimed = 0.05};
}
constexpr double second_peak = 89.4;

// As CloudWatch's table would have it: a straight line from 13:56 on.
timeline second_incident_as_tabled() {
  timeline made = second_incident();
  std::erase_if(made.points, [](const point& one) { return one.minute == 57; });
  made.points.insert(made.points.begin() + 5, {56, 61.5});
  return made;
}

struct way {
  const char* name;
  double step_seconds;
  double compressed;
  double noise;
  bool ttls_told;
  double stored_per_written;
};

const way ways[] = {
    {"a sample a second", 1, 1, 0, true, 1},
    {"with noise of the clients' buffers", 1, 1, 0.001, true, 1},
    {"every ten seconds, as a ledger's rows", 10, 1, 0, true, 1},
    {"a sample a minute", 60, 1, 0, true, 1},
    {"three bytes stored for each written", 1, 1, 0, true, 3},
    {"writes that did not pass the proxy", 1, 1, 0, false, 1},
    {"in the demo's time", 1, 45, 0, true, 1},
    {"in the demo's time, a quarter of a second apart", 0.25, 45, 0, true, 1},
};

timeline in_that_way(timeline of, const way& how) {
  of.step_seconds = how.step_seconds;
  of.compressed = how.compressed;
  of.noise = how.noise;
  of.stored_per_written = how.stored_per_written;
  if (!how.ttls_told) of.ttl_from = of.ttl_to = 0;
  return of;
}

double called(const timeline& of, double minute) {
  const forecast said = of.said_at(minute);
  EXPECT_TRUE(said.known);
  return said.percent(said.expected.peak_bytes);
}

TEST(incidents, are_called_four_minutes_into_the_burst_within_five_points_of_their_peaks) {
  for (const way& how : ways) {
    SCOPED_TRACE(how.name);
    const double first = called(in_that_way(first_incident(), how), -21);
    const double second = called(in_that_way(second_incident(), how), 61);
    const double tabled = called(in_that_way(second_incident_as_tabled(), how), 60);
    std::printf("  %-50s first %.1f (%.1f)  second %.1f, as tabled %.1f (%.1f)\n", how.name, first, first_peak, second,
                tabled, second_peak);
    EXPECT_NEAR(first, first_peak, 5);
    EXPECT_NEAR(second, second_peak, 5);
    EXPECT_NEAR(tabled, second_peak, 5);
  }
}

TEST(incidents, say_when_the_alert_will_come_before_it_comes) {
  const forecast first = first_incident().said_at(-21);
  ASSERT_TRUE(first.seconds_to[0]);
  // 70 % was passed at -18.4.
  EXPECT_NEAR(*first.seconds_to[0], 2.6 * 60, 60);
  EXPECT_TRUE(first.seconds_back);
  const forecast second = second_incident().said_at(61);
  EXPECT_EQ(second.seconds_to[0], 0);
  ASSERT_TRUE(second.seconds_to[1]);
  // 85 % was passed at 14:06.4.
  EXPECT_NEAR(*second.seconds_to[1], 5.4 * 60, 120);
}

TEST(incidents, raise_nothing_in_the_quiet_hour_before) {
  for (const double noise : {0.0, 0.001, 0.002}) {
    timeline first = first_incident(), second = second_incident();
    first.noise = second.noise = noise;
    for (const auto& all : {first.play(-30), second.play(57)}) {
      for (const played& one : all) {
        EXPECT_FALSE(one.said.burst) << one.minute;
        EXPECT_FALSE(one.said.seconds_to[0]) << one.minute;
        EXPECT_NEAR(one.said.percent(one.said.expected.peak_bytes), one.said.percent(one.said.used_bytes), 0.5);
      }
    }
  }
}

TEST(incidents, keep_the_real_peak_between_floor_and_ceiling_from_the_second_minute_on) {
  for (const auto& [of, from, until, peak] : {std::tuple{first_incident(), -23.0, -15.0, first_peak},
                                              std::tuple{second_incident(), 59.0, 68.0, second_peak}}) {
    for (const played& one : of.play(until)) {
      if (one.minute < from) continue;
      EXPECT_LE(one.said.percent(one.said.if_it_stops.peak_bytes), peak + 0.1) << one.minute;
      EXPECT_GE(one.said.percent(one.said.if_it_goes_on.peak_bytes), peak - 0.1) << one.minute;
    }
  }
}

TEST(incidents, are_taken_as_over_once_they_stop_and_drain_as_their_keys_do) {
  // After the peak nothing grows; the keys of 11 to 29 minutes bring it under 70 % within their lives.
  const forecast over = second_incident().said_at(84);
  EXPECT_NEAR(over.percent(over.expected.peak_bytes), over.percent(over.used_bytes), 1);
  ASSERT_TRUE(over.seconds_back);
  EXPECT_GT(*over.seconds_back, 60);
  EXPECT_LT(*over.seconds_back, 35 * 60);
}

}  // namespace
}  // namespace tidegate::forecast
