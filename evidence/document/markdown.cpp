#include "evidence/document/markdown.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "evidence/document/clock_text.hpp"

namespace tidegate::document {
namespace {

constexpr std::size_t bar_cells = 50;
constexpr std::size_t bars_max = 24;

// ASCII punctuation that Markdown gives a meaning to, wherever it stands.
std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    if (std::string_view("\\`*_[]<>|~#&").find(each) != std::string_view::npos) made += '\\';
    made += each;
  }
  return made;
}

// CommonMark 6.1: a fence longer than any run of backticks inside. A pipe ends a table's cell even in code (GFM 4.10).
std::string code_of(std::string_view text, bool in_table) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char each : text) {
    run = each == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const bool needs_space = text.empty() || text.front() == '`' || text.back() == '`' || text.front() == ' ';
  std::string inside;
  for (const char each : text) {
    if (each == '|' && in_table) inside += '\\';
    inside += each;
  }
  return fence + (needs_space ? " " : "") + inside + (needs_space ? " " : "") + fence;
}

std::string text_of(const line& of, bool in_table = false) {
  std::string made;
  for (const span& each : of) {
    if (each.how == emphasis::code) {
      made += code_of(each.text, in_table);
    } else if (each.how == emphasis::strong) {
      made += "**" + escaped(each.text) + "**";
    } else {
      made += escaped(each.text);
    }
  }
  return made;
}

class markdown {
 public:
  std::string made;

  void operator()(const paragraph& of) { made += text_of(of.text) + "\n\n"; }

  void operator()(const callout& of) {
    made += "> **" + std::string(mark_of(of.tone)) + "** " + text_of(of.title) + "\n";
    if (!of.text.empty()) made += ">\n> " + text_of(of.text) + "\n";
    made += "\n";
  }

  void operator()(const table& of) {
    std::string rule = "|";
    made += "|";
    for (const column& each : of.columns) {
      made += " " + escaped(each.title) + " |";
      rule += each.is_number ? " ---: |" : " --- |";
    }
    made += "\n" + rule + "\n";
    for (const table_row& row : of.rows) {
      made += "|";
      for (std::size_t cell = 0; cell < row.cells.size(); ++cell) {
        const std::string text = text_of(row.cells[cell], true);
        const bool bold = row.is_marked && cell == 0 && !text.empty() && text.front() != '*';
        made += bold ? " **" + text + "** |" : " " + text + " |";
      }
      made += "\n";
    }
    made += "\n";
  }

  void operator()(const listing& of) {
    std::size_t number = 1;
    for (const line& each : of.items) {
      if (of.how == listing::kind::numbers) {
        made += std::to_string(number++) + ". ";
      } else {
        made += of.how == listing::kind::tasks ? "- [ ] " : "- ";
      }
      made += text_of(each) + "\n";
    }
    made += "\n";
  }

  void operator()(const code& of) {
    std::string fence = "```";
    while (of.text.find(fence) != std::string::npos) fence += '`';
    made += fence + of.language + "\n" + of.text + (of.text.ends_with('\n') ? "" : "\n") + fence + "\n\n";
  }

  // Bars of the first series of shares: what the figures of a curve look like in a chat or a terminal. Other charts
  // have their table, which every renderer shows.
  void operator()(const chart& of) {
    if (of.how != chart::kind::lines || of.unit != "%" || of.series.empty() || of.times_ms.empty()) return;
    const auto& values = of.series.front().values;
    const std::size_t stride = (values.size() + bars_max - 1) / bars_max;
    made += "```text\n" + of.title + "\n";
    for (std::size_t at = 0; at < values.size(); at += stride) {
      std::optional<double> most;
      for (std::size_t each = at; each < std::min(values.size(), at + stride); ++each) {
        if (values[each] && (!most || *values[each] > *most)) most = values[each];
      }
      if (!most) continue;
      const auto cells = static_cast<std::size_t>(std::clamp(*most / 100, 0.0, 1.0) * bar_cells);
      std::string bar;
      for (std::size_t cell = 0; cell < bar_cells; ++cell) bar += cell < cells ? "█" : "·";
      std::array<char, 32> share{};
      std::snprintf(share.data(), share.size(), "%5.1f%%", *most);
      made += clock_text(of.times_ms[at]) + "  " + bar + " " + share.data() + over(of, *most) + "\n";
    }
    made += "```\n\n";
  }

 private:
  static std::string_view mark_of(tone of) {
    constexpr std::array<std::string_view, 4> marks{"●", "✓", "▲", "✖"};
    return marks[static_cast<std::size_t>(of)];
  }

  static std::string over(const chart& of, double value) {
    const threshold* passed = nullptr;
    for (const threshold& each : of.thresholds) {
      if (value >= each.value && (passed == nullptr || each.value > passed->value)) passed = &each;
    }
    return passed == nullptr ? "" : "  ≥ " + passed->name;
  }
};

}  // namespace

std::string to_markdown(const section& of) {
  markdown text;
  text.made = std::string(of.level, '#') + " " + escaped(of.heading) + "\n\n";
  for (const block& part : of.blocks) std::visit(text, part);
  return std::move(text.made);
}

std::string to_markdown(const document& of) {
  markdown text;
  text.made = "# " + escaped(of.title) + "\n\n";
  if (!of.subtitle.empty()) text.made += escaped(of.subtitle) + "\n\n";
  for (const section& each : of.sections) text.made += to_markdown(each);
  text.made += "---\n\n";
  for (const line& each : of.footer) text.made += "*" + text_of(each) + "*  \n";
  return std::move(text.made);
}

}  // namespace tidegate::document
