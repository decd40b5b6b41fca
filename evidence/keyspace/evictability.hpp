// What an eviction policy may take, what another would put at risk, and what TTL rules change about it: the runbook's
// "policy change analysis", of keys that were counted or of writes that were booked.
//
// Thread safety: pure. Ownership: plain values. Invariants: (1) under volatile-* exactly the keys with a TTL can be
// evicted, under allkeys-* all, under noeviction none; (2) "exposed" is what allkeys-* could evict and volatile-* could
// not; (3) what a source cannot know is absent: of booked writes, which keys the rules would cover. Cost: O(rows).
#pragma once

#include <cstdint>
#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/keyspace/census.hpp"
#include "evidence/keyspace/mending.hpp"

namespace tidegate::keyspace {

enum class eviction_source : std::uint8_t {
  keys,    // every key was counted: numbers are keys, bytes are memory
  writes,  // what was booked of a time: numbers are writes, bytes are those written
};

// Of one pattern, what was given a TTL and what was not: keys or writes, by the source.
struct ttl_split {
  std::string pattern;
  std::uint64_t with_ttl = 0, without_ttl = 0;
  estimate with_ttl_bytes, without_ttl_bytes;
  usage used;
};

struct key_counts {
  std::uint64_t all = 0, with_ttl = 0;
};

struct eviction_evidence {
  eviction_source source = eviction_source::keys;
  std::vector<ttl_split> patterns;
  std::optional<key_counts> keys;  // of the whole server
};

// The splits' sum is the server's keys. share: what counts are multiplied with.
[[nodiscard]] eviction_evidence evidence_of(const census& keys, double share);

struct evictable_share {
  std::optional<std::uint64_t> keys{};
  std::optional<double> keys_share{};
  estimate bytes{};
  double bytes_share = 0;
};

enum class eviction_risk : std::uint8_t { unknown, low, medium, high };  // that allkeys-* would take them
[[nodiscard]] std::string_view name_of(eviction_risk risk) noexcept;

struct exposed_pattern {
  std::string pattern;
  std::uint64_t all = 0, exposed = 0;  // keys or writes
  estimate exposed_bytes;
  // Of the sampled keys; nothing where the server does not keep it under its policy.
  std::optional<double> share_idle_a_day, share_rarely_used, mean_idle_seconds, mean_frequency;
  bool ruled = false;  // a rule gives its keys a TTL
  eviction_risk risk = eviction_risk::unknown;
  [[nodiscard]] const std::optional<double>& share_hardly_used() const noexcept {
    return share_rarely_used ? share_rarely_used : share_idle_a_day;
  }
};

enum class eviction_advice : std::uint8_t {
  ask_the_server,   // it does not tell its policy
  keep_nothing,     // every key can be evicted already
  change_nothing,   // nearly every key has a TTL
  mend_old_keys,    // all that is exposed has a rule
  find_the_owners,  // some of it has none
};
[[nodiscard]] std::string_view name_of(eviction_advice advice) noexcept;

struct eviction_view {
  eviction_source source = eviction_source::keys;
  std::string target{}, policy{};
  std::optional<std::uint64_t> keys{};
  estimate bytes{};
  std::uint64_t memory_used = 0, memory_max = 0, evicted_keys = 0;
  evictable_share now{}, under_volatile{}, under_allkeys{};
  evictable_share after_rules{};           // volatile-*, once old keys are mended
  std::vector<exposed_pattern> exposed{};  // most without TTL first
  std::size_t exposed_left_out = 0;        // patterns beyond exposed_max
  std::uint64_t uncovered = 0;             // keys or writes without TTL and without a rule
  eviction_advice advice = eviction_advice::ask_the_server;
  [[nodiscard]] bool is_volatile() const noexcept { return policy.starts_with("volatile-"); }
};

inline constexpr std::size_t exposed_max = 40;

struct server_memory {
  std::string target = {}, policy = {};
  std::uint64_t used = 0, max = 0, evicted_keys = 0;
};

// rules: those in force.
[[nodiscard]] eviction_view judge_eviction(const eviction_evidence& evidence, const server_memory& server,
                                           const std::vector<mending_rule>& rules);

// eviction_json.cpp
[[nodiscard]] nlohmann::ordered_json to_json(const eviction_view& view);
// What to_json() wrote. The error says what is wrong with it.
[[nodiscard]] std::expected<eviction_view, std::string> eviction_from_json(std::string_view text);

}  // namespace tidegate::keyspace
