// A rule's virtual clock: how many units its rate has minted since the process began, under a rate that changes.
//
// A bucket keeps its state (GCRA) on this clock, in minted units rather than nanoseconds, so that a change of rate
// (memory pressure, a reload, a cap) neither gives nor takes what is in the bucket.
//
// Thread safety: minted() and time_for() from any thread, lock-free (a writer that is preempted holds nobody up);
// set_rate() from one thread at a time.
//
// Invariants: (1) minted() never steps back for a `now` that does not, but for a reader that had already passed the
// `now` given to set_rate() when the new rate became visible: it may see the difference of the two rates over that
// moment taken back, never given; (2) between two instants no whole token more is minted than the highest rate in
// force between them yields (see rounding()); (3) 0 <= minted() < units_max - 1.
//
// Units: a token is a power of two of units, so that conversion and comparison are exact; the power is chosen at
// construction for about 2^30 units a second, at least one unit a token up to 2^36 tokens/s (above, several tokens
// share a unit, or the 62 bits of the clock would be used up within months), and stays for life.
//
// Cost: minted() is six loads and one 128-bit multiplication; time_for() one 128-bit division.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>

namespace tidegate::limiter {

using steady_ns = std::int64_t;
using units = std::int64_t;

// No cost, burst or clock reading is above this; what would be saturates.
inline constexpr units units_max = units{1} << 62;
// A time that does not come (a rate of 0).
inline constexpr steady_ns never = std::numeric_limits<steady_ns>::max();
inline constexpr double rate_max = 1e12;
// Of two costs.
[[nodiscard]] constexpr units saturating_sum(units a, units b) noexcept {
  return b > units_max - a ? units_max : a + b;
}

class rate_clock {
 public:
  // A rate outside [0, rate_max] is clamped to it; one that is not a number is 0.
  rate_clock(double tokens_per_second, steady_ns now) noexcept;

  // A `now` from before the last two changes is taken as the time of the former: that time has passed by the clock.
  [[nodiscard]] units minted(steady_ns now) const noexcept;
  // Rises with every change of rate: two readings of one instant and one sequence are the same.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_.load(std::memory_order_acquire); }
  // Units for a cost in tokens, rounded up; saturates.
  [[nodiscard]] units to_units(std::uint64_t tokens) const noexcept;
  // Units for an allowance in tokens, rounded down; saturates.
  [[nodiscard]] units to_allowance(std::uint64_t tokens) const noexcept;
  // Nanoseconds until `deficit` more units are minted at today's rate, rounded up; saturates to `never`.
  [[nodiscard]] steady_ns time_for(units deficit) const noexcept;
  void set_rate(double tokens_per_second, steady_ns now) noexcept;
  [[nodiscard]] double tokens_per_second() const noexcept { return rate_.load(std::memory_order_relaxed); }
  [[nodiscard]] double units_per_token() const noexcept { return scale_; }
  // minted() is rounded down, so a difference of two readings may be almost a unit too high, and a token come a
  // nanosecond early. Where a token is many units the clock makes up for it by minting one unit less for each token (a
  // thousandth at most, and about a nanosecond). Where it is not, who takes a difference adds this to the earlier one.
  [[nodiscard]] units rounding() const noexcept;
  // Whether a rate can be set without losing resolution or using the clock up within a few years.
  [[nodiscard]] bool suits(double tokens_per_second) const noexcept;

 private:
  // units per nanosecond = mantissa x 2^-shift, rounded down.
  struct speed {
    std::uint64_t mantissa = 0;
    std::uint32_t shift = 0;
  };
  // The clock runs at one speed from `since` on, where it stood at `base`.
  struct segment {
    std::atomic<steady_ns> since{0};
    std::atomic<units> base{0};
    std::atomic<std::uint64_t> mantissa{0};
    std::atomic<std::uint32_t> shift{0};
  };

  [[nodiscard]] speed speed_of(double tokens_per_second) const noexcept;
  void write(segment& into, steady_ns since, units base, speed at) noexcept;

  std::int32_t exponent_;  // a token is 2^exponent_ units
  double scale_;
  std::atomic<double> rate_;
  // A sequence lock that never makes a reader wait: segment n lies in slot n % 4; while n + 1 is written, n (in force)
  // and n - 1 (for who reads with a `now` from before the change) stay untouched.
  std::atomic<std::uint64_t> sequence_{0};
  std::array<segment, 4> segments_;
};

}  // namespace tidegate::limiter
