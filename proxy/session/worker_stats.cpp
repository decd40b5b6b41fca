#include "proxy/session/worker_stats.hpp"

#include <bit>

namespace tidegate::session {

namespace {
constexpr std::uint64_t first_bound_ns = 1ULL << 14;  // 16.4 µs
}

void latency_histogram::observe(std::int64_t nanoseconds) noexcept {
  const std::uint64_t ns = nanoseconds < 0 ? 0 : static_cast<std::uint64_t>(nanoseconds);
  std::size_t bucket = 0;
  if (ns > first_bound_ns) bucket = static_cast<std::size_t>(std::bit_width((ns - 1) / first_bound_ns));
  counts_[bucket < buckets ? bucket : buckets].add(1);
  sum_ns_.add(ns);
}

double latency_histogram::upper_bound_seconds(std::size_t bucket) noexcept {
  return static_cast<double>(first_bound_ns << bucket) * 1e-9;
}

}  // namespace tidegate::session
