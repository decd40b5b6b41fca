#include "evidence/report/bursts.hpp"

#include <algorithm>

#include "evidence/report/series.hpp"

namespace tidegate::report {
namespace {

constexpr std::size_t lookback_steps = 360;
constexpr std::size_t quiet_steps_min = 6;
// The clients of a proxy that has just started are about to connect: so short a silence is not what is ordinary.
constexpr std::size_t starting_steps_max = 12;

// The window as steps: everything per step that a burst shows in.
struct stepped {
  unix_ms from = 0;
  std::int64_t step_ms = 1;
  std::vector<double> commands{}, bytes{}, opened{};

  [[nodiscard]] unix_ms time_of(std::size_t step) const { return from + static_cast<std::int64_t>(step) * step_ms; }
};

void leave_out_the_start(const observation& seen, stepped& steps) {
  if (seen.first < seen.from) return;
  const auto first = std::ranges::find_if(steps.commands, [](double each) { return each > 0; });
  const auto silent = first - steps.commands.begin();
  if (silent == 0 || silent > static_cast<std::ptrdiff_t>(starting_steps_max) || first == steps.commands.end()) return;
  for (auto* each : {&steps.commands, &steps.bytes, &steps.opened}) each->erase(each->begin(), each->begin() + silent);
  steps.from += silent * steps.step_ms;
}

stepped steps_of(const observation& seen) {
  stepped made{.from = first_step(seen), .step_ms = seen.step_ms};
  const unix_ms until = std::min(seen.until, seen.last);
  if (until <= made.from) return made;
  const auto count = static_cast<std::size_t>((until - made.from + seen.step_ms - 1) / seen.step_ms);
  made.commands.resize(count);
  made.bytes.resize(count);
  made.opened.resize(count);
  const auto step_of = [&](unix_ms at) { return static_cast<std::size_t>((at - made.from) / made.step_ms); };
  for (const write_row& row : seen.writes) {
    if (row.at < made.from || step_of(row.at) >= count) continue;
    made.commands[step_of(row.at)] += static_cast<double>(row.commands);
    made.bytes[step_of(row.at)] += static_cast<double>(row.bytes);
  }
  for (const connection_row& row : seen.connections) {
    if (row.at < made.from || step_of(row.at) >= count) continue;
    made.opened[step_of(row.at)] += static_cast<double>(row.opened);
  }
  leave_out_the_start(seen, made);
  return made;
}

std::uint64_t maxmemory_of(const observation& seen) {
  std::uint64_t most = 0;
  for (const reading& each : seen.readings) most = std::max(most, each.maxmemory.value_or(0));
  return most;
}

bool overlap(const window& a, const window& b) {
  return a.since < b.until && b.since < a.until;
}

double bytes_in(const observation& seen, const window& span) {
  double sum = 0;
  for (const write_row& row : seen.writes) {
    if (row.at >= span.since && row.at < span.until) sum += static_cast<double>(row.bytes);
  }
  return sum;
}

}  // namespace

unix_ms first_step(const observation& seen) {
  const unix_ms from = std::max(seen.from, seen.first);
  return from - from % seen.step_ms;
}

std::vector<window> all_bursts(const observation& seen) {
  const stepped steps = steps_of(seen);
  const double seconds = static_cast<double>(seen.step_ms) / 1000;
  const auto maxmemory = static_cast<double>(maxmemory_of(seen));
  const auto bytes = find_bursts(steps.bytes, {.floor = 4096 * seconds,
                                               .significant_sum = maxmemory > 0 ? maxmemory / 100 : 1024.0 * 1024,
                                               .quiet_steps_min = quiet_steps_min});
  const auto commands =
      find_bursts(steps.commands, {.floor = 30 * seconds, .significant_sum = 1000, .quiet_steps_min = quiet_steps_min});
  const auto opened = find_bursts(steps.opened, {.floor = 2, .significant_sum = 5});
  std::vector<window> found;
  const auto window_of = [&](const step_range& range) {
    return window{.since = steps.time_of(range.begin),
                  .until = std::min(steps.time_of(range.end), std::min(seen.until, seen.last))};
  };
  for (const auto& more : {bytes, commands}) {
    for (const step_range& range : more) found.push_back(window_of(range));
  }
  std::ranges::sort(found, {}, &window::since);
  const std::int64_t gap = static_cast<std::int64_t>(burst_options{}.gap_steps) * seen.step_ms;
  std::vector<window> joined;
  for (const window& each : found) {
    if (!joined.empty() && each.since <= joined.back().until + gap) {
      joined.back().until = std::max(joined.back().until, each.until);
    } else {
      joined.push_back(each);
    }
  }
  // Connections come first: a burst begins where its connections were opened, but connections alone are none.
  for (const step_range& range : opened) {
    const window early = window_of(range);
    for (window& each : joined) {
      if (early.since < each.since && early.until + gap >= each.since) each.since = early.since;
    }
  }
  return joined;
}

std::vector<window> bursts_of(const observation& seen) {
  std::vector<window> found = all_bursts(seen);
  std::erase_if(found, [&](const window& each) { return each.until <= seen.since; });
  return found;
}

std::optional<window> main_burst(const observation& seen, const std::vector<window>& bursts,
                                 const std::optional<window>& hint) {
  std::optional<window> best;
  double most = -1;
  for (const window& each : bursts) {
    const double bytes = bytes_in(seen, each) * (hint && overlap(each, *hint) ? 1e6 : 1);
    if (bytes > most) {
      most = bytes;
      best = each;
    }
  }
  return best;
}

std::vector<window> quiet_before(const observation& seen, const window& burst, const std::vector<window>& bursts) {
  const unix_ms earliest =
      std::max(first_step(seen), burst.since - static_cast<std::int64_t>(lookback_steps) * seen.step_ms);
  std::vector<window> quiet;
  unix_ms at = earliest;
  for (const window& each : bursts) {
    if (each.since >= burst.since) break;
    if (each.since > at) quiet.push_back({.since = at, .until = each.since});
    at = std::max(at, each.until);
  }
  if (burst.since > at) quiet.push_back({.since = at, .until = burst.since});
  return quiet;
}

}  // namespace tidegate::report
