// A worker's counters of who wrote what: one writer (the worker), any number of readers (the scrape).
//
// Thread safety: `find`, `fold_retired` and the adders on the owning worker only; `read` and `size` from any thread, at
// any time, without stopping the worker. Every cell is an atomic written with relaxed load+store by one thread (no lock
// prefix). Ownership: series live in chunks that never move; a `series*` stays valid for the worker's life. What
// fold_retired takes away is used again for another triple, so nobody may hold a `series*` of a client that is retired:
// a session's are safe, since a client with a session is never retired, nor within an hour after its last one.
// Invariants: (1) at most `bound` series; (2) nothing is lost: the sums over all series only grow; (3) the last quarter
// of the room is kept for folding, patterns first: once three quarters are taken, a new (client, pattern, command) is
// booked under (client, other, command), from seven eighths on under (other, other, command), and the very last series
// is (other, other, any_command), which takes what nothing else can. Cost: find() one hash lookup, two or three for
// what overflows; allocation only when a series is new (a chunk of 256, an index that doubles). fold_retired() looks at
// no more than fold_slice series a call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "attribution/registry.hpp"

namespace tidegate::attribution {

inline constexpr std::uint32_t series_max = 65536;
// Below this, the room kept for folding could not hold every write command of Redis.
inline constexpr std::uint32_t series_min = 4096;
inline constexpr std::uint32_t fold_slice = 2048;
inline constexpr std::uint16_t any_command = 0xffff;

// A 64-bit counter with one writer.
class single_writer_counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t load() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  friend class write_counters;  // clears the cell of a series that it gives to another triple
  std::atomic<std::uint64_t> value_{0};
};

struct alignas(64) series {
  client_number client = 0;
  pattern_number pattern = 0;
  std::uint16_t command = 0;
  std::uint32_t note = 0;  // whatever the owning worker wants to find again with the series
  single_writer_counter writes, elements, bytes, without_ttl;
};

class write_counters {
 public:
  // `bound` is brought into series_min … series_max. With n workers each gets series_max / n, so that all together keep
  // to series_max.
  explicit write_counters(std::uint32_t bound = series_max);
  ~write_counters();
  write_counters(const write_counters&) = delete;
  write_counters& operator=(const write_counters&) = delete;

  // Owning worker only. Never null.
  [[nodiscard]] series* find(client_number client, pattern_number pattern, std::uint16_t command) noexcept;

  // Owning worker only, from its timer. Once half of the room is taken: moves series of retired clients to
  // (other, the same pattern, command), where a reader of names has them already, so no exported sum changes. A slice a
  // call; nothing while a reader is at work. Returns how many series became free.
  std::uint32_t fold_retired(const registry& names) noexcept;

  // Any thread: calls `visit` for every series published so far, each once. `visit` must not throw, and be quick:
  // folding waits for it.
  void read(const std::function<void(const series&)>& visit) const;
  [[nodiscard]] std::uint32_t size() const noexcept;  // series in use

 private:
  struct table;
  std::unique_ptr<table> table_;
};

}  // namespace tidegate::attribution
