// What commands print where the screen is narrow.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "cli/cap_lines.hpp"
#include "cli/keyspace/audit_view.hpp"
#include "cli/keyspace/text_table.hpp"
#include "cli/paragraph.hpp"
#include "cli/screen_width.hpp"

namespace tidegate::cli {
namespace {

std::size_t widest(const std::string& text) {
  std::size_t most = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) most = std::max(most, line.size());
  return most;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Paragraph, BreaksBetweenWordsAndGoesOnUnderItsBeginning) {
  EXPECT_EQ(paragraph("next", "one two three four", 6, 16), "next  one two\n      three four\n");
  EXPECT_EQ(paragraph({}, "one two", 0, endless_width), "one two\n");
}

TEST(Paragraph, CutsNoWord) {
  EXPECT_EQ(paragraph("a", "tidegate:a-name-that-is-wider-than-the-screen b", 2, 12),
            "a tidegate:a-name-that-is-wider-than-the-screen\n  b\n");
}

class table : public testing::Test {
 protected:
  table() {
    rows.add({"contact:userGroupLabel:set:*", "177,450", "100.0 %", "16.8 MiB"});
    rows.note("default 30.0 d");
    rows.add({"a:*", "1", "0.0 %", "-"});
    rows.may_miss({"share", "memory"});
  }
  std::string printed(std::size_t width) {
    std::ostringstream out;
    missed = rows.print(out, width);
    return out.str();
  }

  text_table rows{{"pattern", "keys", "share", "memory"}};
  std::vector<std::string> missed;
};

TEST_F(table, IsOneLineARowWhereItFits) {
  const std::string wide =
      "pattern                          keys    share    memory\n"
      "contact:userGroupLabel:set:*  177,450  100.0 %  16.8 MiB\n"
      "  default 30.0 d\n"
      "a:*                                 1    0.0 %         -\n";
  EXPECT_EQ(printed(56), wide);
  EXPECT_EQ(printed(endless_width), wide);
  EXPECT_TRUE(missed.empty());
}

TEST_F(table, GivesNamesALineOfTheirOwnWhereItDoesNot) {
  EXPECT_EQ(printed(55),
            "pattern\n"
            "     keys    share    memory\n"
            "contact:userGroupLabel:set:*\n"
            "  177,450  100.0 %  16.8 MiB\n"
            "  default 30.0 d\n"
            "a:*\n"
            "        1    0.0 %         -\n");
  EXPECT_TRUE(missed.empty());
}

TEST_F(table, LeavesOutWhatMayBeMissedAndSaysSo) {
  const std::string narrow = printed(20);
  EXPECT_EQ(missed, std::vector<std::string>{"share"});
  EXPECT_FALSE(holds(narrow, "100.0 %"));
  EXPECT_TRUE(holds(narrow, "  177,450  16.8 MiB\n")) << narrow;
}

TEST(Audit, FitsEightyColumns) {
  counted_keyspace found{.keys = keyspace::census({"exchange:coupon:high:commodity:price:*"}),
                         .facts = {},
                         .target = "master.luckyus-isales-market.vyllrs.use1.cache.amazonaws.com:6379/0"};
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "exchange:coupon:high:commodity:price:" + std::to_string(i);
    const std::int64_t ttl = i % 3 == 0 ? -1 : std::int64_t{i} * 86'400'000;
    found.keys.count(key, ttl);
    keyspace::key_measure seen;
    seen.bytes = 100'000 + static_cast<std::uint64_t>(i) * 1000;
    if (i % 10 == 0) found.keys.measure(key, ttl, seen);
  }
  found.facts.memory_used = 1'720'000'000;
  found.facts.memory_max = 2'490'000'000;
  std::ostringstream narrow, wide;
  print_audit(found, {.width = 80}, narrow);
  print_audit(found, {}, wide);
  EXPECT_LE(widest(narrow.str()), 80U) << narrow.str();
  EXPECT_GT(widest(wide.str()), 100U) << "else this shows nothing";
  EXPECT_TRUE(holds(narrow.str(), "\nexchange:coupon:high:commodity:price:*\n")) << narrow.str();
  EXPECT_TRUE(holds(narrow.str(), "left out for want of room: shortest")) << narrow.str();
  EXPECT_FALSE(holds(wide.str(), "left out")) << wide.str();
}

TEST(Caps, FitEightyColumns) {
  const nlohmann::ordered_json caps{{{"client", "isales-campaign"},
                                     {"action", "cap"},
                                     {"rate", "500/s"},
                                     {"bytes", "150KiB/s"},
                                     {"key", "contact:userGroupLabel:set:*"},
                                     {"seconds_left", 1790},
                                     {"connections", 12},
                                     {"delayed", 16},
                                     {"rejected", 0},
                                     {"who", "olga by admin api from 127.0.0.1"},
                                     {"why", "the burst of 14:00, until its owner has found out what it was for"}}};
  std::ostringstream narrow, wide;
  print_caps(caps, narrow, 80);
  print_caps(caps, wide, endless_width);
  EXPECT_EQ(narrow.str(),
            "isales-campaign: at most 500/s and 150KiB/s on contact:userGroupLabel:set:*, 29m\n"
            "    50s left\n"
            "    12 connections, 16 delayed, 0 rejected\n"
            "    by olga by admin api from 127.0.0.1: the burst of 14:00, until its owner has\n"
            "    found out what it was for\n");
  EXPECT_TRUE(wide.str().starts_with("CLIENT           HELD TO  ")) << wide.str();
  EXPECT_EQ(std::ranges::count(wide.str(), '\n'), 2);
}

TEST(ScreenWidth, IsThatOfColumnsWhereThereIsNoTerminal) {
  constexpr int no_descriptor = -1;
  ASSERT_EQ(::unsetenv("COLUMNS"), 0);
  EXPECT_EQ(screen_width(no_descriptor), endless_width);
  ASSERT_EQ(::setenv("COLUMNS", "132", 1), 0);
  EXPECT_EQ(screen_width(no_descriptor), 132U);
  for (const char* wrong : {"", "wide", "0"}) {
    ASSERT_EQ(::setenv("COLUMNS", wrong, 1), 0);
    EXPECT_EQ(screen_width(no_descriptor), endless_width) << wrong;
  }
  ASSERT_EQ(::setenv("COLUMNS", "3", 1), 0);
  EXPECT_EQ(screen_width(no_descriptor), narrowest_width);
  ASSERT_EQ(::unsetenv("COLUMNS"), 0);
}

}  // namespace
}  // namespace tidegate::cli
