// Tells the audit log of a running tidegate of a change that a command made through it.
//
// Thread safety: none needed. Ownership: none. Invariants: a change is never kept from being made because nobody could
// be told: then it is said on stderr. Cost: an HTTP request.
#pragma once

#include <string>

namespace tidegate::cli {

// config_path: as admin_client::open() takes it; empty = the environment says where.
void note_change(const std::string& config_path, const std::string& what, const std::string& detail);

}  // namespace tidegate::cli
