#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proxy/admin/recent.hpp"
#include "proxy/admin/status_view.hpp"
#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

using namespace std::chrono_literals;

constexpr double kib = 1024;

// A burst of one writer.
status_facts burst(double used, double a_minute) {
  return {.reachable = true,
          .used = used,
          .share_a_minute = a_minute,
          .evictions = 0,
          .top_writer = "isales-campaign",
          .top_bytes = 900 * kib,
          .all_bytes = 1000 * kib,
          .top_is_held = false,
          .without_ttl = 0.4};
}

bool tells(const judgement& found, std::string_view part) {
  return std::ranges::any_of(found.next, [part](const std::string& line) { return line.find(part) != line.npos; });
}

TEST(Judge, ComparesTheMemoryWithItsThresholds) {
  const status_limits limits{.warn = 0.6, .critical = 0.7};
  EXPECT_EQ(judge(burst(0.599, 0), limits).is, verdict::ok);
  EXPECT_EQ(judge(burst(0.6, 0), limits).is, verdict::warn);
  EXPECT_EQ(judge(burst(0.699, 0), limits).is, verdict::warn);
  EXPECT_EQ(judge(burst(0.7, 0), limits).is, verdict::critical);
}

TEST(Judge, GivesTheCommandThatHoldsTheWriter) {
  const judgement found = judge(burst(0.71, 0.03), {});
  EXPECT_EQ(found.because, "memory at 71.0 %, rising by 3.0 points a minute");
  ASSERT_FALSE(found.next.empty());
  EXPECT_EQ(found.next[0], "tidegate cap 'isales-campaign' --bytes 90KiB/s --for 30m --why 'memory at 71 %'");
  status_facts more = burst(0.71, 0.03);
  more.top_bytes = more.all_bytes = 50'000 * kib;
  EXPECT_TRUE(tells(judge(more, {}), "--bytes 150KiB/s")) << "never more than what is known to be harmless";
}

TEST(Judge, GoesFurtherOnlyWhereACapDoesNotHold) {
  status_facts held = burst(0.71, 0.03);
  held.top_is_held = true;
  EXPECT_TRUE(tells(judge(held, {}), "tidegate block 'isales-campaign'"));
  held.share_a_minute = 0;
  EXPECT_FALSE(tells(judge(held, {}), "block"));
  EXPECT_TRUE(tells(judge(held, {}), "tidegate caps"));
}

TEST(Judge, AdvisesToWaitWhileItFalls) {
  const judgement found = judge(burst(0.85, -0.02), {});
  EXPECT_EQ(found.is, verdict::critical);
  EXPECT_EQ(found.next, std::vector<std::string>{"tidegate status --watch"});
}

TEST(Judge, BlamesNobodyWithoutAFigure) {
  status_facts even = burst(0.71, 0.03);
  even.top_bytes = 100 * kib;
  EXPECT_FALSE(tells(judge(even, {}), "tidegate cap "));
  EXPECT_TRUE(tells(judge(even, {}), "CLIENT LIST"));
  even.top_writer.clear();
  even.top_bytes = even.all_bytes = 0;
  EXPECT_FALSE(tells(judge(even, {}), "tidegate cap "));
}

TEST(Judge, IsNeverWellWhereItDoesNotKnow) {
  status_facts unknown = burst(0.5, 0);
  unknown.used.reset();
  EXPECT_EQ(judge(unknown, {}).is, verdict::unknown);
  status_facts gone = burst(0.5, 0);
  gone.reachable = false;
  EXPECT_EQ(judge(gone, {}).is, verdict::unknown);
}

TEST(Judge, TakesEvictionsForCriticalWhateverTheMemory) {
  status_facts evicts = burst(0.5, 0);
  evicts.evictions = 0.2;
  EXPECT_EQ(judge(evicts, {}).is, verdict::critical);
}

