#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/top/page.hpp"

namespace tidegate::cli::top {
namespace {

using nlohmann::ordered_json;

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

ordered_json or_null(const std::optional<double>& value) {
  return value ? ordered_json(std::llround(*value)) : ordered_json(nullptr);
}

ordered_json rates_json(const growth& rates) {
  return {{"writes_per_second", rounded(rates.writes)},
          {"bytes_per_second", rounded(rates.bytes)},
          {"without_ttl_per_second", rounded(rates.without_ttl)},
          {"held_per_second", rounded(rates.held)},
          {"opened_per_second", rounded(rates.opened)}};
}

ordered_json writer_json(const writer_row& row) {
  ordered_json made{{"client", row.name}};
  made.update(rates_json(row.rates));
  made["share"] = rounded(row.share);
  made["writes"] = row.writes;
  made["bytes"] = row.bytes;
  made["connections"] = row.connections;
  made["patterns"] = ordered_json::array();
  for (const pattern_row& each : row.patterns) {
    made["patterns"].push_back({{"pattern", each.pattern},
                                {"command", each.command},
                                {"writes_per_second", rounded(each.rates.writes)},
                                {"bytes_per_second", rounded(each.rates.bytes)},
                                {"writes", each.writes},
                                {"bytes", each.bytes},
                                {"without_ttl", each.without_ttl}});
  }
  return made;
}

}  // namespace

std::string json_text(const view& seen) {
  ordered_json made{{"at", seen.at_ms},        {"instance", seen.instance},
                    {"version", seen.version}, {"ready", seen.reason.empty()},
                    {"reason", seen.reason},   {"seconds", rounded(seen.seconds)}};
  made["memory"] = {{"used_bytes", or_null(seen.memory.used)},
                    {"max_bytes", or_null(seen.memory.max)},
                    {"trend_bytes_per_second", or_null(seen.memory.trend)},
                    {"keys", or_null(seen.memory.keys)},
                    {"keys_with_ttl", or_null(seen.memory.keys_with_ttl)},
                    {"evicted_keys", or_null(seen.memory.evicted)},
                    {"stale", seen.memory.stale}};
  made["forecast"] = {
      {"known", seen.forecast.known},
      {"peak_percent", seen.forecast.known ? ordered_json(seen.forecast.peak_percent) : ordered_json(nullptr)},
      {"seconds_to",
       {{"70", or_null(seen.forecast.seconds_to_70)},
        {"85", or_null(seen.forecast.seconds_to_85)},
        {"100", or_null(seen.forecast.seconds_to_100)}}}};
  made["total"] = rates_json(seen.total);
  made["total"]["left_without_ttl_per_second"] = rounded(seen.left_without_ttl);
  made["writers"] = ordered_json::array();
  for (const writer_row& row : seen.writers) made["writers"].push_back(writer_json(row));
  made["limits"] = ordered_json::array();
  for (const limit_row& row : seen.limits) {
    made["limits"].push_back({{"name", row.name},
                              {"action", row.action},
                              {"in_force", row.in_force},
                              {"held_per_second", rounded(row.held)},
                              {"observed_per_second", rounded(row.observed)}});
  }
  made["caps"] = ordered_json::array();
  for (const cap_row& row : seen.caps) {
    made["caps"].push_back(
        {{"client", row.client}, {"held_to", row.phrase}, {"left", row.left}, {"who", row.who}, {"why", row.why}});
  }
  // Only ASCII: what a terminal would take for a control character is escaped.
  return made.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

}  // namespace tidegate::cli::top
