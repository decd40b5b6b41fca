#include "evidence/document/slack.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tidegate::document {
namespace {

using nlohmann::ordered_json;

// https://docs.slack.dev/reference/block-kit/blocks
constexpr std::size_t blocks_max = 50;
constexpr std::size_t section_bytes_max = 2'900;  // 3,000 characters; counted in bytes, which are never fewer
constexpr std::size_t header_bytes_max = 145;

std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    switch (each) {
      case '&':
        made += "&amp;";
        break;
      case '<':
        made += "&lt;";
        break;
      case '>':
        made += "&gt;";
        break;
      default:
        made += each;
    }
  }
  return made;
}

std::string without(std::string_view text, char unwanted, char instead) {
  std::string made = escaped(text);
  std::ranges::replace(made, unwanted, instead);
  return made;
}

// mrkdwn has no way to escape its own marks: inside a code span only the backtick is one.
std::string text_of(const line& of) {
  std::string made;
  for (const span& each : of) {
    if (each.how == emphasis::code) {
      made += "`" + without(each.text, '`', '\'') + "`";
    } else if (each.how == emphasis::strong) {
      made += "*" + without(each.text, '*', '+') + "*";
    } else {
      made += escaped(each.text);
    }
  }
  return made;
}

std::string cut(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

struct mrkdwn {
  std::string operator()(const paragraph& of) const { return text_of(of.text); }
  std::string operator()(const callout& of) const {
    constexpr std::array<std::string_view, 4> marks{
        ":information_source:", ":white_check_mark:", ":warning:", ":rotating_light:"};
    std::string made = std::string(marks[static_cast<std::size_t>(of.tone)]) + " " + text_of(of.title);
    return of.text.empty() ? made : made + "\n" + text_of(of.text);
  }
  std::string operator()(const table& of) const {
    std::string made;
    for (const table_row& row : of.rows) {
      if (!made.empty()) made += "\n";
      for (std::size_t cell = 0; cell < row.cells.size(); ++cell) {
        if (cell > 0) made += cell == 1 && of.columns.size() == 2 ? ": " : " · ";
        if (cell > 0 && of.columns.size() > 2) made += escaped(of.columns[cell].title) + " ";
        made += text_of(row.cells[cell]);
      }
    }
    return made;
  }
  std::string operator()(const listing& of) const {
    std::string made;
    for (const line& each : of.items) made += (made.empty() ? "• " : "\n• ") + text_of(each);
    return made;
  }
  std::string operator()(const code& of) const { return "```\n" + without(of.text, '`', '\'') + "\n```"; }
  std::string operator()(const chart& of) const { return escaped(of.title); }
};

}  // namespace

std::string to_slack(const document& of) {
  ordered_json blocks = ordered_json::array();
  std::string text = "*" + without(of.title, '*', '+') + "*";
  blocks.push_back(
      {{"type", "header"}, {"text", {{"type", "plain_text"}, {"text", cut(escaped(of.title), header_bytes_max)}}}});
  const auto add = [&](const std::string& markup) {
    if (markup.empty() || blocks.size() + 1 >= blocks_max) return;
    text += "\n" + markup;
    blocks.push_back({{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", cut(markup, section_bytes_max)}}}});
  };
  if (!of.subtitle.empty()) add(escaped(of.subtitle));
  for (const section& each : of.sections) {
    if (!each.heading.empty()) add("*" + without(each.heading, '*', '+') + "*");
    for (const block& part : each.blocks) add(std::visit(mrkdwn{}, part));
  }
  std::string footer;
  for (const line& each : of.footer) footer += (footer.empty() ? "" : "\n") + text_of(each);
  if (!footer.empty()) {
    blocks.push_back(
        {{"type", "context"}, {"elements", {{{"type", "mrkdwn"}, {"text", cut(footer, section_bytes_max)}}}}});
  }
  const ordered_json message{{"text", text}, {"blocks", blocks}};
  return message.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace tidegate::document
