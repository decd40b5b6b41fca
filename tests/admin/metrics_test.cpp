#include "proxy/admin/metrics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "proxy/admin/fold.hpp"
#include "tests/admin/redis_process.hpp"
#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

using test::watched;

std::vector<std::string> lines_of(const std::string& text, std::string_view beginning) {
  std::vector<std::string> found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(beginning)) found.push_back(line);
  }
  return found;
}

void expect_line(const std::string& text, const std::string& line) {
  EXPECT_EQ(std::ranges::count(lines_of(text, line), line), 1) << line << "\nin\n" << text;
}

void expect_promtool_content(const std::string& text) {
  const test::run_result ran = test::run_program({"promtool", "check", "metrics"}, text);
  EXPECT_EQ(ran.status, 0) << ran.output << "\nof\n" << text;
}

// design.md section 8 and 12: every name, from the start.
TEST(Metrics, DeclareEveryNameBeforeAnythingHappened) {
  watched world(1);
  const std::string text = metrics(world.from).text();
  for (const std::string name : {"tidegate_commands_total",
                                 "tidegate_writes_total",
                                 "tidegate_write_elements_total",
                                 "tidegate_write_bytes_total",
                                 "tidegate_writes_without_ttl_total",
                                 "tidegate_own_commands_total",
                                 "tidegate_script_calls_total",
                                 "tidegate_writes_assumed_total",
                                 "tidegate_writes_unknown_total",
                                 "tidegate_delayed_total",
                                 "tidegate_rejected_total",
                                 "tidegate_observed_total",
                                 "tidegate_delay_seconds",
                                 "tidegate_ttl_injected_total",
                                 "tidegate_ttl_capped_total",
                                 "tidegate_ttl_observed_total",
                                 "tidegate_ttl_failed_total",
                                 "tidegate_ttl_refused_total",
                                 "tidegate_client_connections",
                                 "tidegate_client_connections_opened_total",
                                 "tidegate_upstream_connections",
                                 "tidegate_tls_certificate_not_after_seconds",
                                 "tidegate_tls_refused_total",
                                 "tidegate_sessions_dedicated",
                                 "tidegate_upstream_rtt_seconds",
                                 "tidegate_upstream_memory_used_bytes",
                                 "tidegate_upstream_memory_max_bytes",
                                 "tidegate_upstream_keys",
                                 "tidegate_upstream_keys_with_ttl",
                                 "tidegate_upstream_evicted_keys_total",
                                 "tidegate_upstream_up",
                                 "tidegate_upstream_info_stale",
                                 "tidegate_forecast_peak_bytes",
                                 "tidegate_forecast_floor_bytes",
                                 "tidegate_forecast_ceiling_bytes",
                                 "tidegate_forecast_growth_bytes_per_second",
                                 "tidegate_forecast_seconds_back",
                                 "tidegate_forecast_seconds_to",
                                 "tidegate_build_info",
                                 "tidegate_config_reloads_total",
                                 "tidegate_bytes_total"}) {
    EXPECT_EQ(lines_of(text, "# HELP " + name + " ").size(), 1U) << name;
    EXPECT_EQ(lines_of(text, "# TYPE " + name + " ").size(), 1U) << name;
  }
  EXPECT_TRUE(lines_of(text, "tidegate_forecast_").empty()) << "nothing is forecast yet";
  EXPECT_TRUE(lines_of(text, "tidegate_upstream_keys ").empty()) << "an unasked upstream is not an empty one";
  expect_line(text, "tidegate_upstream_info_stale 1");
  expect_promtool_content(text);
}

TEST(Metrics, FoldTheWorkersUnderNames) {
  watched world(2);
  const auto alice = world.registry->acquire_client("alice", true, 0);
  const auto pattern = world.registry->intern_pattern("user:*");
  const std::uint16_t set = resp::command_table::builtin()->find_name("set")->id;
  for (const auto& stats : world.stats) {
    attribution::series* series = stats->writes.find(alice, pattern, set);
    series->writes.add(3);
    series->elements.add(4);
    series->bytes.add(50);
    series->without_ttl.add(1);
    stats->commands.add(session::label_key(alice, static_cast<std::uint64_t>(resp::command_class::grow)), 7);
    stats->delayed.add(session::label_key(world.registry->intern_pattern("rule:batch"), alice), 2);
    stats->ttl_failed.add(session::label_key(pattern));
    stats->own_commands.add(session::label_key(resp::command_table::builtin()->find_name("expire")->id), 5);
    stats->client_errors.add(static_cast<std::uint64_t>(session::client_error::slow));
    stats->delay.observe(1'000'000);
    stats->lanes.add(2);
    stats->bytes_in.add(100);
  }
  world.control.add(resp::command_table::builtin()->find_name("info")->id, 9);
  world.control.add(resp::command_table::builtin()->find_name("expire")->id);
  const std::string text = metrics(world.from).text();
  const std::string labels = "{client=\"alice\",pattern=\"user:*\",command=\"set\"} ";
  expect_line(text, "tidegate_writes_total" + labels + "6");
  expect_line(text, "tidegate_write_elements_total" + labels + "8");
  expect_line(text, "tidegate_write_bytes_total" + labels + "100");
  expect_line(text, "tidegate_writes_without_ttl_total" + labels + "2");
  expect_line(text, "tidegate_commands_total{client=\"alice\",class=\"grow\"} 14");
  expect_line(text, "tidegate_delayed_total{rule=\"batch\",client=\"alice\"} 4");
  expect_line(text, "tidegate_ttl_failed_total{pattern=\"user:*\"} 2");
  expect_line(text, "tidegate_own_commands_total{command=\"expire\"} 11");
  expect_line(text, "tidegate_own_commands_total{command=\"info\"} 9");
  expect_line(text, "tidegate_client_errors_total{kind=\"slow\"} 2");
  expect_line(text, "tidegate_upstream_connections{kind=\"lane\"} 4");
  expect_line(text, "tidegate_client_connections{client=\"alice\"} 1");
  expect_line(text, "tidegate_client_connections_opened_total{client=\"alice\"} 1");
  expect_line(text, "tidegate_bytes_total{direction=\"in\"} 200");
  expect_line(text, "tidegate_delay_seconds_count 2");
  expect_line(text, "tidegate_delay_seconds_bucket{le=\"+Inf\"} 2");
  expect_promtool_content(text);
}

