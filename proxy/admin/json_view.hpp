// The state of the proxy as JSON documents for /api/v1.
//
// Thread safety: any thread. Invariants: well-formed UTF-8 JSON whatever names hold; no credentials.
// Cost: a fold a call; at most `rows_max` rows a list, the largest first.
#pragma once

#include <string>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

inline constexpr std::size_t rows_max = 1000;

[[nodiscard]] std::string clients_json(const sources& from);
[[nodiscard]] std::string patterns_json(const sources& from);
[[nodiscard]] std::string limits_json(const sources& from);
[[nodiscard]] std::string writes_json(const sources& from);
// {"error":"…"} and the like, for short answers.
[[nodiscard]] std::string message_json(const char* key, std::string_view text);
[[nodiscard]] std::string ready_json(const std::string& reason);

}  // namespace tidegate::admin
