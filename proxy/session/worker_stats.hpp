// What one worker counts. Written by the worker alone, read by the scrape at any time.
//
// Thread safety: every cell is a single-writer atomic. Cost: no lock, no lock prefix.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "attribution/counters.hpp"
#include "proxy/session/counter_map.hpp"
#include "proxy/session/evidence_cells.hpp"

namespace tidegate::session {

using attribution::single_writer_counter;

// A gauge with one writer.
class single_writer_gauge {
 public:
  void add(std::int64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t load() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Seconds in powers of two from 16 µs to 67 s, and above.
class latency_histogram {
 public:
  static constexpr std::size_t buckets = 23;
  void observe(std::int64_t nanoseconds) noexcept;
  [[nodiscard]] static double upper_bound_seconds(std::size_t bucket) noexcept;  // of bucket 0 … buckets-1
  [[nodiscard]] std::uint64_t count_in(std::size_t bucket) const noexcept {
    return counts_[bucket].load();
  }  // buckets: +Inf
  [[nodiscard]] double sum_seconds() const noexcept { return static_cast<double>(sum_ns_.load()) * 1e-9; }

 private:
  std::array<single_writer_counter, buckets + 1> counts_;
  single_writer_counter sum_ns_;
};

struct worker_stats {
  // workers: how many there are; the bound on series is theirs together.
  explicit worker_stats(std::uint32_t workers = 1)
      : writes(attribution::series_max / (workers == 0 ? 1 : workers)), evidence(workers) {}

  attribution::write_counters writes;       // client, pattern, command -> writes, elements, bytes, without TTL
  evidence_cells evidence;                  // the same by source too, and more, for the ledger
  counter_map commands;                     // client, class
  counter_map scripts;                      // client, pattern, command id
  counter_map own_commands;                 // command id
  counter_map delayed, rejected, observed;  // rule index in rule_names, client
  counter_map ttl_injected, ttl_capped, ttl_observed;  // pattern, command id
  counter_map ttl_failed;                              // pattern
  counter_map ttl_refused;                             // pattern, command id
  counter_map dedicated;                               // resp::dedicate reason: sessions on a dedicated connection now
  counter_map client_errors;                           // see client_error
  counter_map upstream_errors;                         // see upstream_error
  single_writer_counter writes_assumed, writes_unknown;
  single_writer_counter oversized_costs;  // costs above a burst that passed
  single_writer_counter desynchronised;
  latency_histogram delay, rtt;
  single_writer_gauge sessions, lanes, dedicated_connections, idle_connections;
  single_writer_counter bytes_in, bytes_out;
  single_writer_counter turns;  // of the loop; the watchdog looks at it
};

enum class client_error : std::uint8_t { none, protocol, memory, slow, login_timeout, unavailable };
enum class upstream_error : std::uint8_t { none, connect, lost, desynchronised, login, timeout };

}  // namespace tidegate::session
