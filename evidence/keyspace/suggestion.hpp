// TTL rules from what was seen: patterns whose keys have no TTL, who writes them so, and which TTL others of the same
// pattern get.
//
// Thread safety: pure. Invariants: (1) a rule that rests on no observed TTL is only `observe`, and says so: a guess
// must not end keys; (2) the YAML is a whole `ttl:` section that the configuration takes; (3) what comes from writers
// (names, patterns) can neither end a comment's line nor a quoted text. Cost: control path.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evidence/keyspace/estimate.hpp"
#include "evidence/keyspace/mending.hpp"
#include "evidence/keyspace/ttl_histogram.hpp"

namespace tidegate::keyspace {

struct pattern_evidence {
  std::string pattern;
  // What the ledger saw; zeros without one.
  std::uint64_t writes = 0, writes_without_ttl = 0;
  std::vector<std::pair<std::string, std::uint64_t>> writers_without_ttl;  // most first
  ttl_histogram written;                                                   // TTLs that writes left
  // What an audit found; zeros without one.
  std::uint64_t keys = 0, keys_without_ttl = 0;
  ttl_histogram left;
  std::optional<estimate> bytes_without_ttl;
};

enum class reason : std::uint8_t { written, left, guessed };

struct suggestion {
  pattern_evidence evidence;
  std::chrono::milliseconds default_ttl{};
  reason why = reason::guessed;
};

struct suggestion_bounds {
  std::chrono::milliseconds guess = std::chrono::hours(30 * 24);
  std::uint64_t keys_min = 100;  // fewer keys without TTL, or writes that left none, are not worth a rule
};

// The most keys first. covered: patterns that have a rule with a default or a max already.
[[nodiscard]] std::vector<suggestion> suggest(std::vector<pattern_evidence> seen,
                                              const std::vector<std::string>& covered, const suggestion_bounds& bounds);

// The TTL that people would write for one of at least so long: 5m, 1h, 1d, 7d, 30d, 60d, 90d …
[[nodiscard]] std::chrono::milliseconds round_up(std::chrono::milliseconds ttl) noexcept;
// As a configuration has it: "30m", "60d".
[[nodiscard]] std::string config_duration(std::chrono::milliseconds ttl);

// source: what it rests on, for the first comment.
[[nodiscard]] std::string to_yaml(const std::vector<suggestion>& rules, const std::string& source);

}  // namespace tidegate::keyspace
