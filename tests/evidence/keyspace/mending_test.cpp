#include "evidence/keyspace/mending.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tidegate::keyspace {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::int64_t day_ms = 86'400'000;

mending_rule rule(std::string pattern, std::optional<milliseconds> default_ttl,
                  std::optional<milliseconds> max_ttl = {}, double jitter = 0) {
  return {.pattern = std::move(pattern), .default_ttl = default_ttl, .max_ttl = max_ttl, .jitter = jitter};
}

TEST(Mending, GivesTheDefaultToAKeyWithoutTtlOnly) {
  const mending all({rule("a:*", hours(24 * 60))});
  const verdict without = all.decide("a:1", ttl_none);
  EXPECT_EQ(without.what, mend::give);
  EXPECT_EQ(without.seconds, 60 * 86'400);
  EXPECT_EQ(all.decide("a:1", 400 * day_ms).what, mend::leave);
  EXPECT_EQ(all.decide("a:1", 1).what, mend::leave);
}

TEST(Mending, CutsOnlyWhatIsAboveTheMax) {
  const mending all({rule("a:*", {}, hours(24 * 90))});
  EXPECT_EQ(all.decide("a:1", 90 * day_ms).what, mend::leave);
  const verdict above = all.decide("a:1", 90 * day_ms + 1);
  EXPECT_EQ(above.what, mend::cut);
  EXPECT_EQ(above.seconds, 90 * 86'400);
}

TEST(Mending, TakesAKeyWithoutTtlForOneBeyondAnyMax) {
  const verdict without = mending({rule("a:*", {}, hours(24))}).decide("a:1", ttl_none);
  EXPECT_EQ(without.what, mend::give);
  EXPECT_EQ(without.seconds, 86'400);
}

TEST(Mending, LeavesWhatNoRuleCovers) {
  const mending all({rule("a:*", hours(1))});
  EXPECT_EQ(all.decide("b:1", ttl_none).what, mend::leave);
  EXPECT_FALSE(all.covers("b:1"));
  EXPECT_EQ(all.decide("a:1", ttl_gone).what, mend::leave);
}

TEST(Mending, FollowsTheLongestOfItsPatterns) {
  const mending all({rule("a:*", hours(1)), rule("a:keep:*", hours(9))});
  EXPECT_EQ(all.decide("a:keep:1", ttl_none).seconds, 9 * 3600);
  EXPECT_EQ(all.decide("a:x", ttl_none).seconds, 3600);
}

TEST(Mending, ShortensByJitterAndNeverLengthens) {
  const mending all({rule("a:*", hours(1), hours(2), 0.1)});
  std::set<std::int64_t> given;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "a:" + std::to_string(i);
    const verdict one = all.decide(key, ttl_none);
    EXPECT_LE(one.seconds, 3600);
    EXPECT_GE(one.seconds, 3600 * 9 / 10);
    EXPECT_EQ(one.seconds, all.decide(key, ttl_none).seconds) << "a second pass says the same";
    EXPECT_LE(all.decide(key, 3 * day_ms).seconds, 7200);
    given.insert(one.seconds);
  }
  EXPECT_GT(given.size(), 300U) << "they do not all end in the same second";
}

TEST(Mending, NeverDeletesByAFullJitter) {
  const mending all({rule("*", std::chrono::seconds(1), {}, 1.0)});
  for (int i = 0; i < 200; ++i) EXPECT_EQ(all.decide(std::to_string(i), ttl_none).seconds, 1);
}

TEST(Mending, SaysWhatIsWrongWithRules) {
  EXPECT_EQ(wrong_with(std::vector{rule("a:*", hours(1), hours(2), 1)}), "");
  const std::vector<std::vector<mending_rule>> wrong{{},
                                                     {rule("", hours(1))},
                                                     {rule("a", {})},
                                                     {rule("a", milliseconds(999))},
                                                     {rule("a", hours(2), hours(1))},
                                                     {rule("a", hours(2), {}, 1.1)},
                                                     {rule("a", hours(2)), rule("a", hours(1))}};
  for (const auto& rules : wrong) EXPECT_NE(wrong_with(rules), "");
}

TEST(Mending, AsksTheServerForWhatTheGlobsShare) {
  const auto match = [](std::vector<std::string> patterns) {
    std::vector<mending_rule> rules;
    for (std::string& pattern : patterns) rules.push_back(rule(std::move(pattern), hours(1)));
    return mending(rules).scan_match();
  };
  EXPECT_EQ(match({"contact:last:*"}), "contact:last:*");
  EXPECT_EQ(match({"contact:last:*", "contact:user:*"}), "contact:*");
  EXPECT_EQ(match({"contact:*", "MARKETING:*"}), "");
  EXPECT_EQ(match({"*"}), "");
  EXPECT_EQ(match({"a?:*", "a*"}), "a*");
  EXPECT_EQ(match({R"(a[1]\*)"}), R"(a\[1]\\*)") << "special to Redis, literal text to us";
  EXPECT_EQ(match({"a[1]:*", "a[2]:*"}), R"(a\[*)");
}

}  // namespace
}  // namespace tidegate::keyspace
