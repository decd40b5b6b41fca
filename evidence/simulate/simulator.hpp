// Plays recorded writes against a configuration in virtual time: the proxy's own policy code decides, this only keeps
// the sessions' order, the clock and the books.
//
// A command that waits holds back what its session sent later. Sessions are taken for closed loops: what came within
// think_max of the command before comes as long after it again; after a longer pause a session acts by the clock.
//
// Thread safety: none. Ownership: owns its policy, buckets and key models; shares the configuration.
// Invariants: (1) the same records and configuration give the same outcome; (2) records are taken in the order given,
// and one that is earlier than the one before is taken to be as late; (3) every command is admitted, rejected or
// refused by the end of finish(), however long that takes in virtual time. Cost: a command that does not wait is copied
// nowhere; those that wait are kept as they came.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "config/config.hpp"
#include "evidence/capture/record.hpp"
#include "evidence/simulate/outcome.hpp"

namespace tidegate::simulate {

// Beyond this a client is taken to act by the clock and not by the answer to its last command.
inline constexpr std::chrono::milliseconds think_max{250};
inline constexpr std::size_t memory_points_max = 720;
// How long the memory is followed after the last command.
inline constexpr std::chrono::minutes tail_max{60};

struct memory_facts {
  double used_before = 0;       // what the upstream used when the traffic began; 0 = unknown
  std::uint64_t maxmemory = 0;  // 0 = unknown: rules with memory pressure run at their plain rate
  double stored_per_counted = 1;
};

class simulator {
 public:
  simulator(std::shared_ptr<const config::config> config, memory_facts memory);
  ~simulator();
  simulator(const simulator&) = delete;
  simulator& operator=(const simulator&) = delete;

  void play(const capture::record& one);
  // Plays what still waits, and tells. Once.
  [[nodiscard]] outcome finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::simulate
