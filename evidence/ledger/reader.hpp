// Reads a ledger while it is written: typed questions over a span of time.
//
// Thread safety: one thread at a time. Ownership: owns its connection; rows are values. Invariants: opens read-only and
// never stops the writer; a span takes buckets whose beginning lies in [since, until); sums over groups are exact, and
// distinct keys are the sketch of the union. Cost: about 5 µs a stored row of writes; groups are held in memory.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/ledger/database.hpp"
#include "evidence/ledger/rows.hpp"

namespace tidegate::ledger {

struct span {
  unix_ms since = 0;
  unix_ms until = std::numeric_limits<unix_ms>::max();
};

struct run_row {
  std::int64_t id = 0;
  std::string instance, version;
  unix_ms started_at = 0;
  std::optional<unix_ms> ended_at;  // nothing: running still, or killed
  unix_ms bucket_ms = 0;
  unix_ms written_until = 0;  // the end of the last bucket on disk
};

// What a group of writes is told apart by.
enum grouping : unsigned {
  by_nothing = 0,
  by_time = 1,
  by_client = 2,
  by_source = 4,
  by_command = 8,
  by_pattern = 16,
  by_all = 31,
};

struct write_query {
  span when = {};
  unsigned by = by_all;
  unix_ms step_ms = 0;  // with by_time: groups of this length from the epoch on; 0 = buckets as they are
  std::string client = {}, pattern = {};   // only these; empty = all
  bool with_keys = true, with_ttl = true;  // without, the sketch and the histogram stay empty
};

struct write_group {
  unix_ms at = 0;
  std::string client, source, command, pattern;  // those grouped by
  write_sums sums;
};

// As stored; `at` is the bucket's beginning.
template <typename Row>
struct timed {
  unix_ms at = 0;
  std::int64_t run = 0;
  Row row;
};

class reader {
 public:
  // The error names the file and what to do.
  [[nodiscard]] static std::expected<reader, std::string> open(const std::string& path);

  // Runs that wrote or began in the span.
  [[nodiscard]] result<std::vector<run_row>> runs(const span& when);
  // In the order of time, then of names.
  [[nodiscard]] result<std::vector<write_group>> writes(const write_query& what);
  [[nodiscard]] result<std::vector<timed<limit_row>>> limits(const span& when);
  [[nodiscard]] result<std::vector<timed<connection_row>>> connections(const span& when);
  [[nodiscard]] result<std::vector<timed<ttl_row>>> ttl(const span& when);
  [[nodiscard]] result<std::vector<timed<upstream_row>>> upstream(const span& when);
  [[nodiscard]] result<std::vector<change_row>> changes(const span& when);
  // The beginnings of the oldest and the newest bucket with anything in it; zeros: an empty ledger.
  [[nodiscard]] result<span> extent();

 private:
  [[nodiscard]] result<std::vector<std::string>> names(const char* table, const char* column);
  database file_;
};

}  // namespace tidegate::ledger
