// Quantities as operators write them: `30m`, `64MiB`, `2000/s`, `60%`, `2026-12-31`.
//
// Thread safety: pure functions. Ownership: the errors are remedies ("write 250ms, 2s …") and never repeat the input,
// so that a secret given by accident cannot leak through them. Invariants: nothing negative, nothing that overflowed,
// no quantity without its unit. Cost: control path only.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tidegate::config {

inline constexpr std::chrono::milliseconds duration_max = std::chrono::hours(24 * 36'500);  // a hundred years
inline constexpr std::uint64_t size_max = 1ULL << 50;                                       // 1 PiB, exact in a double
inline constexpr std::uint64_t count_max = 1'000'000'000'000ULL;
inline constexpr double rate_max = 1e15;          // units a second
inline constexpr double rate_min = 1.0 / 86'400;  // one a day

template <class T>
using quantity = std::expected<T, std::string>;

// `250ms 2s 30m 1h 60d`, decimals allowed (`1.5h`), whole milliseconds.
[[nodiscard]] quantity<std::chrono::milliseconds> parse_duration(std::string_view text);
// `10B 150KiB 64MiB 2.32GiB 1TiB`, decimal units `KB MB GB TB` too; rounded down to whole bytes.
[[nodiscard]] quantity<std::uint64_t> parse_size(std::string_view text);
// A plain whole number.
[[nodiscard]] quantity<std::uint64_t> parse_count(std::string_view text);
// `60%` or `0.6`; from 0 to 1.
[[nodiscard]] quantity<double> parse_fraction(std::string_view text);

struct rate {
  double per_second = 0;
  bool bytes = false;  // written with a size: 150KiB/s
};
// `2000/s 100/m 150KiB/s`; above zero.
[[nodiscard]] quantity<rate> parse_rate(std::string_view text);

// `2026-12-31` (00:00 UTC of that day) or RFC 3339 (`2026-12-31T18:00:00+08:00`); fractions of a second are cut.
// Years 1970 to 2200.
[[nodiscard]] quantity<std::chrono::sys_seconds> parse_instant(std::string_view text);

}  // namespace tidegate::config
