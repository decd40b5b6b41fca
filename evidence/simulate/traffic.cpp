#include "evidence/simulate/traffic.hpp"

#include <algorithm>
#include <cmath>

namespace tidegate::simulate {
namespace {

// Growth under this share of maxmemory says nothing about how much a byte takes.
constexpr double growth_that_tells = 0.005;
constexpr double stored_least = 0.1, stored_most = 20;

std::shared_ptr<const config::config> without_rules() {
  auto bare = std::make_shared<config::config>();
  bare->workers = 1;
  return bare;
}

}  // namespace

std::expected<traffic, std::string> traffic_of_capture(const std::string& path, const capture::window& when) {
  // Opened once now, so that a wrong path is told before anything is done.
  if (const auto opened = capture::capture_set::open(path, when); !opened) return std::unexpected(opened.error());
  traffic made;
  made.name = path;
  made.play = [path, when](simulator& into) -> std::expected<void, std::string> {
    auto opened = capture::capture_set::open(path, when);
    if (!opened) return std::unexpected(opened.error());
    for (;;) {
      const auto more = opened->next();
      if (!more) return std::unexpected(more.error());
      if (!*more) return {};
      into.play(opened->now());
    }
  };
  return made;
}

std::expected<outcome, std::string> simulate(const traffic& from, std::shared_ptr<const config::config> config,
                                             const memory_facts& memory) {
  simulator plays(std::move(config), memory);
  if (const auto done = from.play(plays); !done) return std::unexpected(done.error());
  return plays.finish();
}

std::expected<memory_facts, std::string> calibrate(const traffic& from, memory_facts given) {
  if (from.memory.empty()) return given;
  const auto bare = simulate(from, without_rules(), {});
  if (!bare) return std::unexpected(bare.error());
  const auto& readings = from.memory;
  if (given.maxmemory == 0) given.maxmemory = readings.back().maxmemory;
  const auto after =
      std::ranges::find_if(readings, [&](const memory_reading& one) { return one.at_ms > bare->from_ms; });
  const memory_reading& first = after == readings.begin() ? readings.front() : *(after - 1);
  const auto before = static_cast<double>(first.used);
  if (given.used_before == 0) given.used_before = before;
  // Least squares through the origin: growth of the upstream over growth of the model.
  double both = 0, square = 0, most = 0;
  auto point = bare->memory.begin();
  for (auto reading = after; reading != readings.end() && point != bare->memory.end(); ++reading) {
    while (point != bare->memory.end() && point->at_ms < reading->at_ms) ++point;
    if (point == bare->memory.end() || reading->at_ms > bare->until_ms + 60'000) break;
    const double grown = static_cast<double>(reading->used) - before;
    both += grown * point->before;
    square += point->before * point->before;
    most = std::max(most, grown);
  }
  if (square > 0 && most > growth_that_tells * static_cast<double>(given.maxmemory)) {
    given.stored_per_counted = std::clamp(both / square, stored_least, stored_most);
  }
  return given;
}

}  // namespace tidegate::simulate
