// Times on the command line: RFC 3339, a date, or a distance from now.
//
// Thread safety: pure, but for wall_clock_ms. Ownership: values. Invariants: a mistake says what to write. Cost: none.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tidegate::cli {

[[nodiscard]] std::int64_t wall_clock_ms();
// `2026-02-12T14:00:00Z`, `2026-02-12T22:00:00+08:00`, `2026-02-12`, `now`, `-30m`, `-2h`: Unix milliseconds.
[[nodiscard]] std::expected<std::int64_t, std::string> parse_time(std::string_view text, std::int64_t now_ms);

}  // namespace tidegate::cli
