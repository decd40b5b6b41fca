#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "evidence/document/html.hpp"
#include "evidence/document/markdown.hpp"
#include "evidence/document/safe_text.hpp"
#include "evidence/document/slack.hpp"

namespace tidegate::document {
namespace {

constexpr const char* hostile = "<script>alert(1)</script>|`x`\n# *bold* [a](http://b) & <!channel>";

document with(block one) {
  document made;
  made.language = "en";
  made.title = safe_text(hostile);
  made.data_table = "Figures";
  made.contents = "Contents";
  section only{.id = "one", .heading = safe_text(hostile)};
  only.blocks.push_back(std::move(one));
  made.sections.push_back(std::move(only));
  return made;
}

table hostile_table() {
  table made;
  made.columns = {{"name", false}, {"count", true}};
  made.rows.push_back({.cells = {{code_span(safe_text(hostile))}, {plain("1")}}, .is_marked = true});
  return made;
}

chart hostile_chart() {
  chart made;
  made.title = safe_text(hostile);
  made.unit = "%";
  made.times_ms = {0, 10'000};
  made.series.push_back({.name = safe_text("</script><script>alert(2)</script>"), .values = {50.0, 75.0}});
  made.thresholds.push_back({.name = "70%", .value = 70});
  return made;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string lines_with(const std::string& text, const std::string& part) {
  std::string made;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line.find(part) != std::string::npos) made += line + "\n";
    at = end + 1;
  }
  return made;
}

TEST(markdown, KeepsAHostileNameInItsCell) {
  const std::string text = to_markdown(with(hostile_table()));
  const std::string row = lines_with(text, "| 1 |");
  EXPECT_EQ(count_of(row, "\n"), 1U);
  std::size_t bare_pipes = 0;
  for (std::size_t at = 0; at < row.size(); ++at) {
    if (row[at] == '|' && (at == 0 || row[at - 1] != '\\')) ++bare_pipes;
  }
  EXPECT_EQ(bare_pipes, 3U) << row;
  EXPECT_NE(row.find("``"), std::string::npos) << "a fence longer than the backticks inside: " << row;
}

TEST(markdown, EscapesPlainTextEverywhere) {
  const std::string text = to_markdown(with(paragraph{{plain(safe_text(hostile))}}));
  for (const char* unwanted : {"<script>", " [a](", " *bold*", "|`"}) {
    EXPECT_EQ(text.find(unwanted), std::string::npos) << unwanted << " in:\n" << text;
  }
}

TEST(markdown, DrawsBarsOfACurveOfShares) {
  const std::string text = to_markdown(with(hostile_chart()));
  EXPECT_NE(text.find("00:00:10  █████████████████████████████████████·············  75.0%  ≥ 70%"), std::string::npos)
      << text;
}

TEST(html, LetsNoNameBecomeMarkup) {
  for (const block& one :
       {block(hostile_table()), block(hostile_chart()), block(paragraph{{strong(safe_text(hostile))}}),
        block(code{.language = "sh", .text = hostile}),
        block(callout{.tone = tone::bad, .title = {code_span(hostile)}, .text = {plain(hostile)}})}) {
    const std::string text = to_html(with(one));
    EXPECT_EQ(text.find("<script>alert"), std::string::npos);
    EXPECT_EQ(text.find("</script><script>alert"), std::string::npos);
    EXPECT_EQ(text.find("<!channel>"), std::string::npos);
  }
}

TEST(html, AsksForNothingFromElsewhere) {
  const std::string text = to_html(with(hostile_chart()));
  const std::string head = text.substr(0, text.find("<style>"));
  EXPECT_NE(head.find("default-src 'none'"), std::string::npos);
  for (const char* unwanted : {"<link", " src=", "@import", "url("}) {
    const std::string page = text.substr(0, text.rfind("<footer>"));
    EXPECT_EQ(page.find(unwanted), std::string::npos) << unwanted;
  }
}

TEST(html, GivesTheFiguresOfEachChartAsATable) {
  const std::string text = to_html(with(hostile_chart()));
  EXPECT_NE(text.find("<td class=\"number\">75.0 %</td>"), std::string::npos);
  EXPECT_NE(text.find("role=\"img\""), std::string::npos);
}

TEST(slack, IsAMessageThatCanBePosted) {
  const auto message = nlohmann::json::parse(to_slack(with(hostile_table())));
  ASSERT_TRUE(message["text"].is_string());
  EXPECT_EQ(message["blocks"][0]["type"], "header");
  const std::string all = message.dump();
  EXPECT_EQ(all.find("<!channel>"), std::string::npos);
  EXPECT_EQ(all.find("<script>alert(1)</script>|`"), std::string::npos);
}

TEST(slack, StaysWithinSlacksBounds) {
  document many = with(paragraph{{plain(std::string(9'000, 'x'))}});
  const section one = many.sections.front();
  for (int each = 0; each < 80; ++each) many.sections.push_back(one);
  const auto message = nlohmann::json::parse(to_slack(many));
  EXPECT_LE(message["blocks"].size(), 50U);
  for (const auto& block : message["blocks"]) {
    if (block["type"] == "section") {
      EXPECT_LE(block["text"]["text"].get<std::string>().size(), 3'000U);
    }
  }
}

}  // namespace
}  // namespace tidegate::document
