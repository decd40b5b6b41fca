// Says where the process was when it aborted: the stack of the thread that got SIGABRT, on stderr.
//
// Thread safety: call once, before threads start. Ownership: installs a signal handler for the process's life.
// Invariants: (1) nothing but addresses and function names is written, no memory of any client; (2) the signal's own
// effect, a core if those are on, follows. Cost: none until then.
#pragma once

namespace tidegate::cli {

void print_stack_on_abort();

}  // namespace tidegate::cli
