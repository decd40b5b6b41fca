#include "proxy/admin/status_view.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attribution/glob.hpp"
#include "config/quantity.hpp"
#include "evidence/audit/audit_log.hpp"
#include "proxy/admin/caps_api.hpp"
#include "proxy/admin/json_text.hpp"
#include "proxy/admin/metrics.hpp"
#include "proxy/admin/query.hpp"
#include "proxy/admin/version.hpp"

namespace tidegate::admin {
namespace {

using nlohmann::json;

constexpr std::size_t writers_shown_max = 5;
constexpr std::size_t limits_shown_max = 10;
constexpr std::size_t points_shown_max = 30;
constexpr std::string_view rule_prefix = "rule:";

double share_in(std::string_view query, std::string_view key, double otherwise) {
  const auto text = query_value(query, key);
  if (!text) return otherwise;
  const auto read = config::parse_fraction(*text);
  return read ? *read : otherwise;
}

json rounded(double value) {
  return std::round(value * 10) / 10;
}

json percent(const std::optional<double>& share) {
  return share ? rounded(*share * 100) : json();
}

bool is_held(const sources& from, const std::string& client) {
  if (!from.caps.all) return false;
  return std::ranges::any_of(from.caps.all(),
                             [&](const policy::cap& one) { return attribution::glob(one.client).matches(client); });
}

// The highest limit that is not passed yet and soon will be: the one to act for.
std::optional<expectation> ahead_of(const sources& from, const recent::sample& last, const status_limits& limits) {
  if (!from.forecast || !last.used) return std::nullopt;
  const forecast::forecast said = from.forecast();
  std::optional<expectation> highest;
  for (const double share : {limits.warn, limits.critical, 1.0}) {
    const auto seconds = said.seconds_until(share * said.max_bytes);
    if (*last.used >= share || !seconds || *seconds <= 0 || *seconds > warned_ahead_seconds) continue;
    highest = {.share = share, .seconds = *seconds};
  }
  return highest;
}

json trend_of(const recent& seen) {
  json points = json::array();
  const auto& history = seen.history();
  std::optional<double> peak;
  double peak_ago = 0;
  const auto now = history.empty() ? std::chrono::milliseconds{} : history.back().at;
  for (const recent::sample& one : history) {
    if (!one.used || (peak && *one.used < *peak)) continue;
    peak = one.used;
    peak_ago = std::chrono::duration<double>(now - one.at).count();
  }
  const std::size_t step = std::max<std::size_t>(1, (history.size() + points_shown_max - 1) / points_shown_max);
  for (std::size_t i = history.empty() ? 0 : (history.size() - 1) % step; i < history.size(); i += step) {
    points.push_back(
        {std::round(std::chrono::duration<double>(history[i].at - now).count()), percent(history[i].used)});
  }
  const auto a_minute = seen.share_a_minute();
  return {{"points_a_minute", a_minute ? json(std::round(*a_minute * 10'000) / 100) : json()},
          {"peak_percent", percent(peak)},
          {"peak_seconds_ago", peak ? json(std::round(peak_ago)) : json()},
          {"points", std::move(points)}};
}

json upstream_of(const recent::sample& last, bool up) {
  const bool told = last.used.has_value() || last.used_bytes != 0;
  const auto or_null = [told](std::uint64_t value) { return told ? json(value) : json(); };
  return {{"up", up},
          {"used_bytes", or_null(last.used_bytes)},
          {"max_bytes", last.max_bytes != 0 ? json(last.max_bytes) : json()},
          {"used_percent", percent(last.used)},
          {"keys", or_null(last.keys)},
          {"keys_with_ttl", or_null(last.keys_with_ttl)},
          {"keys_without_ttl", or_null(last.keys - std::min(last.keys, last.keys_with_ttl))},
          {"evicted_keys", or_null(last.evicted)}};
}

json limits_of(const sources& from, const recent::rates& now) {
  json rows = json::array();
  for (const recent::limit& one : now.limits) {
    if (rows.size() == limits_shown_max) break;
    std::string_view name = from.registry->pattern_name(one.rule);
    if (name.starts_with(rule_prefix)) name.remove_prefix(rule_prefix.size());
    rows.push_back({{"name", printable(name)},
                    {"delayed_per_second", rounded(one.delayed)},
                    {"rejected_per_second", rounded(one.rejected)}});
  }
  return rows;
}

}  // namespace

std::string status_json(const sources& from, std::string_view query) {
  static const recent nothing;
  const recent& seen = from.recent != nullptr ? *from.recent : nothing;
  const recent::sample none;
  const recent::sample& last = seen.history().empty() ? none : seen.history().back();
  const recent::rates now = seen.now();
  json writers = json::array();
  for (const recent::writer& one : now.writers) {
    if (writers.size() == writers_shown_max) break;
    writers.push_back({{"client", printable(from.registry->client_name(one.client))},
                       {"writes_per_second", rounded(one.writes)},
                       {"bytes_per_second", rounded(one.bytes)},
                       {"share_percent", now.bytes > 0 ? rounded(one.bytes / now.bytes * 100) : json()},
                       {"connections", from.registry->client_sessions(one.client)}});
  }
  const status_limits limits{.warn = share_in(query, "warn", 0.6), .critical = share_in(query, "critical", 0.7)};
  status_facts facts{
      .reachable = from.upstream->reachable.load(),
      .used = last.used,
      .share_a_minute = seen.share_a_minute(),
      .evictions = now.evictions,
      .top_writer = {},
      .all_bytes = now.bytes,
      .without_ttl = last.keys > last.keys_with_ttl
                         ? static_cast<double>(last.keys - last.keys_with_ttl) / static_cast<double>(last.keys)
                         : 0,
      .ahead = ahead_of(from, last, limits)};
  if (!now.writers.empty()) {
    facts.top_writer = printable(from.registry->client_name(now.writers.front().client));
    facts.top_bytes = now.writers.front().bytes;
    facts.top_is_held = is_held(from, facts.top_writer);
  }
  const judgement found = judge(facts, limits);
  const std::shared_ptr<const policy::snapshot> snapshot = from.snapshot();
  const json document{
      {"at", audit::utc_text(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()))},
      {"instance", printable(snapshot->config->instance)},
      {"version", version_text},
      {"upstream", upstream_of(last, facts.reachable)},
      {"trend", trend_of(seen)},
      {"rates",
       {{"over_seconds", rounded(now.seconds)},
        {"commands_per_second", rounded(now.commands)},
        {"writes_per_second", rounded(now.writes)},
        {"write_bytes_per_second", rounded(now.bytes)},
        {"evictions_per_second", rounded(now.evictions)}}},
      {"writers", std::move(writers)},
      {"limits", limits_of(from, now)},
      {"caps", json::parse(caps_json(from))["caps"]},
      {"thresholds", {{"warn", limits.warn}, {"critical", limits.critical}}},
      {"verdict", to_string(found.is)},
      {"because", found.because},
      {"next", found.next}};
  return text_of(document);
}

}  // namespace tidegate::admin
