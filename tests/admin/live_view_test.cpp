#include "proxy/admin/live_view.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proxy/admin/page.hpp"
#include "proxy/admin/query.hpp"
#include "proxy/admin/routes.hpp"
#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;
using session::label_key;
using test::watched;

// Two writers on two workers: `order-api` sets 3 keys, `batch-job` 4, two of them without a TTL.
struct busy : watched {
  busy() : watched(2) {
    const auto order = registry->acquire_client("order-api", true, 0);
    const auto batch = registry->acquire_client("batch-job", true, 0);
    const auto goods = registry->intern_pattern("goods:*");
    const auto jobs = registry->intern_pattern("job:*");
    count(0, order, goods, 3, 300, 0);
    count(0, batch, jobs, 1, 1000, 1);
    count(1, batch, jobs, 3, 3000, 1);
    stats[1]->ttl_injected.add(label_key(jobs, 0), 2);
  }

  void count(std::size_t worker, std::uint32_t client, std::uint32_t pattern, std::uint64_t writes, std::uint64_t bytes,
             std::uint64_t without_ttl) {
    attribution::series* series = stats[worker]->writes.find(client, pattern, 0);
    series->writes.add(writes);
    series->bytes.add(bytes);
    series->without_ttl.add(without_ttl);
  }
};

TEST(LiveView, SumsWorkersAndPutsTheLargestWriterFirst) {
  busy world;
  world.from.started_at_ms = 1234;
  const json seen = json::parse(live_json(world.from));
  EXPECT_EQ(seen["started_at"], 1234);
  ASSERT_EQ(seen["clients"].size(), 2U);
  EXPECT_EQ(seen["clients"][0]["client"], "batch-job");
  EXPECT_EQ(seen["clients"][0]["writes"], 4);
  EXPECT_EQ(seen["clients"][0]["bytes"], 4000);
  EXPECT_EQ(seen["clients"][0]["without_ttl"], 2);
  EXPECT_EQ(seen["clients"][0]["connections"], 1);
  EXPECT_EQ(seen["clients"][0]["connections_opened"], 1);
  EXPECT_EQ(seen["patterns"][0]["pattern"], "job:*");
  EXPECT_EQ(seen["patterns"][0]["injected"], 2);
  EXPECT_EQ(seen["left_out"]["clients"], 0);
}

TEST(LiveView, HasNullForWhatTheUpstreamNeverTold) {
  busy world;
  json seen = json::parse(live_json(world.from))["upstream"];
  EXPECT_TRUE(seen["used_bytes"].is_null());
  EXPECT_TRUE(seen["keys"].is_null());
  EXPECT_TRUE(seen["info_stale"].get<bool>());
  world.upstream->memory_used = 5;
  world.upstream->info_at = std::chrono::steady_clock::now().time_since_epoch().count();
  seen = json::parse(live_json(world.from))["upstream"];
  EXPECT_EQ(seen["used_bytes"], 5);
  EXPECT_TRUE(seen["max_bytes"].is_null());  // no maxmemory
  EXPECT_FALSE(seen["info_stale"].get<bool>());
}

TEST(LiveView, KeepsToItsRowsAndSaysHowManyAreLeftOut) {
  watched world(1);
  const auto pattern = world.registry->intern_pattern("k:*");
  for (std::size_t i = 0; i < live_rows_max + 7; ++i) {
    const auto client = world.registry->acquire_client("client-" + std::to_string(i), true, 0);
    world.stats[0]->writes.find(client, pattern, 0)->writes.add(1);
  }
  const json seen = json::parse(live_json(world.from));
  EXPECT_EQ(seen["clients"].size(), live_rows_max);
  EXPECT_EQ(seen["left_out"]["clients"], 7);
}

