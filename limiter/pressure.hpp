// How hard the upstream's memory presses: a reading takes effect at once when it is higher, and late when it is lower.
//
// Thread safety: none; whoever owns it locks.
//
// Invariants: the reading in force is at least the last one, and is lowered only to the highest of three readings in a
// row that were lower by the margin; unknown is in force at once.
#pragma once

#include <cstdint>
#include <optional>

#include "config/config.hpp"

namespace tidegate::limiter {

class pressure {
 public:
  static constexpr double margin = 0.02;  // of maxmemory
  static constexpr std::uint32_t readings_to_relax = 3;

  // used_fraction: of maxmemory; negative or not a number = unknown or stale.
  void read(double used_fraction) noexcept;
  [[nodiscard]] std::optional<double> in_force() const noexcept { return in_force_; }

 private:
  std::optional<double> in_force_;
  std::uint32_t lower_ = 0;   // readings in a row that were lower by the margin
  double highest_lower_ = 0;  // of those
};

// The share of its configured rate that a rule has under that reading: 1 up to `from`, `floor` from `to` on.
[[nodiscard]] double rate_share(const config::memory_pressure& rule, std::optional<double> used_fraction) noexcept;

}  // namespace tidegate::limiter
