// TTL rules: what to do with one write so that keys of known patterns get, keep or lose no TTL beyond the rule's.
//
// Thread safety: immutable; `decide` from any thread, each with a plan of its own.
// Ownership: a rule_set owns its rules. A plan holds argument indexes, never bytes: it is good for the request that it
//   was made from, and its vectors keep their capacity.
// Invariants: (1) no TTL is ever lengthened; (2) a request with an option that this build does not know passes
//   unchanged and unrefused, and is followed as if it had worked; (3) zero and negative TTLs mean delete, and pass;
//   (4) a rule with mode off is as absent, but keeps its index.
// Cost: one pattern lookup a written key, linear in the keys; no allocation once the plan's vectors have grown.
// Semantics: design.md section 6 and 12.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/pattern_set.hpp"
#include "config/config.hpp"
#include "resp/command_table.hpp"
#include "resp/request.hpp"

namespace tidegate::ttl {

// How the request's bytes change. Argument indexes are the client's; texts are small numbers and option words.
struct rewrite {
  enum class what : std::uint8_t { none, append, replace } kind = what::none;
  // append: these words go behind the last argument (SET k v -> SET k v EX 60).
  // replace: argument `index` becomes `value` (SETEX k 999999 v -> SETEX k 60 v). Some commands need two: SET … EXAT …
  // is cut by replacing its absolute time.
  std::uint32_t index = 0;
  std::uint8_t option = 0;  // for append: 0 = EX seconds, 1 = PX milliseconds
  std::int64_t value = 0;   // in the unit of the option or argument that it goes to
};

// How many arguments the rewritten request has more than the client's.
[[nodiscard]] constexpr std::uint32_t extra_arguments(const rewrite& how) noexcept {
  return how.kind == rewrite::what::append ? 2 : 0;
}

// What is sent right behind the command on the same connection; its reply is swallowed.
struct follow_up {
  std::uint32_t key_index = 0;  // argument that holds the key
  std::uint32_t rule = 0;
  enum class what : std::uint8_t { default_nx, max_lt } kind = what::default_nx;
  std::int64_t ttl_ms = 0;  // whole seconds are sent with EXPIRE, others with PEXPIRE
};

struct plan {
  std::uint32_t rule = 0xffffffffU;  // of the rewrite, or of a refusal
  ttl::rewrite rewrite;
  bool rewrite_caps = false;  // counts as capped, else as injected
  bool refused = false;       // `require`: answer -TTLREQUIRED pattern=…
  // As sent by the client the write may leave a key that it writes without a TTL: booked as such. A command that
  // leaves TTLs as they are (SADD, INCR, SET KEEPTTL) counts, for whether its key had one is not known; RENAME, COPY
  // and MOVE do not, for the TTL travels with the value.
  bool without_ttl = false;
  std::vector<follow_up> follow_ups;  // in order of key; one key's default_nx before its max_lt
  // mode: observe: what would have been done
  struct observed {
    std::uint32_t rule;
    bool caps;
  };
  std::vector<observed> would;
  // Shortest TTL in milliseconds that the command sets as the client sent it; 0 = sets none. For the evidence.
  std::int64_t sets_ttl_ms = 0;
  std::vector<std::uint32_t> seen;  // decide's own: which keys of a command with several have their follow-ups
  void clear() noexcept;
};

class rule_set {
 public:
  explicit rule_set(const std::vector<config::ttl_rule>& rules);
  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }
  [[nodiscard]] const config::ttl_rule& rule(std::uint32_t index) const noexcept { return rules_[index]; }
  [[nodiscard]] std::size_t size() const noexcept { return rules_.size(); }

  // wall: Unix time, for EXAT/PXAT/EXPIREAT. random: fresh bits for jitter.
  // in_multi: a plan for a command queued in a transaction: the same, its follow-ups go out after EXEC.
  // Works with zero rules too: without_ttl and sets_ttl_ms are still told.
  void decide(const resp::command_spec& spec, const resp::request& request, std::span<const resp::key_ref> keys,
              std::chrono::milliseconds wall, std::uint64_t random, plan& out) const noexcept;

  // Whether any rule could act on a key beginning like this; for streaming decisions. May say yes for a key that no
  // rule matches in the end, never no for one that does.
  [[nodiscard]] bool may_act_on(std::string_view key) const noexcept;
  // The rule (longest pattern) for a key, of any mode but off; npos if none.
  [[nodiscard]] std::uint32_t rule_for(std::string_view key) const noexcept;

 private:
  std::vector<config::ttl_rule> rules_;
  std::vector<std::uint32_t> active_;  // indexes of the rules that are not off, in the order of patterns_
  attribution::pattern_set patterns_;
};

// Appends the request with the rewrite applied, as multibulk, to `out`: two or three appends for a multibulk request,
// whose bytes are copied in bulk; inline ones are encoded anew.
template <class Out>
void append_rewritten(Out& out, const resp::request& request, const rewrite& how);
// The words behind the last argument alone, for a request that is streamed; nothing unless the rewrite appends.
template <class Out>
void append_extra_arguments(Out& out, const rewrite& how);
// Appends the follow-up's command (EXPIRE key n NX …), or where the server lacks EXPIRE … NX/LT (before 7.0) the
// EVAL of a script that does the same.
template <class Out>
void append_follow_up(Out& out, std::string_view key, const follow_up& what, bool expire_options);

}  // namespace tidegate::ttl

#include "ttl/append.ipp"
