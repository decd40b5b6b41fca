// What the ledger saw of one window of time: the report's only input, as plain values.
//
// Thread safety: none; plain values. Ownership: owns everything; `names` are shared by all rows of an observation.
// Invariants: (1) times are Unix milliseconds UTC, rows lie in [since, until) and in order of time; (2) a write_row's
// `at` is the beginning of a step, whose length is `step_ms`, a whole number of the ledger's buckets; (3) a reading's
// `at` is the moment it describes, the end of its bucket. Cost: about 200 bytes a write_row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidegate::report {

using unix_ms = std::int64_t;

// The writes that left one class of TTL (attribution/ttl_class.hpp).
struct ttl_share {
  std::uint8_t ttl_class = 0;
  std::uint64_t writes = 0, bytes = 0;
};

struct write_row {
  unix_ms at = 0;
  std::uint32_t client = 0, source = 0, command = 0, pattern = 0;  // indices into names
  std::uint64_t commands = 0, elements = 0, bytes = 0, without_ttl = 0;
  double distinct_keys = 0;
  std::optional<std::int64_t> ttl_min_ms{}, ttl_max_ms{};
  std::vector<ttl_share> ttl{};
};

struct limit_row {
  unix_ms at = 0;
  std::uint32_t client = 0;
  std::string rule{};
  std::uint64_t delayed = 0, rejected = 0, observed = 0;
};

struct connection_row {
  unix_ms at = 0;
  std::uint32_t client = 0, source = 0;
  std::uint64_t opened = 0, open = 0;
};

struct ttl_row {
  std::uint32_t pattern = 0;
  std::uint64_t injected = 0, capped = 0, observed = 0;  // sums of the window
};

// Absolute values; nothing where INFO did not say it.
struct reading {
  unix_ms at = 0;
  std::int64_t run = 0;
  std::optional<std::uint64_t> used_memory{}, maxmemory{}, keys{}, keys_with_ttl{}, expired_keys{}, evicted_keys{},
      connected_clients{}, total_commands{}, write_calls{}, booked_calls{}, own_calls{};
  std::string eviction_policy{};
};

struct run {
  std::int64_t id = 0;
  std::string instance{}, version{};
  unix_ms started_at = 0, written_until = 0;
  std::optional<unix_ms> ended_at{};
  std::int64_t bucket_ms = 10'000;
};

struct change {
  unix_ms at = 0;
  std::string who{}, what{}, detail{};
};

// Writes that left their key without a TTL, in the hours before `from`: the leak that a burst hides.
struct leak_row {
  std::uint32_t client = 0, pattern = 0;
  std::uint64_t writes = 0;
};

struct name_table {
  std::vector<std::string> clients{}, sources{}, commands{}, patterns{};
};

struct observation {
  unix_ms since = 0, until = 0;  // what was asked for
  unix_ms from = 0;              // where the rows begin: before `since` where the baseline needs it
  unix_ms first = 0, last = 0;   // what the ledger holds: first bucket's beginning, last one's end; 0 = nothing
  std::int64_t step_ms = 10'000;
  name_table names{};
  std::vector<run> runs{};  // those that touch [from, until)
  std::vector<write_row> writes{};
  std::vector<reading> readings{};
  std::vector<limit_row> limits{};
  std::vector<connection_row> connections{};
  std::vector<ttl_row> ttl{};
  std::vector<change> changes{};
  std::vector<leak_row> leaks{};
  std::int64_t leaks_ms = 0;  // the time that `leaks` covers
  bool rows_cut = false;      // more rows than rows_max: the rest was left out, and the report says so
};

}  // namespace tidegate::report
