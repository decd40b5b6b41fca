// Times on the command line: RFC 3339, a date, or a distance from now.
//
// Thread safety: pure, but for wall_clock_ms. Ownership: values. Invariants: a mistake says what to write. Cost: none.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "evidence/capture/capture_set.hpp"

namespace tidegate::cli {

[[nodiscard]] std::int64_t wall_clock_ms();
// `2026-02-12T14:00:00Z`, `2026-02-12T22:00:00+08:00`, `2026-02-12`, `now`, `-30m`, `-2h`: Unix milliseconds.
[[nodiscard]] std::expected<std::int64_t, std::string> parse_time(std::string_view text, std::int64_t now_ms);
// `--since` and `--until`, either of which may be empty: from the beginning, to the end.
[[nodiscard]] std::expected<capture::window, std::string> window_of(std::string_view since, std::string_view until);

}  // namespace tidegate::cli
