#include "proxy/net/loop_watchdog.hpp"

#include <algorithm>

namespace tidegate::net {

std::vector<loop_watchdog::finding> loop_watchdog::tick(std::span<const std::uint64_t> turns) {
  std::vector<finding> found;
  for (std::size_t worker = 0; worker < seen_.size() && worker < turns.size(); ++worker) {
    loop& one = seen_[worker];
    if (turns[worker] != one.turns) {
      if (one.silent_ticks >= stalled_ticks) found.push_back({worker, what::recovered});
      one = {.turns = turns[worker], .silent_ticks = 0};
      continue;
    }
    ++one.silent_ticks;
    if (one.silent_ticks == stalled_ticks) found.push_back({worker, what::stalled});
    if (one.silent_ticks == stuck_ticks) found.push_back({worker, what::stuck});
  }
  return found;
}

bool loop_watchdog::all_turning() const noexcept {
  return std::ranges::all_of(seen_, [](const loop& one) { return one.silent_ticks < stalled_ticks; });
}

}  // namespace tidegate::net
