// What is in a keyspace, by pattern: keys, TTLs, memory, use. Filled key by key from a SCAN.
//
// A key is counted under the longest of the named patterns that matches it, else under the pattern inferred from it.
// Inferred patterns are folded: where many siblings (`user:alice:cart`, `user:bob:cart`) hold few keys each, they
// become one row (`user:*:cart`); where there are still too many rows, small ones go to their parent's (`user:*`).
//
// Thread safety: none. Ownership: owns its rows; a `row` pointer lives until the next count() or fold().
// Invariants: (1) every key that was counted is in exactly one row; (2) at most rows_max + one rows a named pattern
// stand at any time; (3) named patterns are never folded. Cost: a trie walk, for keys without a named pattern an
// inference and a hash lookup; about 700 bytes a row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "attribution/pattern_set.hpp"
#include "evidence/keyspace/estimate.hpp"
#include "evidence/keyspace/ttl_histogram.hpp"

namespace tidegate::keyspace {

// What was measured of a sampled key; each is absent where the server would not say.
struct key_measure {
  std::optional<std::uint64_t> bytes;         // MEMORY USAGE
  std::optional<std::uint64_t> idle_seconds;  // OBJECT IDLETIME
  std::optional<std::uint64_t> frequency;     // OBJECT FREQ, 0 … 255
};

// How much sampled keys are used: what eviction would go by.
struct usage {
  static constexpr std::uint64_t idle_long_seconds = 86'400;
  static constexpr std::uint64_t rare_frequency = 1;  // a new key begins at 5 and loses one a minute by default
  std::uint64_t idle_sampled = 0, idle_long = 0, frequency_sampled = 0, frequency_rare = 0;
  double idle_sum = 0, frequency_sum = 0;
  void note(const key_measure& seen) noexcept;
  void merge(const usage& other) noexcept;
};

struct pattern_row {
  std::string pattern;
  bool named = false;
  stratum with_ttl, without_ttl;
  ttl_histogram ttls;
  usage used;
  [[nodiscard]] std::uint64_t keys() const noexcept { return with_ttl.keys() + without_ttl.keys(); }
  [[nodiscard]] estimate bytes(double share = 1.0) const noexcept {
    return with_ttl.total(share) + without_ttl.total(share);
  }
};

class census {
 public:
  static constexpr std::size_t rows_max = 8192;       // inferred ones, while counting
  static constexpr std::size_t rows_final_max = 256;  // after fold()

  // named: those of the configuration, of `ttl:` rules and of the command line; equal ones count once.
  explicit census(std::vector<std::string> named);

  // The key's row. ttl_ms: PTTL's answer, not ttl_gone.
  pattern_row& count(std::string_view key, std::int64_t ttl_ms);
  // Whether this key should be measured, asked before it is counted.
  [[nodiscard]] bool wants_measure(std::string_view key, std::int64_t ttl_ms, std::uint64_t one_in);
  // After count() of the same key.
  void measure(std::string_view key, std::int64_t ttl_ms, const key_measure& seen);

  // Makes the final rows of inferred patterns; counting may go on behind it.
  void fold();
  // Named ones first in their order, then by keys without TTL, then by keys.
  [[nodiscard]] std::vector<const pattern_row*> rows() const;
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }
  [[nodiscard]] pattern_row total() const;

 private:
  [[nodiscard]] pattern_row& row_of(std::string_view key);
  // Both take rows with fewer keys than that, and say whether anything was folded.
  bool fold_siblings(std::uint64_t keys_few);
  bool fold_up(std::uint64_t keys_few);
  void shrink_to(std::size_t rows);
  void move_rows(const std::vector<std::string>& children, const std::string& into);

  attribution::pattern_set named_globs_;
  std::vector<pattern_row> named_;
  std::unordered_map<std::string, pattern_row> inferred_;
  std::uint64_t keys_ = 0;
};

// The pattern that holds a pattern's siblings: `user:alice` -> `user:*`, `a:*:b` -> `a:*`, `a:*` -> `*`; `*` is its
// own.
[[nodiscard]] std::string parent_pattern(std::string_view pattern);

}  // namespace tidegate::keyspace
