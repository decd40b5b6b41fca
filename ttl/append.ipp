#pragma once

#include <array>
#include <charconv>
#include <cstddef>

#include "resp/encoder.hpp"

namespace tidegate::ttl {
namespace detail {

// A decimal on the stack.
class number_text {
 public:
  explicit number_text(std::int64_t value) noexcept
      : size_(static_cast<std::size_t>(std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr -
                                       text_.data())) {}
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 24> text_{};
  std::size_t size_;
};

// Where the arguments begin: behind the count line. Redis takes the two bytes from '\r' on as its end, whatever the
// second one is, so the '\r' is what is looked for (processMultibulkBuffer() in networking.c).
inline std::size_t count_line_size(const resp::request& request) noexcept {
  return request.raw.find('\r') + 2;
}

template <class Out>
void append_reencoded(Out& out, const resp::request& request, const rewrite& how) {
  resp::append_array_header(out, request.size() + extra_arguments(how));
  for (std::size_t i = 0; i < request.size(); ++i) {
    if (how.kind == rewrite::what::replace && i == how.index) {
      resp::append_bulk(out, number_text(how.value).view());
    } else {
      resp::append_bulk(out, request[i]);
    }
  }
  append_extra_arguments(out, how);
}

// The scripts answer as EXPIRE does: 1 when they set a TTL, else 0. PTTL is -1 for a key without one, -2 for no key.
inline constexpr std::string_view default_script =
    "if redis.call('PTTL',KEYS[1])==-1 then return redis.call('PEXPIRE',KEYS[1],ARGV[1]) end return 0";
inline constexpr std::string_view cap_script =
    "local left=redis.call('PTTL',KEYS[1]) if left==-1 or left>tonumber(ARGV[1]) then "
    "return redis.call('PEXPIRE',KEYS[1],ARGV[1]) end return 0";

}  // namespace detail

template <class Out>
void append_extra_arguments(Out& out, const rewrite& how) {
  if (how.kind != rewrite::what::append) return;
  resp::append_bulk(out, how.option == 0 ? "EX" : "PX");
  resp::append_bulk(out, detail::number_text(how.value).view());
}

template <class Out>
void append_rewritten(Out& out, const resp::request& request, const rewrite& how) {
  if (request.is_inline) return detail::append_reencoded(out, request, how);
  switch (how.kind) {
    case rewrite::what::none:
      resp::append(out, request.raw);
      return;
    case rewrite::what::append:
      resp::append_array_header(out, request.size() + extra_arguments(how));
      resp::append(out, request.raw.substr(detail::count_line_size(request)));
      append_extra_arguments(out, how);
      return;
    case rewrite::what::replace: {
      // From the end of the argument before (and its CRLF) to the end of this one: its length line goes too.
      const resp::arg_ref old = request.refs[how.index];
      const std::size_t begin =
          how.index == 0 ? detail::count_line_size(request)
                         : std::size_t{request.refs[how.index - 1].offset} + request.refs[how.index - 1].length + 2;
      resp::append(out, request.raw.substr(0, begin));
      resp::append_bulk(out, detail::number_text(how.value).view());
      resp::append(out, request.raw.substr(std::size_t{old.offset} + old.length + 2));
      return;
    }
  }
}

template <class Out>
void append_follow_up(Out& out, std::string_view key, const follow_up& what, bool expire_options) {
  const bool cap = what.kind == follow_up::what::max_lt;
  if (!expire_options) {
    resp::append_command(out, "EVAL", cap ? detail::cap_script : detail::default_script, "1", key,
                         detail::number_text(what.ttl_ms).view());
    return;
  }
  const bool whole = what.ttl_ms % 1000 == 0;
  const detail::number_text number(whole ? what.ttl_ms / 1000 : what.ttl_ms);
  resp::append_command(out, whole ? "EXPIRE" : "PEXPIRE", key, number.view(), cap ? "LT" : "NX");
}

}  // namespace tidegate::ttl
