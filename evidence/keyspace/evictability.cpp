#include "evidence/keyspace/evictability.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "evidence/keyspace/wording.hpp"

namespace tidegate::keyspace {
namespace {

using nlohmann::ordered_json;

constexpr double often = 0.5, seldom = 0.1;  // shares of sampled keys that are hardly used
constexpr double nearly_all = 0.99;

bool is_volatile(const std::string& policy) {
  return policy.starts_with("volatile-");
}

std::uint64_t scaled(std::uint64_t count, double by) {
  return by == 1 ? count : static_cast<std::uint64_t>(std::llround(static_cast<double>(count) * by));
}

double part(double of, double all) {
  return all > 0 ? of / all : 0;
}

struct sums {
  std::uint64_t with = 0, without = 0, ruled_without = 0;
  estimate with_bytes{.value = 0, .margin = 0, .measured = 0};
  estimate without_bytes = with_bytes, ruled_bytes = with_bytes;
};

evictable_share share_of(std::uint64_t keys, const estimate& bytes, const eviction_view& view) {
  return {.keys = keys,
          .keys_share = part(static_cast<double>(keys), static_cast<double>(view.keys)),
          .bytes = bytes,
          .bytes_share = part(bytes.value, view.bytes.value)};
}

// LFU counters begin at 5 and fall, so a low one is a key that nobody has asked for; else idle time says it.
std::string risk_of(const exposed_pattern& row) {
  const std::optional<double>& unused = row.share_rarely_used ? row.share_rarely_used : row.share_idle_a_day;
  if (!unused) return "unknown";
  if (*unused >= often) return "high";
  return *unused >= seldom ? "medium" : "low";
}

exposed_pattern row_of(const pattern_row& row, double share, bool ruled) {
  exposed_pattern one{.pattern = row.pattern,
                      .keys = scaled(row.keys(), share),
                      .exposed_keys = scaled(row.without_ttl.keys(), share),
                      .exposed_bytes = row.without_ttl.total(share),
                      .share_idle_a_day = std::nullopt,
                      .share_rarely_used = std::nullopt,
                      .mean_idle_seconds = std::nullopt,
                      .mean_frequency = std::nullopt,
                      .ruled = ruled,
                      .risk = {}};
  const usage& used = row.used;
  if (used.idle_sampled != 0) {
    const double sampled = static_cast<double>(used.idle_sampled);
    one.share_idle_a_day = static_cast<double>(used.idle_long) / sampled;
    one.mean_idle_seconds = used.idle_sum / sampled;
  }
  if (used.frequency_sampled != 0) {
    const double sampled = static_cast<double>(used.frequency_sampled);
    one.share_rarely_used = static_cast<double>(used.frequency_rare) / sampled;
    one.mean_frequency = used.frequency_sum / sampled;
  }
  one.risk = risk_of(one);
  return one;
}

std::string verdict_of(const eviction_view& view) {
  const std::string uncovered = grouped(view.uncovered_keys);
  if (view.policy.empty()) return "The server does not tell its maxmemory-policy, so nothing can be said of a change.";
  if (view.policy.starts_with("allkeys-")) {
    return "Every key can be evicted already: what must not be lost must not be kept here.";
  }
  if (view.under_volatile.keys_share >= nearly_all) {
    return "Nearly every key has a TTL: volatile-* and allkeys-* take the same keys, so a change brings nothing.";
  }
  if (view.uncovered_keys == 0) {
    return "Do not change the policy yet: mend the old keys (`tidegate ttl fix`); then volatile-* covers every key "
           "that "
           "has a rule.";
  }
  return "Do not change to allkeys-* yet: " + uncovered +
         " keys have neither a TTL nor a rule, and could be lost silently. Find their owners (`tidegate ttl suggest`), "
         "give them rules, mend the old keys (`tidegate ttl fix`), and look again.";
}

// A pattern between the bars of a table.
std::string cell(const std::string& pattern) {
  std::string out;
  for (const char c : printable(pattern, 100)) {
    if (c == '|' || c == '`') out += '\\';
    out += c;
  }
  return out;
}

ordered_json bytes_json(const estimate& bytes) {
  if (bytes.measured == 0) return nullptr;
  ordered_json one{{"estimate", std::llround(bytes.value)}, {"margin_95", nullptr}};
  if (bytes.margin) one["margin_95"] = std::llround(*bytes.margin);
  return one;
}

ordered_json share_json(const evictable_share& share) {
  return {{"keys", share.keys},
          {"keys_share", share.keys_share},
          {"bytes", bytes_json(share.bytes)},
          {"bytes_share", share.bytes_share}};
}

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

}  // namespace

eviction_view judge_eviction(const census& keys, double share, const server_memory& server,
                             const std::vector<mending_rule>& rules) {
  // A row of discovered keys is a rule's where the rule's glob takes the row's own pattern as a key.
  const mending ruled(rules);
  sums all;
  eviction_view view;
  for (const pattern_row* row : keys.rows()) {
    all.with += scaled(row->with_ttl.keys(), share);
    const std::uint64_t without = scaled(row->without_ttl.keys(), share);
    all.without += without;
    all.with_bytes = all.with_bytes + row->with_ttl.total(share);
    all.without_bytes = all.without_bytes + row->without_ttl.total(share);
    if (without == 0) continue;
    const bool covered = ruled.covers(row->pattern);
    if (covered) {
      all.ruled_without += without;
      all.ruled_bytes = all.ruled_bytes + row->without_ttl.total(share);
    }
    view.exposed.push_back(row_of(*row, share, covered));
  }
  view.target = server.target;
  view.policy = server.policy;
  view.memory_used = server.used;
  view.memory_max = server.max;
  view.evicted_keys = server.evicted_keys;
  view.keys = all.with + all.without;
  view.bytes = all.with_bytes + all.without_bytes;
  view.under_volatile = share_of(all.with, all.with_bytes, view);
  view.under_allkeys = share_of(view.keys, view.bytes, view);
  view.after_rules = share_of(all.with + all.ruled_without, all.with_bytes + all.ruled_bytes, view);
  view.uncovered_keys = all.without - all.ruled_without;
  if (is_volatile(server.policy)) view.now = view.under_volatile;
  if (server.policy.starts_with("allkeys-")) view.now = view.under_allkeys;
  std::stable_sort(view.exposed.begin(), view.exposed.end(),
                   [](const exposed_pattern& a, const exposed_pattern& b) { return a.exposed_keys > b.exposed_keys; });
  if (view.exposed.size() > exposed_max) {
    view.exposed_left_out = view.exposed.size() - exposed_max;
    view.exposed.resize(exposed_max);
  }
  view.verdict = verdict_of(view);
  return view;
}

std::string to_markdown(const eviction_view& view) {
  const auto row = [](const std::string& name, const evictable_share& share) {
    return "| " + name + " | " + grouped(share.keys) + " | " + percent_text(share.keys_share) + " | " +
           estimate_text(share.bytes) + " | " + percent_text(share.bytes_share) + " |\n";
  };
  std::string out = "## Eviction policy\n\n`maxmemory-policy` of " + view.target + " is **" +
                    (view.policy.empty() ? "unknown" : view.policy) + "**; " + grouped(view.evicted_keys) +
                    " keys were evicted since it started; ";
  out += bytes_text(static_cast<double>(view.memory_used)) + " in use";
  if (view.memory_max != 0) {
    out += " of " + bytes_text(static_cast<double>(view.memory_max)) + " (" +
           percent_text(part(static_cast<double>(view.memory_used), static_cast<double>(view.memory_max))) + ")";
  }
  out += ".\n\n| can be evicted | keys | share | memory | share |\n|---|---|---|---|---|\n";
  out += row("now, under " + (view.policy.empty() ? std::string("an unknown policy") : view.policy), view.now);
  if (!is_volatile(view.policy)) out += row("under volatile-*", view.under_volatile);
  out += row("under volatile-*, once the TTL rules hold for old keys too", view.after_rules);
  out += row("under allkeys-*", view.under_allkeys);
  if (!view.exposed.empty()) {
    out +=
        "\nWhat allkeys-* would expose: keys without a TTL.\n\n"
        "| pattern | exposed keys | memory | hardly used | likelihood | rule |\n|---|---|---|---|---|---|\n";
  }
  for (const exposed_pattern& one : view.exposed) {
    const std::optional<double>& unused = one.share_rarely_used ? one.share_rarely_used : one.share_idle_a_day;
    out += "| `" + cell(one.pattern) + "` | " + grouped(one.exposed_keys) + " | " + estimate_text(one.exposed_bytes) +
           " | " + (unused ? percent_text(*unused, 0) : std::string("-")) + " | " + one.risk + " | " +
           (one.ruled ? "yes" : "no") + " |\n";
  }
  if (view.exposed_left_out != 0) out += "\n… and " + std::to_string(view.exposed_left_out) + " more patterns.\n";
  return out + "\n**" + view.verdict + "**\n";
}

ordered_json to_json(const eviction_view& view) {
  ordered_json exposed = ordered_json::array();
  for (const exposed_pattern& one : view.exposed) {
    exposed.push_back({{"pattern", one.pattern},
                       {"keys", one.keys},
                       {"exposed_keys", one.exposed_keys},
                       {"exposed_bytes", bytes_json(one.exposed_bytes)},
                       {"share_idle_a_day", or_null(one.share_idle_a_day)},
                       {"share_rarely_used", or_null(one.share_rarely_used)},
                       {"mean_idle_seconds", or_null(one.mean_idle_seconds)},
                       {"mean_frequency", or_null(one.mean_frequency)},
                       {"likelihood", one.risk},
                       {"ruled", one.ruled}});
  }
  return {{"target", view.target},
          {"policy", view.policy},
          {"keys", view.keys},
          {"bytes", bytes_json(view.bytes)},
          {"used_bytes", view.memory_used},
          {"max_bytes", view.memory_max},
          {"evicted_keys", view.evicted_keys},
          {"evictable",
           {{"now", share_json(view.now)},
            {"volatile", share_json(view.under_volatile)},
            {"volatile_after_rules", share_json(view.after_rules)},
            {"allkeys", share_json(view.under_allkeys)}}},
          {"uncovered_keys", view.uncovered_keys},
          {"exposed", std::move(exposed)},
          {"exposed_left_out", view.exposed_left_out},
          {"verdict", view.verdict}};
}

}  // namespace tidegate::keyspace
