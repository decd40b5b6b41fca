// What a byte limit would have done to the burst, and what becomes of memory when nobody writes any more.
//
// Thread safety: pure functions. Ownership: values. Invariants: (1) memory with a limit is the measured memory less
// what the limit would not have let in yet, so what the burst did not cause is never modelled; (2) bytes wait in the
// order they came, each client in its own bucket, and their TTL runs from when they were let in; (3) a larger rate
// never gives a lower peak. Cost: some 30 passes over at most simulated_steps_max steps squared.
#pragma once

#include "evidence/report/incident.hpp"
#include "evidence/report/ledger_source.hpp"

namespace tidegate::report {

inline constexpr std::size_t simulated_steps_max = 240;
inline constexpr double held_share = 0.69;  // a point under the alert
inline constexpr double pressed_from = 0.60, pressed_to = 0.70, pressed_floor = 0.10;

// Fills drain and holding_limit, where memory and its maximum are known.
void take_holding(const observation& seen, const window& subject, incident& into);

}  // namespace tidegate::report
