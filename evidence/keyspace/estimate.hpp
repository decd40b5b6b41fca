// A total estimated from a sample: how many bytes the keys of a pattern take, when some of them were measured.
//
// Thread safety: none. Invariants: (1) with every key measured the total is exact and its margin 0; (2) with fewer
// than two measured of more there is a value and no margin: nothing is known about the spread. Sources: Welford's
// running variance; Student's t by its Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5); finite population
// correction. Cost: O(1).
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

namespace tidegate::keyspace {

struct estimate {
  double value = 0;
  std::optional<double> margin;  // 95 % of such samples lie within value ± margin
  std::uint64_t measured = 0;
};

// One stratum: keys that are alike. Which of them are measured may depend on their place in the scan (a hash decides
// it), never on their size.
class stratum {
 public:
  static constexpr std::uint64_t measured_first = 64;  // the first of each stratum are all measured

  // Whether to measure the key that is counted next. one_in: of those behind the first.
  [[nodiscard]] bool wants_measure(std::uint64_t one_in) const noexcept {
    return keys_ < measured_first || (one_in != 0 && keys_ % one_in == 0);
  }
  void count() noexcept { ++keys_; }
  void measure(double bytes) noexcept {
    ++measured_;
    const double delta = bytes - mean_;
    mean_ += delta / static_cast<double>(measured_);
    squares_ += delta * (bytes - mean_);
  }
  // Weighed by keys, since the two were not measured at the same rate.
  void merge(const stratum& other) noexcept {
    const double here = static_cast<double>(measured_ == 0 ? 0 : keys_);
    const double there = static_cast<double>(other.measured_ == 0 ? 0 : other.keys_);
    const double all = here + there;
    if (all > 0) {
      const double delta = other.mean_ - mean_;
      const double spread =
          (here * variance() + there * other.variance()) / all + delta * delta * here * there / all / all;
      mean_ += delta * there / all;
      measured_ += other.measured_;
      squares_ = spread * static_cast<double>(measured_ - 1);
    }
    keys_ += other.keys_;
  }
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }
  // share: what the count is multiplied with (repeats of the scan).
  [[nodiscard]] estimate total(double share = 1.0) const noexcept {
    const double keys = static_cast<double>(keys_) * share;
    estimate made{.value = keys * mean_, .margin = std::nullopt, .measured = measured_};
    if (measured_ >= keys_) {
      made.margin = 0;
    } else if (measured_ >= 2) {
      const double n = static_cast<double>(measured_), freedom = n - 1;
      const double spread = variance() * (1.0 - n / static_cast<double>(keys_));
      const double t = 1.96 + 2.372 / freedom + 2.822 / (freedom * freedom) + 2.556 / (freedom * freedom * freedom);
      made.margin = keys * t * std::sqrt(spread / n);
    }
    return made;
  }

 private:
  [[nodiscard]] double variance() const noexcept {
    return measured_ < 2 ? 0 : squares_ / static_cast<double>(measured_ - 1);
  }

  std::uint64_t keys_ = 0, measured_ = 0;
  double mean_ = 0, squares_ = 0;
};

// Of independent strata: values add, margins add as squares; unknown if one of them is.
[[nodiscard]] inline estimate operator+(const estimate& a, const estimate& b) noexcept {
  estimate sum{.value = a.value + b.value, .margin = std::nullopt, .measured = a.measured + b.measured};
  if (a.margin && b.margin) sum.margin = std::hypot(*a.margin, *b.margin);
  return sum;
}

}  // namespace tidegate::keyspace
