// The longest of many globs that matches a key.
//
// Thread safety: immutable after construction.
// Cost: a lookup walks the key once through a trie of literal prefixes; logarithmic or better in the number of globs of the
// usual form (`text*`); no allocation, no backtracking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/glob.hpp"

namespace tidegate::attribution {

class pattern_set {
 public:
  static constexpr std::uint32_t npos = 0xffffffffU;
  pattern_set() = default;
  explicit pattern_set(const std::vector<std::string>& globs);
  // Index (in the order given) of the matching glob with the most literal characters (the first of equals); npos if none.
  [[nodiscard]] std::uint32_t longest(std::string_view key) const noexcept;
  [[nodiscard]] const std::string& pattern(std::uint32_t index) const noexcept { return globs_[index].pattern(); }
  [[nodiscard]] std::size_t size() const noexcept { return globs_.size(); }

 private:
  struct node;
  std::vector<glob> globs_;
  std::vector<node> nodes_;
};

// Writes the pattern inferred from a key: ids cut out ("user:12345:cart" -> "user:*:cart"). At most `capacity` bytes,
// printable ASCII only; returns the length. No allocation.
std::size_t infer_pattern(std::string_view key, char* out, std::size_t capacity) noexcept;

}  // namespace tidegate::attribution
