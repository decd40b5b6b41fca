#include "limiter/rate_clock.hpp"

#include <algorithm>
#include <cmath>

#include "limiter/wide.hpp"

namespace tidegate::limiter {
namespace {

// With a unit of rounding and a cost of units_max on top it still is a 64-bit number.
constexpr units minted_max = units_max - 2;
constexpr int exponent_max = 40;  // 2^40 units a token at 1e-3 tokens/s and below
constexpr int exponent_without_rate = 20;
constexpr int many_units_exponent = 10;          // one unit of a token is a thousandth
constexpr double units_per_second_max = 0x1p36;  // 2^62 units last two years at it
constexpr double units_per_second_min = 0x1p10;

double clamp_rate(double rate) noexcept {
  if (!(rate > 0)) return 0;  // also when not a number
  return std::min(rate, rate_max);
}

int exponent_for(double rate) noexcept {
  if (rate == 0) return exponent_without_rate;
  const int magnitude = std::ilogb(rate);
  if (magnitude > 35) return 35 - magnitude;
  return std::clamp(30 - magnitude, 0, exponent_max);
}

}  // namespace

rate_clock::rate_clock(double tokens_per_second, steady_ns now) noexcept
    : exponent_(exponent_for(clamp_rate(tokens_per_second))),
      scale_(std::ldexp(1.0, exponent_)),
      rate_(clamp_rate(tokens_per_second)) {
  write(segments_[3], now, 0, speed{});
  write(segments_[0], now, 0, speed_of(clamp_rate(tokens_per_second)));
}

units rate_clock::rounding() const noexcept {
  return exponent_ >= many_units_exponent ? 0 : 1;
}

rate_clock::speed rate_clock::speed_of(double rate) const noexcept {
  if (rate == 0) return {};
  // The rate's 53 bits as an integer, so that the division by a second's nanoseconds is the one rounding, and
  // downwards.
  int exponent = 0;
  const double fraction = std::frexp(rate, &exponent);
  exponent -= 53;
  wide_unsigned per_second{static_cast<std::uint64_t>(std::ldexp(fraction, 53))};
  if (rounding() == 0) {
    per_second *= (std::uint64_t{1} << exponent_) - 1;
  } else {
    exponent += exponent_;
  }
  for (; (per_second >> 126) == 0; per_second <<= 1) --exponent;
  wide_unsigned per_ns = per_second / 1'000'000'000U;
  for (; (per_ns >> 63) != 0; per_ns >>= 1) ++exponent;
  // So slow that not one unit would come within the 63 bits of a steady clock.
  if (exponent < -127) return {};
  return {static_cast<std::uint64_t>(per_ns), static_cast<std::uint32_t>(-exponent)};
}

void rate_clock::write(segment& into, steady_ns since, units base, speed at) noexcept {
  // release: a reader that sees one of these also sees the sequence that was current before the slot was reused, and so
  // finds out that it read a mixture.
  into.since.store(since, std::memory_order_release);
  into.base.store(base, std::memory_order_release);
  into.mantissa.store(at.mantissa, std::memory_order_release);
  into.shift.store(at.shift, std::memory_order_release);
}

units rate_clock::minted(steady_ns now) const noexcept {
  for (;;) {
    // acquire: pairs with the release in set_rate(), the segment of this number is whole.
    const std::uint64_t sequence = sequence_.load(std::memory_order_acquire);
    const segment* part = &segments_[sequence % segments_.size()];
    steady_ns since = part->since.load(std::memory_order_acquire);
    if (now < since) {
      // A worker's `now` is taken once a turn of its loop and may be older than the last change.
      part = &segments_[(sequence + segments_.size() - 1) % segments_.size()];
      since = part->since.load(std::memory_order_acquire);
    }
    // acquire: keeps the check below behind these loads, see write().
    const units base = part->base.load(std::memory_order_acquire);
    const std::uint64_t mantissa = part->mantissa.load(std::memory_order_acquire);
    const std::uint32_t shift = part->shift.load(std::memory_order_acquire);
    // relaxed: ordered by the acquire loads before it.
    if (sequence_.load(std::memory_order_relaxed) != sequence) continue;
    if (now <= since) return base;
    const auto elapsed = static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(since);
    const wide_unsigned more = (wide_unsigned{elapsed} * mantissa) >> shift;
    const auto room = static_cast<std::uint64_t>(minted_max - base);
    return more >= room ? minted_max : base + static_cast<units>(more);
  }
}

units rate_clock::to_units(std::uint64_t tokens) const noexcept {
  if (exponent_ >= 0) return to_allowance(tokens);
  const std::uint64_t per_unit = std::uint64_t{1} << -exponent_;
  return to_allowance(tokens) + (tokens % per_unit == 0 ? 0 : 1);
}

units rate_clock::to_allowance(std::uint64_t tokens) const noexcept {
  if (exponent_ < 0) return static_cast<units>(std::min(tokens >> -exponent_, std::uint64_t{units_max - 1}));
  const auto limit = static_cast<std::uint64_t>(units_max) >> exponent_;
  return tokens >= limit ? units_max : static_cast<units>(tokens << exponent_);
}

steady_ns rate_clock::time_for(units deficit) const noexcept {
  if (deficit <= 0) return 0;
  std::uint64_t mantissa = 0;
  std::uint32_t shift = 0;
  for (;;) {
    const std::uint64_t sequence = sequence_.load(std::memory_order_acquire);  // as in minted()
    const segment& part = segments_[sequence % segments_.size()];
    mantissa = part.mantissa.load(std::memory_order_acquire);
    shift = part.shift.load(std::memory_order_acquire);
    if (sequence_.load(std::memory_order_relaxed) == sequence) break;
  }
  if (mantissa == 0) return never;
  if (shift > 64) {  // deficit x 2^shift must fit; a smaller mantissa only makes the time longer
    mantissa >>= shift - 64;
    shift = 64;
    if (mantissa == 0) return never;
  }
  const wide_unsigned scaled = static_cast<wide_unsigned>(deficit) << shift;
  const wide_unsigned time = (scaled + mantissa - 1) / mantissa;
  return time >= static_cast<wide_unsigned>(never) ? never : static_cast<steady_ns>(time);
}

void rate_clock::set_rate(double tokens_per_second, steady_ns now) noexcept {
  const double rate = clamp_rate(tokens_per_second);
  // relaxed: this thread alone writes.
  const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
  const steady_ns since = std::max(now, segments_[sequence % segments_.size()].since.load(std::memory_order_relaxed));
  write(segments_[(sequence + 1) % segments_.size()], since, minted(since), speed_of(rate));
  rate_.store(rate, std::memory_order_relaxed);  // shown to people, ordered with nothing
  // release: publishes the segment.
  sequence_.store(sequence + 1, std::memory_order_release);
}

bool rate_clock::suits(double tokens_per_second) const noexcept {
  const double rate = clamp_rate(tokens_per_second);
  if (rate == 0 || exponent_for(rate) == exponent_) return true;
  return rate * scale_ >= units_per_second_min && rate * scale_ <= units_per_second_max;
}

}  // namespace tidegate::limiter
