#include "evidence/report/wording.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "evidence/report/figures.hpp"

namespace tidegate::report {
namespace {

static_assert(sizeof(wording) % sizeof(std::string_view) == 0);
constexpr std::size_t sentences = sizeof(wording) / sizeof(std::string_view);

std::string_view sentence(const wording& of, std::size_t index) {
  std::string_view made;
  std::memcpy(&made, reinterpret_cast<const char*>(&of) + index * sizeof made, sizeof made);
  return made;
}

std::multiset<char> places(std::string_view text) {
  std::multiset<char> found;
  for (std::size_t at = 0; at + 2 < text.size(); ++at) {
    if (text[at] == '{' && text[at + 2] == '}') found.insert(text[at + 1]);
  }
  return found;
}

TEST(wording, HasTheSamePlacesInEachLanguage) {
  for (std::size_t each = 0; each < sentences; ++each) {
    const auto english = sentence(words_in(language::english), each);
    const auto chinese = sentence(words_in(language::chinese), each);
    EXPECT_EQ(places(english), places(chinese)) << english << "\n" << chinese;
    EXPECT_FALSE(chinese.empty()) << english;
  }
}

TEST(wording, IsTranslated) {
  std::size_t same = 0;
  for (std::size_t each = 0; each < sentences; ++each) {
    same += sentence(words_in(language::english), each) == sentence(words_in(language::chinese), each) ? 1U : 0U;
  }
  EXPECT_LE(same, 1U) << "only `maxmemory` is the same in both";
}

TEST(filled, PutsNamesInSpansOfTheirOwn) {
  const auto line = filled("{1} wrote {0} with `SET`", {document::strong("5"), document::code_span("a{0}b")});
  ASSERT_EQ(line.size(), 5U);
  EXPECT_EQ(line[0].text, "a{0}b");
  EXPECT_EQ(line[1].text, " wrote ");
  EXPECT_EQ(line[4].text, "SET");
  EXPECT_EQ(line[4].how, document::emphasis::code);
}

TEST(figures, AreWrittenInBinaryUnits) {
  EXPECT_EQ(bytes_text(2.32 * 1024 * 1024 * 1024), "2.32 GiB");
  EXPECT_EQ(bytes_text(1024.0 * 1024), "1.0 MiB");
  EXPECT_EQ(rate_setting(153'600), "150KiB/s");
  EXPECT_EQ(percent_text(0.7577), "75.8%");
  EXPECT_EQ(count_text(343'149), "343,149");
  EXPECT_EQ(count_text(-1234), "-1,234");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(money_text(1234.5, "USD"), "$1,234.50");
  EXPECT_EQ(money_text(-12, "EUR"), "−12.00 EUR");
  EXPECT_EQ(date_text(1'770'904'800'000), "2026-02-12 14:00:00 UTC");
  EXPECT_EQ(duration_text(3'725'000, words_in(language::english)), "1 h 2 min");
  EXPECT_EQ(duration_text(560'000, words_in(language::chinese)), "9 分钟 20 秒");
}

}  // namespace
}  // namespace tidegate::report
