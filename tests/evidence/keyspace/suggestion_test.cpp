#include "evidence/keyspace/suggestion.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace tidegate::keyspace {
namespace {

using std::chrono::hours;

pattern_evidence seen(std::string pattern, std::uint64_t without) {
  pattern_evidence one;
  one.pattern = std::move(pattern);
  one.keys = without + 10;
  one.keys_without_ttl = without;
  one.writes = without;
  one.writes_without_ttl = without;
  one.writers_without_ttl = {{"isales-campaign", without}};
  return one;
}

std::shared_ptr<const config::config> loaded(const std::string& rules) {
  const auto read = config::load_text(
      "listen: [ { address: \"127.0.0.1:6380\" } ]\nupstream: { url: \"redis://127.0.0.1:6379\" }\n" + rules, "x.yaml");
  if (!read) ADD_FAILURE() << read.error().front().to_string() << "\n" << rules;
  return read ? *read : nullptr;
}

TEST(Suggestion, TakesTheDefaultFromTheTtlsThatAreWritten) {
  pattern_evidence one = seen("a:*", 500);
  for (int i = 0; i < 100; ++i) one.written.count(50 * 60 * 1000);
  const auto rules = suggest({one}, {}, {});
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].why, reason::written);
  EXPECT_EQ(rules[0].default_ttl, hours(1));
}

TEST(Suggestion, ElseFromWhatIsLeftOfItsKeysTtls) {
  pattern_evidence one = seen("a:*", 500);
  one.left.count(29LL * 86'400'000);
  const auto rules = suggest({one}, {}, {});
  EXPECT_EQ(rules.at(0).why, reason::left);
  EXPECT_EQ(rules.at(0).default_ttl, hours(30 * 24));
}

TEST(Suggestion, OnlyObservesWhereItGuesses) {
  const auto rules = suggest({seen("a:*", 500)}, {}, {.guess = hours(48)});
  EXPECT_EQ(rules.at(0).why, reason::guessed);
  const auto config = loaded(to_yaml(rules, "a test"));
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->ttl.at(0).mode, config::ttl_mode::observe);
  EXPECT_EQ(config->ttl.at(0).default_ttl, hours(48));
}

TEST(Suggestion, LeavesOutWhatHasARuleOrIsNotWorthOne) {
  pattern_evidence fine = seen("fine:*", 0);
  fine.keys = 1000;
  const auto rules =
      suggest({seen("ruled:*", 500), seen("few:*", 99), seen("*", 9000), seen("other", 9000), fine, seen("a:*", 100)},
              {"ruled:*"}, {.keys_min = 100});
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].evidence.pattern, "a:*");
}

TEST(Suggestion, PutsTheMostKeysFirst) {
  const auto rules = suggest({seen("a:*", 200), seen("b:*", 900), seen("c:*", 500)}, {}, {});
  EXPECT_EQ(rules.at(0).evidence.pattern, "b:*");
  EXPECT_EQ(rules.at(2).evidence.pattern, "a:*");
}

TEST(Suggestion, IsASectionThatTheConfigurationTakesWhateverWritersAreCalled) {
  pattern_evidence one = seen("a\"\\b${HOME}:*", 500);
  one.writers_without_ttl = {{"evil\n  - { pattern: \"*\", max: 1s }", 500}};
  one.bytes_without_ttl = estimate{.value = 1e6, .margin = 1e5, .measured = 70};
  const std::string yaml = to_yaml(suggest({one, seen("b:*", 200)}, {}, {}), "a\nb");
  const auto config = loaded(yaml);
  ASSERT_NE(config, nullptr) << yaml;
  ASSERT_EQ(config->ttl.size(), 2U);
  EXPECT_EQ(config->ttl[0].pattern, "a\"\\b${HOME}:*");
  EXPECT_DOUBLE_EQ(config->ttl[0].jitter, 0.1);
}

TEST(Suggestion, OfNothingIsAnEmptySection) {
  const auto config = loaded(to_yaml({}, "a test"));
  ASSERT_NE(config, nullptr);
  EXPECT_TRUE(config->ttl.empty());
}

TEST(RoundUp, GivesWhatPeopleWrite) {
  EXPECT_EQ(config_duration(round_up(std::chrono::seconds(3601))), "2h");
  EXPECT_EQ(config_duration(round_up(hours(24 * 61))), "90d");
  EXPECT_EQ(config_duration(round_up(hours(24 * 60))), "60d");
  EXPECT_EQ(config_duration(round_up(std::chrono::milliseconds(1))), "10s");
  EXPECT_EQ(config_duration(std::chrono::minutes(90)), "90m");
}

}  // namespace
}  // namespace tidegate::keyspace