TEST(LiveView, ListsTheRulesInForce) {
  config::config config;
  config::limit_rule rule;
  rule.name = "in-force";
  rule.rate = 10;
  config.limits.push_back(rule);
  watched world(1, config);
  const json seen = json::parse(live_json(world.from));
  ASSERT_EQ(seen["limits"].size(), 1U);
  EXPECT_EQ(seen["limits"][0]["name"], "in-force");
  EXPECT_TRUE(seen["limits"][0]["in_force"].get<bool>());
}

TEST(LiveView, ShowsOneWriterWithItsSources) {
  busy world;
  EXPECT_TRUE(json::parse(client_json(world.from, "batch-job"))["sources"].is_null());
  world.from.client_sources = [](std::string_view client) {
    return std::vector<source_row>{{std::string(client) + "@10.0.3.7", 4, 4000, 1, 2}};
  };
  const json seen = json::parse(client_json(world.from, "batch-job"));
  EXPECT_TRUE(seen["known"].get<bool>());
  ASSERT_EQ(seen["writes_by"].size(), 1U);
  EXPECT_EQ(seen["writes_by"][0]["pattern"], "job:*");
  EXPECT_EQ(seen["writes_by"][0]["writes"], 4);
  EXPECT_EQ(seen["sources"][0]["address"], "batch-job@10.0.3.7");
  EXPECT_EQ(seen["sources"][0]["connections_opened"], 2);
}

TEST(LiveView, SaysOfAStrangerThatItIsUnknown) {
  busy world;
  const json seen = json::parse(client_json(world.from, "nobody\xff\""));
  EXPECT_FALSE(seen["known"].get<bool>());
  EXPECT_EQ(seen["client"], "nobody?\"");
  EXPECT_EQ(seen["writes"], 0);
}

TEST(LiveView, IsReachedByItsPathAndAQuery) {
  busy world;
  const auto get = [&](std::string_view target) {
    return answer_admin({.method = "GET", .target = target, .authorization = {}}, world.from, "secret", true);
  };
  EXPECT_EQ(json::parse(get("/api/v1/live").body)["clients"].size(), 2U);
  EXPECT_EQ(json::parse(get("/api/v1/clients?client=batch%2Djob").body)["writes"], 4);
  EXPECT_TRUE(json::parse(get("/api/v1/clients?client=%2").body).contains("clients"));
  EXPECT_EQ(answer_admin({.method = "GET", .target = "/api/v1/live", .authorization = {}}, world.from, "secret", false)
                .status,
            401U);
}

TEST(Query, DecodesTheFirstValueOfAKey) {
  EXPECT_EQ(query_value("a=1&b=x%2Fy+z&b=2", "b"), "x/y z");
  EXPECT_EQ(query_value("b=", "b"), "");
  EXPECT_EQ(query_value("b=%e4%B8%ad", "b"), "\xe4\xb8\xad");
  for (const char* broken : {"", "b", "bb=1", "b=%", "b=%2", "b=%zz", "b=%+1", "=b", "&&"}) {
    EXPECT_EQ(query_value(broken, "b"), std::nullopt) << broken;
  }
}

TEST(Page, IsServedWithoutATokenAndSaysWhatItMayFetch) {
  watched world(1);
  for (const char* path : {"/", "/page/page.css", "/page/chart.js", "/page/screen.js", "/page/rates.js",
                           "/page/charts.js", "/page/tables.js", "/page/writer.js", "/page/caps.js"}) {
    const admin_answer answer =
        answer_admin({.method = "GET", .target = path, .authorization = {}}, world.from, "secret", false);
    EXPECT_EQ(answer.status, 200U) << path;
    EXPECT_TRUE(answer.is_page) << path;
    EXPECT_GT(answer.body.size(), 500U) << path;
  }
  EXPECT_EQ(find_page_file("/page/nothing.js"), nullptr);
  EXPECT_NE(find_page_file("/")->bytes.find("<title>tidegate</title>"), std::string_view::npos);
}

}  // namespace
}  // namespace tidegate::admin
