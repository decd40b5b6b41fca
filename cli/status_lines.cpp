#include "cli/status_lines.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>

#include "cli/cap_lines.hpp"
#include "cli/paragraph.hpp"

namespace tidegate::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t bar_width = 40;
constexpr std::size_t columns = 80;  // of the smallest terminal
constexpr std::size_t indent = 10;

// A field however deep, or null.
const ordered_json& at(const ordered_json& from, std::initializer_list<const char*> path) {
  static const ordered_json nothing;
  const ordered_json* one = &from;
  for (const char* key : path) {
    const auto found = one->find(key);
    if (!one->is_object() || found == one->end()) return nothing;
    one = &*found;
  }
  return *one;
}

std::optional<double> number(const ordered_json& from, std::initializer_list<const char*> path) {
  const ordered_json& one = at(from, path);
  return one.is_number() ? std::optional(one.get<double>()) : std::nullopt;
}

std::string text(const ordered_json& from, std::initializer_list<const char*> path) {
  const ordered_json& one = at(from, path);
  return one.is_string() ? one.get<std::string>() : "-";
}

std::string counted(const ordered_json& from, std::initializer_list<const char*> path) {
  const auto value = number(from, path);
  return value ? count_text(*value) : "-";
}

std::string sized(const ordered_json& from, std::initializer_list<const char*> path) {
  const auto value = number(from, path);
  return value ? size_text(*value) : "-";
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f} %", *value) : "-";
}

std::string bar(double share) {
  const auto full = static_cast<std::size_t>(std::lround(std::min(1.0, std::max(0.0, share / 100)) * bar_width));
  std::string out;
  for (std::size_t i = 0; i < bar_width; ++i) out += i < full ? "█" : "·";
  return out;
}

std::string told(const char* label, const std::string& text) {
  return paragraph(label, text, indent, columns);
}

// Of names that stand in one column; they are shown whole, to be pasted.
std::size_t longest(const ordered_json& rows, const char* key) {
  std::size_t most = 0;
  for (const ordered_json& one : rows) most = std::max(most, text(one, {key}).size());
  return most;
}

std::string trend(const ordered_json& status) {
  const auto a_minute = number(status, {"trend", "points_a_minute"});
  if (!a_minute) return "trend not known yet";
  const char* word = *a_minute > 0.1 ? "rising" : *a_minute < -0.1 ? "falling" : "steady";
  std::string out = fmt::format("{}, {:+.2f} points a minute", word, *a_minute);
  const auto peak = number(status, {"trend", "peak_percent"});
  const auto ago = number(status, {"trend", "peak_seconds_ago"});
  if (peak && ago && *ago >= 1) {
    out += fmt::format("; highest {:.1f} %, {} ago", *peak, span_text(static_cast<std::int64_t>(*ago)));
  }
  return out;
}

void add_memory(std::string& out, const ordered_json& status) {
  const auto used = number(status, {"upstream", "used_percent"});
  out += fmt::format("memory    {}  {} of {}\n", percent(used), sized(status, {"upstream", "used_bytes"}),
                     sized(status, {"upstream", "max_bytes"}));
  if (used) out += fmt::format("          {}\n{}", bar(*used), told("", trend(status)));
  const auto keys = number(status, {"upstream", "keys"});
  const auto without = number(status, {"upstream", "keys_without_ttl"});
  out += fmt::format("keys      {}, {} with TTL, {} without", counted(status, {"upstream", "keys"}),
                     counted(status, {"upstream", "keys_with_ttl"}), counted(status, {"upstream", "keys_without_ttl"}));
  if (keys && without && *keys > 0) out += fmt::format(" ({:.1f} %)", *without / *keys * 100);
  out += fmt::format("\nevicted   {}, {} a second now\n", counted(status, {"upstream", "evicted_keys"}),
                     counted(status, {"rates", "evictions_per_second"}));
}

void add_writers(std::string& out, const ordered_json& status) {
  const ordered_json& writers = at(status, {"writers"});
  if (writers.empty()) out += "writers   nobody writes\n";
  const std::size_t width = longest(writers, "client");
  bool first = true;
  for (const ordered_json& one : writers) {
    out +=
        fmt::format("{}{:<{}} {:>7} writes/s {:>12}/s {:>7} {:>4} conn.\n", first ? "writers   " : "          ",
                    text(one, {"client"}), width, counted(one, {"writes_per_second"}), sized(one, {"bytes_per_second"}),
                    percent(number(one, {"share_percent"})), counted(one, {"connections"}));
    first = false;
  }
}

void add_limits(std::string& out, const ordered_json& status) {
  const ordered_json& limits = at(status, {"limits"});
  if (limits.empty()) out += "limits    none at work\n";
  const std::size_t width = longest(limits, "name");
  bool first = true;
  for (const ordered_json& one : limits) {
    out += fmt::format("{}{:<{}} {:>8} delayed/s {:>8} rejected/s\n", first ? "limits    " : "          ",
                       text(one, {"name"}), width, counted(one, {"delayed_per_second"}),
                       counted(one, {"rejected_per_second"}));
    first = false;
  }
  first = true;
  for (const ordered_json& one : at(status, {"caps"})) {
    const auto left = number(one, {"seconds_left"});
    out += told(first ? "caps" : "",
                fmt::format("{}: {}, {} left, set by {}", text(one, {"client"}), cap_phrase(one),
                            left ? span_text(static_cast<std::int64_t>(*left)) : "-", text(one, {"who"})));
    first = false;
  }
}

void add_forecast(std::string& out, const ordered_json& forecast) {
  const auto peak = number(forecast, {"peak_percent"});
  if (!peak) return;
  std::string ahead = fmt::format("peak {:.1f} %", *peak);
  for (const char* threshold : {"70", "85", "100"}) {
    const auto seconds = number(forecast, {"seconds_to", threshold});
    if (seconds) ahead += fmt::format(", {} % in {}", threshold, span_text(static_cast<std::int64_t>(*seconds)));
  }
  const auto back = number(forecast, {"seconds_back"});
  if (back) ahead += fmt::format(", back under 70 % in {}", span_text(static_cast<std::int64_t>(*back)));
  out += told("forecast", ahead);
}

}  // namespace

std::string size_text(double bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.2f} {}", bytes, units[unit]);
}

std::string count_text(double count) {
  std::string digits = fmt::format("{:.0f}", count);
  for (std::size_t place = digits.size(); place > 3;) {
    place -= 3;
    if (digits[place - 1] != '-') digits.insert(place, ",");
  }
  return digits;
}

std::string status_lines(const ordered_json& status, const ordered_json& forecast) {
  std::string out =
      fmt::format("{}  {}  tidegate {}\n", text(status, {"instance"}), text(status, {"at"}), text(status, {"version"}));
  add_memory(out, status);
  out +=
      fmt::format("commands  {}/s; writes {}/s, {}/s\n", counted(status, {"rates", "commands_per_second"}),
                  counted(status, {"rates", "writes_per_second"}), sized(status, {"rates", "write_bytes_per_second"}));
  add_writers(out, status);
  add_limits(out, status);
  add_forecast(out, forecast);
  std::string verdict = text(status, {"verdict"});
  for (char& c : verdict) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  out += told("verdict", verdict + ": " + text(status, {"because"}));
  bool first = true;
  for (const ordered_json& one : at(status, {"next"})) {
    if (!one.is_string()) continue;
    out += (first ? "next      " : "          ") + one.get<std::string>() + '\n';
    first = false;
  }
  return out;
}

}  // namespace tidegate::cli
