// The limit rules in force, their buckets, and admission of one command under all rules that match it.
//
// Thread safety: a rule_set is immutable but for its atomics; any worker uses it. bind() takes a mutex (naming events),
// as does match() the first time a rule with `per: pattern` meets a pattern.
//
// Ownership: buckets outlive a reload: they are kept by rule name and key in `bucket_store`, shared by successive
// rule_sets. Charges are good as long as the rule_set and the binding they were made from stay; who waits leaves its
// line before its binding is rebuilt or destroyed and before it lets go of the rule_set.
//
// Invariants: (1) admission debits every matching rule of one instant, or none; (2) `observe` rules are debited on
// their own and never hold anything; (3) a client is never given a fresh burst by renaming itself back and forth, by a
// reload, or under `per: connection` by anything but a new connection.
//
// Cost: matching a command is a search for its keys among the rules' literal beginnings (`key_index`), one bit looked
// at for each rule of the session, then a glob for the rules with a key that can match, and for `cost: byte` a sum over
// the arguments; admission reads each rule's clock once a worker's instant and debits one word a bucket; no allocation,
// no lock.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/glob.hpp"
#include "attribution/registry.hpp"
#include "config/config.hpp"
#include "limiter/bucket.hpp"
#include "limiter/bucket_store.hpp"
#include "resp/command_table.hpp"

namespace tidegate::limiter {

inline constexpr std::size_t rules_max =
    256 + 64;  // of a configuration, and of caps; what stands behind is not in force
// Rules that one command can match; more are a config mistake at run time: counted, the first 16 hold.
inline constexpr std::size_t rules_at_once_max = 16;

// Counters of one rule and client live with the caller; the rule only names itself.
struct rule {
  // What every command asks, side by side.
  steady_ns expires = never;  // its `until`
  rate_clock* clock = nullptr;
  units one_token = 0;
  std::uint32_t index = 0;
  config::limit_cost cost = config::limit_cost::command;
  bool observes = false;
  bool by_tokens = false;  // it delays or rejects, by what is in the bucket alone
  config::limit_per per = config::limit_per::client;
  bool has_key = false;

  attribution::glob client, key;
  std::vector<bool> commands;  // by command id
  std::string name;
  config::limit_rule config;
};

// Which rules match a client, and their buckets. Immutable once made, and the same for all sessions of the client.
struct client_rules {
  struct bound {
    std::uint32_t rule = 0;  // index
    bucket* from = nullptr;  // null for per: connection and per: pattern
  };
  std::vector<bound> rules;                   // in the order of the configuration
  std::vector<std::shared_ptr<bucket>> held;  // keeps the buckets of `rules` in the store
  std::size_t rules_then = 0;                 // how many the set had that made it
};

// What holds for one session. Rebuilt at naming events and reloads.
struct binding {
  std::shared_ptr<const client_rules> shared;
  std::vector<std::unique_ptr<bucket>> own;  // per: connection; kept over bind(), whatever the client calls itself

  [[nodiscard]] std::span<const client_rules::bound> rules() const noexcept {
    return shared ? std::span<const client_rules::bound>(shared->rules) : std::span<const client_rules::bound>();
  }
};

// One rule that matches a command, with what it costs there.
struct charge {
  const rule* which = nullptr;
  bucket* from = nullptr;
  units cost = 0;
};

struct charges {
  std::array<charge, rules_at_once_max> items;
  std::uint32_t size = 0;
  [[nodiscard]] std::span<charge> all() noexcept { return {items.data(), size}; }
};

// What the rules' clocks showed at one instant: a worker's `now` stays the same for all commands of a turn, and so does
// every reading. Belongs to one worker and to one rule_set: cleared when another comes into force.
class clock_readings {
 public:
  [[nodiscard]] units minted(const rule& of, steady_ns now) noexcept {
    reading& known = readings_[of.index];
    const std::uint64_t sequence = of.clock->sequence();
    if (known.now != now || known.sequence != sequence) known = {now, sequence, of.clock->minted(now)};
    return known.minted;
  }
  void clear() noexcept { readings_.fill({}); }

