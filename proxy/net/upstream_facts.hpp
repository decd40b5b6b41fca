// What the upstream tells of itself, read from its replies to INFO, ROLE, COMMAND and a probing EXPIRE.
//
// Thread safety: free functions. Invariants: nothing an upstream answers makes these fail: what is not understood is
// absent. Sources: genRedisInfoString(), roleCommand(), addReplyCommandInfo() in server.c of Redis 7.0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/net/control_reply.hpp"
#include "resp/command_table.hpp"

namespace tidegate::net {

struct upstream_info {
  std::string version;
  std::string role;  // "master", "slave"; empty = not told
  std::string eviction_policy;
  bool cluster = false;
  bool loading = false;
  std::optional<std::uint64_t> memory_used, memory_max;
  std::uint64_t keys = 0, keys_with_ttl = 0, evicted_keys = 0;
  std::optional<std::uint64_t> expired_keys, connected_clients, total_commands;
  std::vector<std::pair<std::string, std::uint64_t>> calls;  // of commandstats, where it was asked for
};

[[nodiscard]] upstream_info read_info(std::string_view text);

// "master", "slave", "sentinel"; empty when ROLE was refused.
[[nodiscard]] std::string read_role(const reply& answer);

// Subcommands flattened ("xgroup|create"). Bounded: at most commands_max entries, names of at most 64 bytes.
inline constexpr std::size_t commands_max = 4096;
[[nodiscard]] std::vector<resp::upstream_command> read_commands(const reply& answer);

// What `EXPIRE <a key that does not exist> 1 NX` said: whether NX|LT is known. Empty = the answer decides nothing.
// Arity is checked before rights, so even a refused user learns it from anything but an error about the arguments.
[[nodiscard]] std::optional<bool> read_expire_probe(const reply& answer);

// Share of the upstream's memory in use: `override` (bytes) wins over its own maxmemory; negative = unknown.
[[nodiscard]] double memory_fraction(const upstream_info& info, std::uint64_t override_max);

// The list to complete the table from after a reconnect: `before` keeps its order and its entries, what is new in `now`
// comes behind. So that a command's number never changes its meaning while counters are kept under it.
[[nodiscard]] std::vector<resp::upstream_command> merge_commands(const std::vector<resp::upstream_command>& before,
                                                                 const std::vector<resp::upstream_command>& now);

}  // namespace tidegate::net
