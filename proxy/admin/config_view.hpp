// GET /api/v1/config: the configuration in force, with its defaults filled in and without any secret.
//
// Thread safety: reentrant. Ownership: none. Invariants: (1) no password, token or private key is in it: what there is
// of each is said as true or false; (2) every field is written by name, so that a new one is left out until somebody
// decides that it may be seen. Cost: that of the document.
#pragma once

#include <string>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

[[nodiscard]] std::string config_json(const sources& from);

}  // namespace tidegate::admin
