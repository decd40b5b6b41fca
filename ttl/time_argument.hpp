// Reads the times in a write's arguments, as strictly as Redis reads them: a cut must never change what Redis would
// have refused, and what is read wrongly here would leave a key without its TTL.
//
// Thread safety: free functions. Cost: linear in the options, no allocation.
// Sources: string2ll() in util.c, parseExtendedStringArgumentsOrReply() and getExpireMillisecondsOrReply() in
// t_string.c, expireGenericCommand() in expire.c, restoreCommand() in cluster.c of Redis 7.0.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/request.hpp"

namespace tidegate::ttl {

// Where a time stands and what its number means.
struct time_argument {
  std::uint32_t index = 0;  // of the number; 0 = there is none
  bool milliseconds = false;
  bool absolute = false;  // Unix time
};

struct time_reading {
  enum class kind : std::uint8_t {
    none_or_past,  // zero, negative, or a moment gone by: Redis refuses it or deletes the key
    future,        // ttl_ms holds
    unreadable,    // not a number, or one that overflows: Redis 7.0 refuses it; what others do is not known
  } what = kind::unreadable;
  std::int64_t ttl_ms = 0;
};

// The options of SET (behind the value) and GETEX (behind the key).
struct string_options {
  bool understood = true;  // false: an unknown word, a missing number, or a combination that Redis 7.0 refuses
  bool keep_ttl = false;
  bool persist = false;
  time_argument time;  // the last one counts, as in Redis
};

struct restore_options {
  bool understood = true;
  bool absolute = false;
};

// Decimal as Redis takes it: no sign but '-', no leading zero, no blank, within 64 bits.
[[nodiscard]] std::optional<std::int64_t> read_integer(std::string_view text) noexcept;

// The TTL that a time gives at `wall`.
[[nodiscard]] time_reading read_time(std::string_view text, time_argument how, std::chrono::milliseconds wall) noexcept;

[[nodiscard]] string_options read_set_options(const resp::request& request) noexcept;
[[nodiscard]] string_options read_getex_options(const resp::request& request) noexcept;
[[nodiscard]] restore_options read_restore_options(const resp::request& request) noexcept;

}  // namespace tidegate::ttl
