// Text that is broken between words where the screen ends.
//
// Thread safety: pure. Ownership: values. Invariant: no word is cut, so that names and commands can be pasted; a column
// is a byte. Cost: that of the text.
#pragma once

#include <cstddef>
#include <string>

namespace tidegate::cli {

// `label`, and from column `indent` on the text; lines that follow begin there too. Ends with a newline.
[[nodiscard]] std::string paragraph(const std::string& label, const std::string& text, std::size_t indent,
                                    std::size_t width);

}  // namespace tidegate::cli
