// A histogram of latencies: 64 steps to each doubling, so that a quantile is right within 1.6 %.
//
// Thread safety: none; the generator has one thread.
// Invariants: quantile() never lies below what was recorded by more than one step.
// Cost: add() is one increment; 32 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tidegate::load {

class latencies {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[slot_of(nanoseconds)];
    ++total_;
    max_ = std::max(max_, nanoseconds);
  }

  // The smallest recorded step that `share` of all lie at or below; 0 where nothing was recorded.
  [[nodiscard]] std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_[slot];
      if (seen > wanted) return std::min(end_of(slot), max_);
    }
    return max_;
  }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] std::uint64_t count() const { return total_; }

 private:
  static constexpr int step_bits = 6;
  static constexpr std::uint64_t steps = 1U << step_bits;

  static std::size_t slot_of(std::uint64_t value) {
    if (value < steps) return static_cast<std::size_t>(value);
    const auto shift = static_cast<int>(std::bit_width(value)) - 1 - step_bits;
    return static_cast<std::size_t>((static_cast<std::uint64_t>(shift) << step_bits) + (value >> shift));
  }
  static std::uint64_t end_of(std::size_t slot) {
    if (slot < steps) return slot;
    const auto shift = (slot >> step_bits) - 1;
    return ((steps + (slot & (steps - 1)) + 1) << shift) - 1;  // of the last slot, wraps to the greatest number
  }

  std::array<std::uint64_t, steps * 59> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace tidegate::load
