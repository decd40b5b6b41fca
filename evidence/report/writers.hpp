// Who wrote: each client's part of a span, its sources, connections, commands, patterns and TTLs, and which of them
// made the burst.
//
// Thread safety: pure functions. Ownership: values. Invariants: a culprit is who wrote far more than before, not who
// always writes most; with a burst there is at least one, without one none. Cost: one pass over the rows.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "evidence/report/incident.hpp"
#include "evidence/report/ledger_source.hpp"

namespace tidegate::report {

inline constexpr std::size_t writers_listed = 20;
inline constexpr std::size_t culprits_max = 5;
inline constexpr double culprit_share = 0.15;  // of what was above the ordinary, in bytes or in commands

// quiet: the time before, for what each wrote ordinarily. Fills writers, culprits, writers_left_out and ttl.
void take_writers(const observation& seen, const window& subject, const std::vector<window>& quiet,
                  const std::vector<std::pair<std::string, double>>& distinct_keys,
                  const std::function<std::string(const std::string&)>& owner_of, incident& into);

}  // namespace tidegate::report
