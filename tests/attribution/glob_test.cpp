#include "attribution/glob.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate::attribution {
namespace {

// What a glob means, told as simply as possible: one row of a table for each character of the pattern.
bool matches_by_definition(std::string_view pattern, std::string_view text) {
  std::vector<char> row(text.size() + 1, 0);
  row[0] = 1;
  for (const char p : pattern) {
    std::vector<char> next(text.size() + 1, 0);
    if (p == '*') next[0] = row[0];
    for (std::size_t i = 1; i <= text.size(); ++i) {
      if (p == '*') {
        next[i] = row[i] || next[i - 1];
      } else {
        next[i] = row[i - 1] && (p == '?' || p == text[i - 1]);
      }
    }
    row = next;
  }
  return row.back() != 0;
}

std::vector<std::string> all_texts(std::string_view alphabet, std::size_t longest) {
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() == longest) continue;
    for (const char c : alphabet) texts.push_back(texts[i] + c);
  }
  return texts;
}

TEST(glob, agrees_with_its_definition_on_every_short_pattern_and_text) {
  const auto texts = all_texts("ab", 6);
  std::size_t matched = 0;
  for (const auto& pattern : all_texts("ab*?", 5)) {
    const glob g(pattern);
    for (const auto& text : texts) {
      ASSERT_EQ(g.matches(text), matches_by_definition(pattern, text)) << "'" << pattern << "' on '" << text << "'";
      matched += g.matches(text) ? 1U : 0U;
    }
  }
  EXPECT_GT(matched, 20000U);
}

TEST(glob, gives_nothing_but_star_and_question_mark_a_meaning) {
  EXPECT_TRUE(glob("a[bc]\\d*").matches("a[bc]\\def"));
  EXPECT_FALSE(glob("a[bc]").matches("ab"));
  EXPECT_FALSE(glob("\\*").matches("*"));
  EXPECT_TRUE(glob("{a,b}").matches("{a,b}"));
}

TEST(glob, matches_bytes_of_every_value) {
  const std::string zero("a\0b", 3);
  EXPECT_TRUE(glob(zero).matches(zero));
  EXPECT_FALSE(glob(zero).matches("a"));
  EXPECT_TRUE(glob("a?b").matches(zero));
  EXPECT_TRUE(glob("*\xff*").matches("x\xff"));
  EXPECT_FALSE(glob("*\xff*").matches("x\x7f"));
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_TRUE(glob("a?").matches(std::string{'a', static_cast<char>(byte)})) << byte;
  }
}

TEST(glob, knows_its_prefix_and_what_is_literal_in_it) {
  EXPECT_EQ(glob("contact:*:set").literal_prefix(), "contact:");
  EXPECT_EQ(glob("contact:*:set").literal_size(), 12U);
  EXPECT_EQ(glob("a?c*").literal_prefix(), "a");
  EXPECT_EQ(glob("plain").literal_prefix(), "plain");
  EXPECT_EQ(glob("*").literal_size(), 0U);
  EXPECT_EQ(glob("").literal_prefix(), "");
  EXPECT_TRUE(glob("").matches(""));
  EXPECT_FALSE(glob("").matches("a"));
  EXPECT_TRUE(glob().matches(""));
}

TEST(glob, keeps_its_meaning_when_copied_and_moved) {
  glob original("short:*");
  const glob copy = original;
  const glob moved = std::move(original);
  EXPECT_TRUE(copy.matches("short:1"));
  EXPECT_TRUE(moved.matches("short:1"));
  EXPECT_EQ(copy.literal_prefix(), "short:");
}

// With backtracking this takes longer than the universe is old.
TEST(glob, does_not_backtrack_on_text_made_to_hurt) {
  const std::string text(100000, 'a');
  std::string pattern;
  for (int i = 0; i < 30; ++i) pattern += "*aaaaaaaaaa";
  EXPECT_FALSE(glob(pattern + "*b*").matches(text));
  EXPECT_TRUE(glob(pattern + "*").matches(text));
  EXPECT_FALSE(glob(pattern + "*?b?*").matches(text));
}

}  // namespace
}  // namespace tidegate::attribution
