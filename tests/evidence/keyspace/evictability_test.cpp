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
  return judge_eviction(evidence_of(runbook(), 1.0), {.target = "h:1/0", .policy = policy, .used = 850, .max = 1000},
                        in_force);
}

TEST(Evictability, IsWhatHasATtlUnderVolatilePolicies) {
  const eviction_view view = judged("volatile-lfu");
  EXPECT_EQ(view.keys, 6659U);
  EXPECT_EQ(view.now.keys, 4035U);
  EXPECT_NEAR(view.now.keys_share.value(), 0.606, 0.001);
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
  EXPECT_EQ(view.uncovered, 2300U);
  EXPECT_EQ(judged("volatile-lfu", {}).after_rules.keys, 4035U);
}

TEST(Evictability, NamesWhatAChangeWouldExposeAndHowLikely) {
  const eviction_view view = judged("volatile-lfu");
  ASSERT_EQ(view.exposed.size(), 3U);
  EXPECT_EQ(view.exposed[0].pattern, "profile:*");
  EXPECT_EQ(view.exposed[0].exposed, 2300U);
  EXPECT_EQ(view.exposed[0].risk, eviction_risk::high);
  EXPECT_FALSE(view.exposed[0].ruled);
  EXPECT_EQ(view.exposed[2].pattern, "MARKETING:COUPON:UNREAD:*");
  EXPECT_EQ(view.exposed[2].risk, eviction_risk::low);
  EXPECT_TRUE(view.exposed[2].ruled);
}

TEST(Evictability, AdvisesByWhatItFound) {
  EXPECT_EQ(judged("volatile-lfu").advice, eviction_advice::find_the_owners);
  EXPECT_EQ(judged("allkeys-lru").advice, eviction_advice::keep_nothing);
  std::vector<mending_rule> all = rules;
  all.push_back({.pattern = "profile:*", .default_ttl = std::chrono::hours(1), .max_ttl = std::nullopt, .jitter = 0});
  EXPECT_EQ(judged("volatile-lfu", all).advice, eviction_advice::mend_old_keys);
  EXPECT_EQ(judged("").advice, eviction_advice::ask_the_server);
  census timed({});
  timed.count("a", 1000);
  EXPECT_EQ(judge_eviction(evidence_of(timed, 1.0), {.target = "h:1/0", .policy = "volatile-lru"}, {}).advice,
            eviction_advice::change_nothing);
}

TEST(Evictability, OfBookedWritesKnowsNoKeysBeyondTheServersOwnCount) {
  const auto bytes = [](double value) { return estimate{.value = value, .margin = 0, .measured = 1}; };
  const eviction_evidence booked{.source = eviction_source::writes,
                                 .patterns = {{.pattern = "session:*",
                                               .with_ttl = 90,
                                               .without_ttl = 0,
                                               .with_ttl_bytes = bytes(900),
                                               .without_ttl_bytes = bytes(0),
                                               .used = {}},
                                              {.pattern = "MARKETING:COUPON:UNREAD:*",
                                               .with_ttl = 0,
                                               .without_ttl = 10,
                                               .with_ttl_bytes = bytes(0),
                                               .without_ttl_bytes = bytes(100),
                                               .used = {}}},
                                 .keys = key_counts{.all = 1000, .with_ttl = 600}};
  const eviction_view view = judge_eviction(booked, {.target = "h:1/0", .policy = "volatile-lfu"}, rules);
  EXPECT_EQ(view.now.keys, 600U);
  EXPECT_DOUBLE_EQ(view.now.keys_share.value(), 0.6);
  EXPECT_DOUBLE_EQ(view.now.bytes_share, 0.9);
  EXPECT_DOUBLE_EQ(view.after_rules.bytes_share, 1.0);
  EXPECT_FALSE(view.after_rules.keys) << "which old keys the rules cover, only a count of keys can say";
  EXPECT_EQ(view.uncovered, 0U);
  EXPECT_EQ(view.advice, eviction_advice::find_the_owners) << "a rule for all that was written covers no old key yet";
  const auto json = to_json(view);
  EXPECT_EQ(json.at("uncovered_writes"), 0);
  EXPECT_TRUE(json.at("evictable").at("volatile_after_rules").at("keys").is_null());
}

TEST(Evictability, ReadsBackWhatItWrote) {
  for (const eviction_view& view : {judged("volatile-lfu"), judged("noeviction"), judged("allkeys-lru")}) {
    const auto json = to_json(view);
    EXPECT_EQ(json.at("exposed").size(), 3U);
    const auto back = eviction_from_json(json.dump());
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(to_json(*back).dump(), json.dump());
  }
}

TEST(Evictability, RefusesWhatIsNoJudgementWithTheCommandThatMakesOne) {
  for (const char* text : {"", "{}", "[1]", "no json", R"({"source": 7})"}) {
    const auto back = eviction_from_json(text);
    ASSERT_FALSE(back) << text;
    EXPECT_NE(back.error().find("tidegate policy --format json"), std::string::npos);
  }
}

TEST(Evictability, OfAnEmptyServerIsNoDivisionByZero) {
  const eviction_view view =
      judge_eviction(evidence_of(census({}), 1.0), {.target = "h:1/0", .policy = "volatile-lru"}, {});
  EXPECT_EQ(view.keys, 0U);
  EXPECT_EQ(view.now.keys_share, 0);
}

}  // namespace
}  // namespace tidegate::keyspace
