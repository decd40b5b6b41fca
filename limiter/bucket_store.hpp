// The buckets of all rules by rule name and key, and the rules' clocks: what outlives a reload.
//
// Thread safety: every member locks; called at naming events, reloads and memory readings, and by a worker that meets
// a pattern for the first time under a `per: pattern` rule.
//
// Ownership: a bucket is shared by the store and by the bindings and rule sets that use it; clocks live as long as the
// store, so the store outlives every binding.
//
// Invariants: (1) a rule found again under its name keeps the levels of its buckets, with its new rate and burst;
// (2) one whose `cost` or `per` changed, or whose rate left the range of its clock, counts in other units than before:
// its buckets begin as if they had been empty at that moment; (3) at most buckets_max buckets; when there is no more
// room, those that nobody uses and that are full again, and so hold no memory of anything, make room; (4) renaming
// back and forth never gives a new burst: the bucket is still there.
//
// Cost: one hash of the key; a look through all buckets at most once a second, and only when there is no room.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "limiter/bucket.hpp"
#include "limiter/pressure.hpp"
#include "limiter/rate_clock.hpp"

namespace tidegate::limiter {

inline constexpr std::size_t buckets_max = 65536;

// What a store's first rules begin with: a process that takes over from another must not give every client a second
// burst.
enum class first_buckets : std::uint8_t { full, empty };

enum class bucket_kind : char { client = 'c', source = 's', pattern = 'p' };

// A rule in one of its meanings. A rule that changes its meaning gets a new one.
class rule_state {
 public:
  rule_state(const config::limit_rule& rule, steady_ns now, bool without_burst);

  rate_clock clock;
  std::optional<units> empty_at;  // buckets begin as if they had been empty at this reading of the clock

 private:
  friend class bucket_store;
  config::limit_per per_;
  config::limit_cost cost_;
  std::uint64_t burst_ = 0;
  std::unordered_map<std::string, std::shared_ptr<bucket>> buckets_;
  std::shared_ptr<bucket> own_;  // of `per: rule`, and what there is no room for; beyond the bound
};

class bucket_store {
 public:
  explicit bucket_store(first_buckets first) noexcept : first_(first) {}

  // The rules of a new rule set, in their order: their rates and bursts are in force on return.
  [[nodiscard]] std::vector<rule_state*> adopt(const std::vector<config::limit_rule>& rules, steady_ns now);

  // The bucket of a key; null when there is no room.
  [[nodiscard]] std::shared_ptr<bucket> find(rule_state& rule, bucket_kind kind, std::string_view key,
                                             std::uint32_t workers, steady_ns now);
  // The rule's own bucket.
  [[nodiscard]] std::shared_ptr<bucket> own(rule_state& rule, std::uint32_t workers, steady_ns now);
  // A bucket outside the store, for one connection.
  [[nodiscard]] static std::unique_ptr<bucket> make(const rule_state& rule, std::uint32_t workers);

  // Takes a memory reading and sets the rates of these rules by it.
  void set_memory(double used_fraction, const std::vector<config::limit_rule>& rules,
                  const std::vector<rule_state*>& states, steady_ns now);

  [[nodiscard]] std::size_t size() const;

 private:
  [[nodiscard]] rule_state& adopt(const config::limit_rule& rule, steady_ns now, bool without_burst);
  void set_rate(const config::limit_rule& rule, rule_state& state, steady_ns now);
  void make_room(steady_ns now);

  mutable std::mutex mutex_;
  first_buckets first_;
  bool used_ = false;
  std::map<std::string, std::unique_ptr<rule_state>, std::less<>> rules_;
  std::vector<std::unique_ptr<rule_state>> former_;  // meanings that rules no longer have: bindings may still use them
  std::size_t size_ = 0;
  std::optional<steady_ns> looked_for_room_;
  pressure pressure_;
};

[[nodiscard]] std::shared_ptr<bucket_store> make_bucket_store(first_buckets first = first_buckets::full);

[[nodiscard]] std::uint64_t burst_of(const config::limit_rule& rule) noexcept;

}  // namespace tidegate::limiter
