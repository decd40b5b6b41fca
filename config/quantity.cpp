#include "config/quantity.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

namespace tidegate::config {
namespace {

struct unit {
  std::string_view name;
  double factor;
};
constexpr std::array<unit, 5> duration_units{{{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}}};
constexpr std::array<unit, 10> size_units{{{"B", 1},
                                           {"KiB", 1024.0},
                                           {"MiB", 1048576.0},
                                           {"GiB", 1073741824.0},
                                           {"TiB", 1099511627776.0},
                                           {"KB", 1e3},
                                           {"kB", 1e3},
                                           {"MB", 1e6},
                                           {"GB", 1e9},
                                           {"TB", 1e12}}};
constexpr std::array<unit, 4> period_units{{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}};

constexpr std::string_view duration_remedy = "write a number with a unit, like 250ms, 2s, 30m, 1h or 60d";
constexpr std::string_view size_remedy = "write a number with a unit, like 10B, 150KiB, 64MiB or 1GiB";
constexpr std::string_view rate_remedy = "write a rate, like 2000/s, 100/m or (with cost: byte) 150KiB/s";
constexpr std::string_view count_remedy = "write a whole number, like 5000";
constexpr std::string_view fraction_remedy = "write a share, like 60% or 0.6";
constexpr std::string_view instant_remedy = "write a date, like 2026-12-31, or a time, like 2026-12-31T18:00:00Z";

bool digit(char c) {
  return c >= '0' && c <= '9';
}

std::unexpected<std::string> wrong(std::string_view what, std::string_view remedy) {
  return std::unexpected(std::string(what) + "; " + std::string(remedy));
}

// A decimal number at the beginning of `text`, which is shortened by it. Strict on purpose: from_chars would also take
// `inf`, `1e9` and `.5`.
std::optional<double> take_number(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && digit(text[size])) ++size;
  if (size == 0) return std::nullopt;
  if (size + 1 < text.size() && text[size] == '.' && digit(text[size + 1])) {
    ++size;
    while (size < text.size() && digit(text[size])) ++size;
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, number, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + size || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(size);
  return number;
}

std::optional<double> factor_of(std::string_view name, std::span<const unit> units) {
  for (const unit& one : units) {
    if (one.name == name) return one.factor;
  }
  return std::nullopt;
}

bool negative(std::string_view text) {
  return text.size() > 1 && text[0] == '-' && digit(text[1]);
}

quantity<double> scaled(std::string_view text, std::span<const unit> units, std::string_view remedy) {
  if (negative(text)) return wrong("a negative value makes no sense here", remedy);
  const auto number = take_number(text);
  if (!number) return wrong("not understood", remedy);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return wrong("the unit is missing", remedy);
  const auto factor = factor_of(text, units);
  if (!factor) return wrong("unknown unit", remedy);
  return *number * *factor;
}

// Fixed-width digits of a date.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (!digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// The offset behind a time, in minutes east of UTC.
std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return std::chrono::minutes(0);
  if (text.empty()) return std::nullopt;
  const bool west = text.front() == '-';
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return west ? -offset : offset;
}

// `T18:00:00.5+08:00`: seconds since 00:00 UTC of the date before it.
std::optional<std::chrono::seconds> take_time(std::string_view& text) {
  if (!take(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;  // 60: RFC 3339 section 5.7, leap seconds
  if (take(text, ".")) {
    if (!take(text, "0123456789")) return std::nullopt;
    while (take(text, "0123456789")) continue;
  }
  const auto offset = take_offset(text);
  if (!offset) return std::nullopt;
  return std::chrono::seconds(*hour * 3600 + *minute * 60 + *second) - *offset;
}

}  // namespace

quantity<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = scaled(text, duration_units, duration_remedy);
  if (!value) return std::unexpected(value.error());
  if (*value > static_cast<double>(duration_max.count())) return wrong("longer than a hundred years", duration_remedy);
  const double rounded = std::round(*value);
  if (std::abs(rounded - *value) > 1e-6 * std::max(1.0, *value)) {
    return wrong("finer than a millisecond", duration_remedy);
  }
  if (rounded == 0 && *value != 0) return wrong("finer than a millisecond", duration_remedy);
  return std::chrono::milliseconds(static_cast<std::int64_t>(rounded));
}

quantity<std::uint64_t> parse_size(std::string_view text) {
  const auto value = scaled(text, size_units, size_remedy);
  if (!value) return std::unexpected(value.error());
  if (*value > static_cast<double>(size_max)) return wrong("larger than 1024TiB", size_remedy);
  return static_cast<std::uint64_t>(*value);
}

quantity<std::uint64_t> parse_count(std::string_view text) {
  if (negative(text)) return wrong("a negative value makes no sense here", count_remedy);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range || (error == std::errc{} && number > count_max)) {
    return wrong("too large", count_remedy);
  }
  if (error != std::errc{} || end != text.data() + text.size()) return wrong("not a whole number", count_remedy);
  return number;
}

quantity<double> parse_fraction(std::string_view text) {
  if (negative(text)) return wrong("a negative share makes no sense", fraction_remedy);
  const auto number = take_number(text);
  if (!number || (!text.empty() && text != "%" && text != " %")) return wrong("not a share", fraction_remedy);
  if (!text.empty()) {
    if (*number > 100) return wrong("a share cannot exceed 100%", fraction_remedy);
    return *number / 100;
  }
  if (*number > 1) return wrong("a share without % is a fraction from 0 to 1", fraction_remedy);
  return *number;
}

quantity<rate> parse_rate(std::string_view text) {
  if (negative(text)) return wrong("a negative rate makes no sense", rate_remedy);
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return wrong("the period is missing", rate_remedy);
  const auto period = factor_of(text.substr(slash + 1), period_units);
  if (!period) return wrong("the period is one of s, m, h, d", rate_remedy);
  std::string_view amount = text.substr(0, slash);
  const auto number = take_number(amount);
  if (!number) return wrong("not a rate", rate_remedy);
  rate result{*number / *period, !amount.empty()};
  if (!amount.empty()) {
    const auto factor = factor_of(amount, size_units);
    if (!factor) return wrong("unknown unit", rate_remedy);
    result.per_second *= *factor;
  }
  if (*number == 0) {
    return wrong("a rate of zero would stop all for ever",
                 "give a rate above 0, or stop a writer with `tidegate block`");
  }
  if (result.per_second > rate_max) return wrong("the rate is too large", rate_remedy);
  if (result.per_second < rate_min) return wrong("the rate is below one a day", rate_remedy);
  return result;
}

quantity<std::chrono::sys_seconds> parse_instant(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return wrong("not a date", instant_remedy);
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return wrong("not a date", instant_remedy);
  const auto day = take_digits(text, 2);
  if (!day) return wrong("not a date", instant_remedy);
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return wrong("there is no such day", instant_remedy);
  // Whoever compares it with a clock of nanoseconds in 64 bits overflows beyond 1677 and 2262.
  if (*year < 1970 || *year > 2200) return wrong("the year must be from 1970 to 2200", instant_remedy);
  std::chrono::sys_seconds instant{std::chrono::sys_days(date)};
  if (text.empty()) return instant;
  const auto time = take_time(text);
  if (!time || !text.empty()) {
    return wrong("not a time with its zone", instant_remedy);
  }
  return instant + *time;
}

}  // namespace tidegate::config
