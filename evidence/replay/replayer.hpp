// Sends a capture to a server: pipelined, each captured session's commands in their order, at a chosen speed.
//
// Sessions share connections_max connections; a session always has the same one, so its order is kept. Where sessions
// write the same key, the capture's order is kept too: a command waits until what was before it on the key is answered.
// A command counts when its reply was read.
//
// Thread safety: none. Ownership: owns its connections. Invariants: (1) at most in_flight_max commands of a connection
// wait for their reply, so that neither side blocks the other; (2) SELECTs are sent where the db changes, and not
// counted; (3) an error reply is counted under its first word and ends nothing; a lost connection ends everything.
// Cost: a copy of each command; replies are not kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "evidence/capture/capture_set.hpp"

namespace tidegate::replay {

inline constexpr std::size_t connections_max = 32;
inline constexpr std::size_t in_flight_max = 512;
inline constexpr std::size_t out_bytes_max = 64UL << 10;
inline constexpr std::size_t error_kinds_max = 64;

struct target {
  config::upstream where;  // its credentials in `control`
};

// Keys in all databases; for the question whether this is a server to write to.
[[nodiscard]] std::expected<std::uint64_t, std::string> count_keys(const target& server);

struct summary {
  std::uint64_t commands = 0, bytes = 0, sessions = 0, digested = 0;
  std::map<std::string, std::uint64_t> errors;  // by the first word of the reply
  double seconds = 0;
  double captured_seconds = 0;  // from the first command to the last, as they were captured
};

struct pace {
  double speed = 1;                                   // 2 = twice as fast as captured; 0 = as fast as it goes
  std::function<void(const summary&)> progress = {};  // often; may be empty
  std::function<bool()> stop = {};                    // asked often; may be empty
};

[[nodiscard]] std::expected<summary, std::string> replay(capture::capture_set& from, const target& server,
                                                         const pace& how);

}  // namespace tidegate::replay
