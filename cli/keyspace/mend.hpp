// Mends old keys: gives those of its rules a TTL that have none, and cuts those above the maximum; or only says what it
// would do.
//
// Thread safety: none. Ownership: the state file is this run's alone. Invariants: (1) a key gets EXPIRE … NX or
// EXPIRE … LT and nothing else, so no TTL is lengthened whatever happens in between; (2) the state on disk never names
// a cursor whose page was not dealt with: a run that is killed and resumed misses no key; (3) a dry run writes nothing
// to the server. Cost: a PTTL a key that the rules cover, and an EXPIRE for those that need one.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "cli/keyspace/walk.hpp"
#include "evidence/keyspace/census.hpp"
#include "evidence/keyspace/mending.hpp"
#include "evidence/keyspace/plan.hpp"
#include "evidence/keyspace/seen_keys.hpp"

namespace tidegate::cli {

inline constexpr double mend_rate = 5'000;  // commands a second, unless one says otherwise
inline constexpr const char* mend_client_name = "tidegate-ttl-fix";

struct rule_tally {
  std::uint64_t keys = 0, give = 0, cut = 0;
  std::uint64_t moved = 0;  // had changed by the time that its EXPIRE came
};

struct mended {
  walk_end end = walk_end::failed;
  std::vector<rule_tally> by_rule;
  std::uint64_t looked_at = 0, given = 0, cut = 0;  // with those of the runs that this one goes on from
  keyspace::ttl_histogram before, after;
  std::uint64_t without_before = 0;
  std::optional<keyspace::census> census;  // of a dry run: by rule, and what it weighs
  server_facts facts;
  double seconds = 0, fraction = 0;
  std::uint64_t slowed = 0;
  std::string failure;
};

struct mend_request {
  std::vector<keyspace::mending_rule> rules = {};
  double rate = mend_rate;
  bool dry = false, quiet = false;
  std::string state_path = {};                   // empty in a dry run
  std::optional<keyspace::run_state> from = {};  // where an earlier run stood
};

// Now, in RFC 3339.
[[nodiscard]] std::string utc_text();

[[nodiscard]] std::expected<mended, std::string> mend_keys(const server_target& target, const mend_request& request,
                                                           stop_request& stop);

}  // namespace tidegate::cli
