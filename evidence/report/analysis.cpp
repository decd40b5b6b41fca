#include "evidence/report/analysis.hpp"

#include <algorithm>
#include <map>

#include "evidence/report/bursts.hpp"
#include "evidence/report/eviction.hpp"
#include "evidence/report/holding.hpp"
#include "evidence/report/series.hpp"
#include "evidence/report/timeline.hpp"
#include "evidence/report/writers.hpp"

namespace tidegate::report {
namespace {

constexpr std::size_t leaks_listed = 10;
constexpr double node_tolerance = 0.06;  // maxmemory by INFO against that of the table
constexpr double day_ms = 86'400'000;

// --- readings ----------------------------------------------------------------------------------------------------

const reading* last_until(const observation& seen, unix_ms at) {
  const reading* found = nullptr;
  for (const reading& each : seen.readings) {
    if (each.at > at) break;
    found = &each;
  }
  return found;
}

void take_moments(const observation& seen, const window& subject, incident& into) {
  if (seen.readings.empty()) return;
  const reading* before = last_until(seen, subject.since);
  into.before = moment_of(before != nullptr ? *before : seen.readings.front());
  const reading* peak = nullptr;
  for (const reading& each : seen.readings) {
    if (each.at < subject.since || !each.used_memory) continue;
    if (peak == nullptr || *each.used_memory > *peak->used_memory) peak = &each;
  }
  into.peak = moment_of(peak != nullptr ? *peak : seen.readings.back());
  into.now = moment_of(seen.readings.back());
  into.eviction_policy = seen.readings.back().eviction_policy;
  const reading* first = last_until(seen, seen.since);
  if (first == nullptr) first = &seen.readings.front();
  const auto& last = seen.readings.back();
  if (first->evicted_keys && last.evicted_keys && *last.evicted_keys >= *first->evicted_keys) {
    into.evicted = *last.evicted_keys - *first->evicted_keys;
  }
}

void take_alert(const observation& seen, const window& subject, burst_facts& burst) {
  for (const reading& each : seen.readings) {
    if (each.at < subject.since) continue;
    const bool over = moment_of(each).share().value_or(0) >= alert_share;
    if (over && !burst.alert_from) burst.alert_from = each.at;
    if (over) burst.alert_to.reset();
    if (!over && burst.alert_from && !burst.alert_to) burst.alert_to = each.at;
  }
}

// A new run counts from zero, and what it booked until its first reading is all its own; what the upstream executed
// meanwhile past everybody stays uncovered, as it was.
void take_coverage(const observation& seen, const window& subject, incident& into) {
  coverage sums;
  bool any = false;
  const reading* last = nullptr;
  for (const reading& each : seen.readings) {
    if (!each.write_calls || !each.booked_calls || !each.own_calls) continue;
    const reading* previous = last;
    last = &each;
    if (previous == nullptr || each.at <= subject.since || previous->at >= subject.until) continue;
    const bool same_run = previous->run == each.run;
    if (*each.write_calls < *previous->write_calls ||
        (same_run && (*each.booked_calls < *previous->booked_calls || *each.own_calls < *previous->own_calls))) {
      into.coverage_suspended = true;
      continue;
    }
    any = true;
    sums.upstream += *each.write_calls - *previous->write_calls;
    sums.booked += *each.booked_calls - (same_run ? *previous->booked_calls : 0);
    sums.own += *each.own_calls - (same_run ? *previous->own_calls : 0);
  }
  if (any) into.coverage = sums;
}

// --- the burst ---------------------------------------------------------------------------------------------------

rates mean_rates(const observation& seen, const std::vector<window>& spans, std::int64_t steps) {
  rates sums;
  for (const write_row& row : seen.writes) {
    if (std::ranges::none_of(spans, [&](const window& w) { return row.at >= w.since && row.at < w.until; })) continue;
    sums.commands += static_cast<double>(row.commands);
    sums.elements += static_cast<double>(row.elements);
    sums.bytes += static_cast<double>(row.bytes);
  }
  const double seconds = std::max(1.0, static_cast<double>(steps)) * static_cast<double>(seen.step_ms) / 1000;
  return {.commands = sums.commands / seconds, .elements = sums.elements / seconds, .bytes = sums.bytes / seconds};
}

std::int64_t steps_in(const std::vector<window>& spans, std::int64_t step_ms) {
  std::int64_t steps = 0;
  for (const window& each : spans) steps += (each.until - each.since) / step_ms;
  return steps;
}

void take_rates(const observation& seen, const window& span, const std::vector<window>& quiet, burst_facts& into) {
  into.before = mean_rates(seen, quiet, steps_in(quiet, seen.step_ms));
  into.mean = mean_rates(seen, {span}, (span.until - span.since) / seen.step_ms);
  std::map<unix_ms, rates> by_step;
  for (const write_row& row : seen.writes) {
    if (row.at < span.since || row.at >= span.until) continue;
    rates& step = by_step[row.at];
    step.commands += static_cast<double>(row.commands);
    step.elements += static_cast<double>(row.elements);
    step.bytes += static_cast<double>(row.bytes);
    into.commands += row.commands;
    into.elements += row.elements;
    into.bytes += row.bytes;
    into.without_ttl += row.without_ttl;
  }
  const double seconds = static_cast<double>(seen.step_ms) / 1000;
  for (const auto& [at, step] : by_step) {
    into.peak.commands = std::max(into.peak.commands, step.commands / seconds);
    into.peak.elements = std::max(into.peak.elements, step.elements / seconds);
    into.peak.bytes = std::max(into.peak.bytes, step.bytes / seconds);
  }
}

burst_facts facts_of(const observation& seen, const window& span, const std::vector<window>& quiet) {
  burst_facts made{.begin = span.since, .end = span.until};
  made.goes_on = span.until + 2 * seen.step_ms > std::min(seen.until, seen.last);
  take_rates(seen, span, quiet, made);
  return made;
}

// --- the rest ----------------------------------------------------------------------------------------------------

// A burst would be no measure of what leaks day by day.
void take_leaks(const observation& seen, const std::vector<window>& quiet, incident& into) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> sums;
  std::map<std::uint32_t, std::int64_t> longest;
  for (const leak_row& row : seen.leaks) sums[{row.client, row.pattern}] += row.writes;
  for (const write_row& row : seen.writes) {
    if (row.ttl_max_ms) longest[row.pattern] = std::max(longest[row.pattern], *row.ttl_max_ms);
    const bool is_quiet =
        std::ranges::any_of(quiet, [&](const window& w) { return row.at >= w.since && row.at < w.until; });
    if (is_quiet && row.without_ttl > 0) sums[{row.client, row.pattern}] += row.without_ttl;
  }
  for (const auto& [key, writes] : sums) {
    leak one{.client = seen.names.clients[key.first], .pattern = seen.names.patterns[key.second], .writes = writes};
    if (const auto found = longest.find(key.second); found != longest.end()) one.longest_ttl_ms = found->second;
    into.leaks.push_back(std::move(one));
  }
  into.leaks_ms = seen.leaks_ms + steps_in(quiet, seen.step_ms) * seen.step_ms;
  const double days = static_cast<double>(std::max<std::int64_t>(1, into.leaks_ms)) / day_ms;
  for (leak& each : into.leaks) {
    each.a_day = static_cast<double>(each.writes) / days;
    into.leaked_a_day += each.a_day;
  }
  std::ranges::sort(into.leaks, std::greater{}, &leak::writes);
  if (into.leaks.size() > leaks_listed) into.leaks.resize(leaks_listed);
}

void take_rules(const observation& seen, incident& into) {
  std::map<std::pair<std::string, std::uint32_t>, limit_work> sums;
  for (const limit_row& row : seen.limits) {
    if (row.at < seen.since) continue;
    limit_work& sum = sums[{row.rule, row.client}];
    sum.rule = row.rule;
    sum.client = seen.names.clients[row.client];
    sum.delayed += row.delayed;
    sum.rejected += row.rejected;
    sum.observed += row.observed;
  }
  for (auto& [key, sum] : sums) into.limits.push_back(std::move(sum));
  std::ranges::sort(into.limits, std::greater{},
                    [](const limit_work& each) { return each.delayed + each.rejected + each.observed; });
  for (const ttl_row& row : seen.ttl) {
    into.ttl_rules.push_back({.pattern = seen.names.patterns[row.pattern],
                              .injected = row.injected,
                              .capped = row.capped,
                              .observed = row.observed});
  }
}

void take_gaps(const observation& seen, unix_ms made_at, incident& into) {
  for (std::size_t each = 0; each < seen.runs.size(); ++each) {
    const run& one = seen.runs[each];
    const bool is_last = each + 1 == seen.runs.size();
    const unix_ms next = is_last ? std::min(made_at, seen.until) : seen.runs[each + 1].started_at;
    // Three buckets of grace: the last one of a run at work is not on disk yet.
    if (next - one.written_until <= 3 * one.bucket_ms) continue;
    if (is_last && one.ended_at) continue;
    into.gaps.push_back({.from = one.written_until, .to = next, .killed = !one.ended_at});
  }
}

void take_nodes(const surroundings& around, incident& into) {
  into.prices = around.prices;
  const auto& max = into.now.max;
  std::size_t current = around.prices.sizes.size();
  double best = node_tolerance;
  for (std::size_t each = 0; max && each < around.prices.sizes.size(); ++each) {
    const auto mine = static_cast<double>(*max);
    const double apart = std::abs(static_cast<double>(around.prices.sizes[each].maxmemory) - mine) / mine;
    if (apart < best) {
      best = apart;
      current = each;
    }
  }
  const auto month = [&](const node_size& size) {
    return size.price * around.prices.hours_a_month * around.prices.nodes;
  };
  for (std::size_t each = 0; each < around.prices.sizes.size(); ++each) {
    const node_size& size = around.prices.sizes[each];
    node_choice choice{.size = size, .is_current = each == current, .month = month(size)};
    if (current < around.prices.sizes.size()) choice.more_a_month = choice.month - month(around.prices.sizes[current]);
    const auto whole = static_cast<double>(size.maxmemory);
    if (into.before.used) choice.before_share = static_cast<double>(*into.before.used) / whole;
    if (into.peak.used) choice.peak_share = static_cast<double>(*into.peak.used) / whole;
    into.nodes.push_back(std::move(choice));
  }
}

situation situation_of(const observation& seen, const incident& made) {
  if (seen.writes.empty() && seen.readings.empty()) return situation::empty;
  if (made.evicted.value_or(0) > 0 || made.now.share().value_or(0) >= critical_share) return situation::critical;
  if (!made.burst) return situation::quiet;
  return made.peak.share().value_or(0) >= alert_share ? situation::warning : situation::held;
}

}  // namespace