TEST(Judge, WarnsOfALimitThatIsForecast) {
  status_facts coming = burst(0.41, 0.03);
  coming.ahead = expectation{.share = 1, .seconds = 250};
  const judgement found = judge(coming, {});
  EXPECT_EQ(found.is, verdict::warn);
  EXPECT_EQ(found.because, "memory at 41.0 %, rising by 3.0 points a minute; forecast: 100 % in 4m 10s");
  EXPECT_TRUE(tells(found, "tidegate cap 'isales-campaign'")) << "who fills it is held before it is full";
  EXPECT_TRUE(tells(found, "--why 'memory at 41 %, 100 % in 4m 10s'"));
}

TEST(Judge, LeavesCriticalToTheMemoryItself) {
  status_facts coming = burst(0.65, 0.03);
  coming.ahead = expectation{.share = 0.7, .seconds = 20};
  EXPECT_EQ(judge(coming, {}).is, verdict::warn);
  coming.used = 0.72;
  EXPECT_EQ(judge(coming, {}).is, verdict::critical);
}

TEST(Judge, PointsToKeysWithoutTtlInQuietTimes) {
  EXPECT_EQ(judge(burst(0.5, 0), {}).next, std::vector<std::string>{"tidegate ttl audit"});
}

recent::sample sample(std::chrono::milliseconds at, double used, std::uint64_t bytes = 0) {
  recent::sample one;
  one.at = at;
  one.used = used;
  one.clients[7] = {.writes = bytes / 10, .bytes = bytes};
  return one;
}

TEST(Recent, TakesRatesOverTheLastTenSeconds) {
  recent seen;
  EXPECT_EQ(seen.now().seconds, 0);
  for (int i = 0; i <= 30; ++i) seen.add(sample(i * 1s, 0.5, static_cast<std::uint64_t>(i < 20 ? 0 : (i - 20) * 1000)));
  const recent::rates now = seen.now();
  EXPECT_DOUBLE_EQ(now.seconds, 10);
  EXPECT_DOUBLE_EQ(now.bytes, 1000);
  ASSERT_EQ(now.writers.size(), 1U);
  EXPECT_EQ(now.writers[0].client, 7U);
  EXPECT_DOUBLE_EQ(now.writers[0].writes, 100);
}

TEST(Recent, ReadsACounterThatWentBackAsNoRate) {
  recent seen;
  recent::sample before = sample(0s, 0.5), after = sample(1s, 0.5);
  before.evicted = 1000;
  after.evicted = 3;
  seen.add(before);
  seen.add(after);
  EXPECT_EQ(seen.now().evictions, 0);
}

TEST(Recent, HasNoTrendAcrossAGap) {
  recent seen;
  EXPECT_FALSE(seen.share_a_minute());
  for (int i = 0; i <= 60; ++i) seen.add(sample(i * 1s, 0.5 + i * 0.001));
  ASSERT_TRUE(seen.share_a_minute());
  EXPECT_NEAR(*seen.share_a_minute(), 0.06, 1e-9);
  recent::sample unknown;
  unknown.at = 61s;
  seen.add(unknown);
  EXPECT_FALSE(seen.share_a_minute());
  for (int i = 62; i <= 70; ++i) seen.add(sample(i * 1s, 0.9));
  EXPECT_NEAR(*seen.share_a_minute(), 0, 1e-9);
}

TEST(Recent, ForgetsWhatIsOld) {
  recent seen;
  for (std::size_t i = 0; i < history_max + 10; ++i) seen.add(sample(static_cast<std::int64_t>(i) * 1s, 0.5, i));
  EXPECT_EQ(seen.history().size(), history_max);
  EXPECT_TRUE(seen.history().front().clients.empty());
  EXPECT_FALSE(seen.history().back().clients.empty());
}

