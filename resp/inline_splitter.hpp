// Splits an inline request into its arguments, as sdssplitargs() of sds.c in Redis 7.0 does: the parser's, for nobody
// else.
//
// Thread safety: none; used within one call.
// Ownership: none. Writes the unescaped arguments one behind the other into the caller's bytes, which must be as many
//   as the line has: no argument is longer than what it was written as.
// Precondition: the line holds no NUL (in Redis, a NUL hides its end).
// Cost: no allocation; one pass.
#pragma once

#include <cstdint>
#include <string_view>

#include "resp/request.hpp"

namespace tidegate::resp {

// isspace() of the C locale, whatever locale the process has.
[[nodiscard]] inline bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

class inline_splitter {
 public:
  inline_splitter(std::string_view line, char* out) noexcept
      : p_(line.data()), end_(line.data() + line.size()), begin_(out), out_(out) {}

  enum class outcome : std::uint8_t { token, end, unbalanced };
  [[nodiscard]] outcome next(arg_ref& token) noexcept {
    while (p_ != end_ && is_blank(*p_)) {
      ++p_;
    }
    if (p_ == end_) {
      return outcome::end;
    }
    const char* const start = out_;
    if (!read_token()) {
      return outcome::unbalanced;
    }
    token = {static_cast<std::uint32_t>(start - begin_), static_cast<std::uint32_t>(out_ - start)};
    return outcome::token;
  }

 private:
  // A quote may open in mid-token, and ends the token where it closes.
  [[nodiscard]] bool read_token() noexcept {
    for (; p_ != end_; ++p_) {
      switch (*p_) {
        case ' ':
        case '\n':
        case '\r':
        case '\t':  // not all blanks: Redis takes \v and \f inside a token as part of it
          return true;
        case '"':
          ++p_;
          return read_double_quoted();
        case '\'':
          ++p_;
          return read_single_quoted();
        default:
          *out_++ = *p_;
      }
    }
    return true;
  }

  [[nodiscard]] bool read_double_quoted() noexcept {
    for (; p_ != end_; ++p_) {
      if (*p_ == '"') {
        return close_quote();
      }
      if (*p_ == '\\' && end_ - p_ > 1) {
        ++p_;
        *out_++ = unescape();
      } else {
        *out_++ = *p_;
      }
    }
    return false;
  }

  [[nodiscard]] bool read_single_quoted() noexcept {
    for (; p_ != end_; ++p_) {
      if (*p_ == '\'') {
        return close_quote();
      }
      if (*p_ == '\\' && end_ - p_ > 1 && p_[1] == '\'') {
        ++p_;
      }
      *out_++ = *p_;
    }
    return false;
  }

  [[nodiscard]] bool close_quote() noexcept {
    ++p_;
    return p_ == end_ || is_blank(*p_);
  }

  // p_ stands behind the backslash, and is left on the last byte of the escape.
  [[nodiscard]] char unescape() noexcept {
    switch (*p_) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'b':
        return '\b';
      case 'a':
        return '\a';
      case 'x':
        if (end_ - p_ > 2 && hex_of(p_[1]) >= 0 && hex_of(p_[2]) >= 0) {
          p_ += 2;
          return static_cast<char>(static_cast<unsigned char>(hex_of(p_[-1]) * 16 + hex_of(p_[0])));
        }
        return 'x';
      default:
        return *p_;
    }
  }

  [[nodiscard]] static int hex_of(char c) noexcept {
    if (c >= '0' && c <= '9') {
      return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  }

  const char* p_;
  const char* end_;
  char* begin_;
  char* out_;
};

}  // namespace tidegate::resp
