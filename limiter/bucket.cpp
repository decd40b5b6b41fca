#include "limiter/bucket.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

#include "limiter/wide.hpp"

namespace tidegate::limiter {
namespace {

constexpr std::uint64_t nobody = std::numeric_limits<std::uint64_t>::max();
// What one waiter counts for in an estimate at most (hours, at the usual 2^30 units a second), so that the sum over a
// quarter of a million waiters stays within 62 bits.
constexpr units queued_each_max = units{1} << 44;
// Who is not first although the tokens are there looks again after this share of the poll interval.
constexpr steady_ns polls_while_due = 16;

// A bucket that was never used is full at any reading of the clock and under any burst.
constexpr units long_ago = -units_max;

}  // namespace

struct alignas(64) bucket::part {
  std::atomic<std::uint64_t> head{nobody};  // the smallest ticket of this part, or a lower bound while one is drawn
  waiter* first = nullptr;                  // these two: the worker's own
  waiter* last = nullptr;
};

struct bucket::queue {
  alignas(64) std::atomic<std::uint64_t> next_ticket{1};
  std::atomic<units> queued{0};          // units that wait
  std::atomic<std::uint64_t> served{0};  // units that left the line
  std::unique_ptr<part[]> parts;         // one a worker
};

bucket::bucket(const rate_clock& clock, std::uint64_t burst_tokens, std::uint32_t workers) noexcept
    : clock_(clock),
      empty_at_(long_ago),
      burst_(clock.to_allowance(burst_tokens)),
      burst_tokens_(burst_tokens),
      workers_(std::clamp(workers, 1U, workers_max)) {}

bucket::~bucket() {
  delete queue_.load(std::memory_order_acquire);
}

bool bucket::debit(units cost, units minted) noexcept {
  cost = std::min(cost, units_max);  // a transaction's sum
  // acquire: the burst loaded next is at least as new as what set_burst() wrote before this word.
  units empty_at = empty_at_.load(std::memory_order_acquire);
  for (;;) {
    const units burst = burst_.load(std::memory_order_acquire);
    const units held = std::min(minted - empty_at, burst);
    // A cost above the burst would never pass: it takes a full bucket, and the bucket then owes the rest.
    if (held < std::min(cost, burst)) return false;
    // Where the bucket was full a window begins: see rounding().
    const units debited = std::max(empty_at, minted + clock_.rounding() - burst) + cost;
    // acq_rel: see the load; on failure the word is loaded anew.
    if (empty_at_.compare_exchange_weak(empty_at, debited, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return true;
    }
  }
}

bool bucket::try_debit(units cost, steady_ns now) noexcept {
  return !anybody_waits() && debit(cost, clock_.minted(now));
}

bool bucket::try_debit_first(const waiter& who, units cost, steady_ns now) noexcept {
  return is_first(who) && debit(cost, clock_.minted(now));
}

bool bucket::try_debit_past_line(units cost, steady_ns now) noexcept {
  return debit(cost, clock_.minted(now));
}

bool bucket::try_debit_at(units cost, units minted) noexcept {
  return !anybody_waits() && debit(cost, minted);
}

bool bucket::would_debit_at(units cost, units minted) const noexcept {
  const units burst = burst_.load(std::memory_order_acquire);
  return !anybody_waits() && level(minted, burst) >= std::min(cost, burst);
}

void bucket::refund(units cost) noexcept {
  cost = std::min(cost, units_max);
  // release: as the debit that it undoes.
  empty_at_.fetch_sub(cost, std::memory_order_release);
}

units bucket::level(units minted, units burst) const noexcept {
  return std::min(minted - empty_at_.load(std::memory_order_acquire), burst);
}

bool bucket::covers(units cost, steady_ns now) const noexcept {
  const units minted = clock_.minted(now);
  const units burst = burst_.load(std::memory_order_acquire);
  return level(minted, burst) >= std::min(cost, burst);
}

bool bucket::full(steady_ns now) const noexcept {
  return covers(units_max, now);
}

double bucket::tokens(steady_ns now) const noexcept {
  return static_cast<double>(level(clock_.minted(now), burst_.load(std::memory_order_acquire))) /
         clock_.units_per_token();
}

bool bucket::is_first(const waiter& who) const noexcept {
  if (who.where != this) return false;
  const part* const parts = queue_.load(std::memory_order_acquire)->parts.get();
  for (std::uint32_t i = 0; i < workers_; ++i) {
    // acquire: whoever drew an earlier ticket had published a bound below it before, and who drew this ticket has seen
    // that (both drew from one counter).
    if (parts[i].head.load(std::memory_order_acquire) < who.ticket) return false;
  }
  return true;
}

steady_ns bucket::wait_for(units cost, steady_ns now) const noexcept {
  const units minted = clock_.minted(now);
  const units burst = burst_.load(std::memory_order_acquire);
  // relaxed: an estimate.
  const queue* const line = queue_.load(std::memory_order_acquire);
  const wide_signed queued = line == nullptr ? 0 : std::max<units>(line->queued.load(std::memory_order_relaxed), 0);
  const wide_signed missing = queued + std::min(cost, burst) - level(minted, burst);
  if (missing <= 0) return 0;
  return clock_.time_for(missing >= units_max ? units_max : static_cast<units>(missing));
}

steady_ns bucket::wait_of(const waiter& who, steady_ns now) const noexcept {
  const units minted = clock_.minted(now);
  const units burst = burst_.load(std::memory_order_acquire);
  units ahead = 0;
  if (!is_first(who)) {
    // relaxed: an estimate; who gave up behind it counts as if it had stood before it.
    const std::uint64_t gone =
        queue_.load(std::memory_order_acquire)->served.load(std::memory_order_relaxed) - who.served_at_join;
    ahead = gone >= static_cast<std::uint64_t>(who.ahead) ? 0 : who.ahead - static_cast<units>(gone);
  }
  const wide_signed missing = wide_signed{ahead} + std::min(who.cost, burst) - level(minted, burst);
  if (missing <= 0) return 0;
  return clock_.time_for(missing >= units_max ? units_max : static_cast<units>(missing));
}

bucket::queue& bucket::made_queue() noexcept {
  queue* line = queue_.load(std::memory_order_acquire);
  if (line == nullptr) {
    auto made = std::make_unique<queue>();
    made->parts = std::make_unique<part[]>(workers_);
    // acq_rel: publishes the queue, or sees the one that another worker made first.
    if (queue_.compare_exchange_strong(line, made.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
      line = made.release();
    }
  }
  return *line;
}

bucket::part& bucket::part_of(std::uint32_t worker) noexcept {
  if (worker >= workers_) std::abort();
  return made_queue().parts[worker];
}

void bucket::join(waiter& who, units cost, std::uint32_t worker) noexcept {
  if (who.where != nullptr) std::abort();
  // Before anything else: no newcomer that comes after this call may pass. acq_rel: pairs with anybody_waits().
  waiting_.fetch_add(1, std::memory_order_acq_rel);
  part& mine = part_of(worker);
  queue& line = made_queue();
  who.where = this;
  who.previous = mine.last;
  who.next = nullptr;
  who.cost = std::min(cost, queued_each_max);
  // relaxed: for estimates.
  who.ahead = std::max<units>(line.queued.fetch_add(who.cost, std::memory_order_relaxed), 0);
  who.served_at_join = line.served.load(std::memory_order_relaxed);
  ++who.lines;
  const bool alone = mine.first == nullptr;
  // A lower bound of the ticket that is about to be drawn: between the draw and its publication nobody with a later
  // ticket may think itself first. release: see is_first().
  if (alone) mine.head.store(line.next_ticket.load(std::memory_order_relaxed), std::memory_order_release);
  // acq_rel: hands the bound to whoever draws after this.
  who.ticket = line.next_ticket.fetch_add(1, std::memory_order_acq_rel);
  if (alone) {
    mine.first = &who;
    mine.head.store(who.ticket, std::memory_order_release);
  } else {
    mine.last->next = &who;
  }
  mine.last = &who;
}

void bucket::leave(waiter& who, std::uint32_t worker) noexcept {
  if (who.where != this) std::abort();
  part& mine = part_of(worker);
  (who.previous != nullptr ? who.previous->next : mine.first) = who.next;
  (who.next != nullptr ? who.next->previous : mine.last) = who.previous;
  // release: who becomes first by this sees the debit that was made before it.
  if (who.previous == nullptr) {
    mine.head.store(who.next != nullptr ? who.next->ticket : nobody, std::memory_order_release);
  }
  who.where = nullptr;
  who.previous = nullptr;
  who.next = nullptr;
  queue& line = made_queue();
  line.queued.fetch_sub(who.cost, std::memory_order_relaxed);  // estimates
  line.served.fetch_add(static_cast<std::uint64_t>(who.cost), std::memory_order_relaxed);
  // Last: while anything of it stands in the line, newcomers wait. release: pairs with anybody_waits().
  waiting_.fetch_sub(1, std::memory_order_acq_rel);
}

steady_ns bucket::look_again(const waiter& who, std::uint32_t worker, steady_ns now, steady_ns poll) const noexcept {
  if (who.where != this || worker >= workers_) std::abort();
  steady_ns wait = wait_of(who, now);
  if (!is_first(who)) wait = std::max(wait, std::max<steady_ns>(poll / polls_while_due, 1));
  // The rate may rise, and those before it in other workers may leave, without anybody telling it.
  if (queue_.load(std::memory_order_acquire)->parts[worker].first == &who)
    wait = std::min(wait, std::max<steady_ns>(poll, 1));
  return wait > never - now ? never : now + wait;
}

void bucket::set_burst(std::uint64_t burst_tokens, steady_ns now) noexcept {
  const units burst = clock_.to_allowance(burst_tokens);
  const units before = burst_.load(std::memory_order_relaxed);  // this thread alone writes
  if (burst > before) {
    // What lies further back than the old burst was never in the bucket. First this, then the burst: whoever sees the
    // higher burst has seen this or fails its exchange.
    const units floor = clock_.minted(now) - before;
    units empty_at = empty_at_.load(std::memory_order_acquire);
    while (empty_at < floor &&
           !empty_at_.compare_exchange_weak(empty_at, floor, std::memory_order_acq_rel, std::memory_order_acquire)) {
    }
  }
  burst_.store(burst, std::memory_order_release);
  burst_tokens_.store(burst_tokens, std::memory_order_relaxed);  // shown to people
}

void bucket::start_empty(units minted) noexcept {
  units empty_at = empty_at_.load(std::memory_order_acquire);
  while (empty_at < minted &&
         !empty_at_.compare_exchange_weak(empty_at, minted, std::memory_order_acq_rel, std::memory_order_acquire)) {
  }
}

}  // namespace tidegate::limiter
