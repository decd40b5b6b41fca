#include "evidence/forecast/forecast_json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/evidence/forecast/timeline.hpp"

namespace tidegate::forecast {
namespace {

TEST(forecast_json, has_every_field_when_nothing_is_known) {
  const auto document = nlohmann::json::parse(to_json(forecast{}));
  EXPECT_EQ(document["known"], false);
  EXPECT_FALSE(document["why_unknown"].get<std::string>().empty());
  EXPECT_TRUE(document["peak_bytes"].is_null());
  EXPECT_TRUE(document["seconds_to"]["85"].is_null());
  EXPECT_TRUE(document["if_it_goes_on"]["peak_percent"].is_null());
}

TEST(forecast_json, says_what_the_forecast_says) {
  timeline burst{.points = {{0, 50}, {10, 50}, {14, 60}}};
  const forecast said = burst.said_at(14);
  const auto document = nlohmann::json::parse(to_json(said));
  EXPECT_EQ(document["known"], true);
  EXPECT_EQ(document["burst"], true);
  EXPECT_EQ(document["at"], "2026-02-02T02:54:00Z");
  EXPECT_NEAR(document["used_percent"].get<double>(), 60, 0.1);
  EXPECT_NEAR(document["peak_percent"].get<double>(), said.percent(said.expected.peak_bytes), 0.1);
  EXPECT_EQ(document["seconds_to"]["70"].get<long>(), std::lround(*said.seconds_to[0]));
  EXPECT_NEAR(document["if_it_stops_now"]["peak_percent"].get<double>(), 60, 0.5);
  EXPECT_GT(document["if_it_goes_on"]["peak_bytes"].get<double>(), document["peak_bytes"].get<double>());
}

}  // namespace
}  // namespace tidegate::forecast
