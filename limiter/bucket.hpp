// A token bucket: GCRA in one atomic word, and the line of those who wait for it.
//
// The word is the clock reading at which the bucket was, or will be, empty; the tokens in it are what the clock minted
// since, at most the burst. (GCRA's theoretical arrival time is this word plus the burst; without the burst in it, a
// change of the burst leaves the word alone.)
//
// Thread safety: every member from any thread, set_burst() and start_empty() from one at a time; a waiter is used by
// the worker that made it.
//
// Ownership: the clock outlives the bucket; a waiter that stands in the line is neither moved nor freed.
//
// Invariants: (1) in no window of length t more than rate x t + max(burst, largest single cost) is debited, with the
// highest rate and the highest burst in force in the window, costs being whole tokens; where the burst was lowered by
// d within it, a cost above the burst counts as cost + d; (2) who waits goes first come first served, across workers;
// (3) a waiter that leaves gives its place back; (4) debit + refund within the same instant leaves the bucket as it
// was, but for rate_clock::rounding() in a bucket that was full.
//
// Cost: 48 bytes, and a cache line for each worker from the first time that somebody waits. try_debit is one load of
// the line and one compare-exchange; joining and leaving touch the worker's own slot; try_debit_first and look_again
// read one line a worker. Only the first join of a bucket allocates.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "limiter/rate_clock.hpp"

namespace tidegate::limiter {

inline constexpr std::uint32_t workers_max = 64;

class bucket;

// One place in a bucket's line. Owned by whoever waits (a session: at most one at a time); intrusive. Made anew ({})
// for each command that waits, kept when that command moves from one line to another.
struct waiter {
  bucket* where = nullptr;     // null = not waiting
  waiter* previous = nullptr;  // in this worker's part of the line
  waiter* next = nullptr;
  std::uint64_t ticket = 0;
  units cost = 0;   // as estimates count it
  units ahead = 0;  // what stood before it in the line when it joined
  std::uint64_t served_at_join = 0;
  steady_ns since = 0;  // when its command began to wait, set by the owner; 0 = unknown (max_delay is not checked then)
  std::uint32_t lines = 0;  // how many lines its command has joined
};

class bucket {
 public:
  // clock: the rule's; outlives the bucket. burst in tokens. Begins full.
  bucket(const rate_clock& clock, std::uint64_t burst_tokens, std::uint32_t workers) noexcept;
  ~bucket();
  bucket(const bucket&) = delete;
  bucket& operator=(const bucket&) = delete;

  // True if `cost` could be debited at `now` by somebody who does not wait: the line is empty and the tokens are there.
  // A cost above the burst passes when the bucket is full.
  [[nodiscard]] bool try_debit(units cost, steady_ns now) noexcept;
  // The same for the waiter: true only if it is first in line over all workers. Does not leave the line.
  [[nodiscard]] bool try_debit_first(const waiter& who, units cost, steady_ns now) noexcept;
  // The same past the line, for a command that has already stood in another one (see rule_set::admit).
  [[nodiscard]] bool try_debit_past_line(units cost, steady_ns now) noexcept;
  // try_debit() by a clock reading that the caller has, and whether it would succeed.
  [[nodiscard]] bool try_debit_at(units cost, units minted) noexcept;
  [[nodiscard]] bool would_debit_at(units cost, units minted) const noexcept;
  // Takes a debit of this instant back.
  void refund(units cost) noexcept;

  // Whether the tokens for `cost` are there, whoever waits.
  [[nodiscard]] bool covers(units cost, steady_ns now) const noexcept;
  // Whether the waiter is first in line over all workers.
  [[nodiscard]] bool is_first(const waiter& who) const noexcept;

  // Nanoseconds until a newcomer with `cost` would have its turn, from the bucket and from what waits; 0 = now.
  [[nodiscard]] steady_ns wait_for(units cost, steady_ns now) const noexcept;
  // The same for one that waits.
  [[nodiscard]] steady_ns wait_of(const waiter& who, steady_ns now) const noexcept;

  // who: in no line. worker: the same for join and leave, below `workers`.
  void join(waiter& who, units cost, std::uint32_t worker) noexcept;
  void leave(waiter& who, std::uint32_t worker) noexcept;
  // The point of time (not a duration) at which this waiter should look again: its estimated turn, at most `poll` from
  // now for the first of a worker's part. In the future for who is not first in line, so that nobody spins; `never` for
  // one that stands behind others in a bucket whose rate is 0.
  [[nodiscard]] steady_ns look_again(const waiter& who, std::uint32_t worker, steady_ns now,
                                     steady_ns poll) const noexcept;

  [[nodiscard]] bool anybody_waits() const noexcept { return waiting_.load(std::memory_order_acquire) != 0; }
  // Tokens in it now, for status and tests; below 0 after a cost above the burst.
  [[nodiscard]] double tokens(steady_ns now) const noexcept;
  [[nodiscard]] bool full(steady_ns now) const noexcept;
  // Keeps the tokens that are in it at `now`: a higher burst is no gift; what a lower one does not hold is lost.
  void set_burst(std::uint64_t burst_tokens, steady_ns now) noexcept;
  // Whether a cost is above the burst, which the bucket passes only when it is full.
  [[nodiscard]] bool is_oversized(units cost) const noexcept {
    return cost > burst_.load(std::memory_order_relaxed) && cost > clock_.to_units(burst_tokens());
  }
  [[nodiscard]] std::uint64_t burst_tokens() const noexcept { return burst_tokens_.load(std::memory_order_relaxed); }
  // As if it had been emptied when the clock stood at `minted`.
  void start_empty(units minted) noexcept;
  [[nodiscard]] const rate_clock& clock() const noexcept { return clock_; }

 private:
  struct part;  // one worker's part of the line; its head ticket is an atomic on its own cache line
  struct queue;

  [[nodiscard]] bool debit(units cost, units minted) noexcept;
  [[nodiscard]] units level(units minted, units burst) const noexcept;
  [[nodiscard]] queue& made_queue() noexcept;
  [[nodiscard]] part& part_of(std::uint32_t worker) noexcept;

  const rate_clock& clock_;
  std::atomic<units> empty_at_;  // the clock reading at which the bucket was or will be empty
  std::atomic<units> burst_;
  std::atomic<std::uint64_t> burst_tokens_;
  std::atomic<queue*> queue_{nullptr};  // made by the first join: most buckets never see one
  std::uint32_t workers_;
  std::atomic<std::uint32_t> waiting_{0};
};

static_assert(sizeof(bucket) == 48);

}  // namespace tidegate::limiter
