// What a simulation found: what the rules would have done to whom, and the memory with and without them.
//
// Thread safety: none; plain values. Invariants: lines are sorted by what they did most of; times are Unix
// milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidegate::simulate {

struct limit_line {
  std::string client, rule;
  std::uint64_t delayed = 0, rejected = 0, observed = 0;
  double waited_seconds = 0, longest_seconds = 0;
};

struct ttl_line {
  std::string pattern, command;
  std::uint64_t injected = 0, capped = 0, observed = 0, refused = 0;
};

struct client_line {
  std::string client;
  std::uint64_t commands = 0, bytes = 0;
  double waited_seconds = 0;
  double ends_later_seconds = 0;  // its last command against when it came
};

struct memory_point {
  std::int64_t at_ms = 0;
  double before = 0, after = 0;  // bytes, without and with the rules
};

struct outcome {
  std::int64_t from_ms = 0, until_ms = 0;  // of the traffic
  std::uint64_t commands = 0, bytes = 0;
  std::uint64_t unreadable = 0;  // commands whose keys could not be told: they pass
  std::uint64_t delayed = 0, rejected = 0, observed = 0, injected = 0, capped = 0, ttl_observed = 0, refused = 0;
  double waited_seconds = 0;
  std::vector<limit_line> limits;
  std::vector<ttl_line> ttl;
  std::vector<client_line> clients;
  std::vector<memory_point> memory;
  std::uint64_t maxmemory = 0;      // 0 = unknown
  bool memory_is_absolute = false;  // the curve stands on what the upstream used; else it is what the traffic adds
  double stored_per_counted = 1;    // by which the modelled bytes were scaled to the upstream's growth
  double peak_before = 0, peak_after = 0;
  std::int64_t peak_before_ms = 0, peak_after_ms = 0;
};

}  // namespace tidegate::simulate
