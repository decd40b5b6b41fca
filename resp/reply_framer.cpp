#include "resp/reply_framer.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "resp/whole_value.hpp"

namespace tidegate::resp {
namespace {

constexpr std::uint64_t length_max = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t values_max = 1ULL << 63;
constexpr std::uint8_t digits_max = 19;  // more do not fit 64 bits; leading zeros count
constexpr std::size_t kind_bytes_max = 32;

// What may stand in a `_` or `#` line at position `at`.
bool token_allows(char type, char c, std::uint64_t at) noexcept {
  return type == '#' && at == 0 && (c == 't' || c == 'f');
}

// The string that begins at `text` (`$n…`, `+…`, `!n…`), as much of it as `text` holds. Empty if it is none.
std::string_view string_at(std::string_view text) noexcept {
  const std::size_t line_end = text.find("\r\n");
  if (text.empty()) {
    return {};
  }
  if (text[0] == '+' || text[0] == '-') {
    text = text.substr(1, line_end == text.npos ? text.npos : line_end - 1);
    if (line_end == text.npos && text.ends_with('\r')) {
      text.remove_suffix(1);  // cut between CR and LF
    }
    return text;
  }
  if ((text[0] != '$' && text[0] != '!') || line_end == text.npos) {
    return {};
  }
  std::uint64_t length = 0;
  for (const char c : text.substr(1, line_end - 1)) {
    if (!is_digit(c)) {
      return {};
    }
    length = length * 10 + digit_of(c);
  }
  return text.substr(line_end + 2, length);
}

}  // namespace

reply_framer::result reply_framer::consume(std::string_view data) noexcept {
  const char* const begin = data.data();
  const char* const end = begin + data.size();
  if (malformed_) {
    return {status::malformed, 0};
  }
  if (idle_) {
    if (data.empty()) {
      return {status::incomplete, 0};
    }
    begin_frame();
    if (const char* const after = end_of_whole(begin, end, last_integer_)) [[likely]] {
      return complete_whole(data, after);
    }
    idle_ = false;
  }
  const char* p = begin;
  while (p != end) {
    p = step(p, end);
    if (malformed_) [[unlikely]] {
      keep_head(data, p, false);
      return {status::malformed, static_cast<std::size_t>(p - begin)};
    }
    if (need_ == 0) {
      keep_head(data, p, true);
      idle_ = true;
      return {status::complete, static_cast<std::size_t>(p - begin)};
    }
  }
  keep_head(data, p, false);
  return {status::incomplete, data.size()};
}

reply_framer::result reply_framer::complete_whole(std::string_view data, const char* after) noexcept {
  const auto size = static_cast<std::size_t>(after - data.data());
  type_ = data[0];
  null_ = type_ == '_' || (type_ == '$' && data[1] == '-');
  head_data_ = data.data();
  head_size_ = std::min(size, reply_head_bytes);
  return {status::complete, size};
}

void reply_framer::begin_frame() noexcept {
  head_data_ = nullptr;
  head_size_ = 0;
  need_ = 1;
  top_left_ = 0;
  elements_ = 0;
  last_integer_ = 0;
  stage_ = stage::type;
  type_ = 0;
  null_ = false;
}

// Leaves a whole frame's head where it lies, and copies that of a split one: its bytes are gone with the next read.
void reply_framer::keep_head(std::string_view data, const char* until, bool complete) noexcept {
  if (type_ == 0) {
    return;
  }
  const char* const from = head_data_ != nullptr ? head_data_ : data.data();
  const std::size_t size = std::min(static_cast<std::size_t>(until - from), reply_head_bytes - head_size_);
  if (head_data_ == nullptr || !complete) {
    std::copy_n(from, size, head_.data() + head_size_);
    head_data_ = nullptr;
  }
  head_size_ += size;
}

const char* reply_framer::step(const char* p, const char* end) noexcept {
  switch (stage_) {
    case stage::type:
      return read_values(p, end);
    case stage::number:
      return read_number(p, end);
    case stage::number_lf:
      return *p == '\n' && finish_number() ? p + 1 : refuse(p);
    case stage::line:
    case stage::line_cr:
      return read_line(p, end);
    case stage::token:
      return read_token(p, end);
    case stage::token_lf:
      if (*p != '\n' || (value_type_ == '_' && !finish_null())) {
        return refuse(p);
      }
      if (value_type_ != '_') {
        finish_value();
      }
      return p + 1;
    case stage::body:
      return read_body(p, end);
    case stage::body_cr:
      return expect(p, '\r', stage::body_lf);
    case stage::body_lf:
      if (*p == '\n') {
        finish_value();
        return p + 1;
      }
      return refuse(p);
  }
  return refuse(p);
}

// Takes values as long as they lie whole in the data, and the first byte of the one that does not.
const char* reply_framer::read_values(const char* p, const char* end) noexcept {
  while (p != end) {
    if (!begin_value(p)) {
      return refuse(p);
    }
    std::int64_t integer = last_integer_;
    const char* const after = capturing_ ? nullptr : end_of_whole(p, end, integer);
    if (after == nullptr || (type_ == 0 && value_type_ == ':')) {
      return p + 1;
    }
    if (top_ && (value_type_ == '_' || (value_type_ == '$' && p[1] == '-'))) {
      null_ = true;
    }
    last_integer_ = integer;
    p = after;
    finish_value();
    if (need_ == 0) {
      return p;
    }
  }
  return p;
}

bool reply_framer::begin_value(const char* p) noexcept {
  value_type_ = *p;
  top_ = type_ == 0 && need_ == 1 && value_type_ != '|';
  if (top_) {
    type_ = value_type_;
    head_data_ = p;
  } else if (type_ == '*' && need_ == top_left_ && value_type_ != '|' && value_type_ != '>') {
    // Whatever an element or an attribute holds raises need_ above top_left_: only elements begin where they are equal.
    --top_left_;
    if (elements_sink_ != nullptr) {
      capturing_ = value_type_ == '-' || value_type_ == '!';
      captured_size_ = 0;
      if (!capturing_) {
        elements_sink_->push_back({value_type_, error_code::none});
      }
    }
  }
  switch (value_type_) {
    case '+':
    case '-':
    case ',':  // a script chooses what stands in a double or a big number: any text may
    case '(':
      stage_ = stage::line;
      return true;
    case '_':
    case '#':
      stage_ = stage::token;
      line_size_ = 0;
      return true;
    case '>':
    case ':':
    case '$':
    case '!':
    case '=':
    case '*':
    case '~':
    case '%':
    case '|':
      stage_ = stage::number;
      number_ = 0;
      digits_ = 0;
      negative_ = false;
      signed_ = false;
      return true;
    default:
      return false;
  }
}

const char* reply_framer::read_number(const char* p, const char* end) noexcept {
  for (; p != end; ++p) {
    if (is_digit(*p)) {
      if (digits_ == digits_max) {
        return refuse(p);
      }
      number_ = number_ * 10 + digit_of(*p);
      ++digits_;
    } else if (*p == '\r' && digits_ != 0) {
      stage_ = stage::number_lf;
      return p + 1;
    } else if (digits_ == 0 && !signed_ && (*p == '-' || (*p == '+' && value_type_ == ':'))) {
      signed_ = true;
      negative_ = *p == '-';
    } else {
      return refuse(p);
    }
  }
  return p;
}

bool reply_framer::finish_number() noexcept {
  if (value_type_ == ':') {
    if (number_ > length_max + (negative_ ? 1U : 0U)) {
      return false;
    }
    if (type_ != 0) {
      last_integer_ = static_cast<std::int64_t>(negative_ ? 0 - number_ : number_);
    }
    finish_value();
    return true;
  }
  if (negative_) {
    return number_ == 1 && digits_ == 1 && (value_type_ == '$' || value_type_ == '*') && finish_null();
  }
  if (number_ > length_max) {
    return false;
  }
  if (value_type_ == '$' || value_type_ == '!' || value_type_ == '=') {
    body_left_ = number_;
    stage_ = stage::body;
    return true;
  }
  return finish_aggregate();
}

bool reply_framer::finish_null() noexcept {
  null_ = null_ || top_;
  finish_value();
  return true;
}

bool reply_framer::finish_aggregate() noexcept {
  const bool pairs = value_type_ == '%' || value_type_ == '|';
  const std::uint64_t count = pairs ? number_ * 2 : number_;  // below 2^64: a number is at most 2^63 - 1
  // A message to oneself inside EXEC's array comes before the element of the command that caused it, and is none.
  const bool in_between = value_type_ == '|' || (value_type_ == '>' && !top_);
  const std::uint64_t others = need_ - (in_between ? 0U : 1U);
  if (count > values_max - others) {
    return false;
  }
  need_ += count;
  if (in_between) {
    stage_ = stage::type;  // the value that it belongs to is still to come
    return true;
  }
  if (top_) {
    elements_ = count;
    top_left_ = value_type_ == '*' ? count : 0;
  }
  finish_value();
  return true;
}

void reply_framer::finish_value() noexcept {
  if (capturing_) {
    capturing_ = false;
    elements_sink_->push_back({value_type_, classify_error({captured_.data(), captured_size_})});
  }
  --need_;
  stage_ = stage::type;
}

const char* reply_framer::read_line(const char* p, const char* end) noexcept {
  if (stage_ == stage::line_cr) {
    if (*p == '\n') {
      finish_value();
      return p + 1;
    }
    capture("\r", 1);
    if (*p == '\r') {
      return p + 1;
    }
    stage_ = stage::line;
  }
  const auto size = static_cast<std::size_t>(end - p);
  const void* const cr = std::memchr(p, '\r', size);
  const std::size_t text = cr == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(cr) - p);
  capture(p, text);
  if (cr == nullptr) {
    return end;
  }
  stage_ = stage::line_cr;
  return p + text + 1;
}

