#include "cli/keyspace/judge_policy.hpp"

namespace tidegate::cli {

std::vector<keyspace::mending_rule> ttl_rules_in_force(const config::config& of) {
  std::vector<keyspace::mending_rule> rules;
  for (const config::ttl_rule& rule : of.ttl) {
    if (rule.mode != config::ttl_mode::enforce || (!rule.default_ttl && !rule.max_ttl)) continue;
    rules.push_back({.pattern = rule.pattern, .default_ttl = rule.default_ttl, .max_ttl = rule.max_ttl, .jitter = 0});
  }
  return rules;
}

std::expected<keyspace::eviction_view, std::string> judge_policy(const server_target& target, double rate, bool quiet) {
  stop_request stop;
  const auto found = take_census(target, {}, rate, quiet, stop);
  if (!found) return std::unexpected(found.error());
  if (!(*found)->whole) return std::unexpected("it was interrupted: a part of the keys says nothing of the whole");
  const server_facts& facts = (*found)->facts;
  const std::uint64_t configured = target.config ? target.config->upstream.maxmemory : 0;
  return keyspace::judge_eviction(
      keyspace::evidence_of((*found)->keys, (*found)->distinct_share),
      {.target = target.name,
       .policy = facts.eviction_policy,
       .used = facts.memory_used,
       .max = configured != 0 ? configured : facts.memory_max,
       .evicted_keys = facts.evicted_keys},
      target.config ? ttl_rules_in_force(*target.config) : std::vector<keyspace::mending_rule>{});
}

}  // namespace tidegate::cli
