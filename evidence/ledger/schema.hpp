// The ledger's tables and views, their version, and how an older file becomes a newer one.
//
// Thread safety: pure data and one function on a database that its caller owns. Invariants: (1) version n + 1 is made
// from version n by one step, in one transaction, so a file is always whole at one version; (2) a file of a newer
// version is refused, never changed. Cost: a few milliseconds for a new file.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/ledger/database.hpp"

namespace tidegate::ledger {

inline constexpr std::int64_t schema_version = 1;

// Makes or migrates; `now` becomes meta.created_at of a new file.
[[nodiscard]] result<void> prepare_schema(database& in, std::int64_t now_ms);
// 0: a file without a schema of ours.
[[nodiscard]] result<std::int64_t> version_of(database& in);

}  // namespace tidegate::ledger
