// Reads an observation out of a ledger, and finds the window worth reporting on.
//
// Thread safety: one thread at a time. Ownership: the connection is read-only and closed with the object; a writer at
// work is neither stopped nor waited for (WAL). Invariants: (1) nothing is changed; (2) memory is bounded by rows_max
// rows, and by steps_max steps however long the window; (3) everything read belongs to one moment (one transaction).
// Cost: linear in the rows of the window; last_incident() reads the upstream's rows alone, one a bucket.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evidence/report/observation.hpp"

namespace tidegate::ledger {
class database;
}

namespace tidegate::report {

inline constexpr std::size_t rows_max = 2'000'000;
inline constexpr std::int64_t steps_max = 1'440;

struct window {
  unix_ms since = 0, until = 0;
};

struct incident_window {
  unix_ms begin = 0, end = 0;  // of the burst
  unix_ms quiet_since = 0;     // the end of the burst before it, or the beginning of what was looked through
};

class ledger_source {
 public:
  // The error names the file and what to do.
  [[nodiscard]] static std::expected<ledger_source, std::string> open(const std::string& path);
  ledger_source(ledger_source&&) noexcept;
  ledger_source& operator=(ledger_source&&) noexcept;
  ~ledger_source();

  // First bucket's beginning and last one's end; {0, 0} of an empty ledger.
  [[nodiscard]] std::expected<window, std::string> span();
  // The last burst that shows in the upstream's figures within `in`; nothing where there is none.
  [[nodiscard]] std::expected<std::optional<incident_window>, std::string> last_incident(window in);
  // The bucket of the run that was written last.
  [[nodiscard]] std::expected<std::int64_t, std::string> bucket_ms();
  // Rows from `from` (at most since) to until.
  [[nodiscard]] std::expected<observation, std::string> observe(window asked, unix_ms from);
  // Different keys a client wrote in `in`, by the sketches; clients without one are left out.
  [[nodiscard]] std::expected<std::vector<std::pair<std::string, double>>, std::string> distinct_keys(window in);

 private:
  explicit ledger_source(std::unique_ptr<ledger::database> made, std::string path);

  std::unique_ptr<ledger::database> ledger_;
  std::string path_;
};

}  // namespace tidegate::report
