// A document as GitHub-flavoured Markdown.
//
// Thread safety: pure. Ownership: a value. Invariants: no span can end its cell, start a block, open HTML or a link; a
// chart becomes bars of text. Cost: linear.
#pragma once

#include <string>

#include "evidence/document/document.hpp"

namespace tidegate::document {

[[nodiscard]] std::string to_markdown(const document& of);
[[nodiscard]] std::string to_markdown(const section& of);

}  // namespace tidegate::document
