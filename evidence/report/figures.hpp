// Figures as a report writes them: binary units throughout, times in UTC.
//
// Thread safety: pure functions. Ownership: values. Invariants: the same figure is the same text in every language, but
// for durations, whose units are words; 1 GiB is 2^30 bytes, and nothing is ever in GB. Cost: one small string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "evidence/document/clock_text.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

struct wording;

[[nodiscard]] std::string bytes_text(double bytes);               // 1.33 GiB
[[nodiscard]] std::string byte_rate_text(double bytes_a_second);  // 150.0 KiB/s
[[nodiscard]] std::string rate_setting(double bytes_a_second);    // 150KiB/s, as the configuration reads it
[[nodiscard]] std::string percent_text(double share);             // 75.8%
[[nodiscard]] std::string threshold_text(double share);           // 70%
[[nodiscard]] std::string count_text(double count);               // 343,149
[[nodiscard]] std::string rate_text(double a_second);             // 11,091/s
[[nodiscard]] std::string multiple_text(double times);            // 48×
[[nodiscard]] std::string money_text(double amount, const std::string& currency);
using document::clock_text;
[[nodiscard]] std::string date_text(unix_ms at);     // 2026-02-12 14:00:10 UTC
[[nodiscard]] std::string instant_text(unix_ms at);  // 2026-02-12T14:00:10Z
[[nodiscard]] std::string duration_text(std::int64_t ms, const wording& words);
[[nodiscard]] std::string maybe(const std::optional<std::string>& text);  // or a dash

}  // namespace tidegate::report
