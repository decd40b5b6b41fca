#include "cli/top/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace tidegate::cli::top {
namespace {

struct character {
  char32_t code = 0;
  std::size_t size = 1;  // bytes it takes
  bool good = false;
};

// One UTF-8 sequence at the front of `text` (RFC 3629: shortest form, no surrogates).
character decode(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return {};
  char32_t code = first & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size, true};
}

using range = std::pair<char32_t, char32_t>;

template <std::size_t count>
bool is_in(const std::array<range, count>& ranges, char32_t code) noexcept {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const range& each) { return code >= each.first && code <= each.second; });
}

// Controls, what joins to its neighbour or has no width, and what turns the direction of the text (Unicode TR 9).
bool is_hidden(char32_t code) noexcept {
  constexpr std::array<range, 12> ranges{{{0, 0x1f},
                                          {0x7f, 0x9f},
                                          {0xad, 0xad},
                                          {0x300, 0x36f},
                                          {0x61c, 0x61c},
                                          {0x180b, 0x180e},
                                          {0x200b, 0x200f},
                                          {0x2028, 0x202e},
                                          {0x2060, 0x206f},
                                          {0xd800, 0xf8ff},
                                          {0xfe00, 0xfe0f},
                                          {0xfeff, 0xfeff}}};
  return is_in(ranges, code) || (code >= 0xfff0 && code <= 0xffff) || code >= 0xe0000;
}

// East Asian Width W and F (Unicode TR 11), by blocks.
bool is_wide(char32_t code) noexcept {
  constexpr std::array<range, 9> ranges{{{0x1100, 0x115f},
                                         {0x2e80, 0x303e},
                                         {0x3041, 0xa4cf},
                                         {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},
                                         {0xfe30, 0xfe6f},
                                         {0xff00, 0xff60},
                                         {0xffe0, 0xffe6},
                                         {0x1f300, 0x3fffd}}};
  return is_in(ranges, code);
}

}  // namespace

std::string printed_name(std::string_view name, std::size_t columns, bool ascii_only) {
  std::string out;
  std::size_t used = 0, size_before_last = 0, used_before_last = 0;
  while (!name.empty()) {
    const character next = decode(name);
    const bool shown = next.good && !is_hidden(next.code) && (!ascii_only || next.code < 0x80);
    const std::size_t width = shown && is_wide(next.code) ? 2 : 1;
    if (used + width > columns) {
      // The mark takes the place of the last character where there is no other.
      if (used == columns) {
        out.resize(size_before_last);
        used = used_before_last;
      }
      if (columns > 0) out += '~';
      return out;
    }
    size_before_last = out.size();
    used_before_last = used;
    if (shown) {
      out += name.substr(0, next.size);
    } else {
      out += '?';
    }
    used += width;
    name.remove_prefix(next.good ? next.size : 1);
  }
  return out;
}

std::size_t columns_of(std::string_view text) noexcept {
  std::size_t columns = 0;
  while (!text.empty()) {
    const character next = decode(text);
    columns += next.good && is_wide(next.code) ? 2U : 1U;
    text.remove_prefix(next.size);
  }
  return columns;
}

std::string left(std::string text, std::size_t columns) {
  const std::size_t have = columns_of(text);
  if (have < columns) text.append(columns - have, ' ');
  return text;
}

std::string right(std::string text, std::size_t columns) {
  const std::size_t have = columns_of(text);
  return have < columns ? std::string(columns - have, ' ') + text : text;
}

std::string count_text(double value) {
  if (!(value > 0)) return "0";
  if (value < 9.95) return fmt::format("{:.1f}", value);
  if (value < 99'999.5) {
    const auto whole = static_cast<std::int64_t>(std::llround(value));
    return whole < 1000 ? fmt::format("{}", whole) : fmt::format("{},{:03}", whole / 1000, whole % 1000);
  }
  constexpr std::array<const char*, 4> units{"k", "M", "G", "T"};
  std::size_t unit = 0;
  value /= 1000;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", value, value < 9.95 ? 1 : 0, units[unit]);
}

std::string size_text(double bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  const char* sign = bytes < 0 ? "-" : "";
  bytes = std::abs(bytes);
  while (bytes >= 1023.5 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{:.{}f} {}", sign, bytes, unit > 0 && bytes < 9.95 ? 1 : 0, units[unit]);
}

std::string percent_text(double share) {
  return fmt::format("{:.1f} %", share * 100);
}

std::string seconds_text(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f}s", seconds);
  return seconds < 5400 ? fmt::format("{:.0f}m", seconds / 60) : fmt::format("{:.1f}h", seconds / 3600);
}

std::string clock_text(long long unix_ms) {
  const long long second = (unix_ms / 1000) % 86'400;
  return fmt::format("{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
}

}  // namespace tidegate::cli::top
