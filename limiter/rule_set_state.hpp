// What a rule_set holds besides its rules; for its own .cpp files.
// Thread safety: as rule_set: immutable but for the atomics inside.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "limiter/key_index.hpp"
#include "limiter/rule_set.hpp"

namespace tidegate::limiter {

using pattern_buckets = std::array<std::atomic<bucket*>, attribution::patterns_max>;

// Fewer rules with a key than this are tried one after the other: that costs less than to look up which can match.
inline constexpr std::size_t indexed_rules_min = 8;

struct rule_set::state {
  std::shared_ptr<bucket_store> store;
  std::uint32_t workers = 1;
  std::vector<config::limit_rule> configured;
  std::vector<rule_state*> states;                         // by rule index, as the next two
  std::vector<std::shared_ptr<bucket>> own;                // per: rule, and where the store has no room
  std::vector<std::unique_ptr<pattern_buckets>> patterns;  // per: pattern, else null; filled as patterns are met
  key_index by_key;
  bool indexed = false;  // whether by_key is worth asking
  std::mutex patterns_mutex;
  std::vector<std::shared_ptr<bucket>> patterns_held;
  std::atomic<steady_ns> latest{0};  // roughly now, for match(), which has no clock
  std::atomic<std::uint64_t> overmatched{0};
};

}  // namespace tidegate::limiter
