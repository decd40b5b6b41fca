// Where a simulation's traffic comes from: a capture, command by command, or a ledger, bucket by bucket. It can be
// played as often as one likes.
//
// Thread safety: none. Ownership: a traffic opens its files anew each time it is played. Invariants: each play gives
// the same records in the same order. Cost: that of reading the files.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "evidence/capture/capture_set.hpp"
#include "evidence/simulate/simulator.hpp"

namespace tidegate::simulate {

// What the upstream said of its memory, in the order of time.
struct memory_reading {
  std::int64_t at_ms = 0;
  std::uint64_t used = 0, maxmemory = 0;
};

struct traffic {
  std::function<std::expected<void, std::string>(simulator&)> play;
  std::string name;                         // for people: which file
  std::vector<memory_reading> memory = {};  // empty = nobody wrote it down
};

[[nodiscard]] std::expected<traffic, std::string> traffic_of_capture(const std::string& path,
                                                                     const capture::window& when);

// Rows become commands of the same name, size, elements and TTL class, evenly over their bucket, from as many sessions
// as the client had open; keys are made from the pattern.
[[nodiscard]] std::expected<traffic, std::string> traffic_of_ledger(const std::string& path,
                                                                    const capture::window& when);
// The memory alone, for the traffic of a capture.
[[nodiscard]] std::expected<std::vector<memory_reading>, std::string> memory_in_ledger(const std::string& path,
                                                                                       const capture::window& when);

// Plays the traffic without any rule, and holds the modelled growth against the readings. `used_before` and `maxmemory`
// are kept where they are given already.
[[nodiscard]] std::expected<memory_facts, std::string> calibrate(const traffic& from, memory_facts given);

[[nodiscard]] std::expected<outcome, std::string> simulate(const traffic& from,
                                                           std::shared_ptr<const config::config> config,
                                                           const memory_facts& memory);

}  // namespace tidegate::simulate
