// The TTLs that writes left, in powers of two: what of a burst is gone when.
//
// Thread safety: pure functions. Ownership: none. Invariants: class k (0 … 26) holds TTLs in (2^(k-1), 2^k] seconds, 0
// all up to one second, 26 all above two years too; `none` is a write that left its key without a TTL, `keep` one that
// left unknown or unchanged what was there. Cost: a few instructions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace tidegate::attribution {

inline constexpr std::size_t ttl_classes_timed = 27;
inline constexpr std::size_t ttl_class_none = ttl_classes_timed;
inline constexpr std::size_t ttl_class_keep = ttl_classes_timed + 1;
inline constexpr std::size_t ttl_classes = ttl_classes_timed + 2;

[[nodiscard]] constexpr std::size_t ttl_class_of(std::int64_t ttl_ms) noexcept {
  if (ttl_ms <= 1000) return 0;
  const auto seconds = (static_cast<std::uint64_t>(ttl_ms) + 999) / 1000;
  const auto found = static_cast<std::size_t>(std::bit_width(seconds - 1));
  return found < ttl_classes_timed ? found : ttl_classes_timed - 1;
}

// The longest TTL of a timed class.
[[nodiscard]] constexpr std::int64_t ttl_class_upper_seconds(std::size_t which) noexcept {
  return std::int64_t{1} << which;
}

}  // namespace tidegate::attribution
