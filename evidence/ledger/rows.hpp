// What one time bucket of the ledger holds, as values in memory.
//
// Thread safety: none; plain values. Ownership: own everything. Invariants: times are Unix milliseconds UTC; counts are
// those of the bucket alone, but for upstream_row, whose values are absolute at the bucket's end. Cost: a write_row
// takes about 700 bytes, with many different keys a kilobyte more.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/distinct_keys.hpp"
#include "attribution/ttl_class.hpp"

namespace tidegate::ledger {

using unix_ms = std::int64_t;

struct ttl_histogram {
  struct cell {
    std::uint64_t writes = 0, bytes = 0;
    bool operator==(const cell&) const = default;
  };
  std::array<cell, attribution::ttl_classes> cells{};

  void add(std::size_t ttl_class, std::uint64_t writes, std::uint64_t bytes) noexcept {
    cells[ttl_class].writes += writes;
    cells[ttl_class].bytes += bytes;
  }
  void merge(const ttl_histogram& other) noexcept;
  [[nodiscard]] bool empty() const noexcept;
  // {"0":[writes,bytes],…,"none":[…],"keep":[…]}, only the classes that hold anything.
  [[nodiscard]] std::string to_json() const;
  // Unknown classes and what is no such object count as nothing: a reader of an odd row still reads the others.
  [[nodiscard]] static ttl_histogram from_json(std::string_view text);
  bool operator==(const ttl_histogram&) const = default;
};

struct write_sums {
  std::uint64_t commands = 0, elements = 0, bytes = 0, without_ttl = 0;
  std::optional<std::int64_t> ttl_min_ms, ttl_max_ms;
  attribution::distinct_keys keys;
  ttl_histogram ttl;

  void merge(const write_sums& other);
  [[nodiscard]] std::uint64_t distinct() const noexcept;
};

struct write_row {
  std::string client, source, command, pattern;
  write_sums sums;
};

struct limit_row {
  std::string client, rule;
  std::uint64_t delayed = 0, rejected = 0, observed = 0;
};

struct connection_row {
  std::string client, source;
  std::uint64_t opened = 0;  // in the bucket
  std::uint64_t open = 0;    // at its end
};

struct ttl_row {
  std::string pattern, command;
  std::uint64_t injected = 0, capped = 0, observed = 0;
};

// Absolute, at the bucket's end. Nothing where INFO did not say it.
struct upstream_row {
  std::optional<std::uint64_t> used_memory, maxmemory, keys, keys_with_ttl, expired_keys, evicted_keys,
      connected_clients, total_commands;
  // Coverage comes from their differences: calls of write commands by the upstream's commandstats, and by our counts.
  std::optional<std::uint64_t> write_calls, booked_calls, own_calls;
  std::string eviction_policy;
  bool complete = false;  // INFO answered within this bucket
};

struct bucket {
  unix_ms at = 0;     // its beginning
  unix_ms until = 0;  // its end; shorter than usual at a start or stop
  std::vector<write_row> writes;
  std::vector<limit_row> limits;
  std::vector<connection_row> connections;
  std::vector<ttl_row> ttl;
  std::optional<upstream_row> upstream;

  [[nodiscard]] std::size_t rows() const noexcept {
    return writes.size() + limits.size() + connections.size() + ttl.size() + (upstream ? 1 : 0);
  }
};

// Caps set and lifted, reloads, start, stop.
struct change_row {
  unix_ms at = 0;
  std::string who, what, detail;
};

}  // namespace tidegate::ledger
