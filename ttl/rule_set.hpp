// TTL rules: what to do with one write so that keys of known patterns get, keep or lose no TTL beyond the rule's.
//
// Thread safety: immutable. Cost: one pattern lookup a written key; no allocation once `plan`'s vectors have grown.
// Semantics: design.md section 6 and 12. Never lengthens a TTL. Zero and negative TTLs mean delete, and pass.
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
  std::uint8_t option = 0;        // for append: 0 = EX seconds, 1 = PX milliseconds
  std::int64_t value = 0;
};

// What is sent right behind the command on the same connection; its reply is swallowed.
struct follow_up {
  std::uint32_t key_index = 0;    // argument that holds the key
  std::uint32_t rule = 0;
  enum class what : std::uint8_t { default_nx, max_lt } kind = what::default_nx;
  std::int64_t ttl_ms = 0;        // whole seconds are sent with EXPIRE, others with PEXPIRE
};

struct plan {
  std::uint32_t rule = 0xffffffffU; // of the rewrite, or of a refusal
  ttl::rewrite rewrite;
  bool rewrite_caps = false;        // counts as capped, else as injected
  bool refused = false;             // `require`: answer -TTLREQUIRED pattern=…
  bool without_ttl = false;         // as sent by the client the write leaves a key without TTL: booked as such
  std::vector<follow_up> follow_ups;
  // mode: observe: what would have been done
  struct observed { std::uint32_t rule; bool caps; };
  std::vector<observed> would;
  // Shortest TTL in milliseconds that the command sets as the client sent it; 0 = sets none. For the evidence.
  std::int64_t sets_ttl_ms = 0;
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

  // Whether any rule could act on a key beginning like this; for streaming decisions.
  [[nodiscard]] bool may_act_on(std::string_view key) const noexcept;
  // The rule (longest pattern) for a key, of any mode but off; npos if none.
  [[nodiscard]] std::uint32_t rule_for(std::string_view key) const noexcept;

 private:
  std::vector<config::ttl_rule> rules_;
  attribution::pattern_set patterns_;
};

// Appends the request with the rewrite applied, as multibulk, to `out`.
template <class Out>
void append_rewritten(Out& out, const resp::request& request, const rewrite& how);
// Appends the follow-up's command (EXPIRE key n NX …), or where the server lacks EXPIRE … NX/LT (before 7.0) the
// EVAL of a script that does the same.
template <class Out>
void append_follow_up(Out& out, std::string_view key, const follow_up& what, bool expire_options);

}  // namespace tidegate::ttl

#include "ttl/append.ipp"
