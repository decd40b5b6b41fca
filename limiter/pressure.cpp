#include "limiter/pressure.hpp"

#include <algorithm>

namespace tidegate::limiter {

void pressure::read(double used_fraction) noexcept {
  if (!(used_fraction >= 0)) {
    in_force_.reset();
    lower_ = 0;
    return;
  }
  if (!in_force_ || used_fraction >= *in_force_) {
    in_force_ = used_fraction;
    lower_ = 0;
    return;
  }
  // INFO's figures become fractions by division: 0.75 after 0.77 is meant to be two points lower.
  constexpr double rounding = 1e-9;
  if (*in_force_ - used_fraction < margin - rounding) {
    lower_ = 0;
    return;
  }
  highest_lower_ = lower_ == 0 ? used_fraction : std::max(highest_lower_, used_fraction);
  if (++lower_ < readings_to_relax) return;
  // The highest of the three: the last one alone may be a dip.
  in_force_ = highest_lower_;
  lower_ = 0;
}

double rate_share(const config::memory_pressure& rule, std::optional<double> used_fraction) noexcept {
  if (!used_fraction || *used_fraction <= rule.from) return 1;
  if (*used_fraction >= rule.to) return rule.floor;
  return 1 - (1 - rule.floor) * (*used_fraction - rule.from) / (rule.to - rule.from);
}

}  // namespace tidegate::limiter
