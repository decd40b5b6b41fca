// The caps API: who is held in mid-incident, and the changes of it.
//
//   GET    /api/v1/caps           {"caps": […]}
//   POST   /api/v1/caps           {"client", "action": "cap"|"block", "rate", "bytes", "key", "for", "why"} -> the cap
//   DELETE /api/v1/caps/{client}  the client as one segment, percent-encoded -> the cap that was lifted
//
// Thread safety: reentrant. Ownership: none. Invariants: (1) a change is answered with 200 only when it holds on every
// worker (`in_force`), or says in `trouble` what is amiss; (2) an unknown field is an error: a misspelt `rate` must not
// become no limit. Cost: a fold a call.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/routes.hpp"
#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

// Nothing where the path is not the caps API's. The token was checked already.
[[nodiscard]] std::optional<admin_answer> answer_caps(const admin_request& asked, std::string_view path,
                                                      const sources& from);

// The caps in force, as GET shows them.
[[nodiscard]] std::string caps_json(const sources& from);

// `a%2Fb` -> `a/b`; nothing where that is not well-formed or empty.
[[nodiscard]] std::optional<std::string> decoded_segment(std::string_view text);

}  // namespace tidegate::admin
