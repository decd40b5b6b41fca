// Counts a whole database, of a cluster every master's: each key once, its TTL, and of a sample its memory and how much
// it is used.
//
// Thread safety: none. Ownership: the census is the caller's. Invariants: nothing is written to the server, no key's
// access time or counter is touched (PTTL, MEMORY USAGE and OBJECT do not). Cost: a PTTL a key; MEMORY USAGE and OBJECT
// for the first 64 keys of a pattern and then for one in a hundred.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "cli/keyspace/walk.hpp"
#include "evidence/keyspace/census.hpp"

namespace tidegate::cli {

inline constexpr double census_rate = 20'000;  // commands a second, unless one says otherwise
inline constexpr std::uint64_t measured_one_in = 100;

struct counted_keyspace {
  keyspace::census keys;
  double distinct_share = 1;  // what counts are multiplied with; 1 = every key was told apart
  server_facts facts;
  std::uint64_t keys_in_db = 0, repeated = 0, without_ttl = 0;
  double seconds = 0;
  std::string target;
  bool whole = true;  // false: it was interrupted, and is a part
  bool frequency_known = false;
};

// named: counted under these first. The patterns and rules of target.config come to them.
[[nodiscard]] std::expected<std::unique_ptr<counted_keyspace>, std::string> take_census(const server_target& target,
                                                                                        std::vector<std::string> named,
                                                                                        double rate, bool quiet,
                                                                                        stop_request& stop);

// Counts these keys, and measures the sample of them.
void count_keys(walk& by, const std::vector<walked_key>& keys, keyspace::census& into);

}  // namespace tidegate::cli
