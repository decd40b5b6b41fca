// What the process tells whoever supervises it: the datagrams of sd_notify(3), without its library.
//
// Thread safety: any thread. Ownership: none; each word opens and closes its socket. Invariants: without NOTIFY_SOCKET
// in the environment nothing happens; what cannot be delivered is dropped, since a supervisor that is gone must not end
// the service. Cost: three system calls.
#pragma once

#include <string_view>

namespace tidegate::net {

// "READY=1", "STOPPING=1", "WATCHDOG=1" …
void tell_service_manager(std::string_view word) noexcept;

}  // namespace tidegate::net
