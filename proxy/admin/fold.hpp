// The counters of all workers as one, under names instead of numbers.
//
// Thread safety: fold() from any thread while workers count; each number is exact, the whole is not of one instant.
// Ownership: names are views into the registry, the command table and the snapshot that `totals` keeps alive.
// Invariants: (1) nothing is lost: clients whose number was retired are summed under `other`; (2) rows are unique by
// their labels and ordered. Cost: allocates a row for each series; at a scrape, never on a worker.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

using label_values = std::array<std::string_view, 3>;  // unused ones are empty
using labelled = std::map<label_values, std::uint64_t>;

struct write_totals {
  std::uint64_t writes = 0, elements = 0, bytes = 0, without_ttl = 0;
};

struct histogram_totals {
  std::array<std::uint64_t, session::latency_histogram::buckets + 1> counts{};  // the last is +Inf
  double sum_seconds = 0;
};

struct totals {
  std::shared_ptr<const policy::snapshot> snapshot;
  std::map<label_values, write_totals> writes;                   // client, pattern, command
  labelled commands;                                             // client, class
  labelled scripts;                                              // client, pattern, command
  labelled own_commands;                                         // command
  labelled delayed, rejected, observed;                          // rule, client
  labelled ttl_injected, ttl_capped, ttl_observed, ttl_refused;  // pattern, command
  labelled ttl_failed;                                           // pattern
  labelled dedicated;                                            // reason
  labelled client_errors, upstream_errors;                       // kind
  labelled connections, connections_opened;                      // client
  std::uint64_t writes_assumed = 0, writes_unknown = 0, oversized_costs = 0, desynchronised = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::int64_t sessions = 0, lanes = 0, dedicated_connections = 0, idle_connections = 0;
  histogram_totals delay, rtt;
};

[[nodiscard]] totals fold(const sources& from);

}  // namespace tidegate::admin
