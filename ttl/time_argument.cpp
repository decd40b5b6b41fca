#include "ttl/time_argument.hpp"

#include <charconv>
#include <limits>
#include <system_error>

namespace tidegate::ttl {
namespace {

constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t digits_max = 20;  // of a 64-bit number with its sign

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// Redis compares options as C strings: what stands behind a NUL does not count for it, and must not for us.
bool is_word(std::string_view argument, std::string_view lower_word) noexcept {
  if (argument.size() < lower_word.size()) return false;
  for (std::size_t i = 0; i < lower_word.size(); ++i) {
    if (lower(argument[i]) != lower_word[i]) return false;
  }
  return argument.size() == lower_word.size() || argument[lower_word.size()] == '\0';
}

enum class word : std::uint8_t { unknown, nx, xx, get, keepttl, persist, time };

struct recognised {
  word what = word::unknown;
  time_argument time;
};

recognised recognise(std::string_view argument) noexcept {
  if (is_word(argument, "ex")) return {word::time, {.index = 0, .milliseconds = false, .absolute = false}};
  if (is_word(argument, "px")) return {word::time, {.index = 0, .milliseconds = true, .absolute = false}};
  if (is_word(argument, "nx")) return {word::nx, {}};
  if (is_word(argument, "xx")) return {word::xx, {}};
  if (is_word(argument, "get")) return {word::get, {}};
  if (is_word(argument, "exat")) return {word::time, {.index = 0, .milliseconds = false, .absolute = true}};
  if (is_word(argument, "pxat")) return {word::time, {.index = 0, .milliseconds = true, .absolute = true}};
  if (is_word(argument, "keepttl")) return {word::keepttl, {}};
  if (is_word(argument, "persist")) return {word::persist, {}};
  return {};
}

// One kind of time, or KEEPTTL, or PERSIST; a word may repeat itself (`EX 1 EX 2` is legal and the last number counts).
bool excludes(const string_options& so_far, const recognised& next) noexcept {
  if (next.what != word::time) return so_far.time.index != 0;
  if (so_far.keep_ttl || so_far.persist) return true;
  return so_far.time.index != 0 &&
         (so_far.time.milliseconds != next.time.milliseconds || so_far.time.absolute != next.time.absolute);
}

string_options read_options(const resp::request& request, std::size_t first, bool set) noexcept {
  string_options options;
  bool nx = false;
  bool xx = false;
  for (std::size_t i = first; options.understood && i < request.size(); ++i) {
    const recognised next = recognise(request[i]);
    switch (next.what) {
      case word::nx:
        nx = true;
        options.understood = set && !xx;
        break;
      case word::xx:
        xx = true;
        options.understood = set && !nx;
        break;
      case word::get:
        options.understood = set;
        break;
      case word::keepttl:
        options.understood = set && !excludes(options, next);
        options.keep_ttl = true;
        break;
      case word::persist:
        options.understood = !set && !excludes(options, next);
        options.persist = true;
        break;
      case word::time:
        options.understood = i + 1 < request.size() && !excludes(options, next);
        options.time = next.time;
        options.time.index = static_cast<std::uint32_t>(++i);
        break;
      case word::unknown:
        options.understood = false;
        break;
    }
  }
  return options;
}

}  // namespace

std::optional<std::int64_t> read_integer(std::string_view text) noexcept {
  if (text.size() > digits_max)
    return std::nullopt;  // nor may it be looked at: the value of a streamed request is not here yet
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.front() == '0' && text != "0")) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

time_reading read_time(std::string_view text, time_argument how, std::chrono::milliseconds wall) noexcept {
  using kind = time_reading::kind;
  const auto number = read_integer(text);
  if (!number) return {kind::unreadable, 0};
  if (*number <= 0) return {kind::none_or_past, 0};
  if (!how.milliseconds && *number > int64_max / 1000) return {kind::unreadable, 0};
  const std::int64_t ms = how.milliseconds ? *number : *number * 1000;
  if (!how.absolute) {
    if (ms > int64_max - wall.count()) return {kind::unreadable, 0};
    return {kind::future, ms};
  }
  if (ms <= wall.count()) return {kind::none_or_past, 0};
  return {kind::future, ms - wall.count()};
}

string_options read_set_options(const resp::request& request) noexcept {
  return read_options(request, 3, true);
}

string_options read_getex_options(const resp::request& request) noexcept {
  return read_options(request, 2, false);
}

restore_options read_restore_options(const resp::request& request) noexcept {
  restore_options options;
  for (std::size_t i = 4; i < request.size(); ++i) {
    const std::string_view argument = request[i];
    if (is_word(argument, "replace")) continue;
    if (is_word(argument, "absttl")) {
      options.absolute = true;
    } else if (i + 1 < request.size() && (is_word(argument, "idletime") || is_word(argument, "freq"))) {
      ++i;
    } else {
      options.understood = false;
    }
  }
  return options;
}

}  // namespace tidegate::ttl
