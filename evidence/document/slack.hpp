// A short document as a Slack message: the JSON of `text` and `blocks` that chat.postMessage and incoming webhooks
// take.
//
// Thread safety: pure. Ownership: a value. Invariants: Slack's bounds hold (50 blocks, 3,000 characters a section, 150
// a header); &, < and > of any name are escaped, so that no name can mention or link; `text` alone can be pasted. Cost:
// linear.
#pragma once

#include <string>

#include "evidence/document/document.hpp"

namespace tidegate::document {

[[nodiscard]] std::string to_slack(const document& of);

}  // namespace tidegate::document
