#include "evidence/report/holding.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "evidence/report/footprint.hpp"

namespace tidegate::report {
namespace {

constexpr int search_steps = 26;
constexpr double rate_least = 1024;
constexpr std::size_t horizon_factor = 6;  // the backlog is followed so many windows beyond the last row
constexpr double stored_for_written_max = 100;

struct arrival {
  double bytes = 0;
  bool stays = false;
  ttl_span lives{};
};

// The culprits' writes, step by step, and memory as it was measured.
struct past {
  unix_ms begin = 0;
  std::int64_t step_ms = 1;
  std::size_t steps = 0;                                      // with rows
  std::vector<std::vector<std::vector<arrival>>> arrivals{};  // [client][step]
  std::vector<double> used{};                                 // [step]
  double max = 0;
  double stored_for_written = 0;
  std::vector<double> stored{};  // the same by step: as measured until the peak, that of the peak afterwards

  [[nodiscard]] unix_ms time_of(std::size_t step) const { return begin + static_cast<std::int64_t>(step) * step_ms; }
};

footprint unlimited(const past& of) {
  footprint made;
  for (std::size_t step = 0; step < of.steps; ++step) {
    for (const auto& client : of.arrivals) {
      for (const arrival& each : client[step]) {
        made.add({.at = of.time_of(step), .bytes = each.bytes, .stays = each.stays, .lives = each.lives});
      }
    }
  }
  return made;
}

// Keys that a write left as they were count as staying: nothing says when they go.
std::vector<arrival> arrivals_of(const write_row& row) {
  std::vector<arrival> made;
  for (const ttl_share& each : row.ttl) {
    const bool timed = each.ttl_class < attribution::ttl_classes_timed;
    arrival one{.bytes = static_cast<double>(each.bytes), .stays = !timed};
    if (timed) one.lives = span_of_class(each.ttl_class, row.ttl_min_ms, row.ttl_max_ms);
    made.push_back(one);
  }
  if (row.ttl.empty()) made.push_back({.bytes = static_cast<double>(row.bytes), .stays = true});
  return made;
}

void fill_memory(const observation& seen, past& into) {
  into.used.assign(into.steps, 0);
  for (const reading& each : seen.readings) {
    if (!each.used_memory || each.at <= into.begin) continue;
    const auto step = static_cast<std::size_t>((each.at - 1 - into.begin) / into.step_ms);
    if (step < into.steps) into.used[step] = static_cast<double>(*each.used_memory);
  }
}

past past_of(const observation& seen, const window& subject, const incident& facts) {
  const unix_ms until = std::min(seen.until, seen.last);
  const auto fine = static_cast<std::size_t>(std::max<std::int64_t>(1, (until - subject.since) / seen.step_ms));
  const std::size_t stride = (fine + simulated_steps_max - 1) / simulated_steps_max;
  past made{.begin = subject.since, .step_ms = seen.step_ms * static_cast<std::int64_t>(stride)};
  made.steps = (fine + stride - 1) / stride;
  made.arrivals.assign(facts.culprits, std::vector<std::vector<arrival>>(made.steps));
  std::map<std::string, std::size_t> place_of;
  for (std::size_t each = 0; each < facts.culprits; ++each) place_of[facts.writers[each].name] = each;
  for (const write_row& row : seen.writes) {
    if (row.at < made.begin) continue;
    const auto place = place_of.find(seen.names.clients[row.client]);
    const auto step = static_cast<std::size_t>((row.at - made.begin) / made.step_ms);
    if (place == place_of.end() || step >= made.steps) continue;
    auto& into = made.arrivals[place->second][step];
    const auto more = arrivals_of(row);
    into.insert(into.end(), more.begin(), more.end());
  }
  fill_memory(seen, made);
  made.max = static_cast<double>(*facts.now.max);
  double last = static_cast<double>(*facts.before.used);
  for (double& each : made.used) last = each == 0 ? (each = last) : each;
  return made;
}

struct outcome {
  double peak_share = 0;
  double wait_s = 0;  // of the last byte
  std::vector<double> memory_share{};
};

struct limit {
  double rate = 0;
  bool pressed = false;
};

double pressed_rate(const limit& by, double share) {
  if (!by.pressed || share <= pressed_from) return by.rate;
  const double way = std::min(1.0, (share - pressed_from) / (pressed_to - pressed_from));
  return by.rate * (1 - way * (1 - pressed_floor));
}

class simulation {
 public:
  simulation(const past& of, const footprint& as_it_was, limit by)
      : of_(of), as_it_was_(as_it_was), by_(by), waiting_(of.arrivals.size()) {}

