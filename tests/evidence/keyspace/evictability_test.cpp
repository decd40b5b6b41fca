#include "evidence/keyspace/evictability.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::keyspace {
namespace {

// The runbook's keyspace at a thousandth: 4,035 keys with a TTL, 2,624 without.
census runbook() {
  census all({"contact:userGroupLabel:set:*", "MARKETING:COUPON:UNREAD:*"});
  const auto add = [&all](const std::string& prefix, int keys, std::int64_t ttl, std::uint64_t bytes,
                          std::uint64_t frequency) {
    for (int i = 0; i < keys; ++i) {
      const std::string key = prefix + std::to_string(i);
      all.count(key, ttl);
      all.measure(key, ttl, {.bytes = bytes, .idle_seconds = std::nullopt, .frequency = frequency});
    }
  };
  add("session:", 4035, 60'000, 100, 200);
  add("contact:userGroupLabel:set:", 177, -1, 1000, 0);
  add("MARKETING:COUPON:UNREAD:", 147, -1, 100, 200);
  add("profile:", 2300, -1, 100, 1);
  all.fold();
  return all;
}

const std::vector<mending_rule> rules{{.pattern = "contact:userGroupLabel:set:*",
                                       .default_ttl = std::chrono::hours(720),
                                       .max_ttl = std::nullopt,
                                       .jitter = 0},
                                      {.pattern = "MARKETING:COUPON:UNREAD:*",
                                       .default_ttl = std::chrono::hours(1440),
                                       .max_ttl = std::nullopt,
                                       .jitter = 0}};

eviction_view judged(const std::string& policy, const std::vector<mending_rule>& in_force = rules) {
  return judge_eviction(runbook(), 1.0, {.target = "h:1/0", .policy = policy, .used = 850, .max = 1000}, in_force);
}

TEST(Evictability, IsWhatHasATtlUnderVolatilePolicies) {
  const eviction_view view = judged("volatile-lfu");
  EXPECT_EQ(view.keys, 6659U);
  EXPECT_EQ(view.now.keys, 4035U);
  EXPECT_NEAR(view.now.keys_share, 0.606, 0.001);
  EXPECT_DOUBLE_EQ(view.now.bytes.value, 403'500);
  EXPECT_DOUBLE_EQ(view.bytes.value, 403'500 + 177'000 + 14'700 + 230'000);
  EXPECT_EQ(view.under_allkeys.keys, 6659U);
}

TEST(Evictability, IsEverythingUnderAllkeysAndNothingUnderNoeviction) {
  EXPECT_EQ(judged("allkeys-lru").now.keys, 6659U);
  EXPECT_EQ(judged("noeviction").now.keys, 0U);
  EXPECT_EQ(judged("noeviction").under_volatile.keys, 4035U);
}

TEST(Evictability, GrowsByWhatTheRulesCover) {
  const eviction_view view = judged("volatile-lfu");
  EXPECT_EQ(view.after_rules.keys, 4035U + 177U + 147U);
  EXPECT_EQ(view.uncovered_keys, 2300U);
  EXPECT_EQ(judged("volatile-lfu", {}).after_rules.keys, 4035U);
}

TEST(Evictability, NamesWhatAChangeWouldExposeAndHowLikely) {
  const eviction_view view = judged("volatile-lfu");
  ASSERT_EQ(view.exposed.size(), 3U);
  EXPECT_EQ(view.exposed[0].pattern, "profile:*");
  EXPECT_EQ(view.exposed[0].exposed_keys, 2300U);
  EXPECT_EQ(view.exposed[0].risk, "high");
  EXPECT_FALSE(view.exposed[0].ruled);
  EXPECT_EQ(view.exposed[2].pattern, "MARKETING:COUPON:UNREAD:*");
  EXPECT_EQ(view.exposed[2].risk, "low");
  EXPECT_TRUE(view.exposed[2].ruled);
}

TEST(Evictability, AdvisesByWhatItFound) {
  EXPECT_NE(judged("volatile-lfu").verdict.find("2,300 keys have neither"), std::string::npos);
  EXPECT_NE(judged("allkeys-lru").verdict.find("already"), std::string::npos);
  std::vector<mending_rule> all = rules;
  all.push_back({.pattern = "profile:*", .default_ttl = std::chrono::hours(1), .max_ttl = std::nullopt, .jitter = 0});
  EXPECT_NE(judged("volatile-lfu", all).verdict.find("mend the old keys"), std::string::npos);
  EXPECT_NE(judged("").verdict.find("does not tell"), std::string::npos);
}

TEST(Evictability, ReadsAsMarkdownAndAsJson) {
  const eviction_view view = judged("volatile-lfu");
  const std::string text = to_markdown(view);
  EXPECT_NE(text.find("| `profile:*` | 2,300 |"), std::string::npos) << text;
  EXPECT_NE(text.find("60.6 %"), std::string::npos) << text;
  const auto json = to_json(view);
  EXPECT_EQ(json.at("evictable").at("now").at("keys"), 4035);
  EXPECT_EQ(json.at("exposed").size(), 3U);
}

TEST(Evictability, OfAnEmptyServerIsNoDivisionByZero) {
  const eviction_view view = judge_eviction(census({}), 1.0, {.target = "h:1/0", .policy = "volatile-lru"}, {});
  EXPECT_EQ(view.keys, 0U);
  EXPECT_EQ(view.now.keys_share, 0);
  EXPECT_FALSE(to_markdown(view).empty());
}

}  // namespace
}  // namespace tidegate::keyspace
