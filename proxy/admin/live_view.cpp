#include "proxy/admin/live_view.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "config/limit_words.hpp"
#include "proxy/admin/fold.hpp"
#include "proxy/admin/json_text.hpp"
#include "proxy/admin/metrics.hpp"
#include "proxy/admin/version.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::int64_t unix_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct held {
  std::uint64_t delayed = 0, rejected = 0, observed = 0;
};

struct client_row {
  write_totals writes;
  held limits;
  std::uint64_t connections = 0, opened = 0;
};

struct pattern_row {
  write_totals writes;
  std::uint64_t injected = 0, capped = 0;
};

std::map<std::string_view, client_row> clients_of(const totals& all) {
  std::map<std::string_view, client_row> rows;
  for (const auto& [labels, sums] : all.writes) add(rows[labels[0]].writes, sums);
  for (const auto& [labels, count] : all.connections) rows[labels[0]].connections += count;
  for (const auto& [labels, count] : all.connections_opened) rows[labels[0]].opened += count;
  for (const auto& [labels, count] : all.delayed) rows[labels[1]].limits.delayed += count;
  for (const auto& [labels, count] : all.rejected) rows[labels[1]].limits.rejected += count;
  for (const auto& [labels, count] : all.observed) rows[labels[1]].limits.observed += count;
  return rows;
}

std::map<std::string_view, pattern_row> patterns_of(const totals& all) {
  std::map<std::string_view, pattern_row> rows;
  for (const auto& [labels, sums] : all.writes) add(rows[labels[1]].writes, sums);
  for (const auto& [labels, count] : all.ttl_injected) rows[labels[0]].injected += count;
  for (const auto& [labels, count] : all.ttl_capped) rows[labels[0]].capped += count;
  return rows;
}

// `left_out` of the document counts what is not shown.
json largest_by_bytes(std::vector<json> rows, json& left_out, const char* name) {
  std::stable_sort(rows.begin(), rows.end(), [](const json& a, const json& b) {
    return a["bytes"].get<std::uint64_t>() > b["bytes"].get<std::uint64_t>();
  });
  const std::size_t over = rows.size() > live_rows_max ? rows.size() - live_rows_max : 0;
  rows.resize(rows.size() - over);
  left_out[name] = over;
  return rows;
}

json upstream_json(const session::upstream_state& upstream) {
  const std::int64_t told_at = upstream.info_at.load();
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  const auto told = [&](std::uint64_t value, bool known = true) {
    return told_at != 0 && known ? json(value) : json(nullptr);
  };
  const std::uint64_t most = upstream.memory_max.load();
  return {{"up", upstream.reachable.load()},
          {"info_stale", told_at == 0 || now - told_at > std::chrono::nanoseconds(info_stale_after).count()},
          {"used_bytes", told(upstream.memory_used.load())},
          {"max_bytes", told(most, most != 0)},
          {"keys", told(upstream.keys.load())},
          {"keys_with_ttl", told(upstream.keys_with_ttl.load())},
          {"evicted_keys", told(upstream.evicted_keys.load())}};
}

json limits_of(const totals& all) {
  std::map<std::string_view, held> by_rule;
  for (const auto& [labels, count] : all.delayed) by_rule[labels[0]].delayed += count;
  for (const auto& [labels, count] : all.rejected) by_rule[labels[0]].rejected += count;
  for (const auto& [labels, count] : all.observed) by_rule[labels[0]].observed += count;
  // Rules in force stand first and in their order; then those that are gone, caps for one, whose counts remain.
  json rows = json::array();
  const auto add_row = [&](std::string_view name, json row) {
    const held& counts = by_rule[name];
    row["name"] = printable(name);
    row["delayed"] = counts.delayed;
    row["rejected"] = counts.rejected;
    row["observed"] = counts.observed;
    by_rule.erase(name);
    rows.push_back(std::move(row));
  };
  for (const limiter::rule& rule : all.snapshot->limits->rules()) {
    add_row(rule.name, {{"client", printable(rule.config.match_client)},
                        {"key", printable(rule.config.match_key)},
                        {"rate", rule.config.rate},
                        {"rate_now", rule.clock != nullptr ? rule.clock->tokens_per_second() : rule.config.rate},
                        {"cost", config::word_of(rule.config.cost)},
                        {"action", config::word_of(rule.config.action)},
                        {"owner", printable(rule.config.owner)},
                        {"in_force", true}});
  }
  while (!by_rule.empty()) add_row(by_rule.begin()->first, {{"in_force", false}});
  return rows;
}

