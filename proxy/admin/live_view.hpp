// What is going on, in one document: for screens that ask every second and work out rates by themselves.
//
// Thread safety: any thread. Ownership: none. Invariants: (1) counters are those of /metrics, of one fold, so that the
// parts of one document agree; (2) well-formed UTF-8 JSON whatever names hold, no credentials; (3) a value that was
// never told is null, not 0. Cost: one fold; at most `live_rows_max` rows a list, the largest first.
#pragma once

#include <string>
#include <string_view>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

inline constexpr std::size_t live_rows_max = 200;

// GET /api/v1/live: clients, patterns, limits, the upstream.
[[nodiscard]] std::string live_json(const sources& from);

// GET /api/v1/clients?client=NAME: what one client writes, by pattern and command, from where, and what held it.
[[nodiscard]] std::string client_json(const sources& from, std::string_view name);

}  // namespace tidegate::admin
