// Text from outside (names of clients, keys, sources) made fit to be shown: a client chooses its name, and may choose
// badly.
//
// Thread safety: pure functions. Ownership: values. Invariants: what comes out is valid UTF-8, has no control
// character, nothing that turns the direction of writing or is invisible, and no more than the asked number of
// characters; nothing else is changed, so CJK and emoji stay. Cost: linear.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::document {

inline constexpr std::size_t name_characters_max = 80;

// A control or hidden character becomes \n, \t, \x1b or \u202e; a byte that is no UTF-8 \xff; what is too long ends in
// an ellipsis.
[[nodiscard]] std::string safe_text(std::string_view text, std::size_t characters_max = name_characters_max);
// One argument of a POSIX shell: quoted only where it must be.
[[nodiscard]] std::string shell_word(std::string_view text);
// A YAML scalar in double quotes.
[[nodiscard]] std::string yaml_word(std::string_view text);

}  // namespace tidegate::document
