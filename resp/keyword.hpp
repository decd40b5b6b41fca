// Redis's option words: compared without regard to case, ASCII only.
//
// Thread safety: a pure function. Cost: linear in the word; no allocation.
#pragma once

#include <algorithm>
#include <string_view>

namespace tidegate::resp {

// lower: the word in lower case.
[[nodiscard]] inline bool is_keyword(std::string_view text, std::string_view lower) noexcept {
  return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(), [](char given, char known) {
           return (given >= 'A' && given <= 'Z' ? static_cast<char>(given | 0x20) : given) == known;
         });
}

}  // namespace tidegate::resp