json row_of(std::string_view name, const client_row& row) {
  json made = row_of(row.writes);
  made["client"] = printable(name);
  made["connections"] = row.connections;
  made["connections_opened"] = row.opened;
  made["delayed"] = row.limits.delayed;
  made["rejected"] = row.limits.rejected;
  made["observed"] = row.limits.observed;
  return made;
}

}  // namespace

std::string live_json(const sources& from) {
  const totals all = fold(from);
  const std::string reason = from.not_ready();
  json left_out = json::object();
  std::vector<json> clients;
  for (const auto& [name, row] : clients_of(all)) clients.push_back(row_of(name, row));
  std::vector<json> patterns;
  for (const auto& [name, row] : patterns_of(all)) {
    json made = row_of(row.writes);
    made["pattern"] = printable(name);
    made["injected"] = row.injected;
    made["capped"] = row.capped;
    patterns.push_back(std::move(made));
  }
  json document{{"at", unix_ms()},
                {"started_at", from.started_at_ms},
                {"instance", printable(all.snapshot->config->instance)},
                {"version", version_text},
                {"generation", all.snapshot->generation},
                {"ready", reason.empty()},
                {"reason", printable(reason)},
                {"upstream", upstream_json(*from.upstream)},
                {"clients", largest_by_bytes(std::move(clients), left_out, "clients")},
                {"patterns", largest_by_bytes(std::move(patterns), left_out, "patterns")},
                {"limits", limits_of(all)}};
  document["left_out"] = std::move(left_out);
  return text_of(document);
}

std::string client_json(const sources& from, std::string_view name) {
  const totals all = fold(from);
  json left_out = json::object();
  std::vector<json> writes;
  for (const auto& [labels, sums] : all.writes) {
    if (labels[0] != name) continue;
    json row = row_of(sums);
    row["pattern"] = printable(labels[1]);
    row["command"] = printable(labels[2]);
    writes.push_back(std::move(row));
  }
  std::map<std::string_view, held> rules;
  for (const auto& [labels, count] : all.delayed) {
    if (labels[1] == name) rules[labels[0]].delayed += count;
  }
  for (const auto& [labels, count] : all.rejected) {
    if (labels[1] == name) rules[labels[0]].rejected += count;
  }
  for (const auto& [labels, count] : all.observed) {
    if (labels[1] == name) rules[labels[0]].observed += count;
  }
  json limits = json::array();
  for (const auto& [rule, counts] : rules) {
    limits.push_back({{"name", printable(rule)},
                      {"delayed", counts.delayed},
                      {"rejected", counts.rejected},
                      {"observed", counts.observed}});
  }
  const std::map<std::string_view, client_row> clients = clients_of(all);
  const auto found = clients.find(name);
  json document = row_of(name, found == clients.end() ? client_row{} : found->second);
  document["at"] = unix_ms();
  document["known"] = found != clients.end();
  document["writes_by"] = largest_by_bytes(std::move(writes), left_out, "writes_by");
  document["limits"] = std::move(limits);
  document["left_out"] = std::move(left_out);
  document["sources"] = nullptr;
  if (from.client_sources) {
    json rows = json::array();
    for (const source_row& each : from.client_sources(name)) {
      rows.push_back({{"address", printable(each.address)},
                      {"writes", each.writes},
                      {"bytes", each.bytes},
                      {"connections", each.connections},
                      {"connections_opened", each.opened}});
    }
    document["sources"] = std::move(rows);
  }
  return text_of(document);
}

}  // namespace tidegate::admin
