// The table of all that breaks "one request, one reply": how many replies each such command gets, and what MULTI makes
// of it. Every other command gets one reply at once, and is queued inside MULTI.
//
// The rules become the columns `answers` and `multi` of the command table when that is compiled (command_data.cpp); a
// rule whose command has no row there does not compile. What is not said of a command but of bytes stands elsewhere:
// that an empty request gets no reply below, that attributes and pushes are none in reply_framer.hpp.
//
// Thread safety: constants. Ownership: none. Invariants: a command has one rule at most.
// Cost: none at run time but the load of a column.
#pragma once

#include <string_view>

#include "resp/command_table.hpp"

namespace tidegate::resp {

struct answer_rule {
  std::string_view name;  // as in the command table: "subscribe", "client|reply"
  answer answers = answer::one;
  in_multi multi = in_multi::queued;
};

// Facts: processCommand() and the commands' own functions in Redis 7.0 (server.c, networking.c, pubsub.c,
// replication.c, multi.c); tests/integration/answer_suite.py asks a server about each rule.
inline constexpr answer_rule answer_rules[] = {
    // A confirmation for each channel, in the form of a message: `*3` in RESP2, a push in RESP3.
    {"subscribe", answer::confirmations, in_multi::uncounted},
    {"psubscribe", answer::confirmations, in_multi::uncounted},
    {"ssubscribe", answer::confirmations, in_multi::uncounted},
    {"unsubscribe", answer::confirmations, in_multi::uncounted},
    {"punsubscribe", answer::confirmations, in_multi::uncounted},
    {"sunsubscribe", answer::confirmations, in_multi::uncounted},

    {"client|reply", answer::switches, in_multi::uncounted},

    // The connection becomes a feed. Inside MULTI SYNC and PSYNC are refused; REPLCONF ACK is never answered.
    {"monitor", answer::endless, in_multi::uncounted},
    {"sync", answer::endless},
    {"psync", answer::endless},
    {"replconf", answer::endless, in_multi::uncounted},

    {"quit", answer::last, in_multi::at_once},
    {"shutdown", answer::refusal},

    {"multi", answer::one, in_multi::at_once},
    {"exec", answer::one, in_multi::at_once},
    {"discard", answer::one, in_multi::at_once},
    {"watch", answer::one, in_multi::at_once},
    {"reset", answer::one, in_multi::at_once},

    // What is said behind them is said by somebody else, in another grammar, or tells more than it was asked for.
    {"auth", answer::one, in_multi::untold},
    {"hello", answer::one, in_multi::untold},
    {"client", answer::one, in_multi::untold},  // and each subcommand that nobody knows
    {"client|caching", answer::one, in_multi::untold},
    {"client|capa", answer::one, in_multi::untold},
    {"client|import-source", answer::one, in_multi::untold},
    {"client|no-evict", answer::one, in_multi::untold},
    {"client|no-touch", answer::one, in_multi::untold},
    {"client|setinfo", answer::one, in_multi::untold},
    {"client|setname", answer::one, in_multi::untold},
    {"client|tracking", answer::one, in_multi::untold},

    // Inside MULTI nothing blocks.
    {"blmove", answer::late},
    {"blmpop", answer::late},
    {"blpop", answer::late},
    {"brpop", answer::late},
    {"brpoplpush", answer::late},
    {"bzmpop", answer::late},
    {"bzpopmax", answer::late},
    {"bzpopmin", answer::late},
    {"xread", answer::late},
    {"xreadgroup", answer::late},
    {"wait", answer::late},
    {"waitaof", answer::late},
};

// `*0`, `*-1` and an empty line are skipped (processMultibulkBuffer(), processInlineBuffer() in networking.c).
[[nodiscard]] inline bool is_answered(const request& request) noexcept {
  return !request.empty();
}

}  // namespace tidegate::resp
