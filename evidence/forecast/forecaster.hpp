// Where the memory goes: from what the upstream says it uses, and from the TTLs of what is written, to the peak of a
// burst, the time to each threshold, and the time back.
//
// How. The upstream's memory is taken as flat until a one-sided CUSUM (Page 1954) says that it grows; what it grew
// since is the burst. Growth is split over the TTL classes of what was written since, so that its expiry is known:
// stored bytes per written byte need no table, the growth itself calibrates them. Redis deletes what expired late: up
// to a tenth of the keys that have a TTL may be over time (ACTIVE_EXPIRE_CYCLE_ACCEPTABLE_STALE in expire.c), so a
// tenth is added to each life.
//
// Nobody knows when a burst ends. Under Gott's (Nature 363, 1993) scale-free prior one that is t old lasts for a total
// of more than T with probability t/T. While it lasts longer than its keys live it raises nothing any more, so the time
// for which it will still raise the memory is, in expectation, the integral of t/T from t to the keys' life L:
// t ln(L/t). t is the burst's growth over its rate of now, so that a slow beginning does not count for its full length.
// The floor is that it stops now, the ceiling that it never does.
//
// Thread safety: none; whoever observes owns it. Ownership: values only.
// Invariants: (1) a function of the observations alone: no clock; (2) after a gap, a clock that steps back or a memory
// that falls by a third at once (FLUSHALL, a failover) it begins anew; (3) floor <= peak <= ceiling.
// Cost: a second's observation is a few thousand floating-point operations; memory is bounded (history_max samples,
// slices_max slices).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "attribution/ttl_class.hpp"

namespace tidegate::forecast {

using attribution::ttl_classes;

// What was written, by TTL class.
struct traffic {
  std::array<std::uint64_t, ttl_classes> bytes{};
  std::array<std::uint64_t, ttl_classes> writes{};
};

struct observation {
  std::int64_t at_ms = 0;  // Unix time
  std::uint64_t used_memory = 0;
  std::uint64_t maxmemory = 0;  // 0 = unknown
  std::uint64_t keys = 0;
  traffic written{};  // since the observation before
};

inline constexpr std::array<int, 3> thresholds{70, 85, 100};  // % of maxmemory
inline constexpr double back_below = 0.70;

struct outlook {
  double peak_bytes = 0;
  std::int64_t peak_at_ms = 0;
};

struct level {
  double after = 0;  // seconds
  double bytes = 0;
};

struct forecast {
  bool known = false;
  std::string why_unknown = "the upstream has not said yet how much memory it uses";
  std::int64_t at_ms = 0;
  double used_bytes = 0, max_bytes = 0;
  outlook expected, if_it_stops, if_it_goes_on;
  std::array<std::optional<double>, thresholds.size()> seconds_to;  // 0 = it is there already; empty = it does not come
  std::optional<double> seconds_back;  // until it is under back_below again; empty = it never gets there, or stays
  bool burst = false;                  // the memory grows now
  std::int64_t burst_since_ms = 0;
  double growth_per_second = 0;        // stored bytes that the burst adds now
  double stored_per_written = 0;       // 0 = not known
  std::vector<level> expected_levels;  // ahead, rising in time; empty = it stays as it is
  // Until it is expected to use so much; 0 = it does already; empty = it does not come, or nothing is known.
  [[nodiscard]] std::optional<double> seconds_until(double bytes) const noexcept;
  [[nodiscard]] double percent(double bytes) const noexcept { return max_bytes > 0 ? 100 * bytes / max_bytes : 0; }
};

class forecaster {
 public:
  static constexpr double horizon_seconds = 86400;  // nothing is foretold beyond
  // Growth below this share of maxmemory a second is drift: 0.1 % a minute.
  static constexpr double drift = 0.001 / 60;
  static constexpr double burst_from = 0.005;  // of maxmemory: growth that makes a burst
  static constexpr double band = 0.002;        // of maxmemory: differences that are noise
  static constexpr double late = 1.1;          // lives, as Redis ends them
  // The life of growth whose TTL nobody told: what did not pass the proxy, or keys that keep the TTL they had. It is
  // the middle of the 11 to 29 minutes that bursts of campaign keys were seen to have.
  static constexpr double life_unknown = 1200;
  // Of ln(L/t), so that the guess is finite for what has no TTL: a chance under one in seven (1/e^2) that a burst lasts
  // so much longer is left to the ceiling.
  static constexpr double times_max = 2;
  // Over this, what was written cannot explain the growth.
  static constexpr double stored_per_written_max = 20;
  static constexpr double gap_seconds_max = 900;
  static constexpr std::size_t history_max = 512;
  static constexpr std::size_t slices_max = 128;

  void observe(const observation& now);
  [[nodiscard]] const forecast& now() const noexcept { return forecast_; }

 private:
  struct sample {
    double at = 0;  // seconds since the first observation
    double used = 0;
  };
  struct slice {
    double at = 0;
    double mass = 0;  // bytes stored then; what of them still lives follows from its age
  };
  // What happens to stored bytes with age, by the classes that the burst wrote.
  struct mix {
    struct part {
      double share = 0, from = 0, to = 0;  // they die evenly between these ages
      double log_life = 0;
    };
    std::array<part, ttl_classes> parts{};
    std::size_t size = 0;

    void add(std::size_t which, double share) noexcept;
    [[nodiscard]] std::span<const part> all() const noexcept { return {parts.data(), size}; }
    [[nodiscard]] double alive(double age) const noexcept;  // the share that lives at that age
    [[nodiscard]] double lived(double age) const noexcept;  // its integral from 0 on
    [[nodiscard]] double times(double age) const noexcept;  // the mean of ln(L/age), for a burst of that age
  };

  void begin_anew(const observation& now);
  void follow_quiet(const observation& now, double seconds);
  void follow_burst();
  void end_run() noexcept;
  void take_slope() noexcept;
  void mix_classes() noexcept;
  void add_slice(double mass);
  [[nodiscard]] double living(double at) const noexcept;
  [[nodiscard]] double raises_for() const noexcept;
  [[nodiscard]] double stored() const noexcept;
  void look_ahead(double turn);
  [[nodiscard]] outlook look(double inflow_seconds, forecast* into) const;
  void tell(const observation& now);

  std::optional<observation> last_;
  std::int64_t first_ms_ = 0;
  double at_ = 0, used_ = 0, max_ = 0;
  std::vector<sample> history_;  // of the last minutes, oldest first
  double slope_ = 0;             // bytes a second

  double sum_ = 0;                  // of the CUSUM
  double onset_at_ = 0, base_ = 0;  // where the sum was 0 last
  bool burst_ = false;
  std::array<double, ttl_classes> quiet_rate_{};  // bytes a second, smoothed over quiet times
  double quiet_seconds_ = 0;
  std::array<double, ttl_classes> since_onset_{};  // bytes written
  std::vector<slice> slices_;
  mix mix_;
  std::vector<level> ahead_;  // the memory then if nothing is written any more
  double stored_per_written_ = 0;
  // The run: the part of the burst that is going on without a pause.
  double run_growth_ = 0, run_slope_max_ = 0, inflow_ = 0;
  forecast forecast_;
};

}  // namespace tidegate::forecast
