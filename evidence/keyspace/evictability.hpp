// What an eviction policy may take, what another would put at risk, and what TTL rules change about it: the runbook's
// "policy change analysis" from a census.
//
// Thread safety: pure. Ownership: plain values. Invariants: (1) under volatile-* exactly the keys with a TTL can be
// evicted, under allkeys-* all, under noeviction none; (2) "exposed" is what allkeys-* could evict and the present
// policy cannot. Cost: O(rows).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evidence/keyspace/census.hpp"
#include "evidence/keyspace/mending.hpp"

namespace tidegate::keyspace {

struct evictable_share {
  std::uint64_t keys = 0;
  double keys_share = 0;
  estimate bytes;
  double bytes_share = 0;
};

struct exposed_pattern {
  std::string pattern;
  std::uint64_t keys = 0, exposed_keys = 0;
  estimate exposed_bytes;
  // Of the sampled keys; nothing where the server does not keep it under its policy.
  std::optional<double> share_idle_a_day, share_rarely_used, mean_idle_seconds, mean_frequency;
  bool ruled = false;  // a rule gives its keys a TTL
  // How likely allkeys-* would take them: "high", "medium", "low", "unknown".
  std::string risk;
};

struct eviction_view {
  std::string target, policy;
  std::uint64_t keys = 0;
  estimate bytes;
  std::uint64_t memory_used = 0, memory_max = 0, evicted_keys = 0;
  evictable_share now, under_volatile, under_allkeys, after_rules;  // after_rules: volatile-*, once old keys are mended
  std::vector<exposed_pattern> exposed;                             // most keys without TTL first
  std::size_t exposed_left_out = 0;                                 // patterns beyond exposed_max
  std::uint64_t uncovered_keys = 0;                                 // without TTL and without a rule
  std::string verdict;                                              // one sentence of advice
};

inline constexpr std::size_t exposed_max = 40;

struct server_memory {
  std::string target = {}, policy = {};
  std::uint64_t used = 0, max = 0, evicted_keys = 0;
};

// share: census' counts are multiplied with it. rules: those in force.
[[nodiscard]] eviction_view judge_eviction(const census& keys, double share, const server_memory& server,
                                           const std::vector<mending_rule>& rules);

[[nodiscard]] std::string to_markdown(const eviction_view& view);
[[nodiscard]] nlohmann::ordered_json to_json(const eviction_view& view);

}  // namespace tidegate::keyspace
