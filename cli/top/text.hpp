// Text that is safe and fits: what a terminal may show of a name, and figures in few characters.
//
// Thread safety: reentrant. Ownership: none. Invariants: (1) what printed_name() returns holds no control character, no
// escape, nothing that turns the direction of text, and only well-formed UTF-8 (or ASCII alone, where asked): a name
// cannot move the cursor or colour the screen; (2) it is at most as many columns wide as asked. Cost: linear.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidegate::cli::top {

// A name cut to `columns`, with `~` at its end where something was cut.
[[nodiscard]] std::string printed_name(std::string_view name, std::size_t columns, bool ascii_only);
// Columns that printed text takes.
[[nodiscard]] std::size_t columns_of(std::string_view text) noexcept;
// `text` in `columns`: blanks behind (or before, for figures), never cut.
[[nodiscard]] std::string left(std::string text, std::size_t columns);
[[nodiscard]] std::string right(std::string text, std::size_t columns);

// `7.3`, `11,091`, `343k`, `6.3M`
[[nodiscard]] std::string count_text(double value);
// `149 KiB`
[[nodiscard]] std::string size_text(double bytes);
[[nodiscard]] std::string percent_text(double share);
// `45s`, `12m`, `3h`
[[nodiscard]] std::string seconds_text(double seconds);
// A Unix time as `12:34:56Z`
[[nodiscard]] std::string clock_text(long long unix_ms);

}  // namespace tidegate::cli::top
