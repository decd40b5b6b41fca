#include "evidence/report/json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "evidence/report/figures.hpp"

namespace tidegate::report {
namespace {

using json = nlohmann::ordered_json;

template <typename T>
json maybe_json(const std::optional<T>& value) {
  return value ? json(*value) : json();
}
json time_json(const std::optional<unix_ms>& at) {
  return at ? json(instant_text(*at)) : json();
}
double rounded(double value, double unit = 1000) {
  return std::round(value * unit) / unit;
}
json share_json(const std::optional<double>& share) {
  return share ? json(rounded(*share, 1e6)) : json();
}

json json_of(const rates& of) {
  return {{"writes_per_second", rounded(of.commands)},
          {"elements_per_second", rounded(of.elements)},
          {"bytes_per_second", rounded(of.bytes)}};
}

json json_of(const moment& of) {
  if (of.at == 0) return {};
  return {{"at", instant_text(of.at)},
          {"used_bytes", maybe_json(of.used)},
          {"max_bytes", maybe_json(of.max)},
          {"used_share", share_json(of.share())},
          {"keys", maybe_json(of.keys)},
          {"keys_with_ttl", maybe_json(of.keys_with_ttl)},
          {"upstream_connections", maybe_json(of.clients)},
          {"evicted_keys", maybe_json(of.evicted)}};
}

json json_of(const burst_facts& of) {
  return {{"begin", instant_text(of.begin)},
          {"end", instant_text(of.end)},
          {"begin_ms", of.begin},
          {"end_ms", of.end},
          {"goes_on", of.goes_on},
          {"writes", of.commands},
          {"elements", of.elements},
          {"bytes", of.bytes},
          {"writes_without_ttl", of.without_ttl},
          {"before", json_of(of.before)},
          {"mean", json_of(of.mean)},
          {"peak", json_of(of.peak)},
          {"upstream_operations_per_second_before", maybe_json(of.operations_before)},
          {"upstream_operations_per_second_peak", maybe_json(of.operations_peak)},
          {"keys_added", maybe_json(of.keys_added)},
          {"keys_added_without_ttl", maybe_json(of.keys_added_without_ttl)},
          {"connections_before", maybe_json(of.clients_before)},
          {"connections_most", maybe_json(of.clients_most)},
          {"connections_most_at", time_json(of.clients_most_at)},
          {"connections_opened", of.opened},
          {"over_alert_from", time_json(of.alert_from)},
          {"over_alert_to", time_json(of.alert_to)}};
}

json json_of(const ttl_sums& of) {
  json classes = json::object();
  for (std::size_t each = 0; each < attribution::ttl_classes; ++each) {
    if (of.writes[each] == 0) continue;
    const std::string title = each == attribution::ttl_class_none ? "none"
                              : each == attribution::ttl_class_keep
                                  ? "keep"
                                  : std::to_string(attribution::ttl_class_upper_seconds(each));
    classes[title] = {{"writes", of.writes[each]}, {"bytes", of.bytes[each]}};
  }
  return {{"shortest_ms", maybe_json(of.least_ms)}, {"longest_ms", maybe_json(of.most_ms)}, {"up_to_seconds", classes}};
}

json json_of(const std::vector<share_of>& parts) {
  json made = json::array();
  for (const share_of& each : parts) {
    made.push_back({{"name", each.name},
                    {"share_of_bytes", rounded(each.share, 1e6)},
                    {"writes", each.commands},
                    {"elements", each.elements},
                    {"bytes", each.bytes},
                    {"writes_without_ttl", each.without_ttl}});
  }
  return made;
}

json json_of(const writer& of, bool is_culprit) {
  json sources = json::array();
  for (const source_of& each : of.sources) {
    sources.push_back(
        {{"address", each.address}, {"writes", each.commands}, {"bytes", each.bytes}, {"opened", each.opened}});
  }
  return {{"client", of.name},
          {"culprit", is_culprit},
          {"writes", of.commands},
          {"elements", of.elements},
          {"bytes", of.bytes},
          {"writes_without_ttl", of.without_ttl},
          {"share_of_writes", rounded(of.commands_share, 1e6)},
          {"share_of_elements", rounded(of.elements_share, 1e6)},
          {"share_of_bytes", rounded(of.bytes_share, 1e6)},
          {"distinct_keys", of.distinct_keys ? json(std::round(*of.distinct_keys)) : json()},
          {"share_of_distinct_keys", share_json(of.keys_share)},
          {"before", json_of(of.before)},
          {"during", json_of(of.during)},
          {"connections_before", of.open_before},
          {"connections_most", of.open_most},
          {"connections_opened", of.opened},
          {"delayed", of.delayed},
          {"rejected", of.rejected},
          {"observed", of.observed},
          {"owner", of.owner.empty() ? json() : json(of.owner)},
          {"sources", sources},
          {"commands", json_of(of.by_command)},
          {"patterns", json_of(of.by_pattern)},
          {"ttl", json_of(of.ttl)}};
}

json timeline_json(const incident& facts) {
  json made = json::array();
  for (const timeline_row& each : facts.timeline) {
    made.push_back({{"at", instant_text(each.at)},
                    {"used_share", share_json(each.memory_share)},
                    {"used_bytes", maybe_json(each.used)},
                    {"keys", maybe_json(each.keys)},
                    {"keys_with_ttl", maybe_json(each.keys_with_ttl)},
                    {"upstream_operations_per_second", maybe_json(each.operations)},
                    {"writes_per_second", rounded(each.writes)},
                    {"bytes_per_second", rounded(each.bytes)},
                    {"connections", maybe_json(each.clients)},
                    {"connections_opened", each.opened},
                    {"in_burst", each.in_burst}});
  }
  return made;
}

json drain_json(const incident& facts) {
  if (!facts.drain) return {};
  const drain& of = *facts.drain;
  return {{"live_bytes", of.live_bytes},
          {"under_alert_at", time_json(of.under_alert_at)},
          {"half_gone_at", time_json(of.half_gone_at)},
          {"gone_at", time_json(of.gone_at)},
          {"used_share_then", rounded(of.share_then, 1e6)}};
}

json holding_json(const incident& facts) {
  if (!facts.holding_limit) return {};
  const holding_limit& of = *facts.holding_limit;
  return {{"possible", of.possible},
          {"bytes_per_second", of.rate},
          {"peak_share", rounded(of.peak_share, 1e6)},
          {"longest_wait_seconds", rounded(of.longest_wait_s)},
          {"bytes_per_second_with_memory_rule", of.pressed_rate > 0 ? json(of.pressed_rate) : json()},
          {"longest_wait_seconds_with_memory_rule", of.pressed_rate > 0 ? json(rounded(of.pressed_wait_s)) : json()},
          {"stored_bytes_for_a_written_byte", rounded(of.stored_for_written)}};
}

json nodes_json(const incident& facts) {
  json sizes = json::array();
  for (const node_choice& each : facts.nodes) {
    sizes.push_back({{"type", each.size.type},
                     {"current", each.is_current},
                     {"memory_bytes", each.size.memory},
                     {"maxmemory_bytes", each.size.maxmemory},
                     {"vcpu", each.size.vcpu},
                     {"price_per_hour", each.size.price},
                     {"per_month", rounded(each.month, 100)},
                     {"more_per_month", rounded(each.more_a_month, 100)},
                     {"before_share", share_json(each.before_share)},
                     {"peak_share", share_json(each.peak_share)}});
  }
  return {{"region", facts.prices.region},
          {"as_of", facts.prices.as_of},
          {"currency", facts.prices.currency},
          {"nodes", facts.prices.nodes},
          {"sizes", sizes}};
}

json rules_json(const incident& facts) {
  json limits = json::array();
  for (const limit_work& each : facts.limits) {
    limits.push_back({{"rule", each.rule},
                      {"client", each.client},
                      {"delayed", each.delayed},
                      {"rejected", each.rejected},
                      {"observed", each.observed}});
  }
  return limits;
}

json leaks_json(const incident& facts) {
  json made = json::array();
  for (const leak& each : facts.leaks) {
    made.push_back({{"client", each.client},
                    {"pattern", each.pattern},
                    {"writes", each.writes},
                    {"per_day", rounded(each.a_day, 10)}});
  }
  return {{"per_day", rounded(facts.leaked_a_day, 10)}, {"most", made}};
}

json gaps_json(const incident& facts) {
  json made = json::array();
  for (const gap& each : facts.gaps) {
    made.push_back({{"from", instant_text(each.from)}, {"to", instant_text(each.to)}, {"killed", each.killed}});
  }
  return made;
}

std::string_view name_of(situation state) {
  switch (state) {
    case situation::empty:
      return "empty";
    case situation::quiet:
      return "quiet";
    case situation::held:
      return "held";
    case situation::warning:
      return "warning";
    case situation::critical:
      return "critical";
  }
  return "";
}

json coverage_json(const incident& facts) {
  if (!facts.coverage) return {{"known", false}, {"suspended", facts.coverage_suspended}};
  return {{"known", true},
          {"share", rounded(facts.coverage->share(), 1e6)},
          {"upstream_writes", facts.coverage->upstream},
          {"booked", facts.coverage->booked},
          {"own", facts.coverage->own},
          {"suspended", facts.coverage_suspended}};
}

}  // namespace

std::string to_json(const incident& facts) {
  json writers = json::array();
  for (std::size_t each = 0; each < facts.writers.size(); ++each) {
    writers.push_back(json_of(facts.writers[each], each < facts.culprits));
  }
  json others = json::array();
  for (const burst_facts& each : facts.other_bursts) others.push_back(json_of(each));
  json changes = json::array();
  for (const change& each : facts.changes) {
    changes.push_back({{"at", instant_text(each.at)}, {"who", each.who}, {"what", each.what}, {"detail", each.detail}});
  }
  const json made{
      {"upstream", facts.upstream},
      {"instance", facts.instance},
      {"version", facts.version},
      {"made_at", instant_text(facts.made_at)},
      {"since", instant_text(facts.since)},
      {"until", instant_text(facts.until)},
      {"step_ms", facts.step_ms},
      {"state", name_of(facts.state)},
      {"burst", facts.burst ? json_of(*facts.burst) : json()},
      {"other_bursts", others},
      {"memory", {{"before", json_of(facts.before)}, {"peak", json_of(facts.peak)}, {"end", json_of(facts.now)}}},
      {"evicted_keys", maybe_json(facts.evicted)},
      {"eviction_policy", facts.eviction_policy},
      {"eviction", facts.eviction ? json(keyspace::to_json(*facts.eviction)) : json()},
      {"writers", writers},
      {"writers_left_out", facts.writers_left_out},
      {"ttl", json_of(facts.ttl)},
      {"without_ttl", leaks_json(facts)},
      {"limits", rules_json(facts)},
      {"coverage", coverage_json(facts)},
      {"drain", drain_json(facts)},
      {"holding_limit", holding_json(facts)},
      {"node_sizes", nodes_json(facts)},
      {"gaps", gaps_json(facts)},
      {"rows_cut", facts.rows_cut},
      {"changes", changes},
      {"timeline", timeline_json(facts)}};
  return made.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tidegate::report
