// The sections of the file, one function each: from the tree to the values of config/config.hpp, mistakes booked on the
// way.
//
// Thread safety: as `reading`. Invariants: whatever is absent keeps its default; a section with mistakes leaves its
// values half filled, which is why load.cpp hands out nothing when anything was booked. Cost: control path only.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/reading.hpp"

namespace tidegate::config {

inline constexpr std::size_t listeners_max = 64;
inline constexpr std::size_t users_max = 4096;
inline constexpr std::size_t names_max = 4096;
inline constexpr std::size_t sources_max = 4096;
inline constexpr std::size_t patterns_max = 4096;
inline constexpr std::size_t limit_rules_max = 256;  // limiter::rules_max has room for caps besides
inline constexpr std::size_t ttl_rules_max = 4096;
inline constexpr std::size_t commands_max = 512;
inline constexpr std::uint32_t workers_max = 64;  // limiter::workers_max

void read_listen(reading& in, const place& at, std::vector<listener>& out);
void read_upstream(reading& in, const place& at, upstream& out);
void read_users(reading& in, const place& at, std::vector<user>& out);
void read_memory(reading& in, const place& at, memory_bounds& out);
void read_admin(reading& in, const place& at, admin& out);
void read_attribution(reading& in, const place& at, attribution& out);
void read_limits(reading& in, const place& at, std::vector<limit_rule>& out);
void read_ttl(reading& in, const place& at, std::vector<ttl_rule>& out);
void read_ledger(reading& in, const place& at, ledger& out);
void read_capture(reading& in, const place& at, std::optional<capture>& out);
void read_log(reading& in, const place& at, log& out);

// `match.command`: a name or a list of names, lower-cased; `write` alone stays that word.
void read_commands(reading& in, const place& at, std::vector<std::string>& out);
constexpr std::string_view glob_example = R"(write a glob in quotes, like "contact:*")";

}  // namespace tidegate::config
