// A worker's counters of who wrote what: one writer (the worker), any number of readers (the scrape).
//
// Thread safety: `find` and the adders on the owning worker only; `read` from any thread, at any time, without stopping the
// worker. Every cell is an atomic written with relaxed load+store by one thread (no lock prefix).
// Ownership: series live in chunks that never move; a `series*` stays valid for the worker's life.
// Invariants: at most series_max series; when full, a new (client, pattern, command) is booked under (client,
// other, command), then (other, other, command), which always exist once the table is half full: nothing is lost.
// Cost: find() one hash lookup; allocation only when a series is new (a chunk of 256).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "attribution/registry.hpp"

namespace tidegate::attribution {

inline constexpr std::uint32_t series_max = 65536;

// A 64-bit counter with one writer.
class single_writer_counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t load() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct series {
  client_number client = 0;
  pattern_number pattern = 0;
  std::uint16_t command = 0;
  single_writer_counter writes, elements, bytes, without_ttl;
};

class write_counters {
 public:
  write_counters();
  ~write_counters();
  write_counters(const write_counters&) = delete;
  write_counters& operator=(const write_counters&) = delete;

  // Owning worker only. Never null.
  [[nodiscard]] series* find(client_number client, pattern_number pattern, std::uint16_t command) noexcept;

  // Any thread: calls `visit` for every series published so far.
  void read(const std::function<void(const series&)>& visit) const;
  [[nodiscard]] std::uint32_t size() const noexcept;

 private:
  struct table;
  std::unique_ptr<table> table_;
};

}  // namespace tidegate::attribution
