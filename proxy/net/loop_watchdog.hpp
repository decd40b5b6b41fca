// Whether every worker's loop still turns, judged tick by tick of whoever asks.
//
// Thread safety: none. Ownership: values. Invariants: (1) time is counted in ticks that really came, never in a clock's
// difference: a machine that was suspended, or a process that was stopped, comes back without a worker being blamed;
// (2) an idle loop turns once in bounds::idle_turn, so that silence beyond it is a stall. Cost: one comparison a worker
// and tick.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace tidegate::net {

class loop_watchdog {
 public:
  static constexpr std::chrono::milliseconds interval{100};
  static constexpr unsigned stalled_ticks = 15;  // an idle turn and half a second
  static constexpr unsigned stuck_ticks = 50;

  enum class what : std::uint8_t { stalled, recovered, stuck };
  struct finding {
    std::size_t worker = 0;
    what happened = what::stalled;
  };

  explicit loop_watchdog(std::size_t workers) : seen_(workers) {}

  // turns: of each worker's loop since it began. Each finding comes once a stall, in the order of workers.
  [[nodiscard]] std::vector<finding> tick(std::span<const std::uint64_t> turns);
  [[nodiscard]] bool all_turning() const noexcept;

 private:
  struct loop {
    std::uint64_t turns = 0;
    unsigned silent_ticks = 0;
  };
  std::vector<loop> seen_;
};

}  // namespace tidegate::net
