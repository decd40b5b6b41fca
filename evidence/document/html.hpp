// A document as one HTML file that needs nothing else: styles, script, Chart.js and data are inside.
//
// Thread safety: pure. Ownership: a value. Invariants: (1) every text is escaped, in the page and in the script's data;
// a policy in the page forbids every request and every script but ours; (2) each chart's figures are a table as well,
// for who cannot see it or runs no script; (3) it reads in light and dark, on a phone and on paper. Cost: linear, and
// 200 KB of Chart.js.
#pragma once

#include <string>

#include "evidence/document/document.hpp"

namespace tidegate::document {

[[nodiscard]] std::string to_html(const document& of);

}  // namespace tidegate::document
