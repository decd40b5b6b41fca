// The short way of the reply framer: finds the end of a small value that lies whole in the data. Most replies are one.
//
// Thread safety: pure functions. Cost: no allocation, no state; the framer's machine takes what is not found here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidegate::resp {

[[nodiscard]] inline bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
[[nodiscard]] inline unsigned digit_of(char c) noexcept {
  return static_cast<unsigned>(static_cast<unsigned char>(c)) - unsigned{'0'};
}
[[nodiscard]] inline bool line_ends_at(const char* p, const char* end) noexcept {
  return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

// Up to 18 digits from p on; stops at the first byte that is none.
[[nodiscard]] inline const char* short_number(const char* p, const char* end, std::int64_t& value) noexcept {
  const char* const stop = end - p > 18 ? p + 18 : end;
  std::int64_t sum = 0;
  for (; p != stop && is_digit(*p); ++p) {
    sum = sum * 10 + static_cast<std::int64_t>(digit_of(*p));
  }
  value = sum;
  return p;
}

// The end of a usual `+ - : $ _` value that lies whole in [p, end). nullptr tells nothing but that the machine has to
// look.
[[nodiscard]] inline const char* end_of_whole(const char* p, const char* end, std::int64_t& integer) noexcept {
  const char type = *p++;
  if (type == '$' || type == ':') {
    const bool negative = p != end && *p == '-';
    std::int64_t number = 0;
    const char* const digits = p + (negative ? 1 : 0);
    const char* after = short_number(digits, end, number);
    if (after == digits || !line_ends_at(after, end)) {
      return nullptr;
    }
    after += 2;
    if (type == ':') {
      integer = negative ? -number : number;
      return after;
    }
    if (negative) {
      return after - digits == 3 && number == 1 ? after : nullptr;
    }
    if (end - after < 2 || number > end - after - 2 || !line_ends_at(after + number, end)) {
      return nullptr;
    }
    return after + number + 2;
  }
  if (type == '_') {
    return line_ends_at(p, end) ? p + 2 : nullptr;
  }
  if (type == '+' || type == '-') {
    const void* const cr = std::memchr(p, '\r', static_cast<std::size_t>(end - p));
    if (cr == nullptr || !line_ends_at(static_cast<const char*>(cr), end)) {
      return nullptr;
    }
    return static_cast<const char*>(cr) + 2;
  }
  return nullptr;
}

}  // namespace tidegate::resp
