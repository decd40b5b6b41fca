#include "proxy/admin/routes.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

using test::watched;

admin_answer get(const watched& world, std::string_view target, std::string_view authorization = {},
                 bool loopback = true) {
  return answer_admin({.method = "GET", .target = target, .authorization = authorization}, world.from, "secret",
                      loopback);
}

TEST(Routes, SayHealthyWhateverTheUpstreamDoes) {
  watched world(1);
  world.trouble = "the upstream is not reachable: connect: refused";
  EXPECT_EQ(get(world, "/healthz").status, 200U);
}

TEST(Routes, SayWhyTheProxyIsNotReady) {
  watched world(1);
  world.trouble = "the upstream is \"gone\"\n\xff";
  const admin_answer refused = get(world, "/readyz");
  EXPECT_EQ(refused.status, 503U);
  const nlohmann::json document = nlohmann::json::parse(refused.body);
  EXPECT_FALSE(document["ready"].get<bool>());
  EXPECT_EQ(document["reason"], "the upstream is \"gone\"\n?");
  world.trouble.clear();
  const admin_answer ready = get(world, "/readyz?verbose");
  EXPECT_EQ(ready.status, 200U);
  EXPECT_TRUE(nlohmann::json::parse(ready.body)["ready"].get<bool>());
}

TEST(Routes, KnowNothingButTheirPaths) {
  watched world(1);
  for (const char* path : {"//", "", "/metrics/", "/page", "/page/", "/page/../routes.cpp", "/index.html", "/METRICS",
                           "//metrics", "/api/v1", "/api/v1/clients/x", "*", "/../metrics", "/api/v1/clients%00"}) {
    EXPECT_EQ(get(world, path).status, 404U) << path;
  }
}

TEST(Routes, RefuseToChangeAnything) {
  watched world(1);
  for (const char* method : {"POST", "PUT", "DELETE", "get", "GETX", ""}) {
    const admin_answer answer = answer_admin({.method = method, .target = "/metrics", .authorization = "Bearer secret"},
                                             world.from, "secret", true);
    EXPECT_EQ(answer.status, 405U) << method;
    EXPECT_EQ(answer.allow, "GET, HEAD");
  }
}

TEST(Routes, AskForTheTokenOnlyAwayFromLoopback) {
  watched world(1);
  EXPECT_EQ(get(world, "/api/v1/clients").status, 200U);
  const admin_answer asked = get(world, "/api/v1/clients", "", false);
  EXPECT_EQ(asked.status, 401U);
  EXPECT_TRUE(asked.ask_for_token);
  EXPECT_EQ(get(world, "/api/v1/clients", "Basic c2VjcmV0", false).status, 401U);
  for (const char* wrong : {"Bearer s", "Bearer secre", "Bearer secretx", "Bearer secretsecret", "Bearer  secret"}) {
    EXPECT_EQ(get(world, "/api/v1/clients", wrong, false).status, 403U) << wrong;
  }
  EXPECT_EQ(get(world, "/api/v1/clients", "Bearer secret", false).status, 200U);
  EXPECT_EQ(get(world, "/api/v1/clients", "bEARER secret", false).status, 200U);
  for (const char* open : {"/healthz", "/readyz", "/metrics"}) EXPECT_EQ(get(world, open, "", false).status, 200U);
}

TEST(Routes, AskForTheTokenOfWhoeverWantsToChangeSomethingOnLoopbackToo) {
  watched world(1);
  const auto change = [&](std::string_view path, std::string_view authorization, std::string_view token = "secret") {
    return answer_admin({.method = "POST", .target = path, .authorization = authorization}, world.from, token, true);
  };
  for (const char* path : {"/api/v1/limits", "/api/v1/nothing?x"}) {
    EXPECT_EQ(change(path, "").status, 401U) << path;
    EXPECT_TRUE(change(path, "").ask_for_token) << path;
    EXPECT_EQ(change(path, "Bearer wrong").status, 403U) << path;
    EXPECT_EQ(change(path, "Bearer x", "").status, 403U) << path;
  }
  EXPECT_EQ(change("/api/v1/limits", "Bearer secret").status, 405U);
  EXPECT_EQ(change("/api/v1/nothing", "Bearer secret").status, 404U);
}

TEST(Routes, LetNobodyInWhereNoTokenIsSet) {
  watched world(1);
  const admin_answer answer =
      answer_admin({.method = "GET", .target = "/api/v1/writes", .authorization = "Bearer x"}, world.from, "", false);
  EXPECT_EQ(answer.status, 403U);
}

TEST(Routes, CompareSecretsWhole) {
  EXPECT_TRUE(equal_secrets("", ""));
  EXPECT_TRUE(equal_secrets("abc", "abc"));
  EXPECT_FALSE(equal_secrets("abc", "abcabc"));
  EXPECT_FALSE(equal_secrets("abcabc", "abc"));
  EXPECT_FALSE(equal_secrets("abc", ""));
  EXPECT_FALSE(equal_secrets("", "abc"));
  EXPECT_FALSE(equal_secrets(std::string_view("\0", 1), ""));
}

TEST(Routes, ShowClientsPatternsAndWritesAsJson) {
  watched world(2);
  const auto client = world.registry->acquire_client("alice", true, 0);
  const auto pattern = world.registry->intern_pattern("odd\"\xfe*");
  const std::uint16_t sadd = resp::command_table::builtin()->find_name("sadd")->id;
  for (const auto& stats : world.stats) {
    stats->writes.find(client, pattern, sadd)->writes.add(2);
    stats->writes.find(client, pattern, sadd)->bytes.add(10);
  }
  const nlohmann::json clients = nlohmann::json::parse(get(world, "/api/v1/clients").body);
  ASSERT_EQ(clients["clients"].size(), 1U);
  EXPECT_EQ(clients["clients"][0]["client"], "alice");
  EXPECT_EQ(clients["clients"][0]["writes"], 4);
  EXPECT_EQ(clients["clients"][0]["connections"], 1);
  const nlohmann::json patterns = nlohmann::json::parse(get(world, "/api/v1/patterns").body);
  EXPECT_EQ(patterns["patterns"][0]["pattern"], "odd\"?*");
  const nlohmann::json writes = nlohmann::json::parse(get(world, "/api/v1/writes").body);
  EXPECT_EQ(writes["writes"][0]["command"], "sadd");
  EXPECT_EQ(writes["writes"][0]["bytes"], 20);
  EXPECT_EQ(writes["left_out"], 0);
}

TEST(Routes, ShowTheLimitsWithWhatTheyDid) {
  config::config config;
  config::limit_rule rule;
  rule.name = "batch";
  rule.rate = 100;
  rule.burst = 100;
  config.limits.push_back(rule);
  watched world(1, config);
  world.stats[0]->rejected.add(session::label_key(world.registry->intern_pattern("rule:batch"), 0), 3);
  const nlohmann::json limits = nlohmann::json::parse(get(world, "/api/v1/limits").body);
  ASSERT_EQ(limits["limits"].size(), 1U);
  EXPECT_EQ(limits["limits"][0]["name"], "batch");
  EXPECT_EQ(limits["limits"][0]["rejected"], 3);
  EXPECT_NEAR(limits["limits"][0]["rate_now"].get<double>(), 100, 0.001);
}

}  // namespace
}  // namespace tidegate::admin
