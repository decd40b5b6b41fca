// The audit API: a change that was made through the proxy, told by whoever made it; and the line for whoever was
// refused.
//
//   POST /api/v1/audit  {"what": "ttl fix", "detail": "…"} -> {"written": true}
//
// Thread safety: reentrant. Ownership: none. Invariants: no line holds what was sent for a token. Cost: control path.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/admin/routes.hpp"
#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

// Nothing where the path is not the audit API's. The token was checked already.
[[nodiscard]] std::optional<admin_answer> answer_audit(const admin_request& asked, std::string_view path,
                                                       const sources& from);

// Writes down that somebody was refused with `status`: a change without the token, or anything with a wrong one.
void note_refused(const admin_request& asked, std::string_view path, unsigned status, const sources& from);

}  // namespace tidegate::admin
