// A rule's virtual clock: how many units its rate has minted since the process began, under a rate that changes.
//
// A bucket keeps its theoretical arrival time (GCRA) on this clock, in minted units rather than nanoseconds, so that a change
// of rate (memory pressure, a reload, a cap) neither gives nor takes what is in the bucket.
// Thread safety: minted() from any thread, lock-free; set_rate() from one thread at a time.
// Invariants: minted() never steps back for a `now` that does not.
// Units: `unit` is 1/scale of a token; scale is chosen so that about 2^30 units are minted a second.
#pragma once

#include <atomic>
#include <cstdint>

namespace tidegate::limiter {

using steady_ns = std::int64_t;
using units = std::int64_t;

class rate_clock {
 public:
  rate_clock(double tokens_per_second, steady_ns now) noexcept;

  [[nodiscard]] units minted(steady_ns now) const noexcept;
  // Units for a cost in tokens, rounded up; saturates.
  [[nodiscard]] units to_units(std::uint64_t tokens) const noexcept;
  // Nanoseconds until `deficit` more units are minted at today's rate, rounded up; saturates.
  [[nodiscard]] steady_ns time_for(units deficit) const noexcept;
  void set_rate(double tokens_per_second, steady_ns now) noexcept;
  [[nodiscard]] double tokens_per_second() const noexcept;
  [[nodiscard]] double units_per_token() const noexcept { return scale_; }

 private:
  // A sequence lock over three words, all atomics: {since, base, units per ns in 32.32}.
  double scale_;
  std::atomic<std::uint32_t> sequence_{0};
  std::atomic<steady_ns> since_;
  std::atomic<units> base_;
  std::atomic<std::uint64_t> speed_;
};

}  // namespace tidegate::limiter
