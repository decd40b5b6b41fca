#include "evidence/document/safe_text.hpp"

#include <gtest/gtest.h>

namespace tidegate::document {
namespace {

TEST(safe_text, LeavesOrdinaryAndForeignNamesAlone) {
  EXPECT_EQ(safe_text("isales-campaign"), "isales-campaign");
  EXPECT_EQ(safe_text("营销批处理 ☕ Zürich"), "营销批处理 ☕ Zürich");
}

TEST(safe_text, ShowsWhatWouldBreakALineOrATerminal) {
  EXPECT_EQ(safe_text("a\nb\r\tc\x1b[31m"), "a\\nb\\r\\tc\\x1b[31m");
  EXPECT_EQ(safe_text(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(safe_text, ShowsWhatTurnsTheDirectionOfWritingOrIsInvisible) {
  EXPECT_EQ(safe_text("abc\xE2\x80\xAEtxt"), "abc\\u202etxt");
  EXPECT_EQ(safe_text("a\xE2\x80\x8B"
                      "b"),
            "a\\u200bb");
  EXPECT_EQ(safe_text("a\xF3\xA0\x80\x81"
                      "b"),
            "a\\u0e0001b");
}

TEST(safe_text, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(safe_text("a\xff\xc0\xaf"), "a\\xff\\xc0\\xaf");  // c0 af: an overlong slash
  EXPECT_EQ(safe_text("\xed\xa0\x80"), "\\xed\\xa0\\x80");    // a surrogate
  EXPECT_EQ(safe_text("ab\xe4\xb8"), "ab\\xe4\\xb8");         // cut short
}

TEST(safe_text, CutsByCharactersNotBytes) {
  EXPECT_EQ(safe_text("四个字符", 4), "四个字符");
  EXPECT_EQ(safe_text("四个字符多", 4), "四个字符…");
  EXPECT_EQ(safe_text(std::string(200, 'x')), std::string(80, 'x') + "…");
}

TEST(shell_word, QuotesWhateverAShellWouldRead) {
  EXPECT_EQ(shell_word("isales-campaign"), "isales-campaign");
  EXPECT_EQ(shell_word("contact:*"), "'contact:*'");
  EXPECT_EQ(shell_word("$(reboot)"), "'$(reboot)'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("--help"), "'--help'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(yaml_word, CannotEndItsScalar) {
  EXPECT_EQ(yaml_word("a\"b\\c\nd"), "\"a\\\"b\\\\c\\x0ad\"");
}

}  // namespace
}  // namespace tidegate::document
