#include "cli/top/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/top/text.hpp"

namespace tidegate::cli::top {
namespace {

constexpr std::size_t bar_columns = 20;
constexpr std::size_t limit_lines_max = 3, cap_lines_max = 3;
constexpr std::size_t name_columns = 24;

style style_of(double share) {
  return share >= 0.85 ? style::bad : share >= 0.7 ? style::warn : style::plain;
}

std::string bar(double share) {
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(bar_columns) + 0.5);
  return "[" + std::string(full, '#') + std::string(bar_columns - full, '.') + "]";
}

line title_line(const view& seen, const choices& set) {
  std::string state = "connecting";
  style look = style::quiet;
  if (!set.trouble.empty()) {
    state = "NO ANSWER: " + printed_name(set.trouble, 200, set.ascii_only);
    look = style::bad;
  } else if (seen.at_ms != 0) {
    state = seen.reason.empty() ? set.paused ? "paused" : "ready"
                                : "NOT READY: " + printed_name(seen.reason, 200, set.ascii_only);
    look = seen.reason.empty() ? style::head : style::bad;
  }
  return {fmt::format("tidegate {}  {}  {}  {}", printed_name(seen.version, 16, set.ascii_only),
                      printed_name(seen.instance, 24, set.ascii_only),
                      seen.at_ms != 0 ? clock_text(seen.at_ms) : "--:--:--", state),
          look};
}

line memory_line(const view& seen) {
  const memory_view& memory = seen.memory;
  if (!memory.used) return {"memory not known: the upstream has not told it", style::warn};
  std::string text = "memory ";
  style look = style::plain;
  if (memory.max && *memory.max > 0) {
    const double share = *memory.used / *memory.max;
    look = style_of(share);
    text += fmt::format("{:>7} {} {} of {}", percent_text(share), bar(share), size_text(*memory.used),
                        size_text(*memory.max));
  } else {
    text += size_text(*memory.used);
  }
  if (memory.trend) text += fmt::format("  {}{}/min", *memory.trend < 0 ? "" : "+", size_text(*memory.trend * 60));
  if (memory.stale) text += "  (stale)";
  return {text, look};
}

line forecast_line(const view& seen, bool ascii_only) {
  const forecast_view& forecast = seen.forecast;
  if (!forecast.known) {
    std::string text = "forecast not known yet";
    if (!forecast.why_unknown.empty()) text += ": " + printed_name(forecast.why_unknown, 100, ascii_only);
    return {text, style::quiet};
  }
  std::string text = fmt::format("forecast peak {:.1f} %", forecast.peak_percent);
  const auto add = [&text](const char* name, const std::optional<double>& seconds) {
    if (seconds && *seconds > 0) text += fmt::format("  {} in {}", name, seconds_text(*seconds));
  };
  add("70 %", forecast.seconds_to_70);
  add("85 %", forecast.seconds_to_85);
  add("100 %", forecast.seconds_to_100);
  return {text, style_of(forecast.peak_percent / 100)};
}

line keys_line(const view& seen) {
  const memory_view& memory = seen.memory;
  if (!memory.keys) return {"keys not known", style::quiet};
  const double without = std::max(0.0, *memory.keys - memory.keys_with_ttl.value_or(0));
  return {
      fmt::format("keys {}  without TTL {} ({})  evicted {}", count_text(*memory.keys), count_text(without),
                  percent_text(*memory.keys > 0 ? without / *memory.keys : 0), count_text(memory.evicted.value_or(0))),
      style::plain};
}

line totals_line(const view& seen) {
  return {fmt::format("writes {}/s  {}/s  left without TTL {}/s  held {}/s  connections {} (+{}/min)",
                      count_text(seen.total.writes), size_text(seen.total.bytes), count_text(seen.left_without_ttl),
                      count_text(seen.total.held), seen.connections, count_text(seen.total.opened * 60)),
          style::plain};
}

struct table_columns {
  std::size_t name, pattern;  // 0 = no column
};

// Name, six figures of fixed width, and the rest for the busiest pattern.
constexpr std::size_t figures_columns = 9 + 11 + 9 + 8 + 8 + 7 + 7;

table_columns columns_for(std::size_t width) {
  if (width < figures_columns + 8) return {width > 40 ? width - 30 : 12, 0};
  const std::size_t rest = width - figures_columns;
  if (rest < name_columns + 14) return {rest, 0};
  const std::size_t name = std::min<std::size_t>(name_columns + (rest - name_columns) / 4, 40);
  return {name, rest - name - 2};
}

bool is_narrow(std::size_t width) {
  return width < figures_columns + 8;
}

std::string heading(table_columns columns, std::size_t width) {
  std::string text = left(" CLIENT", columns.name);
  text += right("WRITES/S", 9) + right("BYTES/S", 11);
  if (!is_narrow(width)) {
    text += right("NO TTL/S", 9) + right("SHARE", 8) + right("HELD/S", 8) + right("CONNS", 7) + right("OPEN/M", 7);
  }
  if (columns.pattern > 0) text += "  BUSIEST PATTERN";
  return text;
}

std::string writer_text(const writer_row& row, table_columns columns, std::size_t width, bool chosen, bool ascii_only) {
  std::string text = left((chosen ? ">" : " ") + printed_name(row.name, columns.name - 2, ascii_only), columns.name);
  text += right(count_text(row.rates.writes), 9) + right(size_text(row.rates.bytes), 11);
  if (!is_narrow(width)) {
    text += right(count_text(row.rates.without_ttl), 9) + right(percent_text(row.share), 8) +
            right(count_text(row.rates.held), 8) + right(count_text(static_cast<double>(row.connections)), 7) +
            right(count_text(row.rates.opened * 60), 7);
  }
  if (columns.pattern > 0 && !row.patterns.empty()) {
    text += "  " + printed_name(row.patterns.front().pattern, columns.pattern, ascii_only);
  }
  return text;
}

std::string pattern_heading(std::size_t width) {
  const std::size_t figures = 9 + 11 + 9 + 10 + 11;
  const std::size_t name = width > figures + 24 ? width - figures - 14 : 20;
  return left(" PATTERN", name) + left("COMMAND", 14) + right("WRITES/S", 9) + right("BYTES/S", 11) +
         right("NO TTL/S", 9) + right("WRITES", 10) + right("BYTES", 11);
}

std::string pattern_text(const pattern_row& row, std::size_t width, bool ascii_only) {
  const std::size_t figures = 9 + 11 + 9 + 10 + 11;
  const std::size_t name = width > figures + 24 ? width - figures - 14 : 20;
  return left(" " + printed_name(row.pattern, name - 2, ascii_only), name) +
         left(printed_name(row.command, 13, ascii_only), 14) + right(count_text(row.rates.writes), 9) +
         right(size_text(row.rates.bytes), 11) + right(count_text(row.rates.without_ttl), 9) +
         right(count_text(static_cast<double>(row.writes)), 10) + right(size_text(static_cast<double>(row.bytes)), 11);
}

std::vector<line> limit_lines(const view& seen, bool ascii_only, std::size_t most) {
  std::vector<line> made;
  std::size_t at_work = 0;
  for (const limit_row& row : seen.limits) {
    if (row.held <= 0 && row.observed <= 0) continue;
    if (++at_work > most) continue;
    std::string text = fmt::format(" limit {}", printed_name(row.name, 40, ascii_only));
    if (row.held > 0) text += fmt::format("  holds {}/s", count_text(row.held));
    if (row.observed > 0) text += fmt::format("  would hold {}/s", count_text(row.observed));
    made.push_back({text, style::warn});
  }
  if (at_work > most) made.push_back({fmt::format(" ... {} more limits at work", at_work - most), style::quiet});
  return made;
}

std::vector<line> cap_lines(const view& seen, bool ascii_only, std::size_t most) {
  std::vector<line> made;
  for (const cap_row& row : seen.caps) {
    if (made.size() == most) {
      made.push_back({fmt::format(" ... {} more caps", seen.caps.size() - most), style::quiet});
      break;
    }
    std::string text = fmt::format(" cap {}  {}  {} left", printed_name(row.client, 30, ascii_only),
                                   printed_name(row.phrase, 60, ascii_only), row.left);
    if (!row.why.empty()) text += "  " + printed_name(row.why, 60, ascii_only);
    made.push_back({text, style::warn});
  }
  return made;
}

std::vector<line> help_lines() {
  return {{" up/down, j/k    choose a writer          enter   its patterns and commands, and back", style::plain},
          {" s               sort by the next column  /       filter by a part of a name; empty = all", style::plain},
          {" c               cap it: a rate, how long  b       block it: its writes are refused", style::plain},
          {" u               lift its cap              space   stop and go on", style::plain},
          {" q               quit                      ?       this", style::plain},
          {"", style::plain},
          {" NO TTL/S: writes sent without a TTL. HELD/S: delayed or refused by a limit. OPEN/M: connections",
           style::quiet},
          {" opened a minute. Rates are of the last few seconds.", style::quiet}};
}

// What stands between head and foot, at most `room` lines, such that the chosen row is among them.
std::vector<line> body(const view& seen, const choices& set, std::size_t width, std::size_t room) {
  if (set.help) {
    std::vector<line> made = help_lines();
    if (made.size() > room) made.resize(room);
    return made;
  }
  const std::size_t chosen = chosen_row(seen, set.chosen);
  std::vector<line> made;
  if (room == 0) return made;
  if (set.detail && chosen < seen.writers.size()) {
    const writer_row& row = seen.writers[chosen];
    made.push_back({pattern_heading(width), style::head});
    for (const pattern_row& each : row.patterns) {
      if (made.size() == room) break;
      made.push_back({pattern_text(each, width, set.ascii_only), style::plain});
    }
    return made;
  }
  const table_columns columns = columns_for(width);
  made.push_back({heading(columns, width), style::head});
  const std::size_t shown = room - 1;
  const std::size_t first = chosen >= shown && shown > 0 && chosen < seen.writers.size() ? chosen - shown + 1 : 0;
  for (std::size_t i = first; i < seen.writers.size() && made.size() < room; ++i) {
    made.push_back({writer_text(seen.writers[i], columns, width, i == chosen, set.ascii_only),
                    i == chosen ? style::chosen : style::plain});
  }
  if (seen.writers.empty() && room > 1) {
    made.push_back({set.filter.empty() ? " nobody has written yet" : " no name has this in it", style::quiet});
  }
  return made;
}

std::string foot_text(const view& seen, const choices& set) {
  std::string text = fmt::format("by {}", to_string(set.by));
  if (!set.filter.empty()) text += fmt::format("  filter {}", printed_name(set.filter, 20, set.ascii_only));
  if (const std::size_t chosen = chosen_row(seen, set.chosen); set.detail && chosen < seen.writers.size()) {
    text = "writer " + printed_name(seen.writers[chosen].name, 30, set.ascii_only);
  }
  return text + "   ?help s:sort /:filter enter:patterns c:cap b:block u:uncap q:quit";
}

}  // namespace

