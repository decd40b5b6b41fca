// The report's window step by step, and what it shows of the burst's connections.
//
// Thread safety: pure functions. Ownership: values. Invariants: each row of the observation is in one step at most.
// Cost: a pass over the rows.
#pragma once

#include "evidence/report/incident.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

// Fills `timeline`; the burst, the writers and the culprits are known already.
void take_timeline(const observation& seen, incident& into);
// What the timeline and the moments say of the burst: connections, operations, keys added.
void take_connections(incident& into);

[[nodiscard]] moment moment_of(const reading& each);

}  // namespace tidegate::report
