// The parts that several JSON documents of the API share: rows of sums, and safe text.
//
// Thread safety: reentrant. Ownership: none. Invariant: text_of() yields well-formed UTF-8 whatever strings hold.
// Cost: that of the document.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "proxy/admin/fold.hpp"

namespace tidegate::admin {

[[nodiscard]] std::string text_of(const nlohmann::json& document);
// {"writes", "elements", "bytes", "without_ttl"}
[[nodiscard]] nlohmann::json row_of(const write_totals& row);
void add(write_totals& to, const write_totals& from);

}  // namespace tidegate::admin
