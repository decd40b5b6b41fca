// Where a request's keys lie, how many elements it writes, and whether it blocks.
//
// Where the server's COMMAND GETKEYS and the command itself disagree, the command is followed: an option's argument
// that reads like an option (SORT k STORE by STORE x) must not hide the key that is written.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

#include "resp/command_table.hpp"

namespace tidegate::resp {

namespace {

// Whether the argument is `word` (given in lower case), as strcasecmp has it.
bool is_word(std::string_view arg, std::string_view word) noexcept {
  if (arg.size() != word.size()) return false;
  return std::equal(arg.begin(), arg.end(), word.begin(), [](char given, char lower) {
    return (given >= 'A' && given <= 'Z' ? static_cast<char>(given | 0x20) : given) == lower;
  });
}

// A count as atoi reads it, since Redis's own key finder does: blanks, a sign, digits, anything behind them. A command
// refuses all but plain digits; then the keys are those that Redis's ACL check looked at. Out of range is no count
// here, where atoi's behaviour is undefined.
std::optional<std::int64_t> leading_integer(std::string_view text) noexcept {
  const char* begin = text.data();
  const char* const end = begin + text.size();
  while (begin != end && (*begin == ' ' || (*begin >= '\t' && *begin <= '\r'))) ++begin;
  if (begin != end && *begin == '+') {
    ++begin;
    if (begin != end && *begin == '-') return std::nullopt;
  }
  std::int64_t value = 0;
  if (std::from_chars(begin, end, value).ec != std::errc{}) return std::nullopt;
  return value;
}

// Collects keys; the first one has the spec's first access, all others the other.
class collector {
 public:
  collector(const command_spec& spec, std::vector<key_ref>& out) noexcept : spec_(spec), out_(out) {}

  void add(std::size_t index) noexcept {
    out_.push_back({static_cast<std::uint32_t>(index), out_.empty() ? spec_.first_access : spec_.other_access});
  }

