// How fast a scan may go: a token bucket whose rate follows what the server shows (AIMD).
//
// The rate is halved when the slower of the server's answers to lone PINGs (their 90th percentile: what others feel is
// not the median) become slow against those of its quiet time, when others have more to do, when memory is short or
// evictions begin; it grows by a fraction of the wanted rate while nothing of that is so. It begins at a tenth.
//
// Thread safety: none. Time is an argument. Invariants: (1) the rate stays in [slowest(), wanted]; (2) after it was
// halved it is judged by answers that came since, and does not grow before; (3) commands in a window of t never exceed
// wanted x t + burst. Sources: Chiu and Jain 1989 (AIMD). Cost: O(window).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "limiter/bucket.hpp"
#include "limiter/rate_clock.hpp"

namespace tidegate::keyspace {

using limiter::steady_ns;

struct server_load {
  std::optional<double> memory_fraction;
  std::uint64_t evicted_keys = 0;
  double others_per_second = 0;  // commands that are not ours
};

class pacing {
 public:
  static constexpr double start_share = 0.1, slowest_share = 0.01, step_share = 0.02;
  static constexpr double slow_factor = 2.0;        // of the baseline
  static constexpr steady_ns slow_slack = 200'000;  // and this much more: a baseline of 50 us is not doubled by noise
  static constexpr std::size_t window = 20, judged_from = 10;  // answers
  static constexpr steady_ns settle = 250'000'000;             // between two halvings for other reasons
  static constexpr double memory_short = 0.95;                 // of maxmemory
  static constexpr double busy_factor = 2.0, busy_min = 2000;  // others' commands a second against the beginning
  static constexpr std::size_t baseline_samples = 32;
  // Of the wanted rate, what may go out at once: the pauses between batches are even, not an interval of their own.
  static constexpr double burst_seconds = 0.004;

  // wanted: commands a second.
  pacing(double wanted, steady_ns now);

  // 0 = go (the cost is taken), else how long to wait.
  [[nodiscard]] steady_ns ask(std::uint64_t commands, steady_ns now) noexcept;
  // How long the server took for a lone PING. The first baseline_samples make the baseline.
  void answered(steady_ns took, steady_ns now);
  void loaded(const server_load& load, steady_ns now);

  [[nodiscard]] bool has_baseline() const noexcept { return first_.size() >= baseline_samples; }
  [[nodiscard]] steady_ns baseline() const noexcept { return baseline_; }
  [[nodiscard]] double rate() const noexcept { return rate_; }
  [[nodiscard]] double slowest() const noexcept { return wanted_ * slowest_share; }
  // What last halved it: "latency", "memory", "evictions", "load"; empty once it is at the wanted rate.
  [[nodiscard]] std::string_view held_by() const noexcept { return held_by_; }
  [[nodiscard]] std::uint64_t halvings() const noexcept { return halvings_; }

 private:
  void slower(std::string_view why, steady_ns now);
  void set_rate(double rate, steady_ns now);

  double wanted_, rate_;
  limiter::rate_clock clock_;
  limiter::bucket bucket_;
  std::vector<steady_ns> first_;
  std::array<steady_ns, window> recent_{};
  std::size_t recent_count_ = 0;  // since the baseline, or since it was halved
  steady_ns baseline_ = 0, halved_at_ = 0;
  std::optional<server_load> begin_, before_;
  bool short_of_memory_ = false;
  std::string_view held_by_;
  std::uint64_t halvings_ = 0;
};

}  // namespace tidegate::keyspace
