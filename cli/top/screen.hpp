// `tidegate top` on a terminal: ncurses paints pages and hands on keys.
//
// Thread safety: once a process, one thread. Ownership: the terminal's state, given back on the way out. Invariant:
// what is painted came from draw(); nothing that a proxy or a client said reaches the terminal by another way. Cost:
// wakes ten times a second.
#pragma once

#include <chrono>

#include "cli/admin_client.hpp"

namespace tidegate::cli::top {

// Whether stdin and stdout are a terminal that can be painted on.
[[nodiscard]] bool can_paint();

// Until the user quits. Exit status: 0; 1 if the terminal cannot be used.
[[nodiscard]] int run_screen(const admin_client& client, std::chrono::milliseconds interval, bool ascii_only);

}  // namespace tidegate::cli::top
