// The last burst of a whole ledger, found without reading its write rows: what the upstream's figures and the limits
// show, one row a bucket.
//
// Thread safety: one thread at a time, like the database. Ownership: none. Invariants: looks at no more than
// overview_steps_max steps, however long the ledger. Cost: about a microsecond a row.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "evidence/ledger/database.hpp"
#include "evidence/report/ledger_source.hpp"

namespace tidegate::report {

inline constexpr std::int64_t overview_steps_max = 200'000;

[[nodiscard]] std::expected<std::optional<incident_window>, ledger::failure> last_burst(ledger::database& in,
                                                                                        window span,
                                                                                        std::int64_t bucket_ms);

}  // namespace tidegate::report
