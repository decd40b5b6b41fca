// What one worker's sessions wrote, for the ledger: by client, source, pattern and command; and who is connected from
// where.
//
// Thread safety: as keyed_cells: the worker writes, one recording thread reads. Counters only grow, so the reader takes
// differences. What a bucket has of its own (shortest and longest TTL, distinct keys, TTL classes) is kept twice: the
// worker fills the half of its epoch; the reader takes the other one once the worker has acknowledged the next epoch.
// Ownership: a worker_stats'. Invariants: (1) off (epoch 0) nothing is counted, and no memory is taken; (2) no half is
// cleared while the worker may write it; (3) the sums over all cells equal those of write_counters. Cost: a booking is
// about ten stores to two lines of one cell, and one register; 256 bytes a cell, and see write_sketch.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "attribution/distinct_keys.hpp"
#include "attribution/ttl_class.hpp"
#include "proxy/session/keyed_cells.hpp"
#include "proxy/session/write_sketch.hpp"

namespace tidegate::session {

inline constexpr std::uint32_t evidence_cells_max = 16384;  // of all workers together

// With the cell's own words the counters of every write fill one line, and each half another.
struct write_cell {
  std::atomic<std::uint64_t> writes{0}, bytes{0}, without_ttl{0};
  std::array<write_sketch, 2> halves;
  std::atomic<std::uint64_t> more_elements{0};  // than one a write

  [[nodiscard]] bool may_go() const noexcept { return !halves[0].used() && !halves[1].used(); }
  // After release stores: whoever reads a zero sees that the cell has no number.
  void clear() noexcept {
    for (auto* counter : {&writes, &bytes, &without_ttl, &more_elements}) counter->store(0, std::memory_order_release);
  }
};

struct connection_cell {
  std::atomic<std::uint64_t> opened{0};
  std::atomic<std::uint64_t> open{0};  // now

  [[nodiscard]] bool may_go() const noexcept { return open.load(std::memory_order_relaxed) == 0; }
  void clear() noexcept { opened.store(0, std::memory_order_release); }
};

// What a booking adds besides its counts, small enough to wait in a slot.
struct write_traits {
  std::int64_t ttl_ms = 0;      // that the write left; 0 = none, or not known
  std::uint16_t key_index = 0;  // of distinct_keys
  std::uint8_t key_rank = 0;    // 0 = the command has no key
  std::uint8_t ttl_class = attribution::ttl_class_keep;
  std::uint32_t capture = 0;  // its number in the capture; 0 = it is not captured
};

class evidence_cells {
 public:
  explicit evidence_cells(std::uint32_t workers)
      : writes_(evidence_cells_max / (workers == 0 ? 1 : workers)),
        connections_(evidence_cells_max / (workers == 0 ? 1 : workers)) {}

  // --- the worker
  // At each turn: the epoch that the recorder wants.
  void use_epoch(std::uint32_t wanted) noexcept {
    if (wanted == epoch_) return;
    epoch_ = wanted;
    acknowledged_.store(wanted, std::memory_order_release);  // what was written before stands in the other half
  }
  [[nodiscard]] bool on() const noexcept { return epoch_ != 0; }
  // known: the cell that was this key's the last time, or any other, or 0.
  [[nodiscard]] std::uint32_t cell_for(const cell_key& key, std::uint32_t known) {
    if (writes_.is_for(known, key)) return known;
    return writes_.find(key, epoch_);
  }
  // A booking there, or wherever this number led once, will follow soon; and, when it is known to be the right one, at
  // this register.
  void prefetch_cell(std::uint32_t cell) const noexcept {
    const auto* const at = writes_.candidate(cell);
    if (at == nullptr) return;
    __builtin_prefetch(at, 1);
    __builtin_prefetch(&at->payload.halves[epoch_ & 1], 1);
  }
  void prefetch_register(std::uint32_t cell, std::uint16_t key_index) const noexcept {
    writes_.get(cell).payload.halves[epoch_ & 1].prefetch(key_index);
  }
  void note_key(std::uint32_t cell, std::string_view key) noexcept;
  void book(std::uint32_t cell, std::uint64_t elements, std::uint64_t bytes, bool without_ttl,
            const write_traits& traits) noexcept;
  // A connection of this client is open, or no more. Returns the cell to say the latter of.
  [[nodiscard]] std::uint32_t connect(const cell_key& key);
  void disconnect(std::uint32_t cell) noexcept;
  void count_opened(std::uint32_t cell) noexcept;

  // --- any thread: everything booked here since the start, by TTL class
  [[nodiscard]] std::uint64_t writes_of_class(std::size_t ttl_class) const noexcept {
    return class_writes_[ttl_class].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t bytes_of_class(std::size_t ttl_class) const noexcept {
    return class_bytes_[ttl_class].load(std::memory_order_relaxed);
  }

  // --- the recorder
  [[nodiscard]] std::uint32_t acknowledged() const noexcept { return acknowledged_.load(std::memory_order_acquire); }
  [[nodiscard]] const keyed_cells<write_cell>& writes() const noexcept { return writes_; }
  [[nodiscard]] const keyed_cells<connection_cell>& connections() const noexcept { return connections_; }

 private:
  keyed_cells<write_cell> writes_;
  keyed_cells<connection_cell> connections_;
  std::array<std::atomic<std::uint64_t>, attribution::ttl_classes> class_writes_{}, class_bytes_{};
  std::uint32_t epoch_ = 0;
  std::atomic<std::uint32_t> acknowledged_{0};
};

}  // namespace tidegate::session
