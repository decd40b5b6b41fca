// What happened in the last half hour, second by second: what `status` calls a trend, a rate and "now".
//
// Thread safety: none; the admin thread's alone. Ownership: plain values. Invariants: (1) at most history_max samples;
// who wrote is kept for the last rates_over of them; (2) a counter that went back (a new process upstream) is a rate of
// 0, never a huge one. Cost: a sample reads every series once, without a name; nothing of it on a worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

inline constexpr std::chrono::seconds sample_interval{1};
inline constexpr std::size_t history_max = 1800;
inline constexpr std::size_t rates_over = 10;

class recent {
 public:
  struct written {
    std::uint64_t writes = 0, bytes = 0;
  };
  struct held {
    std::uint64_t delayed = 0, rejected = 0;
  };
  struct sample {
    std::chrono::milliseconds at{};  // steady
    std::optional<double> used;      // share of maxmemory; none = not told, or stale
    std::uint64_t used_bytes = 0, max_bytes = 0, keys = 0, keys_with_ttl = 0, evicted = 0;
    std::uint64_t commands = 0;                          // of all clients
    std::unordered_map<std::uint32_t, written> clients;  // by registry number; empty in old samples
    std::unordered_map<std::uint32_t, held> rules;       // by registry number of "rule:…"
  };
  struct writer {
    std::uint32_t client = 0;
    double writes = 0, bytes = 0;  // a second
  };
  struct limit {
    std::uint32_t rule = 0;
    double delayed = 0, rejected = 0;  // a second
  };
  struct rates {
    double seconds = 0;  // over which they were taken; 0 = there is nothing to compare with yet
    double commands = 0, writes = 0, bytes = 0, evictions = 0;
    std::vector<writer> writers;  // who wrote, the most bytes first
    std::vector<limit> limits;    // what held somebody, the most first
  };

  void add(const sources& from, std::chrono::milliseconds now, std::chrono::milliseconds stale_after);
  void add(sample one);
  [[nodiscard]] rates now() const;
  [[nodiscard]] const std::deque<sample>& history() const noexcept { return samples_; }
  // Points of the used share a minute, over the last minute at most, so that a turn shows; none = unknown.
  [[nodiscard]] std::optional<double> share_a_minute() const;

 private:
  std::deque<sample> samples_;
};

}  // namespace tidegate::admin
