#include "evidence/report/eviction.hpp"

#include <map>

#include "attribution/ttl_class.hpp"

namespace tidegate::report {
namespace {

keyspace::estimate counted(std::uint64_t bytes, std::uint64_t writes) {
  return {.value = static_cast<double>(bytes), .margin = 0, .measured = writes};
}

struct written {
  std::uint64_t timed = 0, timed_bytes = 0, untimed = 0, untimed_bytes = 0;
};

std::vector<keyspace::ttl_split> splits_of(const observation& seen) {
  std::map<std::uint32_t, written> sums;
  for (const write_row& row : seen.writes) {
    if (row.at < seen.since || row.at >= seen.until) continue;
    for (const ttl_share& share : row.ttl) {
      if (share.ttl_class == attribution::ttl_class_keep) continue;
      written& sum = sums[row.pattern];
      const bool timed = share.ttl_class < attribution::ttl_classes_timed;
      (timed ? sum.timed : sum.untimed) += share.writes;
      (timed ? sum.timed_bytes : sum.untimed_bytes) += share.bytes;
    }
  }
  std::vector<keyspace::ttl_split> made;
  for (const auto& [pattern, sum] : sums) {
    made.push_back({.pattern = seen.names.patterns[pattern],
                    .with_ttl = sum.timed,
                    .without_ttl = sum.untimed,
                    .with_ttl_bytes = counted(sum.timed_bytes, sum.timed),
                    .without_ttl_bytes = counted(sum.untimed_bytes, sum.untimed),
                    .used = {}});
  }
  return made;
}

}  // namespace

std::optional<keyspace::eviction_view> eviction_by_ledger(const observation& seen, const std::string& upstream,
                                                          const std::vector<keyspace::mending_rule>& rules) {
  keyspace::eviction_evidence evidence{
      .source = keyspace::eviction_source::writes, .patterns = splits_of(seen), .keys = std::nullopt};
  keyspace::server_memory server{.target = upstream};
  if (!seen.readings.empty()) {
    const reading& last = seen.readings.back();
    server.policy = last.eviction_policy;
    server.used = last.used_memory.value_or(0);
    server.max = last.maxmemory.value_or(0);
    server.evicted_keys = last.evicted_keys.value_or(0);
    if (last.keys && last.keys_with_ttl) {
      evidence.keys = keyspace::key_counts{.all = *last.keys, .with_ttl = *last.keys_with_ttl};
    }
  }
  if (server.policy.empty() && evidence.patterns.empty()) return std::nullopt;
  return keyspace::judge_eviction(evidence, server, rules);
}

}  // namespace tidegate::report
