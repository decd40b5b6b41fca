#include "proxy/admin/json_view.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "config/limit_words.hpp"
#include "proxy/admin/fold.hpp"
#include "proxy/admin/json_text.hpp"
#include "proxy/admin/metrics.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;

std::map<std::string_view, write_totals> writes_by(const totals& all, std::size_t label) {
  std::map<std::string_view, write_totals> sums;
  for (const auto& [labels, row] : all.writes) add(sums[labels[label]], row);
  return sums;
}

// The largest by bytes first, at most rows_max; `left_out` tells how many are not shown.
std::string list_of(const char* name, std::vector<json> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const json& a, const json& b) {
    return a["bytes"].get<std::uint64_t>() > b["bytes"].get<std::uint64_t>();
  });
  const std::size_t left_out = rows.size() > rows_max ? rows.size() - rows_max : 0;
  rows.resize(rows.size() - left_out);
  return text_of(json{{name, std::move(rows)}, {"left_out", left_out}});
}

std::uint64_t sum_for_rule(const labelled& rows, std::string_view rule) {
  std::uint64_t sum = 0;
  for (const auto& [labels, count] : rows) {
    if (labels[0] == rule) sum += count;
  }
  return sum;
}

}  // namespace

std::string clients_json(const sources& from) {
  const totals all = fold(from);
  std::map<std::string_view, write_totals> writes = writes_by(all, 0);
  for (const auto& [labels, opened] : all.connections_opened) writes.try_emplace(labels[0]);
  std::vector<json> rows;
  for (const auto& [client, sums] : writes) {
    json row = row_of(sums);
    const auto count = [&](const labelled& of) {
      const auto found = of.find({client});
      return found == of.end() ? std::uint64_t{0} : found->second;
    };
    row["client"] = printable(client);
    row["connections"] = count(all.connections);
    row["connections_opened"] = count(all.connections_opened);
    rows.push_back(std::move(row));
  }
  return list_of("clients", std::move(rows));
}

std::string patterns_json(const sources& from) {
  const totals all = fold(from);
  std::vector<json> rows;
  for (const auto& [pattern, sums] : writes_by(all, 1)) {
    json row = row_of(sums);
    row["pattern"] = printable(pattern);
    rows.push_back(std::move(row));
  }
  return list_of("patterns", std::move(rows));
}

std::string writes_json(const sources& from) {
  const totals all = fold(from);
  std::vector<json> rows;
  for (const auto& [labels, sums] : all.writes) {
    json row = row_of(sums);
    row["client"] = printable(labels[0]);
    row["pattern"] = printable(labels[1]);
    row["command"] = printable(labels[2]);
    rows.push_back(std::move(row));
  }
  return list_of("writes", std::move(rows));
}

std::string limits_json(const sources& from) {
  const totals all = fold(from);
  json rows = json::array();
  for (const limiter::rule& rule : all.snapshot->limits->rules()) {
    rows.push_back({{"name", printable(rule.name)},
                    {"client", printable(rule.config.match_client)},
                    {"key", printable(rule.config.match_key)},
                    {"commands", rule.config.match_commands},
                    {"rate", rule.config.rate},
                    {"rate_now", rule.clock != nullptr ? rule.clock->tokens_per_second() : rule.config.rate},
                    {"burst", rule.config.burst},
                    {"cost", config::word_of(rule.config.cost)},
                    {"action", config::word_of(rule.config.action)},
                    {"owner", printable(rule.config.owner)},
                    {"delayed", sum_for_rule(all.delayed, rule.name)},
                    {"rejected", sum_for_rule(all.rejected, rule.name)},
                    {"observed", sum_for_rule(all.observed, rule.name)}});
  }
  return text_of(json{{"generation", all.snapshot->generation}, {"limits", std::move(rows)}});
}

std::string message_json(const char* key, std::string_view text) {
  return text_of(json{{key, printable(text)}});
}

std::string ready_json(const std::string& reason) {
  json document{{"ready", reason.empty()}};
  if (!reason.empty()) document["reason"] = printable(reason);
  return text_of(document);
}

}  // namespace tidegate::admin
