// What all workers hold for clients, against `memory.total`: the sum, and how much each worker's greediest session
// holds, so that over the total the greediest of all goes, whichever worker finds out.
//
// Thread safety: atomics; each worker raises and lowers its own word only. Ownership: shared by the workers of a
// server. Invariants: a worker's word is never below what its greediest session holds; it may be above until that
// worker looks (lower_to), which it does when the total is passed, at its next turn. Cost: one addition a change, one
// comparison more; a store where a session holds more than any of its worker did before.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tidegate::session {

class memory_held {
 public:
  static constexpr std::size_t workers_max = 64;  // limiter::workers_max

  // A session of `worker` that held `before` holds `after`.
  void change(std::uint32_t worker, std::uint64_t before, std::uint64_t after) noexcept {
    const std::uint64_t total = total_.fetch_add(after - before, std::memory_order_relaxed) + after - before;
    if (total > peak_.load(std::memory_order_relaxed)) peak_.store(total, std::memory_order_relaxed);
    std::atomic<std::uint64_t>& mine = most_[worker].bytes;
    if (after > mine.load(std::memory_order_relaxed)) mine.store(after, std::memory_order_relaxed);
  }
  void lower_to(std::uint32_t worker, std::uint64_t most) noexcept {
    most_[worker].bytes.store(most, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_.load(std::memory_order_relaxed); }
  // The most since the last call, of one caller; two workers that pass it in the same instant may lose the higher one.
  [[nodiscard]] std::uint64_t take_peak() noexcept { return peak_.exchange(total(), std::memory_order_relaxed); }
  // Of two that hold the same, the first worker's.
  [[nodiscard]] bool is_greediest(std::uint32_t worker, std::uint64_t most) const noexcept {
    for (std::uint32_t other = 0; other < workers_max; ++other) {
      const std::uint64_t theirs = most_[other].bytes.load(std::memory_order_relaxed);
      if (theirs > most || (theirs == most && other < worker)) return false;
    }
    return true;
  }

 private:
  struct alignas(64) word {
    std::atomic<std::uint64_t> bytes{0};
  };
  std::atomic<std::uint64_t> total_{0}, peak_{0};
  std::array<word, workers_max> most_;
};

}  // namespace tidegate::session