  outcome run() {
    outcome made;
    double share = of_.used.front() / of_.max;
    for (std::size_t step = 0; step < of_.steps * horizon_factor; ++step) {
      const bool past_rows = step >= of_.steps;
      if (past_rows && nobody_waits()) break;
      const double allowed = pressed_rate(by_, share) * static_cast<double>(of_.step_ms) / 1000;
      for (std::size_t client = 0; client < waiting_.size(); ++client) {
        if (!past_rows) {
          for (const arrival& each : of_.arrivals[client][step]) waiting_[client].push_back({step, each});
        }
        made.wait_s = std::max(made.wait_s, let_in(waiting_[client], step, allowed));
      }
      share = memory_at(step) / of_.max;
      made.peak_share = std::max(made.peak_share, share);
      if (!past_rows) made.memory_share.push_back(share);
    }
    return made;
  }

 private:
  struct waiter {
    std::size_t since;
    arrival what;
  };

  [[nodiscard]] bool nobody_waits() const {
    return std::ranges::all_of(waiting_, [](const auto& each) { return each.empty(); });
  }

  // The wait of the last that was let in, in seconds.
  double let_in(std::deque<waiter>& line, std::size_t step, double allowed) {
    double wait = 0;
    while (!line.empty() && allowed > 0) {
      waiter& next = line.front();
      const double bytes = std::min(next.what.bytes, allowed);
      allowed -= bytes;
      let_in_.add({.at = of_.time_of(step), .bytes = bytes, .stays = next.what.stays, .lives = next.what.lives});
      wait = static_cast<double>((of_.time_of(step) - of_.time_of(next.since))) / 1000;
      next.what.bytes -= bytes;
      if (next.what.bytes <= 0) line.pop_front();
    }
    return wait;
  }

  [[nodiscard]] double memory_at(std::size_t step) const {
    const unix_ms end = of_.time_of(step + 1) - 1;
    const double measured = of_.used[std::min(step, of_.steps - 1)];
    const double was = as_it_was_.live_at(std::min(end, of_.time_of(of_.steps)));
    return measured - of_.stored[std::min(step, of_.steps - 1)] * (was - let_in_.live_at(end));
  }

