// What an eviction policy may take of a server's keys, asked of the server itself.
//
// Thread safety: none. Ownership: a value. Invariants: a census that was interrupted judges nothing. Cost: that of a
// census: every key.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "cli/keyspace/take_census.hpp"
#include "evidence/keyspace/evictability.hpp"

namespace tidegate::cli {

// The `ttl:` rules that give or cut TTLs now.
[[nodiscard]] std::vector<keyspace::mending_rule> ttl_rules_in_force(const config::config& of);

[[nodiscard]] std::expected<keyspace::eviction_view, std::string> judge_policy(const server_target& target, double rate,
                                                                               bool quiet);

}  // namespace tidegate::cli