std::size_t chosen_row(const view& seen, const std::string& chosen) {
  if (chosen.empty()) return 0;
  const auto found = std::find_if(seen.writers.begin(), seen.writers.end(),
                                  [&chosen](const writer_row& row) { return row.name == chosen; });
  return found == seen.writers.end() ? 0 : static_cast<std::size_t>(found - seen.writers.begin());
}

std::vector<line> draw(const view& seen, const choices& set, page_size size) {
  std::vector<line> made{title_line(seen, set), memory_line(seen), forecast_line(seen, set.ascii_only), keys_line(seen),
                         totals_line(seen)};
  std::vector<line> below = limit_lines(seen, set.ascii_only, limit_lines_max);
  for (line& each : cap_lines(seen, set.ascii_only, cap_lines_max)) below.push_back(std::move(each));
  if (!set.question.empty()) {
    // What is typed stays in sight where the line is longer than the screen.
    const std::size_t over = columns_of(set.question) > size.width ? columns_of(set.question) - size.width + 1 : 0;
    below.push_back({set.question.substr(std::min(over, set.question.size())), style::chosen});
  } else if (!set.message.empty()) {
    below.push_back({printed_name(set.message, 400, set.ascii_only), set.message_is_bad ? style::bad : style::good});
  } else {
    below.push_back({foot_text(seen, set), style::quiet});
  }
  // On a low screen the table goes first from its end, then what stands above it, last the line that answers keys.
  const std::size_t taken = made.size() + below.size();
  const std::size_t room = size.height > taken ? size.height - taken : 0;
  for (line& each : body(seen, set, size.width, room)) made.push_back(std::move(each));
  while (made.size() + below.size() < size.height) made.push_back({});
  if (size.height < taken) {
    while (below.size() > 1 && made.size() + below.size() > size.height) below.erase(below.begin());
    while (made.size() + below.size() > size.height && !made.empty()) made.pop_back();
  }
  for (line& each : below) made.push_back(std::move(each));
  for (line& each : made) {
    if (columns_of(each.text) > size.width) each.text = printed_name(each.text, size.width, set.ascii_only);
  }
  return made;
}

std::string plain_text(const view& seen, bool ascii_only) {
  choices set;
  set.ascii_only = ascii_only;
  constexpr std::size_t width = 132;
  std::string text;
  const auto add = [&text](const line& each) {
    text += each.text;
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += '\n';
  };
  add(title_line(seen, set));
  add(memory_line(seen));
  add(forecast_line(seen, ascii_only));
  add(keys_line(seen));
  add(totals_line(seen));
  for (const line& each : limit_lines(seen, ascii_only, seen.limits.size())) add(each);
  for (const line& each : cap_lines(seen, ascii_only, seen.caps.size())) add(each);
  const table_columns columns = columns_for(width);
  add({heading(columns, width), style::head});
  for (const writer_row& row : seen.writers) add({writer_text(row, columns, width, false, ascii_only), style::plain});
  return text;
}

}  // namespace tidegate::cli::top