TEST(Metrics, PutADelayIntoEveryBucketAboveIt) {
  watched world(1);
  world.stats[0]->delay.observe(3'000'000'000);
  world.stats[0]->delay.observe(3'600'000'000'000);
  const totals all = fold(world.from);
  std::uint64_t sum = 0;
  for (const std::uint64_t count : all.delay.counts) sum += count;
  EXPECT_EQ(sum, 2U);
  EXPECT_EQ(all.delay.counts.back(), 1U) << "an hour is above every bound";
  EXPECT_NEAR(all.delay.sum_seconds, 3603, 0.001);
  std::uint64_t previous = 0;
  const std::vector<std::string> buckets = lines_of(metrics(world.from).text(), "tidegate_delay_seconds_bucket");
  ASSERT_EQ(buckets.size(), session::latency_histogram::buckets + 1);
  for (const std::string& line : buckets) {
    const std::uint64_t count = std::stoull(line.substr(line.rfind(' ') + 1));
    EXPECT_GE(count, previous);
    previous = count;
  }
  EXPECT_EQ(previous, 2U);
}

TEST(Metrics, EscapeWhatAPatternHolds) {
  watched world(1);
  const auto pattern = world.registry->intern_pattern("a\"b\\c\nd*");
  world.stats[0]->ttl_failed.add(session::label_key(pattern));
  const std::string text = metrics(world.from).text();
  expect_line(text, "tidegate_ttl_failed_total{pattern=\"a\\\"b\\\\c\\nd*\"} 1");
  expect_promtool_content(text);
}

TEST(Metrics, ReplaceBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("k\xc3\xa9y:\xf0\x9f\x8c\x8a"), "k\xc3\xa9y:\xf0\x9f\x8c\x8a");
  EXPECT_EQ(printable("\xff\xc3=a\xe2\x82"), std::string("?") + "?=a" + "?" + "?");
  EXPECT_EQ(printable("\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf4\x90\x80\x80\xf5"), std::string(13, '?'))
      << "overlong forms, surrogates and what lies beyond Unicode";
  EXPECT_EQ(printable(""), "");
  watched world(1);
  world.stats[0]->ttl_failed.add(session::label_key(world.registry->intern_pattern("b\xff*")));
  expect_promtool_content(metrics(world.from).text());
}

TEST(Metrics, ShowTheUpstreamOnceItTold) {
  watched world(1);
  world.upstream->reachable = true;
  world.upstream->memory_used = 1234;
  world.upstream->keys = 7;
  world.upstream->info_at = std::chrono::steady_clock::now().time_since_epoch().count();
  std::string text = metrics(world.from).text();
  expect_line(text, "tidegate_upstream_up 1");
  expect_line(text, "tidegate_upstream_info_stale 0");
  expect_line(text, "tidegate_upstream_memory_used_bytes 1234");
  expect_line(text, "tidegate_upstream_keys 7");
  EXPECT_TRUE(lines_of(text, "tidegate_upstream_memory_max_bytes ").empty()) << "no maxmemory is not a maxmemory of 0";
  world.upstream->info_at = (std::chrono::steady_clock::now() - std::chrono::seconds(6)).time_since_epoch().count();
  expect_line(metrics(world.from).text(), "tidegate_upstream_info_stale 1");
}

TEST(Fold, SumsRetiredClientsUnderOther) {
  watched world(1);
  // A full table folds the names that have been idle for an hour.
  const auto hours_ns = [](std::int64_t hours) { return hours * 3'600'000'000'000; };
  const auto old = world.registry->acquire_client("old", true, 0);
  const std::uint16_t set = resp::command_table::builtin()->find_name("set")->id;
  world.stats[0]->writes.find(old, attribution::other_pattern, set)->writes.add(5);
  world.registry->release_client(old, 0);
  for (std::uint32_t i = 0; i < attribution::clients_max + 8 && !world.registry->client_retired(old); ++i) {
    static_cast<void>(world.registry->acquire_client("n" + std::to_string(i), true, hours_ns(2)));
  }
  ASSERT_TRUE(world.registry->client_retired(old));
  const totals all = fold(world.from);
  EXPECT_FALSE(all.writes.contains({"old", "other", "set"}));
  ASSERT_TRUE(all.writes.contains({"other", "other", "set"}));
  EXPECT_EQ(all.writes.at({"other", "other", "set"}).writes, 5U);
  EXPECT_EQ(all.connections_opened.at({"other"}), 1U);
}

TEST(Fold, KeepsACountWhoseCommandTheTableDoesNotKnow) {
  watched world(1);
  world.stats[0]->writes.find(0, 0, 60000)->writes.add(2);
  const totals all = fold(world.from);
  EXPECT_EQ(all.writes.at({"other", "other", "unknown"}).writes, 2U);
}

}  // namespace
}  // namespace tidegate::admin
