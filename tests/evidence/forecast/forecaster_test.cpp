#include "evidence/forecast/forecaster.hpp"

#include <gtest/gtest.h>

#include "tests/evidence/forecast/timeline.hpp"

namespace tidegate::forecast {
namespace {

TEST(forecaster, knows_nothing_before_the_first_observation) {
  const forecaster looks;
  EXPECT_FALSE(looks.now().known);
  EXPECT_FALSE(looks.now().why_unknown.empty());
}

TEST(forecaster, says_what_is_missing_without_maxmemory) {
  forecaster looks;
  for (int i = 0; i < 100; ++i) {
    looks.observe({.at_ms = 1000 * i, .used_memory = 1000 + 1000ULL * static_cast<unsigned>(i)});
  }
  EXPECT_FALSE(looks.now().known);
  EXPECT_NE(looks.now().why_unknown.find("upstream.maxmemory"), std::string::npos);
}

timeline flat_then_grows(double minutes, double percent) {
  return {.points = {{0, 50}, {30, 50}, {30 + minutes, 50 + percent}}};
}

TEST(forecaster, takes_a_slow_drift_for_no_burst) {
  const timeline drift{.points = {{0, 50}, {60, 53}}};  // 0.05 % a minute
  for (const played& one : drift.play(60)) EXPECT_FALSE(one.said.burst);
}

TEST(forecaster, settles_at_the_steady_state_of_a_burst_that_goes_on_for_ever) {
  timeline endless = flat_then_grows(4, 4);  // 1 % a minute
  endless.ttl_from = 18;                     // all of class 11: 1024 to 2048 s
  endless.ttl_to = 34;
  const forecast said = endless.said_at(34);
  // rate x life: a mean of 25.6 minutes, a tenth late.
  EXPECT_NEAR(said.percent(said.if_it_goes_on.peak_bytes), 50 + 25.6 * 1.1, 1.5);
  EXPECT_NEAR(said.percent(said.if_it_stops.peak_bytes), 54, 0.3);
}

TEST(forecaster, returns_nothing_of_what_has_no_ttl) {
  timeline leak = flat_then_grows(20, 25);
  leak.points.push_back({60, 75});
  leak.ttl_from = leak.ttl_to = 1;
  leak.untimed = 1;
  const forecast growing = leak.said_at(45);
  EXPECT_FALSE(growing.seconds_back);
  EXPECT_TRUE(growing.burst);
  const forecast after = leak.said_at(60);
  EXPECT_FALSE(after.burst);
  EXPECT_FALSE(after.seconds_back);
  EXPECT_EQ(after.seconds_to[0], 0);
}

TEST(forecaster, gives_back_what_has_a_ttl_once_it_stopped) {
  timeline burst = flat_then_grows(8, 25);
  burst.points.push_back({39.1, 75});
  burst.ttl_from = 16;
  burst.ttl_to = 17;  // class 10: 512 to 1024 s
  const forecast said = burst.said_at(39.1);
  EXPECT_FALSE(said.burst);
  ASSERT_TRUE(said.seconds_back);
  EXPECT_GT(*said.seconds_back, 0);
  EXPECT_LT(*said.seconds_back, 1024 * forecaster::late);
}

TEST(forecaster, counts_a_slow_beginning_for_less_than_its_length) {
  timeline slow{.points = {{0, 50}, {42.5, 50}, {50, 53}, {52, 57}}};  // 0.4 % a minute, then 2 %
  timeline quick{.points = {{0, 50}, {48, 50}, {50, 53}, {52, 57}}};
  const double of_slow = slow.said_at(52).expected.peak_bytes, of_quick = quick.said_at(52).expected.peak_bytes;
  EXPECT_NEAR(of_slow / test_maxmemory, of_quick / test_maxmemory, 0.02);
}

TEST(forecaster, tells_how_many_bytes_are_stored_for_one_written) {
  timeline burst = flat_then_grows(4, 8);
  burst.ttl_from = 20;
  burst.ttl_to = 40;
  burst.stored_per_written = 2.5;
  EXPECT_NEAR(burst.said_at(34).stored_per_written, 2.5, 0.15);
}

TEST(forecaster, begins_anew_after_a_flush_a_gap_and_a_clock_that_steps_back) {
  const auto grow = [](forecaster& looks, std::int64_t from) {
    for (int i = 0; i < 120; ++i) {
      const double percent = i < 60 ? 50 : 50 + 0.1 * (i - 60);
      looks.observe({.at_ms = from + 1000 * i,
                     .used_memory = static_cast<std::uint64_t>(percent / 100 * test_maxmemory),
                     .maxmemory = static_cast<std::uint64_t>(test_maxmemory)});
    }
  };
  const auto at = [](std::int64_t ms, double percent) {
    return observation{.at_ms = ms,
                       .used_memory = static_cast<std::uint64_t>(percent / 100 * test_maxmemory),
                       .maxmemory = static_cast<std::uint64_t>(test_maxmemory)};
  };
  for (const observation& odd : {at(1'120'000, 5), at(5'000'000, 56), at(900'000, 56)}) {
    forecaster looks;
    grow(looks, 1'000'000);
    EXPECT_TRUE(looks.now().burst);
    looks.observe(odd);
    EXPECT_FALSE(looks.now().burst);
    EXPECT_TRUE(looks.now().known);
    EXPECT_DOUBLE_EQ(looks.now().expected.peak_bytes, static_cast<double>(odd.used_memory));
  }
}

TEST(forecaster, keeps_floor_peak_and_ceiling_in_order) {
  timeline burst = flat_then_grows(12, 30);
  burst.noise = 0.002;
  burst.ttl_from = 2;
  burst.ttl_to = 12;
  for (const played& one : burst.play(42)) {
    EXPECT_LE(one.said.if_it_stops.peak_bytes, one.said.expected.peak_bytes + 1);
    EXPECT_LE(one.said.expected.peak_bytes, one.said.if_it_goes_on.peak_bytes + 1);
  }
}

}  // namespace
}  // namespace tidegate::forecast
