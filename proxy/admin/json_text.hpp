// The parts that several JSON documents of the API share: rows of sums, words for enumerators, and safe text.
//
// Thread safety: reentrant. Ownership: none. Invariant: text_of() yields well-formed UTF-8 whatever strings hold.
// Cost: that of the document.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "config/config.hpp"
#include "proxy/admin/fold.hpp"

namespace tidegate::admin {

[[nodiscard]] std::string text_of(const nlohmann::json& document);
[[nodiscard]] const char* text_of(config::limit_action action);
[[nodiscard]] const char* text_of(config::limit_cost cost);
// {"writes", "elements", "bytes", "without_ttl"}
[[nodiscard]] nlohmann::json row_of(const write_totals& row);
void add(write_totals& to, const write_totals& from);

}  // namespace tidegate::admin