const char* reply_framer::read_token(const char* p, const char* end) noexcept {
  for (; p != end; ++p, ++line_size_) {
    if (*p == '\r' && (line_size_ != 0 || value_type_ == '_')) {
      stage_ = stage::token_lf;
      return p + 1;
    }
    if (!token_allows(value_type_, *p, line_size_)) {
      return refuse(p);
    }
  }
  return p;
}

const char* reply_framer::read_body(const char* p, const char* end) noexcept {
  const std::uint64_t size = std::min(static_cast<std::uint64_t>(end - p), body_left_);
  capture(p, size);
  body_left_ -= size;
  if (body_left_ == 0) {
    stage_ = stage::body_cr;
  }
  return p + size;
}

const char* reply_framer::expect(const char* p, char wanted, stage next) noexcept {
  if (*p != wanted) {
    return refuse(p);
  }
  stage_ = next;
  return p + 1;
}

const char* reply_framer::refuse(const char* p) noexcept {
  malformed_ = true;
  return p;
}

void reply_framer::capture(const char* p, std::size_t size) noexcept {
  if (!capturing_) {
    return;
  }
  size = std::min(size, captured_bytes_max - captured_size_);
  std::copy_n(p, size, captured_.data() + captured_size_);
  captured_size_ = static_cast<std::uint8_t>(captured_size_ + size);
}

std::string_view reply_framer::head() const noexcept {
  return {head_data_ != nullptr ? head_data_ : head_.data(), head_size_};
}

std::string_view reply_framer::error_text() const noexcept {
  return is_error() ? string_at(head()) : std::string_view();
}

std::string_view reply_framer::kind() const noexcept {
  const bool aggregate = type_ == '*' || type_ == '>' || type_ == '~' || type_ == '%';
  const std::string_view text = head();
  const std::size_t header_end = text.find("\r\n");
  if (!aggregate || elements_ == 0 || header_end == text.npos) {
    return {};
  }
  const std::string_view first = text.substr(header_end + 2);
  return first.starts_with('$') || first.starts_with('+') ? string_at(first).substr(0, kind_bytes_max)
                                                          : std::string_view();
}

void reply_framer::reset() noexcept {
  begin_frame();
  need_ = 0;
  capturing_ = false;
  malformed_ = false;
  idle_ = true;
}

}  // namespace tidegate::resp