 private:
  const command_spec& spec_;
  std::vector<key_ref>& out_;
};

std::size_t position(std::int16_t declared) noexcept {
  return static_cast<std::size_t>(std::max<int>(declared, 1));
}

bool find_range(const command_spec& spec, std::size_t argc, collector& keys) noexcept {
  const std::size_t first = position(spec.key_first);
  const std::int64_t last = spec.key_last >= 0 ? spec.key_last : static_cast<std::int64_t>(argc) + spec.key_last;
  if (last < static_cast<std::int64_t>(first) || last >= static_cast<std::int64_t>(argc)) return false;
  for (std::size_t i = first; i <= static_cast<std::size_t>(last); i += position(spec.key_step)) keys.add(i);
  return true;
}

bool find_counted(const command_spec& spec, const request& request, collector& keys) noexcept {
  const std::size_t at = position(spec.key_first);
  const std::size_t step = position(spec.key_step);
  if (at >= request.size()) return false;
  const std::optional<std::int64_t> count = leading_integer(request[at]);
  if (!count || *count < 0) return false;
  // A script may have no keys; every other command of this form refuses it.
  if (*count == 0) return spec.cls == command_class::script;
  if (static_cast<std::uint64_t>(*count) > (request.size() - at - 1) / step) return false;
  if (spec.keys == key_layout::numkeys_store) keys.add(1);
  for (std::size_t i = 0; i < static_cast<std::size_t>(*count); ++i) keys.add(at + 1 + i * step);
  return true;
}

// sortCommandGeneric in sort.c: the last STORE counts.
bool find_sort(const request& request, collector& keys) noexcept {
  std::size_t destination = 0;
  for (std::size_t i = 2; i < request.size(); ++i) {
    const std::string_view option = request[i];
    if (is_word(option, "store") && i + 1 < request.size()) {
      destination = ++i;
    } else if (is_word(option, "limit")) {
      i += 2;
    } else if (is_word(option, "by") || is_word(option, "get")) {
      ++i;
    }
  }
  keys.add(1);
  if (destination != 0) keys.add(destination);
  return true;
}

// georadiusGeneric in geo.c: the last of STORE and STOREDIST counts.
bool find_georadius(const command_spec& spec, const request& request, collector& keys) noexcept {
  std::size_t destination = 0;
  for (std::size_t i = position(spec.key_first); i < request.size(); ++i) {
    const std::string_view option = request[i];
    if ((is_word(option, "store") || is_word(option, "storedist")) && i + 1 < request.size()) {
      destination = ++i;
    } else if (is_word(option, "count")) {
      ++i;
    }
  }
  keys.add(1);
  if (destination != 0) keys.add(destination);
  return true;
}

struct stream_options {
  std::size_t streams = 0;  // where STREAMS stands; 0 = nowhere
  bool block = false;
};

// xreadCommand in t_stream.c. What is no option there ends that command with a syntax error; here it is passed over.
stream_options read_stream_options(const request& request) noexcept {
  stream_options found;
  for (std::size_t i = 1; i + 1 < request.size(); ++i) {
    const std::string_view option = request[i];
    if (is_word(option, "streams")) {
      found.streams = i;
      break;
    }
    if (is_word(option, "block")) {
      found.block = true;
      ++i;
    } else if (is_word(option, "count")) {
      ++i;
    } else if (is_word(option, "group")) {
      i += 2;
    }
  }
  return found;
}

bool find_streams(const request& request, collector& keys) noexcept {
  const std::size_t streams = read_stream_options(request).streams;
  if (streams == 0) return false;
  const std::size_t count = (request.size() - streams - 1) / 2;  // as many ids as keys
  for (std::size_t i = 0; i < count; ++i) keys.add(streams + 1 + i);
  return count != 0;
}

// migrateCommand in cluster.c: KEYS only with an empty key argument, and everything behind it is a key.
bool find_migrate(const request& request, collector& keys) noexcept {
  for (std::size_t i = 6; i < request.size(); ++i) {
    const std::string_view option = request[i];
    if (is_word(option, "keys")) {
      if (!request[3].empty()) return false;
      for (std::size_t key = i + 1; key < request.size(); ++key) keys.add(key);
      return i + 1 < request.size();
    }
    if (is_word(option, "auth")) {
      ++i;
    } else if (is_word(option, "auth2")) {
      i += 2;
    }
  }
  keys.add(3);
  return true;
}

std::size_t behind_options(const request& request, std::size_t first,
                           std::span<const std::string_view> options) noexcept {
  while (first < request.size() &&
         std::ranges::any_of(options, [&](std::string_view option) { return is_word(request[first], option); })) {
    ++first;
  }
  return first;
}

}  // namespace

bool find_keys(const command_spec& spec, const request& request, std::vector<key_ref>& out) noexcept {
  out.clear();
  if (spec.keys == key_layout::none) return true;
  if (request.size() < 2 || !spec.arity_ok(request.size())) return false;
  collector keys{spec, out};
  switch (spec.keys) {
    case key_layout::none:
      return true;
    case key_layout::range:
      return find_range(spec, request.size(), keys);
    case key_layout::numkeys:
    case key_layout::numkeys_store:
      return find_counted(spec, request, keys);
    case key_layout::sort:
      return find_sort(request, keys);
    case key_layout::georadius:
      return find_georadius(spec, request, keys);
    case key_layout::streams:
      return find_streams(request, keys);
    // An upstream may tell a smaller arity than the six that the layout reads.
    case key_layout::migrate:
      return request.size() >= 6 && find_migrate(request, keys);
    case key_layout::opaque:
      return false;
  }
  return false;
}

std::uint32_t count_elements(const command_spec& spec, const request& request, std::span<const key_ref> keys) noexcept {
  static constexpr std::string_view zadd_options[] = {"nx", "xx", "ch", "incr", "gt", "lt"};
  static constexpr std::string_view geoadd_options[] = {"nx", "xx", "ch"};
  const std::size_t argc = request.size();
  const std::size_t first = std::min(argc, position(spec.element_first));
  std::size_t count = 1;
  switch (spec.elements) {
    case element_count::one:
      break;
    case element_count::keys:
      count = keys.size();
      break;
    case element_count::members:
      count = argc - first;
      break;
    case element_count::pairs:
      count = (argc - first) / 2;
      break;
    case element_count::zadd:
      count = (argc - behind_options(request, first, zadd_options)) / 2;
      break;
    case element_count::geoadd:
      count = (argc - behind_options(request, first, geoadd_options)) / 3;
      break;
  }
  return static_cast<std::uint32_t>(std::max<std::size_t>(count, 1));
}

bool may_block(const command_spec& spec, const request& request) noexcept {
  if (spec.answers != answer::late) return false;
  if (spec.blocking_option) return read_stream_options(request).block;
  if (spec.dedicated != dedicate::wait) return true;
  // WAIT replicas timeout, WAITAOF local replicas timeout: 0 is no timeout, and nobody to wait for is there at once.
  const std::size_t timeout = request.size() - 1;
  if (request.size() < 3 || request[timeout] != "0") return false;
  for (std::size_t index = 1; index < timeout; ++index) {
    if (request[index] != "0") return true;
  }
  return false;
}

}  // namespace tidegate::resp
