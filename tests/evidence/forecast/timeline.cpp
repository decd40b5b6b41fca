#include "tests/evidence/forecast/timeline.hpp"

#include <algorithm>
#include <cmath>

namespace tidegate::forecast {

double timeline::percent_at(double minute) const {
  if (minute <= points.front().minute) return points.front().percent;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (minute > points[i].minute) continue;
    const point &a = points[i - 1], &b = points[i];
    return a.percent + (b.percent - a.percent) * (minute - a.minute) / (b.minute - a.minute);
  }
  return points.back().percent;
}

std::vector<played> timeline::play(double until) const {
  std::vector<played> all;
  forecaster looks;
  constexpr std::int64_t began_ms = 1'770'000'000'000;
  const double minutes_a_step = step_seconds * compressed / 60;
  double before = points.front().percent;
  std::uint32_t random = 1;
  for (int i = 0; points.front().minute + i * minutes_a_step <= until + 1e-9; ++i) {
    const double minute = points.front().minute + i * minutes_a_step;
    const double percent = percent_at(minute);
    random = random * 1664525U + 1013904223U;
    const double wave = noise * (static_cast<double>(random >> 8) / (1 << 23) - 1);
    observation now;
    now.at_ms = began_ms + static_cast<std::int64_t>(std::llround(i * step_seconds * 1000));
    now.maxmemory = static_cast<std::uint64_t>(test_maxmemory);
    now.used_memory = static_cast<std::uint64_t>((percent / 100 + wave) * test_maxmemory);
    if (ttl_to > 0) {
      const double written = std::max(0.0, percent - before) / 100 * test_maxmemory / stored_per_written;
      constexpr int parts = 32;
      for (int part = 0; part < parts; ++part) {
        const double ttl = (ttl_from + (ttl_to - ttl_from) * (part + 0.5) / parts) * 60 / compressed;
        const auto which = attribution::ttl_class_of(static_cast<std::int64_t>(ttl * 1000));
        now.written.bytes[which] += static_cast<std::uint64_t>(written * (1 - untimed) / parts);
      }
      now.written.bytes[attribution::ttl_class_none] += static_cast<std::uint64_t>(written * untimed);
    }
    before = percent;
    looks.observe(now);
    all.push_back({minute, looks.now()});
  }
  return all;
}

}  // namespace tidegate::forecast
