// Tells the audit log of a running tidegate of a change that a command made through it.
//
// Thread safety: none needed. Ownership: none. Invariants: a change is never kept from being made because nobody could
// be told: what it returns is to be said, not to be failed for. Cost: an HTTP request.
#pragma once

#include <string>

namespace tidegate::cli {

// config_path: as admin_client::open() takes it; empty = the environment says where. Returns why nobody was told; empty
// = it is written down.
[[nodiscard]] std::string note_change(const std::string& config_path, const std::string& what,
                                      const std::string& detail);

}  // namespace tidegate::cli
