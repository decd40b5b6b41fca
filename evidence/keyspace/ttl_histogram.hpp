// Keys by what is left of their TTL, in powers of two of a second: the classes that the ledger keeps of writes.
//
// Thread safety: none. Invariants: class k holds TTLs in (2^(k-1), 2^k] seconds, class 0 all up to a second, the last
// one all above; keys without a TTL are in none. Cost: O(1), 28 counters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "attribution/ttl_class.hpp"

namespace tidegate::keyspace {

inline constexpr std::size_t ttl_classes = attribution::ttl_classes_timed;
using attribution::ttl_class_of;

// The longest TTL of a class.
[[nodiscard]] constexpr std::int64_t ttl_class_seconds(std::size_t k) noexcept {
  return attribution::ttl_class_upper_seconds(k);
}

struct ttl_histogram {
  std::array<std::uint64_t, ttl_classes> keys{};
  std::int64_t shortest_ms = 0, longest_ms = 0;  // meaningful when total() is not 0

  void count(std::int64_t ttl_ms) noexcept {
    const bool first = total() == 0;
    ++keys[ttl_class_of(ttl_ms)];
    if (first || ttl_ms < shortest_ms) shortest_ms = ttl_ms;
    if (first || ttl_ms > longest_ms) longest_ms = ttl_ms;
  }
  void merge(const ttl_histogram& other) noexcept {
    if (other.total() == 0) return;
    const bool first = total() == 0;
    if (first || other.shortest_ms < shortest_ms) shortest_ms = other.shortest_ms;
    if (first || other.longest_ms > longest_ms) longest_ms = other.longest_ms;
    for (std::size_t k = 0; k < ttl_classes; ++k) keys[k] += other.keys[k];
  }
  [[nodiscard]] std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t one : keys) sum += one;
    return sum;
  }
  // The class below or in which `share` of the keys lie; empty without keys.
  [[nodiscard]] std::optional<std::size_t> quantile(double share) const noexcept {
    const std::uint64_t all = total();
    std::uint64_t below = 0;
    for (std::size_t k = 0; k < ttl_classes && all != 0; ++k) {
      below += keys[k];
      if (static_cast<double>(below) >= share * static_cast<double>(all)) return k;
    }
    return std::nullopt;
  }
};

}  // namespace tidegate::keyspace
