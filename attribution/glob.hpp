// Globs: literal text with `*` (any run of characters, also none) and `?` (any one character). Nothing else is special.
//
// Characters are bytes: keys are binary, so `?` is one byte and every byte value may stand in text and pattern.
// Thread safety: immutable. Ownership: owns its text; copies are independent.
// Invariants: what stands between two `*` is matched at its leftmost place. That never loses a match: whatever follows
// has the most text left then, which is why no backtracking is needed.
// Cost: `text*` and plain literals one memcmp. Otherwise each run between two `*` is searched once: linear in the text
// for a literal run, text times run length for a run with `?`. No recursion, no allocation.
#pragma once

#include <string>
#include <string_view>

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
  [[nodiscard]] bool matches_behind_prefix(std::string_view text) const noexcept;

  std::string pattern_;
  std::size_t literal_size_ = 0;
  std::size_t prefix_size_ = 0;
};

}  // namespace tidegate::attribution
