// A timeline of memory by points, played to a forecaster sample by sample.
// Thread safety: none; a test's own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "evidence/forecast/forecaster.hpp"

namespace tidegate::forecast {

inline constexpr double test_maxmemory = 2.32 * 1024 * 1024 * 1024;

struct point {
  double minute;
  double percent;
};

struct played {
  double minute = 0;
  forecast said;
};

struct timeline {
  std::vector<point> points{};  // straight lines between them
  double step_seconds = 1;
  double compressed = 1;            // a minute lasts 60 / compressed seconds
  double noise = 0;                 // of maxmemory, either way
  double ttl_from = 0, ttl_to = 0;  // minutes, spread evenly; 0 = the TTLs are not told
  double untimed = 0;               // share of the bytes written without a TTL
  double stored_per_written = 1;

  [[nodiscard]] double percent_at(double minute) const;
  // The forecast after each sample from the first point to `until`.
  [[nodiscard]] std::vector<played> play(double until) const;
  // What was said at that minute.
  [[nodiscard]] forecast said_at(double minute) const { return play(minute).back().said; }
};

}  // namespace tidegate::forecast
