// The longest of many globs that matches a key, and the pattern of a key that no glob knows.
//
// Thread safety: immutable after construction. Ownership: owns its globs; copies are independent.
// Invariants: (1) `longest` is what trying every glob would give: the most literal characters, the first given of
// equals; (2) an inferred pattern, read as a glob, matches its key; (3) it depends on the key alone, so that it is the
// same in every worker and after every restart. Cost: a lookup walks the key once through a trie of literal prefixes,
// then tries the globs on that path from the deepest up, and stops as soon as none above can have more literal
// characters: with globs of the usual form (`text*`) it tries one, however many there are. Globs that share a prefix
// and differ behind a wildcard (`*:a`, `*:b`, … share the empty one) are tried one after the other, the most literal
// first: linear in these. No allocation, no backtracking.
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
  // Index (in the order given) of the matching glob with the most literal characters (the first of equals); npos if
  // none.
  [[nodiscard]] std::uint32_t longest(std::string_view key) const noexcept {
    std::uint32_t steps = 0;
    return longest(key, steps);
  }
  // The same; adds to `steps` the trie nodes and globs that it looked at, so that a test can hold the cost above.
  [[nodiscard]] std::uint32_t longest(std::string_view key, std::uint32_t& steps) const noexcept;
  [[nodiscard]] const std::string& pattern(std::uint32_t index) const noexcept { return globs_[index].pattern(); }
  [[nodiscard]] std::size_t size() const noexcept { return globs_.size(); }

 private:
  // A node stands for a literal prefix. Its children lie side by side in nodes_, in the order of first_bytes_; where
  // they are more than a few, a table says which of them begins with a byte.
  struct node {
    std::uint32_t edge_begin = 0, edge_size = 0;  // the text between the parent and here, in edges_
    std::uint32_t child_begin = 0, child_count = 0;
    std::uint32_t here_begin = 0, here_count = 0;  // globs with this very prefix, in by_prefix_, best first
    std::uint32_t above = npos;                    // the nearest node above that has globs
    std::uint32_t above_best = npos;               // the best glob of all nodes above
    std::uint32_t table = npos;                    // where its 256 entries begin in tables_; 0 there = no child
    std::uint32_t settled = npos;  // the glob that every key which goes no deeper than here has; npos: try them
  };
  static constexpr std::uint32_t children_without_table = 3;
  struct span;
  [[nodiscard]] bool better(std::uint32_t left, std::uint32_t right) const noexcept;
  [[nodiscard]] std::uint32_t deepest(std::string_view key, std::uint32_t& steps) const noexcept;
  [[nodiscard]] std::uint32_t child_of(const node& here, char first) const noexcept;
  [[nodiscard]] static bool same_bytes(std::string_view key, const char* edge, std::uint32_t size) noexcept;
  void fill(const span& part, std::vector<span>& open);
  void settle(node& here) const noexcept;
  void tabulate(node& here);

  std::vector<glob> globs_;
  std::vector<node> nodes_;
  std::string edges_, first_bytes_;
  std::vector<std::uint8_t> tables_;  // numbers of children, from 1 on
  std::vector<std::uint32_t> by_prefix_;
};

// The most that an inferred pattern is: metric labels stay readable, and keys of one family meet.
inline constexpr std::size_t inferred_size_max = 64;
inline constexpr std::size_t inferred_segments_max = 8;
inline constexpr std::size_t segment_size_max = 32;  // a longer one is an id
inline constexpr std::size_t section_size_max =
    256;  // what stands between two of : / | { } #; a longer one ends the pattern

// Writes the pattern inferred from a key: ids cut out ("user:12345:cart" -> "user:*:cart"). At most `capacity` bytes,
// and at most inferred_size_max; printable ASCII only; returns the length. No allocation.
//
// Cut out is every segment (between : / . | - _ { } #) with a digit or anything else that is not a letter, of more than
// 32 characters, of hexadecimal letters alone, or of letters that no language puts side by side; a UUID or date counts
// as one segment; a section with an `@` goes whole, so that no part of an address stays. A name made of plain letters
// (`user:alice`) cannot be told from a word and stays: configure a pattern for such keys.
std::size_t infer_pattern(std::string_view key, char* out, std::size_t capacity) noexcept;

}  // namespace tidegate::attribution
