// The codes that begin Redis's error replies, as far as the proxy acts on them.
//
// Source: rejectCommand() and its callers in server.c of Redis 7.0; shared.*err.
// Thread safety: pure functions. Cost: one pass over the first words; no allocation.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::resp {

enum class error_code : std::uint8_t {
  none,
  other,  // any code that means: the command ran and failed inside (ERR, WRONGTYPE, BUSYKEY, BUSYGROUP, NOSCRIPT …)
  noauth,
  noperm,
  oom,
  readonly,
  loading,
  masterdown,
  noreplicas,
  misconf,
  busy,  // exactly BUSY, not BUSYKEY or BUSYGROUP
  moved,
  ask,
  crossslot,
  clusterdown,
  tryagain,
  execabort,
  unknown_command,     // "ERR unknown command" / "ERR unknown subcommand": never executed
  not_in_transaction,  // "ERR Command not allowed inside a transaction"
  subscribed_context,  // "ERR Can't execute '…': only (P|S)SUBSCRIBE / …"
};

// text: the error line without its leading '-'.
[[nodiscard]] error_code classify_error(std::string_view text) noexcept;

// True for codes that Redis gives instead of running the command: `calls` of commandstats does not count it.
[[nodiscard]] bool refused_before_execution(error_code code) noexcept;

// True when the text tells of a failover: READONLY, LOADING or MASTERDOWN as its code or, for a script's error,
// inside it ("… -READONLY You can't write …").
[[nodiscard]] bool tells_of_failover(std::string_view text) noexcept;

}  // namespace tidegate::resp
