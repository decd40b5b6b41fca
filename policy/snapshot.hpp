// Everything the policy knows, as one immutable value: a reload publishes a new one, each worker picks it up by itself.
//
// Thread safety: immutable but for the atomics inside limiter::rule_set. Ownership: std::shared_ptr<const snapshot>.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "attribution/identity.hpp"
#include "attribution/pattern_set.hpp"
#include "attribution/registry.hpp"
#include "config/config.hpp"
#include "limiter/rule_set.hpp"
#include "resp/command_table.hpp"
#include "ttl/rule_set.hpp"

namespace tidegate::policy {

struct snapshot {
  std::uint64_t generation = 0;
  std::shared_ptr<const config::config> config;
  std::shared_ptr<const resp::command_table> commands;
  std::shared_ptr<limiter::rule_set> limits;
  std::shared_ptr<const ttl::rule_set> ttl;
  std::shared_ptr<const attribution::ladder> ladder;
  std::shared_ptr<const attribution::pattern_set> patterns;
  std::vector<attribution::pattern_number> pattern_numbers;      // registry number of each of `patterns`
  std::vector<attribution::pattern_number> ttl_pattern_numbers;  // and of each TTL rule's pattern
  bool expire_options = true;                                    // the upstream knows EXPIRE … NX|LT (7.0); probed
};

// Lives as long as the process; what snapshots are built from besides the configuration.
struct foundations {
  std::shared_ptr<attribution::registry> registry;
  std::shared_ptr<limiter::bucket_store> buckets;
  std::shared_ptr<const resp::command_table> commands;
  bool expire_options = true;
};

// caps: rules that stand in front of the configured ones.
[[nodiscard]] std::shared_ptr<const snapshot> make_snapshot(std::shared_ptr<const config::config> config,
                                                            const foundations& base, std::uint64_t generation,
                                                            limiter::steady_ns now,
                                                            std::vector<config::limit_rule> caps = {});

}  // namespace tidegate::policy
