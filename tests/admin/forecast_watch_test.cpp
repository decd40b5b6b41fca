#include "proxy/admin/forecast_watch.hpp"

#include <gtest/gtest.h>

#include "proxy/admin/metrics.hpp"
#include "proxy/admin/routes.hpp"
#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::uint64_t maxmemory = 1'000'000'000;

class a_forecast_watch : public testing::Test {
 protected:
  // An INFO at each second; the class of 513 to 1024 s is written.
  void grow(int seconds, double percent_from, double percent_a_second) {
    for (int i = 0; i < seconds; ++i, ++second_) {
      upstream_->memory_used = static_cast<std::uint64_t>((percent_from + percent_a_second * i) / 100 * maxmemory);
      upstream_->memory_max = maxmemory;
      upstream_->info_at = (1000 + second_) * second_ns;
      written_.bytes[10] += static_cast<std::uint64_t>(percent_a_second / 100 * maxmemory / 2);
      watch_.look((1000 + second_) * second_ns, 1'770'000'000'000 + second_ * 1000);
    }
  }
  std::shared_ptr<session::upstream_state> upstream_ = std::make_shared<session::upstream_state>();
  forecast::traffic written_;
  forecast_watch watch_{upstream_, [this] { return written_; }};
  int second_ = 0;
};

TEST_F(a_forecast_watch, knows_nothing_before_the_first_info_and_says_why) {
  watch_.look(5 * second_ns, 0);
  EXPECT_FALSE(watch_.now().known);
  EXPECT_FALSE(watch_.now().why_unknown.empty());
}

TEST_F(a_forecast_watch, follows_a_burst_with_the_ttls_of_what_was_written) {
  grow(60, 50, 0);
  EXPECT_TRUE(watch_.now().known);
  EXPECT_FALSE(watch_.now().burst);
  grow(60, 50, 0.15);
  const forecast::forecast said = watch_.now();
  EXPECT_TRUE(said.burst);
  EXPECT_NEAR(said.stored_per_written, 2, 0.2);
  EXPECT_GT(said.percent(said.expected.peak_bytes), 70);
  EXPECT_TRUE(said.seconds_to[0]);
}

TEST_F(a_forecast_watch, takes_each_info_once) {
  grow(60, 50, 0.1);
  const double before = watch_.now().growth_per_second;
  for (int i = 0; i < 20; ++i) watch_.look((1000 + second_ - 1) * second_ns + i, 1'770'000'999'000);
  EXPECT_EQ(watch_.now().growth_per_second, before);
}

TEST_F(a_forecast_watch, knows_nothing_once_info_is_stale) {
  grow(60, 50, 0.1);
  watch_.look((1000 + second_ + 10) * second_ns, 1'770'000'100'000);
  EXPECT_FALSE(watch_.now().known);
  EXPECT_NE(watch_.now().why_unknown.find("INFO"), std::string::npos);
  grow(1, 56, 0.1);
  EXPECT_TRUE(watch_.now().known);
}

TEST_F(a_forecast_watch, is_shown_as_metrics_and_as_a_document) {
  test::watched world(1);
  world.from.forecast = [this] { return watch_.now(); };
  grow(60, 50, 0);
  grow(60, 50, 0.15);
  const std::string text = metrics(world.from).text();
  EXPECT_NE(text.find("\ntidegate_forecast_peak_bytes "), std::string::npos);
  EXPECT_NE(text.find("\ntidegate_forecast_seconds_to{threshold=\"70\"} "), std::string::npos);
  EXPECT_NE(text.find("\ntidegate_forecast_ceiling_bytes "), std::string::npos);
  const admin_answer answer =
      answer_admin({.method = "GET", .target = "/api/v1/forecast", .authorization = {}}, world.from, "", true);
  EXPECT_EQ(answer.status, 200U);
  EXPECT_NE(answer.body.find("\"known\":true"), std::string::npos) << answer.body;
  world.from.forecast = nullptr;
  EXPECT_NE(answer_admin({.method = "GET", .target = "/api/v1/forecast", .authorization = {}}, world.from, "", true)
                .body.find("\"known\":false"),
            std::string::npos);
}

TEST_F(a_forecast_watch, starts_and_stops_its_thread) {
  watch_.start();
  watch_.stop();
  watch_.stop();
}

}  // namespace
}  // namespace tidegate::admin
