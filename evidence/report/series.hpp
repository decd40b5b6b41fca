// Bursts in a series of equal steps: runs of values far above what the hour before them was like.
//
// Thread safety: pure functions. Ownership: none. Invariants: (1) no burst overlaps another; they come in order of
// time; (2) a burst's level is that of the quiet steps before it, never of another burst; (3) a higher level that stays
// for `longest_steps` is the new ordinary, and ends the burst; (4) what comes out depends on ratios and step counts
// alone, not on the length of a step: a replay at 45 times the speed gives the same bursts. Cost: steps x
// lookback_steps.
#pragma once

#include <cstddef>
#include <vector>

namespace tidegate::report {

struct burst_options {
  double factor = 2.5;           // what is this much above the ordinary begins a burst
  double floor = 0;              // … and at least so much, in units a step
  double significant_ratio = 3;  // the highest step must reach this multiple of the ordinary
  double significant_sum = 0;    // … and all steps together this much above it
  std::size_t lookback_steps = 360;
  std::size_t gap_steps = 6;        // quiet steps that do not end a burst
  std::size_t quiet_steps_min = 1;  // before the first burst; fewer say little of what is ordinary
  std::size_t longest_steps = 2160;
};

struct step_range {
  std::size_t begin = 0, end = 0;  // [begin, end)
  double ordinary = 0;             // a step, before it
  double peak = 0;
  double excess = 0;  // above the ordinary, all steps
};

// Quiet steps must come before a burst: without them there is nothing to compare with.
[[nodiscard]] std::vector<step_range> find_bursts(const std::vector<double>& steps, const burst_options& options);

// The value that `share` of the values do not exceed; 0 of none.
[[nodiscard]] double quantile(std::vector<double> values, double share);

}  // namespace tidegate::report
