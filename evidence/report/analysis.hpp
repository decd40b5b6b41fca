// Makes an incident of an observation: who made the burst, what it did, what would have held it.
//
// Thread safety: pure functions. Ownership: values in, values out. Invariants: (1) the same observation gives the same
// incident; no clock is read; (2) shares are of the burst, and of the whole window where there is no burst. Cost: a few
// passes over the observation's rows.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evidence/report/incident.hpp"
#include "evidence/report/ledger_source.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

struct surroundings {
  std::string upstream{};  // host:port
  unix_ms made_at = 0;
  node_prices prices{};
  // The owner of the limits that match a client; empty = none named.
  std::function<std::string(const std::string&)> owner_of{};
  std::vector<keyspace::mending_rule> ttl_rules{};  // in force
  // Of keys that were counted: it says more than the ledger's own.
  std::optional<keyspace::eviction_view> counted{};
  // Where the upstream's figures show the burst; of several in the window the one that overlaps it is the subject.
  std::optional<window> hint{};
};

[[nodiscard]] incident analyse(const observation& seen, const surroundings& around,
                               const std::vector<std::pair<std::string, double>>& distinct_keys);

}  // namespace tidegate::report