TEST(Status, ShowsWhatTheCountersAndTheUpstreamSay) {
  test::watched world(2);
  recent seen;
  world.from.recent = &seen;
  world.upstream->reachable = true;
  world.upstream->memory_used = 71;
  world.upstream->memory_max = 100;
  world.upstream->keys = 10;
  world.upstream->keys_with_ttl = 4;
  world.upstream->info_at = 1;
  const auto client = world.registry->acquire_client("alice", true, 0);
  const auto rule = world.registry->intern_pattern("rule:batch");
  seen.add(world.from, 0s, 5s);
  for (const auto& stats : world.stats) {
    stats->writes.find(client, 0, 1)->writes.add(50);
    stats->writes.find(client, 0, 1)->bytes.add(50'000);
    stats->delayed.add(session::label_key(rule, client), 20);
  }
  seen.add(world.from, 1s, 5s);
  const nlohmann::json got = nlohmann::json::parse(status_json(world.from, "warn=60%25&critical=70%25"));
  EXPECT_EQ(got["verdict"], "critical");
  EXPECT_EQ(got["upstream"]["used_percent"], 71);
  EXPECT_EQ(got["upstream"]["keys_without_ttl"], 6);
  EXPECT_EQ(got["rates"]["writes_per_second"], 100);
  ASSERT_EQ(got["writers"].size(), 1U);
  EXPECT_EQ(got["writers"][0]["client"], "alice");
  EXPECT_EQ(got["writers"][0]["share_percent"], 100);
  ASSERT_EQ(got["limits"].size(), 1U);
  EXPECT_EQ(got["limits"][0]["name"], "batch");
  EXPECT_EQ(got["limits"][0]["delayed_per_second"], 40);
  EXPECT_EQ(nlohmann::json::parse(status_json(world.from, "warn=80%25&critical=90%25"))["verdict"], "ok");
  world.upstream->info_at = 1;
  seen.add(world.from, 10s, 5s);
  EXPECT_EQ(nlohmann::json::parse(status_json(world.from, ""))["verdict"], "unknown") << "INFO is stale";
}

// Memory at 50 %, a point more each minute, for half an hour.
forecast::forecast point_a_minute() {
  forecast::forecast made;
  made.known = true;
  made.used_bytes = 500;
  made.max_bytes = 1000;
  for (int minute = 1; minute <= 30; ++minute) made.expected_levels.push_back({minute * 60.0, 500 + minute * 10.0});
  return made;
}

TEST(Status, TakesTheHighestLimitThatTheForecastReachesWithinAQuarterOfAnHour) {
  test::watched world(1);
  recent seen;
  world.from.recent = &seen;
  world.upstream->reachable = true;
  world.upstream->memory_used = 500;
  world.upstream->memory_max = 1000;
  world.upstream->info_at = 1;
  seen.add(world.from, 0s, 5s);
  const auto verdict_of = [&](const char* query) {
    return nlohmann::json::parse(status_json(world.from, query))["verdict"].get<std::string>();
  };
  const auto because_of = [&](const char* query) {
    return nlohmann::json::parse(status_json(world.from, query))["because"].get<std::string>();
  };
  EXPECT_EQ(verdict_of(""), "ok") << "nobody looks ahead";
  world.from.forecast = point_a_minute;
  EXPECT_EQ(verdict_of(""), "warn");
  EXPECT_NE(because_of("").find("forecast: 60 % in 10m 0s"), std::string::npos) << because_of("");
  EXPECT_NE(because_of("warn=55%25&critical=65%25").find("forecast: 65 % in 15m 0s"), std::string::npos)
      << because_of("warn=55%25&critical=65%25");
  EXPECT_EQ(verdict_of("warn=66%25&critical=70%25"), "ok") << "it is more than a quarter of an hour away";
  EXPECT_EQ(verdict_of("warn=90%25&critical=95%25"), "ok") << "it never comes";
  world.from.forecast = [] { return forecast::forecast{}; };
  EXPECT_EQ(verdict_of(""), "ok") << "a forecast that is not known foretells nothing";
}

}  // namespace
}  // namespace tidegate::admin
