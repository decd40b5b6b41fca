#include "config/document.hpp"

#include <gtest/gtest.h>

namespace tidegate::config {
namespace {

TEST(Document, KeepsBothOfTwoKeysAndTheirLines) {
  const auto parsed = parse_document("a: 1\nb:\n  - x\n  - y\na: 2\n");
  ASSERT_TRUE(parsed.has_value());
  const auto& entries = parsed->root->entries;
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].line, 1U);
  EXPECT_EQ(entries[2].key, "a");
  EXPECT_EQ(entries[2].line, 5U);
  EXPECT_EQ(entries[1].value->items.at(1)->line, 4U);
}

TEST(Document, StopsABombOfAliases) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) text += last + ", ";
    text += last + "]\n";
  }
  const auto parsed = parse_document(text);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_NE(parsed.error().text.find("100000"), std::string::npos) << parsed.error().text;
  EXPECT_LE(parsed.error().line, 6U);
}

TEST(Document, BoundsPlainNodesToo) {
  std::string text = "a:\n";
  for (int i = 0; i < 100'001; ++i) text += " - x\n";
  EXPECT_FALSE(parse_document(text).has_value());
}

TEST(Document, BoundsDepthOfEveryKind) {
  std::string block, flow, maps(10'000, '{'), compact;
  for (int i = 0; i < 10'000; ++i) compact += "- ";
  for (int i = 0; i < 200; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  flow = std::string(500'000, '[');
  for (const std::string& text : {block, flow, maps, compact, "? " + compact}) {
    const auto parsed = parse_document(text);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_FALSE(parsed.error().text.empty());
  }
}

TEST(Document, BoundsTheText) {
  EXPECT_FALSE(parse_document(std::string(text_bytes_max + 1, '#')).has_value());
}

TEST(Document, TellsOfAnUnknownEscapeInPrintableWords) {
  for (const std::string escaped : {"\r", "\xc3\xa9", "y"}) {
    const auto parsed = parse_document("a: \"1\\" + escaped + "\"\n");
    ASSERT_FALSE(parsed.has_value());
    EXPECT_NE(parsed.error().text.find("unknown escape character"), std::string::npos) << parsed.error().text;
    for (const char c : parsed.error().text) EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
  }
}

TEST(Document, AnEmptyTextHasNoRoot) {
  for (const char* text : {"", "\n\n", "# a\n"}) {
    const auto parsed = parse_document(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->root, nullptr) << text;
  }
}

}  // namespace
}  // namespace tidegate::config
