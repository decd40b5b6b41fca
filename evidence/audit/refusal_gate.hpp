// How many refused requests are written down: the first ones of a minute one by one, of the others their number.
//
// Thread safety: none. Ownership: a value. Invariants: (1) of each minute at most lines_max are let through; (2) every
// refusal is let through or counted, and each count is given out once. Cost: O(1).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace tidegate::audit {

class refusal_gate {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::uint64_t lines_max = 20;
  static constexpr std::chrono::seconds span{60};

  // A refusal came. With a value it is to be written, with that many others that were not; without one it was counted.
  [[nodiscard]] std::optional<std::uint64_t> take(clock::time_point now);
  // Those that were counted, once their minute is over: nobody may knock again, and they must not stay untold.
  [[nodiscard]] std::uint64_t left_over(clock::time_point now);
  [[nodiscard]] clock::time_point minute_ends() const { return began_ + span; }

 private:
  clock::time_point began_{};
  std::uint64_t written_ = 0, counted_ = 0;
  bool begun_ = false;
};

}  // namespace tidegate::audit
