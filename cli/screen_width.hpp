// How wide the screen is that a text goes to.
//
// Thread safety: reentrant, as long as nobody changes the environment. Ownership: none. Invariant: what is no terminal
// has a width only if COLUMNS gives it one, so that what goes into a file or a pipe is never cut unasked. Cost: a
// system call.
#pragma once

#include <cstddef>

namespace tidegate::cli {

inline constexpr std::size_t endless_width = static_cast<std::size_t>(-1);
inline constexpr std::size_t narrowest_width = 40;  // below that nothing is laid out any more

// Of the terminal behind `descriptor`, else of COLUMNS, else endless_width.
[[nodiscard]] std::size_t screen_width(int descriptor) noexcept;

}  // namespace tidegate::cli