incident analyse(const observation& seen, const surroundings& around,
                 const std::vector<std::pair<std::string, double>>& distinct_keys) {
  incident made{.upstream = around.upstream,
                .made_at = around.made_at,
                .since = seen.since,
                .until = seen.until,
                .first = seen.first,
                .last = seen.last,
                .step_ms = seen.step_ms,
                .changes = seen.changes,
                .rows_cut = seen.rows_cut};
  if (!seen.runs.empty()) {
    made.instance = seen.runs.back().instance;
    made.version = seen.runs.back().version;
  }
  const std::vector<window> bursts = bursts_of(seen);
  const std::vector<window> with_earlier = all_bursts(seen);
  const auto chosen = main_burst(seen, bursts, around.hint);
  const window subject = chosen.value_or(window{.since = seen.since, .until = seen.until});
  const std::vector<window> quiet = chosen ? quiet_before(seen, *chosen, with_earlier) : std::vector<window>{};
  take_moments(seen, subject, made);
  if (chosen) {
    made.burst = facts_of(seen, *chosen, quiet);
    take_alert(seen, subject, *made.burst);
    for (const window& each : bursts) {
      if (each.since != chosen->since)
        made.other_bursts.push_back(facts_of(seen, each, quiet_before(seen, each, with_earlier)));
    }
  }
  take_writers(seen, subject, quiet, distinct_keys, around.owner_of, made);
  take_timeline(seen, made);
  take_connections(made);
  take_coverage(seen, subject, made);
  take_leaks(seen, chosen ? quiet : std::vector<window>{subject}, made);
  take_rules(seen, made);
  take_gaps(seen, around.made_at, made);
  if (made.burst) take_holding(seen, subject, made);
  take_nodes(around, made);
  made.eviction = around.counted ? around.counted : eviction_by_ledger(seen, around.upstream, around.ttl_rules);
  made.state = situation_of(seen, made);
  return made;
}

}  // namespace tidegate::report
