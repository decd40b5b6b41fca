// When writers wrote far more than is ordinary, and what lies between.
//
// Thread safety: pure functions. Ownership: values. Invariants: the same observation gives the same bursts, in order of
// time, and none of them overlap. Cost: a few passes over the observation's rows.
#pragma once

#include <optional>
#include <vector>

#include "evidence/report/ledger_source.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

// Where the first whole step of the rows begins.
[[nodiscard]] unix_ms first_step(const observation& seen);

// Bursts of the window, as [begin, end): by the booked writes and bytes, and the connections opened before them.
[[nodiscard]] std::vector<window> bursts_of(const observation& seen);
// Also those that ended before the window: they are not what is ordinary.
[[nodiscard]] std::vector<window> all_bursts(const observation& seen);
// The one to report on: that which overlaps the hint, else the largest by bytes. Nothing where there is none.
[[nodiscard]] std::optional<window> main_burst(const observation& seen, const std::vector<window>& bursts,
                                               const std::optional<window>& hint);
// What lies before the burst and in no other one.
[[nodiscard]] std::vector<window> quiet_before(const observation& seen, const window& burst,
                                               const std::vector<window>& bursts);

}  // namespace tidegate::report
