// Globs: literal text with `*` (any run of characters, also none) and `?` (any one character). Nothing else is special.
//
// Thread safety: immutable. Cost: linear in the text for each literal run; no backtracking, no recursion, no allocation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidegate::attribution {

class glob {
 public:
  glob() = default;
  explicit glob(std::string_view pattern);
  [[nodiscard]] bool matches(std::string_view text) const noexcept;
  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }
  // Text before the first wildcard.
  [[nodiscard]] std::string_view literal_prefix() const noexcept;
  // Characters that are not wildcards: what "longest match" compares.
  [[nodiscard]] std::size_t literal_size() const noexcept { return literal_size_; }

 private:
  std::string pattern_;
  std::size_t literal_size_ = 0;
  std::size_t prefix_size_ = 0;
};

}  // namespace tidegate::attribution
