// The query of a request's target: `client=a%2Fb&top=5` (RFC 3986, 3.4; the form of HTML's URL-encoding).
//
// Thread safety: reentrant. Ownership: none. Invariant: what cannot be decoded is as if it were not there.
// Cost: linear in the query.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidegate::admin {

// The first value of `key`, decoded; nothing where there is none or it is not well-formed.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view key);

}  // namespace tidegate::admin
