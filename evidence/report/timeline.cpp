#include "evidence/report/timeline.hpp"

#include <algorithm>
#include <map>

#include "evidence/report/bursts.hpp"
#include "evidence/report/series.hpp"

namespace tidegate::report {
namespace {

class timeline_maker {
 public:
  timeline_maker(const observation& seen, incident& into) : seen_(seen), into_(into) {
    const unix_ms from = std::max(first_step(seen), seen.since - seen.since % seen.step_ms);
    const unix_ms until = std::min(seen.until, seen.last);
    for (unix_ms at = from; at < until; at += seen.step_ms) {
      into.timeline.push_back({.at = at,
                               .bytes_of = std::vector<double>(into.culprits + 1),
                               .writes_of = std::vector<double>(into.culprits + 1)});
      into.timeline.back().in_burst = into.burst && at >= into.burst->begin && at < into.burst->end;
    }
  }

  void take_all() {
    take_writes();
    take_readings();
    take_connections();
  }

 private:
  timeline_row* row_at(unix_ms at) {
    if (into_.timeline.empty() || at < into_.timeline.front().at) return nullptr;
    const auto place = static_cast<std::size_t>((at - into_.timeline.front().at) / seen_.step_ms);
    return place < into_.timeline.size() ? &into_.timeline[place] : nullptr;
  }

  void take_writes() {
    std::vector<std::size_t> place_of(seen_.names.clients.size(), into_.culprits);
    for (std::size_t client = 0; client < place_of.size(); ++client) {
      for (std::size_t each = 0; each < into_.culprits; ++each) {
        if (into_.writers[each].name == seen_.names.clients[client]) place_of[client] = each;
      }
    }
    const double seconds = static_cast<double>(seen_.step_ms) / 1000;
    for (const write_row& write : seen_.writes) {
      timeline_row* row = row_at(write.at);
      if (row == nullptr) continue;
      const double commands = static_cast<double>(write.commands) / seconds;
      const double bytes = static_cast<double>(write.bytes) / seconds;
      row->writes += commands;
      row->bytes += bytes;
      row->writes_of[place_of[write.client]] += commands;
      row->bytes_of[place_of[write.client]] += bytes;
    }
  }

  void take_readings() {
    const reading* previous = nullptr;
    for (const reading& each : seen_.readings) {
      timeline_row* row = row_at(each.at - 1);  // a bucket's end belongs to the bucket
      if (row != nullptr) {
        row->memory_share = moment_of(each).share();
        row->used = each.used_memory;
        row->keys = each.keys;
        row->keys_with_ttl = each.keys_with_ttl;
        if (!row->clients) row->clients = each.connected_clients;
        if (previous != nullptr && previous->total_commands && each.total_commands && each.at > previous->at &&
            *each.total_commands >= *previous->total_commands) {
          row->operations = static_cast<double>(*each.total_commands - *previous->total_commands) * 1000 /
                            static_cast<double>(each.at - previous->at);
        }
      }
      previous = &each;
    }
  }

  // The proxy knows its clients' connections; the upstream sees a few lanes of it.
  void take_connections() {
    std::map<unix_ms, std::uint64_t> open_at;
    for (const connection_row& each : seen_.connections) {
      open_at[each.at] += each.open;
      if (timeline_row* row = row_at(each.at)) row->opened += each.opened;
    }
    for (timeline_row& row : into_.timeline) {
      if (!open_at.empty()) row.clients.reset();
    }
    for (const auto& [at, open] : open_at) {
      if (timeline_row* row = row_at(at)) row->clients = std::max(row->clients.value_or(0), open);
    }
  }

  const observation& seen_;
  incident& into_;
};

}  // namespace

void take_timeline(const observation& seen, incident& into) {
  timeline_maker(seen, into).take_all();
}

void take_connections(incident& into) {
  if (!into.burst) return;
  burst_facts& burst = *into.burst;
  for (const timeline_row& row : into.timeline) {
    if (row.at < burst.begin) {
      if (row.clients) burst.clients_before = row.clients;
      if (row.operations && !burst.operations_before) burst.operations_before = row.operations;
    }
    if (!row.in_burst) continue;
    burst.opened += row.opened;
    if (row.clients && *row.clients > burst.clients_most.value_or(0)) {
      burst.clients_most = row.clients;
      burst.clients_most_at = row.at;
    }
    if (row.operations) burst.operations_peak = std::max(burst.operations_peak.value_or(0), *row.operations);
  }
  std::vector<double> quiet;
  for (const timeline_row& row : into.timeline) {
    if (row.at < burst.begin && row.operations) quiet.push_back(*row.operations);
  }
  if (!quiet.empty()) burst.operations_before = quantile(quiet, 0.5);
  if (into.before.keys && into.peak.keys && *into.peak.keys > *into.before.keys) {
    burst.keys_added = *into.peak.keys - *into.before.keys;
    if (into.before.keys_with_ttl && into.peak.keys_with_ttl) {
      const std::uint64_t before = *into.before.keys - std::min(*into.before.keys, *into.before.keys_with_ttl);
      const std::uint64_t after = *into.peak.keys - std::min(*into.peak.keys, *into.peak.keys_with_ttl);
      burst.keys_added_without_ttl = after > before ? after - before : 0;
    }
  }
}

moment moment_of(const reading& each) {
  return {.at = each.at,
          .used = each.used_memory,
          .max = each.maxmemory,
          .keys = each.keys,
          .keys_with_ttl = each.keys_with_ttl,
          .clients = each.connected_clients,
          .evicted = each.evicted_keys};
}

}  // namespace tidegate::report
