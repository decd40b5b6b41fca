// The last place in the machine's queue for its processors.
//
// A walk over old keys often runs on the host of an application or of the server itself, and nobody waits for it: it
// takes what they leave.
//
// Thread safety: of the calling process as a whole, before it starts threads. Ownership: none. Invariants: it is never
// an error (a kernel that refuses leaves things as they were), and is not taken back: an unprivileged process cannot.
// Cost: two system calls.
#pragma once

namespace tidegate::cli {

void stand_back() noexcept;

}  // namespace tidegate::cli
