#include "evidence/report/figures.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "evidence/report/wording.hpp"

namespace tidegate::report {
namespace {

template <typename... Values>
std::string printed(const char* format, Values... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::tm parts_of(unix_ms at) {
  const std::time_t seconds = at / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

std::string bytes_text(double bytes) {
  constexpr double kib = 1024;
  if (bytes >= kib * kib * kib) return printed("%.2f GiB", bytes / (kib * kib * kib));
  if (bytes >= kib * kib) return printed("%.1f MiB", bytes / (kib * kib));
  if (bytes >= kib) return printed("%.1f KiB", bytes / kib);
  return printed("%.0f B", bytes);
}

std::string byte_rate_text(double bytes_a_second) {
  return bytes_text(bytes_a_second) + "/s";
}

std::string rate_setting(double bytes_a_second) {
  const double kib = bytes_a_second / 1024;
  if (kib >= 10'240) return printed("%.0fMiB/s", std::floor(kib / 1024));
  return printed("%.0fKiB/s", std::max(1.0, std::floor(kib)));
}

std::string percent_text(double share) {
  return printed("%.1f%%", share * 100);
}

std::string threshold_text(double share) {
  return printed("%.0f%%", share * 100);
}

std::string count_text(double count) {
  std::string text = printed("%.0f", std::round(count));
  for (std::size_t at = text.size(); at > 3 + (text.front() == '-' ? 1U : 0U); at -= 3) {
    if (at - 3 > (text.front() == '-' ? 1U : 0U)) text.insert(at - 3, ",");
  }
  return text;
}

std::string rate_text(double a_second) {
  return (a_second < 10 ? printed("%.1f", a_second) : count_text(a_second)) + "/s";
}

std::string multiple_text(double times) {
  return printed(times < 10 ? "%.1f×" : "%.0f×", times);
}

std::string money_text(double amount, const std::string& currency) {
  std::string text = printed("%.2f", std::abs(amount));
  for (std::size_t at = text.size() - 3; at > 3; at -= 3) text.insert(at - 3, ",");
  return (amount < 0 ? "−" : "") + (currency == "USD" ? "$" + text : text + " " + currency);
}

std::string date_text(unix_ms at) {
  const std::tm parts = parts_of(at);
  return printed("%04d-%02d-%02d ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday) + clock_text(at) + " UTC";
}

std::string instant_text(unix_ms at) {
  const std::tm parts = parts_of(at);
  return printed("%04d-%02d-%02dT", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday) + clock_text(at) + "Z";
}

std::string duration_text(std::int64_t ms, const wording& words) {
  const std::int64_t seconds = (ms + 500) / 1000;
  const auto piece = [](std::int64_t count, std::string_view unit) {
    return std::to_string(count) + std::string(unit);
  };
  const auto two = [&](std::int64_t large, std::string_view large_unit, std::int64_t small,
                       std::string_view small_unit) {
    return piece(large, large_unit) + (small > 0 ? " " + piece(small, small_unit) : "");
  };
  if (seconds < 1 && ms > 0) return piece(ms, words.milliseconds);
  if (seconds < 60) return piece(seconds, words.seconds);
  if (seconds < 3600) return two(seconds / 60, words.minutes, seconds % 60, words.seconds);
  if (seconds < 2 * 86'400) return two(seconds / 3600, words.hours, seconds % 3600 / 60, words.minutes);
  return two(seconds / 86'400, words.days, seconds % 86'400 / 3600, words.hours);
}

std::string maybe(const std::optional<std::string>& text) {
  return text.value_or("–");
}

}  // namespace tidegate::report
