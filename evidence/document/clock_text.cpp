#include "evidence/document/clock_text.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace tidegate::document {

std::string clock_text(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d:%02d", parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text.data();
}

}  // namespace tidegate::document
