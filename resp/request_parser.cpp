#include "resp/request_parser.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "resp/inline_splitter.hpp"

namespace tidegate::resp {
namespace {

constexpr std::string_view error_prefix = "-ERR Protocol error: ";
constexpr std::uint64_t frame_bytes_max = std::numeric_limits<std::uint32_t>::max();  // arg_ref's offsets are 32 bit

unsigned digit_of(char c) noexcept {
  return static_cast<unsigned>(static_cast<unsigned char>(c)) - unsigned{'0'};
}

// The usual length line: whole, not negative, at most eight digits. Returns what follows its line end; nullptr tells
// nothing but that the careful way has to look at it.
const char* longer_length(const char* p, const char* end, std::uint32_t& value) noexcept {
  if (end - p < 3) {
    return nullptr;
  }
  value = digit_of(*p++);
  if (value > 9) {
    return nullptr;
  }
  if (value == 0) {
    return *p == '\r' ? p + 2 : nullptr;
  }
  const char* const stop = std::min(end - 1, p + 8);  // a '\r' needs a byte behind it
  for (; p < stop; ++p) {
    if (*p == '\r') {
      return p + 2;
    }
    const unsigned digit = digit_of(*p);
    if (digit > 9) {
      return nullptr;
    }
    value = value * 10 + digit;
  }
  return nullptr;
}

// The same; one or two digits, as nearly all lengths have, are read where it is called.
[[gnu::always_inline]] inline const char* short_length(const char* p, const char* end, std::uint32_t& value) noexcept {
  if (end - p >= 4) [[likely]] {
    const unsigned first = digit_of(p[0]);
    if (first <= 9 && p[1] == '\r') {
      value = first;
      return p + 3;
    }
    const unsigned second = digit_of(p[1]);
    if (first - 1 <= 8 && second <= 9 && p[2] == '\r') {
      value = first * 10 + second;
      return p + 4;
    }
  }
  return longer_length(p, end, value);
}

// string2ll() of util.c: no plus, no leading zeros, no "-0", nothing around it.
bool parse_strict(std::string_view text, std::int64_t& value) noexcept {
  constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
  if (text == "0") {
    value = 0;
    return true;
  }
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  if (text.empty() || text.size() > 19 || text[0] == '0') {  // 2^63 has 19 digits: the sum below cannot overflow
    return false;
  }
  std::uint64_t sum = 0;
  for (const char c : text) {
    if (digit_of(c) > 9) {
      return false;
    }
    sum = sum * 10 + digit_of(c);
  }
  if (sum > max + (negative ? 1U : 0U)) {
    return false;
  }
  value = static_cast<std::int64_t>(negative ? 0 - sum : sum);
  return true;
}

}  // namespace

bool request_parser::arg_table::grow() noexcept {
  const std::uint32_t capacity = std::max<std::uint32_t>(16, capacity_ * 2);  // a frame has fewer than 2^30 arguments
  std::unique_ptr<arg_ref[]> larger(new (std::nothrow) arg_ref[capacity]);
  if (!larger) {
    return false;
  }
  std::copy_n(refs_.get(), size_, larger.get());
  refs_ = std::move(larger);
  capacity_ = capacity;
  return true;
}

void request_parser::arg_table::swap(arg_table& other) noexcept {
  std::swap(refs_, other.refs_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
}

parse_status request_parser::parse(std::string_view data) noexcept {
  if (stage_ == stage::fresh) {
    if (data.empty()) {
      return parse_status::incomplete;
    }
    refs_.clear();
    stage_ = data[0] == '*' ? stage::count_line : stage::inline_line;
  }
  switch (stage_) {
    case stage::count_line:
    case stage::arguments:
      return parse_multibulk(data);
    case stage::inline_line:
      return parse_inline(data);
    case stage::failed:
      return parse_status::error;
    case stage::fresh:
      break;
  }
  std::abort();
}

parse_status request_parser::parse_multibulk(std::string_view data) noexcept {
  if (stage_ == stage::count_line) {
    if (const parse_status status = read_count(data); status != parse_status::complete) {
      return status;
    }
  }
  const char* const begin = data.data();
  const char* const end = begin + data.size();
  const std::uint32_t short_bulk_max = authenticated_ ? 99'999'999U : std::uint32_t{unauthenticated_bulk_bytes_max};
  const char* p = begin + position_;
  std::int64_t left = args_left_;
  std::int64_t length = bulk_length_;
  while (left > 0) {
    if (length < 0) {
      std::uint32_t announced = 0;
      const char* const body = scanned_ == 0 && p != end && *p == '$' ? short_length(p + 1, end, announced) : nullptr;
      if (body != nullptr && announced <= short_bulk_max &&
          static_cast<std::uint64_t>(body - begin) + announced + 2 <= frame_bytes_max) [[likely]] {
        p = body;
        length = announced;
      } else {
        position_ = static_cast<std::uint64_t>(p - begin);
        args_left_ = left;
        bulk_length_ = -1;
        if (const parse_status status = read_bulk_length(data); status != parse_status::complete) {
          return status;
        }
        p = begin + position_;
        length = bulk_length_;
      }
    }
    if (end - p < length + 2) {  // Redis wants two bytes behind a bulk, and looks at neither
      position_ = static_cast<std::uint64_t>(p - begin);
      args_left_ = left;
      bulk_length_ = length;
      return parse_status::incomplete;
    }
    if (!refs_.push({static_cast<std::uint32_t>(p - begin), static_cast<std::uint32_t>(length)})) [[unlikely]] {
      return fail("out of memory");
    }
    p += length + 2;
    length = -1;
    --left;
  }
  return finish(data.substr(0, static_cast<std::size_t>(p - begin)), begin);
}

parse_status request_parser::read_count(std::string_view data) noexcept {
  std::int64_t count = 0;
  std::uint32_t announced = 0;
  const char* const after =
      scanned_ == 0 ? short_length(data.data() + 1, data.data() + data.size(), announced) : nullptr;
  if (after != nullptr) [[likely]] {
    count = announced;
    position_ = static_cast<std::uint64_t>(after - data.data());
  } else {
    std::size_t length = 0;
    const line found = find_line_end(data, '\r', length);
    if (found == line::too_long) {
      return fail("too big mbulk count string");
    }
    if (found == line::partial || data.size() - length < 2) {
      return parse_status::incomplete;
    }
    if (!parse_strict(data.substr(1, length - 1), count) || count > args_max) {
      return fail("invalid multibulk length");
    }
    position_ = length + 2;
  }
  if (count > unauthenticated_args_max && !authenticated_) {
    return fail("unauthenticated multibulk length");
  }
  begin_line();
  args_announced_ = std::max<std::int64_t>(count, 0);
  args_left_ = args_announced_;
  stage_ = stage::arguments;
  return parse_status::complete;
}

parse_status request_parser::read_bulk_length(std::string_view data) noexcept {
  const std::string_view rest = data.substr(position_);
  std::size_t length = 0;
  const line found = find_line_end(rest, '\r', length);
  if (found == line::too_long) {
    return fail("too big bulk count string");
  }
  if (found == line::partial || rest.size() - length < 2) {
    return parse_status::incomplete;
  }
  if (rest[0] != '$') {
    // Redis blanks line ends in errors and sends everything else as it is.
    char text[] = "expected '$', got '?'";
    text[sizeof(text) - 3] = rest[0] == '\r' || rest[0] == '\n' ? ' ' : rest[0];
    return fail({text, sizeof(text) - 1});
  }
  std::int64_t announced = 0;
  if (!parse_strict(rest.substr(1, length - 1), announced) || announced < 0 ||
      static_cast<std::uint64_t>(announced) > bulk_bytes_max) {
    return fail("invalid bulk length");
  }
  if (static_cast<std::uint64_t>(announced) > unauthenticated_bulk_bytes_max && !authenticated_) {
    return fail("unauthenticated bulk length");
  }
  const std::uint64_t body = position_ + length + 2;
  if (body + static_cast<std::uint64_t>(announced) + 2 > frame_bytes_max) {
    return fail("invalid bulk length");  // Redis has no such bound; our offsets have
  }
  begin_line();
  position_ = body;
  bulk_length_ = announced;
  return parse_status::complete;
}

request_parser::line request_parser::find_line_end(std::string_view rest, char last, std::size_t& length) noexcept {
  const std::size_t window = std::min(rest.size(), inline_bytes_max + 1);
  if (!line_hidden_ && scanned_ < window) {
    const char* const from = rest.data() + scanned_;
    const void* const hit = std::memchr(from, last, window - scanned_);
    const std::size_t before =
        hit != nullptr ? static_cast<std::size_t>(static_cast<const char*>(hit) - from) : window - scanned_;
    if (std::memchr(from, '\0', before) != nullptr) {
      line_hidden_ = true;  // Redis searches with strchr(), which sees nothing behind a NUL
    } else {
      scanned_ += before;
      if (hit != nullptr) {
        length = scanned_;
        return line::whole;
      }
    }
  }
  return rest.size() > inline_bytes_max ? line::too_long : line::partial;
}

parse_status request_parser::parse_inline(std::string_view data) noexcept {
  const std::uint64_t seen = scanned_;
  std::size_t length = 0;
  const line found = find_line_end(data, '\n', length);
  if (found == line::too_long) {
    return fail("too big inline request");
  }
  if (found == line::partial) {
    const std::string_view fresh = data.substr(seen, scanned_ - seen);
    begun_ = begun_ || line_hidden_ || !std::ranges::all_of(fresh, is_blank);
    return parse_status::incomplete;
  }
  std::string_view text = data.substr(0, length);
  if (text.ends_with('\r')) {
    text.remove_suffix(1);
  }
  if (const parse_status status = split_inline(text); status != parse_status::complete) {
    return status;
  }
  const parse_status status = finish(data.substr(0, length + 1), inline_bytes_.get());
  request_.is_inline = true;
  return status;
}

parse_status request_parser::split_inline(std::string_view text) noexcept {
  if (text.size() > inline_capacity_) {
    const std::size_t capacity = std::max<std::size_t>(text.size(), 256);
    inline_bytes_.reset(new (std::nothrow) char[capacity]);
    inline_capacity_ = inline_bytes_ ? capacity : 0;
    if (!inline_bytes_) {
      return fail("out of memory");
    }
  }
  inline_splitter splitter(text, inline_bytes_.get());
  for (arg_ref token;;) {
    switch (splitter.next(token)) {
      case inline_splitter::outcome::token:
        if (!refs_.push(token)) {
          return fail("out of memory");
        }
        break;
      case inline_splitter::outcome::end:
        return parse_status::complete;
      case inline_splitter::outcome::unbalanced:
        return fail("unbalanced quotes in request");
    }
  }
}

parse_status request_parser::finish(std::string_view raw, const char* base) noexcept {
  request_ = {.raw = raw, .base = base, .refs = refs_.view(), .is_inline = false};
  begin_line();
  stage_ = stage::fresh;
  position_ = 0;
  args_left_ = -1;
  bulk_length_ = -1;
  begun_ = false;
  return parse_status::complete;
}

parse_status request_parser::fail(std::string_view text) noexcept {
  char* out = std::ranges::copy(error_prefix, error_line_.data()).out;
  out = std::ranges::copy(text, out).out;
  *out++ = '\r';
  *out++ = '\n';
  error_size_ = static_cast<std::uint8_t>(out - error_line_.data());
  refs_.clear();
  stage_ = stage::failed;
  return parse_status::error;
}

void request_parser::begin_line() noexcept {
  scanned_ = 0;
  line_hidden_ = false;
}

void request_parser::reset() noexcept {
  begin_line();
  request_ = {};
  refs_.clear();
  stage_ = stage::fresh;
  position_ = 0;
  args_left_ = -1;
  args_announced_ = 0;
  bulk_length_ = -1;
  error_size_ = 0;
  begun_ = false;
}

request_parser::progress request_parser::in_progress() const noexcept {
  switch (stage_) {
    case stage::count_line:
      return {.begun = true, .multibulk = true};
    case stage::arguments:
      return {.begun = true,
              .multibulk = true,
              .args_announced = args_announced_,
              .args_complete = refs_.size(),
              .bulk_announced = bulk_length_,
              .bulk_offset = bulk_length_ < 0 ? 0 : position_};
    case stage::inline_line:
      return {.begun = begun_};
    case stage::fresh:
    case stage::failed:
      break;
  }
  return {};
}

void request_parser::swap(request_parser& other) noexcept {
  std::swap(request_, other.request_);
  refs_.swap(other.refs_);
  std::swap(inline_bytes_, other.inline_bytes_);
  std::swap(inline_capacity_, other.inline_capacity_);
  std::swap(position_, other.position_);
  std::swap(scanned_, other.scanned_);
  std::swap(args_left_, other.args_left_);
  std::swap(args_announced_, other.args_announced_);
  std::swap(bulk_length_, other.bulk_length_);
  std::swap(error_line_, other.error_line_);
  std::swap(error_size_, other.error_size_);
  std::swap(stage_, other.stage_);
  std::swap(line_hidden_, other.line_hidden_);
  std::swap(begun_, other.begun_);
  std::swap(authenticated_, other.authenticated_);
}

std::size_t request_parser::used_memory() const noexcept {
  return refs_.bytes() + inline_capacity_;
}

}  // namespace tidegate::resp
