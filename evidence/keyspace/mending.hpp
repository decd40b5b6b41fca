// What an old key needs so that its pattern's rule holds: nothing, a TTL, or a shorter one.
//
// Thread safety: immutable. Ownership: owns its rules. Invariants: (1) only what the longest matching glob covers is
// ever touched; (2) no verdict lengthens a TTL: `give` is for keys without one, `cut` for keys above `max`, and both
// are sent as EXPIRE … NX and EXPIRE … LT, so that a TTL that changed in between is left alone; (3) jitter only
// shortens, and depends on the key alone, so that a second pass says what the first said; (4) every key that a glob
// matches is matched by scan_match(): the server may leave out only what no rule covers.
// Cost: decide() is one trie walk, no allocation.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/pattern_set.hpp"

namespace tidegate::keyspace {

// PTTL's answers for a key without TTL, and for one that is no more.
inline constexpr std::int64_t ttl_none = -1;
inline constexpr std::int64_t ttl_gone = -2;

struct mending_rule {
  std::string pattern;
  std::optional<std::chrono::milliseconds> default_ttl, max_ttl;
  double jitter = 0;  // 0 … 1
  bool operator==(const mending_rule&) const = default;
};

enum class mend : std::uint8_t { leave, give, cut };

struct verdict {
  mend what = mend::leave;
  std::int64_t seconds = 0;                             // for give and cut
  std::uint32_t rule = attribution::pattern_set::npos;  // npos: no rule covers the key
};

// Why these rules cannot be used, with the remedy; empty = they can.
[[nodiscard]] std::string wrong_with(const std::vector<mending_rule>& rules);

class mending {
 public:
  // rules: such as wrong_with() finds nothing wrong with.
  explicit mending(std::vector<mending_rule> rules);

  // ttl_ms: what PTTL answered. A key without TTL under `max` alone gets `max`: it is beyond any.
  [[nodiscard]] verdict decide(std::string_view key, std::int64_t ttl_ms) const noexcept;
  [[nodiscard]] bool covers(std::string_view key) const noexcept;
  [[nodiscard]] const std::vector<mending_rule>& rules() const noexcept { return rules_; }
  // For SCAN … MATCH; empty when only `*` would do.
  [[nodiscard]] std::string scan_match() const;

 private:
  std::vector<mending_rule> rules_;
  attribution::pattern_set globs_;
};

// A glob of ours as Redis reads globs: `[` and `\` are special there and literal text here.
[[nodiscard]] std::string redis_glob(std::string_view glob);

// Spread evenly; the same for the same key in every run of one build.
[[nodiscard]] std::uint64_t key_hash(std::string_view key) noexcept;

}  // namespace tidegate::keyspace