 private:
  struct reading {
    steady_ns now = std::numeric_limits<steady_ns>::min();
    std::uint64_t sequence = 0;
    units minted = 0;
  };
  std::array<reading, rules_max> readings_;
};

enum class admission : std::uint8_t { admitted, wait, rejected };
struct verdict {
  admission what = admission::admitted;
  std::uint32_t held_by = 0;   // index into charges: the bucket that holds it longest
  steady_ns wait = 0;          // estimated
  std::uint64_t observed = 0;  // bitmask over the first 64 charges: observe rules that would have held it
};

// How much a rule would let one session do at this moment.
struct quota {
  const rule* which = nullptr;
  double rate = 0;                // tokens a second now
  double share = 1;               // of its configured rate, under memory pressure
  std::optional<double> tokens;   // in the bucket, below 0 after a cost above the burst; none = it depends on the key
  std::optional<steady_ns> wait;  // until the next token has its turn; `never` where a block has no end
  bool others_wait = false;       // a line stands before it
};

class rule_set {
 public:
  // store: kept over reloads. table: for command names. Rules past their `until` never match; `wall` is the time of day
  // at `now`, which they are compared with.
  rule_set(const std::vector<config::limit_rule>& rules, std::shared_ptr<bucket_store> store,
           std::shared_ptr<const resp::command_table> table, std::uint32_t workers, steady_ns now,
           std::chrono::system_clock::time_point wall = std::chrono::system_clock::now());
  ~rule_set();
  rule_set(const rule_set&) = delete;
  rule_set& operator=(const rule_set&) = delete;

  [[nodiscard]] std::span<const rule> rules() const noexcept { return rules_; }
  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }

  // What holds for a client. `overflow_key`: the source address, used instead of the name for a client that overflowed
  // to `other` (never one bucket for all unknown), and where the store has no room for one more name.
  void bind(binding& out, std::string_view client_name, std::string_view overflow_key, steady_ns now) {
    bind(out, rules_of(client_name, overflow_key, now), now);
  }
  // In two steps, for who has many sessions of one client; `of` is this very set's.
  [[nodiscard]] std::shared_ptr<const client_rules> rules_of(std::string_view client_name,
                                                             std::string_view overflow_key, steady_ns now);
  void bind(binding& out, std::shared_ptr<const client_rules> of, steady_ns now);
  // The session's bucket of a rule; null where the rule does not match it, or goes by pattern.
  [[nodiscard]] bucket* bucket_of(const binding& session, std::size_t rule) const noexcept;

  // The rules that match this command of this session, with their costs. key-matching rules and costs count only keys
  // that match. `pattern`: of the command's first key, with its registry number.
  void match(const binding& session, const resp::command_spec& spec, const resp::request& request,
             std::span<const resp::key_ref> keys, attribution::pattern_number pattern, charges& out) noexcept;

  // Admits under all charges at this instant, or none. `who` null: a newcomer; else the waiter at its turn, which
  // leaves its line when admitted or rejected. Held: a newcomer joins charges[held_by].from; so does a waiter after
  // leaving its line, unless that is the bucket in which it stands. A waiter that stood in more than one line passes
  // other lines at its turn: otherwise commands under the same two rules could send one another back and forth. It is
  // rejected once it has waited for max_delay.
  [[nodiscard]] verdict admit(std::span<const charge> of, const waiter* who, steady_ns now) noexcept;
  // The same for a newcomer, in one pass where nobody waits and the tokens are there, as nearly always.
  [[nodiscard]] verdict admit(std::span<const charge> of, steady_ns now, clock_readings& readings) noexcept;
  [[nodiscard]] verdict admit(charges& of, const waiter* who, steady_ns now) noexcept {
    return admit(of.all(), who, now);
  }

  // What holds for a session: of every rule in force that its client meets; with a key only of those that the key
  // meets, and with the buckets of `pattern`, which must be the key's. Debits nothing. Not for the steady path: it
  // allocates.
  [[nodiscard]] std::vector<quota> quotas(const binding& session, std::optional<std::string_view> key,
                                          attribution::pattern_number pattern, steady_ns now);

  // Memory pressure: the share of maxmemory in use, or a negative number when unknown or stale. Sets the rates. On the
  // one rule_set in force.
  void set_memory(double used_fraction, steady_ns now) noexcept;

  // Commands that matched more than rules_at_once_max rules.
  [[nodiscard]] std::uint64_t overmatched() const noexcept;

 private:
  struct state;
  [[nodiscard]] bucket* pattern_bucket(std::size_t index, attribution::pattern_number pattern) noexcept;
  [[nodiscard]] bucket* own_bucket(const binding& session, const rule& one) const noexcept;
  void own_bucket(binding& out, const rule& one, steady_ns now) const;

  std::vector<rule> rules_;
  std::vector<std::bitset<rules_max>> by_command_;  // by command id
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::limiter
