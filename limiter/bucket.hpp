// A token bucket: GCRA in one atomic word, and the line of those who wait for it.
//
// Thread safety: every member from any thread; a waiter is used by the worker that made it.
// Invariants: (1) in no window of length t more than rate x t + max(burst, largest single cost) is debited; (2) who waits goes
// first come first served, across workers; (3) a waiter that leaves gives its place back; (4) debit + refund within the
// same instant leaves the bucket as it was.
// Cost: try_debit is one load of the line and one compare-exchange; joining and leaving touch the worker's own slot.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "limiter/rate_clock.hpp"

namespace tidegate::limiter {

inline constexpr std::uint32_t workers_max = 64;

class bucket;

// One place in a bucket's line. Owned by whoever waits (a session: at most one at a time); intrusive.
struct waiter {
  bucket* where = nullptr;      // null = not waiting
  waiter* previous = nullptr;   // in this worker's part of the line
  waiter* next = nullptr;
  std::uint64_t ticket = 0;
  units cost = 0;
  units ahead = 0;              // what stood before it in the line when it joined
  std::uint64_t served_at_join = 0;
};

class bucket {
 public:
  // clock: the rule's; outlives the bucket. burst in tokens.
  bucket(const rate_clock& clock, std::uint64_t burst_tokens, std::uint32_t workers);
  ~bucket();
  bucket(const bucket&) = delete;
  bucket& operator=(const bucket&) = delete;

  // True if `cost` could be debited at `now` by somebody who does not wait: the line is empty and the tokens are there.
  // A cost above the burst passes when the bucket is full.
  [[nodiscard]] bool try_debit(units cost, steady_ns now) noexcept;
  // The same for the waiter: true only if it is first in line over all workers. Does not leave the line.
  [[nodiscard]] bool try_debit_first(const waiter& who, units cost, steady_ns now) noexcept;
  // Takes a debit of this instant back.
  void refund(units cost) noexcept;

  // Nanoseconds until a newcomer with `cost` would have its turn, from the bucket and from what waits; 0 = now.
  [[nodiscard]] steady_ns wait_for(units cost, steady_ns now) const noexcept;

  void join(waiter& who, units cost, std::uint32_t worker) noexcept;
  void leave(waiter& who, std::uint32_t worker) noexcept;
  // When this waiter should look again: its estimated turn, at most `poll` away for the first of a worker's part.
  [[nodiscard]] steady_ns look_again(const waiter& who, std::uint32_t worker, steady_ns now, steady_ns poll) const noexcept;

  [[nodiscard]] bool anybody_waits() const noexcept { return waiting_.load(std::memory_order_acquire) != 0; }
  // Tokens in it now, for status and tests.
  [[nodiscard]] double tokens(steady_ns now) const noexcept;
  void set_burst(std::uint64_t burst_tokens) noexcept;
  [[nodiscard]] const rate_clock& clock() const noexcept { return clock_; }

 private:
  struct part;  // one worker's part of the line; its head ticket is an atomic on its own cache line
  const rate_clock& clock_;
  std::atomic<units> burst_;
  std::uint32_t workers_;
  alignas(64) std::atomic<units> arrival_;       // GCRA: theoretical arrival, in units of the clock
  alignas(64) std::atomic<std::uint64_t> next_ticket_{1};
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<units> queued_{0};                 // units that wait
  std::atomic<std::uint64_t> served_{0};         // units that left the line
  std::unique_ptr<part[]> parts_;
};

}  // namespace tidegate::limiter
