#include "attribution/pattern_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tidegate::attribution {
namespace {

std::uint32_t longest_by_definition(const std::vector<std::string>& patterns, std::string_view key) {
  std::uint32_t best = pattern_set::npos;
  std::size_t best_size = 0;
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    const glob g(patterns[i]);
    if (g.matches(key) && (best == pattern_set::npos || g.literal_size() > best_size)) {
      best = i;
      best_size = g.literal_size();
    }
  }
  return best;
}

std::string random_text(std::mt19937& random, std::string_view alphabet, std::size_t longest) {
  std::string text(random() % (longest + 1), ' ');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

TEST(pattern_set, knows_nothing_when_empty) {
  EXPECT_EQ(pattern_set().longest("a"), pattern_set::npos);
  EXPECT_EQ(pattern_set(std::vector<std::string>{}).longest(""), pattern_set::npos);
}

TEST(pattern_set, prefers_the_most_literal_characters_to_the_longest_prefix) {
  const pattern_set set({"contact:*", "contact:userGroupLabel:set:*", "*:userGroupLabel:set:archive:2026", "*"});
  EXPECT_EQ(set.longest("contact:userGroupLabel:set:77"), 1U);
  EXPECT_EQ(set.longest("contact:userGroupLabel:get:77"), 0U);
  EXPECT_EQ(set.longest("contact:userGroupLabel:set:archive:2026"), 2U);
  EXPECT_EQ(set.longest("contac"), 3U);
  EXPECT_EQ(set.longest(""), 3U);
}

TEST(pattern_set, gives_the_first_of_equals) {
  EXPECT_EQ(pattern_set({"a*c", "ac*", "*ac"}).longest("ac"), 0U);
  EXPECT_EQ(pattern_set({"*ac", "ac*", "a*c"}).longest("ac"), 0U);
  EXPECT_EQ(pattern_set({"ac*", "*ac", "a*c"}).longest("ac"), 0U);
  EXPECT_EQ(pattern_set({"x:*", "x:*"}).longest("x:1"), 0U);
  EXPECT_EQ(pattern_set({"?", "*"}).longest("x"), 0U);
}

TEST(pattern_set, does_not_take_a_prefix_of_a_pattern_for_the_pattern) {
  const pattern_set set({"user:session:*", "user:settings:*", "user:session"});
  EXPECT_EQ(set.longest("user:se"), pattern_set::npos);
  EXPECT_EQ(set.longest("user:session"), 2U);
  EXPECT_EQ(set.longest("user:session:"), 0U);
  EXPECT_EQ(set.longest("user:sessionx"), pattern_set::npos);
}

TEST(pattern_set, agrees_with_trying_every_glob) {
  std::mt19937 random(20260210);
  std::size_t found = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> patterns(1 + random() % 12);
    for (auto& pattern : patterns) pattern = random_text(random, "aab*?", 6);
    const pattern_set set(patterns);
    for (int i = 0; i < 30; ++i) {
      const std::string key = random_text(random, "ab", 8);
      const std::uint32_t index = set.longest(key);
      ASSERT_EQ(index, longest_by_definition(patterns, key)) << key;
      found += index != pattern_set::npos ? 1U : 0U;
    }
  }
  EXPECT_GT(found, 10000U);
}

TEST(pattern_set, handles_prefixes_of_any_bytes) {
  const std::string zero("\0*", 2);
  const pattern_set set({zero, "\xff\xfe*", "\x7f*"});
  EXPECT_EQ(set.longest(std::string("\0x", 2)), 0U);
  EXPECT_EQ(set.longest("\xff\xfe"), 1U);
  EXPECT_EQ(set.longest("\x7f"), 2U);
  EXPECT_EQ(set.longest("\xff"), pattern_set::npos);
}

TEST(pattern_set, keeps_its_meaning_when_copied_and_moved) {
  pattern_set original({"a:*", "b:*"});
  const pattern_set copy = original;
  const pattern_set moved = std::move(original);
  EXPECT_EQ(copy.longest("b:1"), 1U);
  EXPECT_EQ(moved.longest("b:1"), 1U);
  EXPECT_EQ(copy.pattern(1), "b:*");
  EXPECT_EQ(copy.size(), 2U);
}

TEST(pattern_set, looks_at_a_few_of_ten_thousand_patterns) {
  std::vector<std::string> patterns;
  for (int i = 0; i < 10000; ++i) patterns.push_back("service" + std::to_string(i) + ":cache:*");
  patterns.push_back("*");
  const pattern_set set(patterns);
  for (std::uint32_t i = 0; i < 10000; i += 7) {
    std::uint32_t steps = 0;
    ASSERT_EQ(set.longest("service" + std::to_string(i) + ":cache:42", steps), i);
    ASSERT_LE(steps, 12U);
  }
  std::uint32_t steps = 0;
  EXPECT_EQ(set.longest("service9999999", steps), 10000U);
  EXPECT_LE(steps, 12U);
}

TEST(pattern_set, stops_at_the_deepest_of_nested_patterns) {
  std::vector<std::string> patterns;
  for (std::size_t i = 1; i <= 2000; ++i) patterns.push_back(std::string(i, 'a') + "*");
  const pattern_set set(patterns);
  std::uint32_t steps = 0;
  EXPECT_EQ(set.longest(std::string(2001, 'a'), steps), 1999U);
  EXPECT_LE(steps, 2002U) << "the way down is as long as the key, and one glob is tried";
}

TEST(pattern_set, tries_leading_wildcards_from_the_most_literal_and_stops_at_the_first_match) {
  std::vector<std::string> patterns;
  for (std::size_t i = 1; i <= 1000; ++i) patterns.push_back("*" + std::string(i, 'z'));
  const pattern_set set(patterns);
  std::uint32_t steps = 0;
  EXPECT_EQ(set.longest(std::string(2000, 'z'), steps), 999U);
  EXPECT_LE(steps, 3U);
}

}  // namespace
}  // namespace tidegate::attribution
