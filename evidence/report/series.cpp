#include "evidence/report/series.hpp"

#include <algorithm>
#include <cmath>

namespace tidegate::report {
namespace {

// A burst begins and ends where it passes these shares of its height: its slow beginning is part of it, its long tail
// not.
constexpr double rising_edge = 0.02;
constexpr double falling_edge = 0.15;
constexpr double ordinary_quantile = 0.5;

class quiet_steps {
 public:
  explicit quiet_steps(std::size_t most) : most_(most) {}

  void add(double value) {
    if (values_.size() < most_) {
      values_.push_back(value);
    } else {
      values_[next_ % most_] = value;
    }
    ++next_;
    ++unseen_;
  }
  void clear() {
    values_.clear();
    next_ = 0;
    unseen_ = 0;
  }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  // A sixteenth of new values moves a median little: it is not taken anew for each.
  [[nodiscard]] double ordinary() {
    if (unseen_ > values_.size() / 16) {
      ordinary_ = quantile(values_, ordinary_quantile);
      unseen_ = 0;
    }
    return ordinary_;
  }

 private:
  std::size_t most_;
  std::size_t next_ = 0;
  std::size_t unseen_ = 0;
  double ordinary_ = 0;
  std::vector<double> values_;
};

step_range trimmed(const std::vector<double>& steps, step_range found) {
  for (std::size_t at = found.begin; at < found.end; ++at) {
    found.peak = std::max(found.peak, steps[at]);
    found.excess += steps[at] - found.ordinary;
  }
  const double height = found.peak - found.ordinary;
  while (found.begin + 1 < found.end && steps[found.begin] < found.ordinary + rising_edge * height) ++found.begin;
  while (found.end > found.begin + 1 && steps[found.end - 1] < found.ordinary + falling_edge * height) --found.end;
  return found;
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

std::vector<step_range> find_bursts(const std::vector<double>& steps, const burst_options& options) {
  std::vector<step_range> found;
  quiet_steps quiet(options.lookback_steps);
  std::size_t at = 0;
  while (at < steps.size()) {
    const double ordinary = quiet.ordinary();
    const double above = std::max(ordinary * options.factor, ordinary + options.floor);
    if (quiet.size() < std::max<std::size_t>(1, options.quiet_steps_min) || steps[at] <= above) {
      quiet.add(steps[at++]);
      continue;
    }
    step_range range{.begin = at, .end = at + 1, .ordinary = ordinary};
    for (std::size_t next = at + 1; next < steps.size() && next <= range.end + options.gap_steps; ++next) {
      if (steps[next] > above) range.end = next + 1;
      if (range.end - range.begin >= options.longest_steps) break;
    }
    const bool stays = range.end - range.begin >= options.longest_steps;
    at = range.end;
    const step_range burst = trimmed(steps, range);
    if (stays) {
      quiet.clear();
      for (std::size_t each = at - std::min(at, options.lookback_steps); each < at; ++each) quiet.add(steps[each]);
    }
    if (burst.peak >= ordinary * options.significant_ratio && burst.excess >= options.significant_sum) {
      found.push_back(burst);
    } else if (!stays) {
      for (std::size_t each = range.begin; each < range.end; ++each) quiet.add(steps[each]);
    }
  }
  return found;
}

}  // namespace tidegate::report
