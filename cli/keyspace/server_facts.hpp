// What a server says of itself in INFO, as far as a walk over its keys goes by it.
//
// Thread safety: pure. Invariants: what INFO does not say is absent or 0; nothing a server answers makes it fail.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::cli {

struct server_facts {
  std::string run_id;  // of the process: a cursor means nothing in another one
  std::string version, role, eviction_policy;
  bool cluster = false, loading = false;
  std::uint64_t memory_used = 0, memory_max = 0, evicted_keys = 0, commands = 0;
  [[nodiscard]] std::optional<double> memory_fraction() const noexcept {
    if (memory_max == 0) return std::nullopt;
    return static_cast<double>(memory_used) / static_cast<double>(memory_max);
  }
};

[[nodiscard]] server_facts read_facts(std::string_view info);

}  // namespace tidegate::cli
