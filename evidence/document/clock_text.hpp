// A time of day as every document writes it.
//
// Thread safety: pure. Ownership: a value. Invariants: UTC. Cost: one small string.
#pragma once

#include <cstdint>
#include <string>

namespace tidegate::document {

[[nodiscard]] std::string clock_text(std::int64_t unix_ms);  // 14:00:10

}  // namespace tidegate::document
