// What an eviction policy may take, judged by the ledger: keys by INFO, patterns and bytes by what was written.
//
// Thread safety: pure. Ownership: a value. Invariants: (1) only rows of the window count; (2) a write that left the TTL
// as it was, or whose TTL is not known, is in neither part. Cost: one pass over the rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evidence/keyspace/evictability.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

// Nothing where the ledger holds neither a policy nor a write. rules: those in force.
[[nodiscard]] std::optional<keyspace::eviction_view> eviction_by_ledger(
    const observation& seen, const std::string& upstream, const std::vector<keyspace::mending_rule>& rules);

}  // namespace tidegate::report