  const past& of_;
  const footprint& as_it_was_;
  limit by_;
  std::vector<std::deque<waiter>> waiting_{};
  footprint let_in_;
};

// The largest rate that keeps memory under held_share; 0 where none does.
double largest_rate(const past& of, const footprint& as_it_was, bool pressed, double most) {
  const auto holds = [&](double rate) {
    return simulation(of, as_it_was, {.rate = rate, .pressed = pressed}).run().peak_share <= held_share;
  };
  if (!holds(rate_least)) return 0;
  double low = rate_least;
  double high = std::max(most, 2 * rate_least);
  for (int step = 0; step < search_steps && high / low > 1.01; ++step) {
    const double middle = std::sqrt(low * high);
    (holds(middle) ? low : high) = middle;
  }
  return low;
}

// As an operator writes it: two digits of KiB.
double rounded_down(double rate) {
  const double kib = rate / 1024;
  const double unit = std::pow(10, std::max(0.0, std::floor(std::log10(std::max(1.0, kib))) - 1));
  return std::max(1.0, std::floor(kib / unit) * unit) * 1024;
}

double highest_rate(const past& of) {
  double most = 0;
  for (const auto& client : of.arrivals) {
    for (const auto& step : client) {
      double bytes = 0;
      for (const arrival& each : step) bytes += each.bytes;
      most = std::max(most, bytes * 1000 / static_cast<double>(of.step_ms));
    }
  }
  return most;
}

// How much a written byte takes is not the same all the time (large values first, keys that are written again): until
// the peak it is read off the growth so far.
void fill_stored(const footprint& as_it_was, const incident& facts, double of_culprits, past& into) {
  const auto before = static_cast<double>(*facts.before.used);
  into.stored.assign(into.steps, into.stored_for_written);
  for (std::size_t step = 0; step < into.steps && into.time_of(step) < facts.peak.at; ++step) {
    const double live = as_it_was.live_at(into.time_of(step + 1) - 1);
    if (live <= 0) continue;
    into.stored[step] = std::clamp((into.used[step] - before) * of_culprits / live, 0.0, stored_for_written_max);
  }
}

void take_limit(const past& of, const footprint& as_it_was, incident& into) {
  holding_limit made{.stored_for_written = of.stored_for_written};
  const double most = highest_rate(of);
  const double rate = largest_rate(of, as_it_was, false, most);
  if (rate > 0) {
    made.possible = true;
    made.rate = rounded_down(rate);
    made.burst_bytes = static_cast<std::uint64_t>(made.rate);
    const outcome with = simulation(of, as_it_was, {.rate = made.rate}).run();
    made.peak_share = with.peak_share;
    made.longest_wait_s = with.wait_s;
    made.memory_share = with.memory_share;
    // Pressure that only slows down late may let the rate itself be higher.
    const double pressed = largest_rate(of, as_it_was, true, 4 * most);
    if (pressed > rate) {
      made.pressed_rate = rounded_down(pressed);
      made.pressed_wait_s = simulation(of, as_it_was, {.rate = made.pressed_rate, .pressed = true}).run().wait_s;
    }
  }
  into.holding_limit = std::move(made);
}

// The first moment after `from` from which `enough` holds; nothing if not within the longest TTL.
template <typename Enough>
std::optional<unix_ms> first_time(unix_ms from, unix_ms to, Enough enough) {
  if (!enough(to)) return std::nullopt;
  while (to - from > 1000) {
    const unix_ms middle = from + (to - from) / 2;
    (enough(middle) ? to : from) = middle;
  }
  return to;
}

void take_drain(const footprint& of, double stored_for_written, incident& into) {
  const unix_ms now = into.now.at;
  const auto used = static_cast<double>(*into.now.used);
  const auto max = static_cast<double>(*into.now.max);
  const double live = of.live_at(now);
  const double timed = of.timed_at(now);
  drain made{.live_bytes = static_cast<std::uint64_t>(stored_for_written * live)};
  unix_ms last = now;
  for (const parcel& each : of.parcels()) {
    if (!each.stays) last = std::max(last, each.at + static_cast<unix_ms>(each.lives.most_ms));
  }
  const auto used_at = [&](unix_ms at) { return used - stored_for_written * (live - of.live_at(at)); };
  made.share_then = used_at(last) / max;
  if (timed > 0) {
    made.half_gone_at = first_time(now, last, [&](unix_ms at) { return of.timed_at(at) <= timed / 2; });
    made.gone_at = last;
  }
  if (used / max >= alert_share) {
    made.under_alert_at = first_time(now, last, [&](unix_ms at) { return used_at(at) < alert_share * max; });
  }
  into.drain = made;
}

}  // namespace

void take_holding(const observation& seen, const window& subject, incident& into) {
  if (!into.before.used || !into.peak.used || !into.now.used || !into.now.max || *into.now.max == 0) return;
  if (into.culprits == 0) return;
  past of = past_of(seen, subject, into);
  const footprint as_it_was = unlimited(of);
  const double live_at_peak = as_it_was.live_at(into.peak.at);
  const double grown = static_cast<double>(*into.peak.used) - static_cast<double>(*into.before.used);
  if (grown <= 0 || live_at_peak <= 0) return;
  double of_culprits = 0;
  for (std::size_t each = 0; each < into.culprits; ++each) of_culprits += into.writers[each].bytes_share;
  of.stored_for_written = std::min(stored_for_written_max, grown * std::min(1.0, of_culprits) / live_at_peak);
  fill_stored(as_it_was, into, std::min(1.0, of_culprits), of);
  take_limit(of, as_it_was, into);
  take_drain(as_it_was, of.stored_for_written, into);
}

}  // namespace tidegate::report
