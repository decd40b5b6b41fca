// Numbers, sizes and patterns as people read them.
//
// Thread safety: pure. Invariants: what comes back is one line of printable ASCII, whatever keys and clients are
// called. Cost: control path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "evidence/keyspace/estimate.hpp"

namespace tidegate::keyspace {

// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);
// "147.0 MiB".
[[nodiscard]] std::string bytes_text(double bytes);
// "147.0 MiB +-2 %"; "~147.0 MiB" without a margin; "-" when nothing was measured.
[[nodiscard]] std::string estimate_text(const estimate& bytes);
// "60.6 %".
[[nodiscard]] std::string percent_text(double share, int decimals = 1);
// "60.0 d", "11 min", "900 ms".
[[nodiscard]] std::string ttl_text(std::int64_t milliseconds);
// What is not printable becomes \xHH; at most `limit` columns.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 64);

}  // namespace tidegate::keyspace
