#include "evidence/keyspace/wording.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace tidegate::keyspace {
namespace {

std::string with_decimals(double value, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string bytes_text(double bytes) {
  constexpr std::array units{" B", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  return with_decimals(bytes, unit == 0 ? 0 : 1) + units[unit];
}

std::string estimate_text(const estimate& bytes) {
  if (bytes.measured == 0) return "-";
  if (!bytes.margin) return "~" + bytes_text(bytes.value);
  if (*bytes.margin == 0 || bytes.value == 0) return bytes_text(bytes.value);
  return bytes_text(bytes.value) + " +-" + with_decimals(std::ceil(100 * *bytes.margin / bytes.value), 0) + " %";
}

std::string percent_text(double share, int decimals) {
  return with_decimals(share * 100, decimals) + " %";
}

std::string ttl_text(std::int64_t milliseconds) {
  const double seconds = static_cast<double>(milliseconds) / 1000;
  if (milliseconds < 1000) return std::to_string(milliseconds) + " ms";
  if (seconds < 120) return with_decimals(seconds, 0) + " s";
  if (seconds < 7200) return with_decimals(seconds / 60, 0) + " min";
  if (seconds < 2 * 86'400) return with_decimals(seconds / 3600, 1) + " h";
  return with_decimals(seconds / 86'400, 1) + " d";
}

std::string printable(std::string_view text, std::size_t limit) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'\\', 'x', digits[byte >> 4U], digits[byte & 15U]};
    }
    if (out.size() > limit) return out.substr(0, limit - 3) + "...";
  }
  return out;
}

}  // namespace tidegate::keyspace
