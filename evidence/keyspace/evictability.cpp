#include "evidence/keyspace/evictability.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace tidegate::keyspace {
namespace {

constexpr double often = 0.5, seldom = 0.1;  // shares of sampled keys that are hardly used
constexpr double nearly_all = 0.99;

std::uint64_t scaled(std::uint64_t count, double by) {
  return by == 1 ? count : static_cast<std::uint64_t>(std::llround(static_cast<double>(count) * by));
}

double part(double of, double all) {
  return all > 0 ? of / all : 0;
}

constexpr estimate nothing{.value = 0, .margin = 0, .measured = 0};

struct sums {
  std::uint64_t with = 0, without = 0, ruled_without = 0;
  estimate with_bytes = nothing, without_bytes = nothing, ruled_bytes = nothing;
};

evictable_share share_of(std::optional<std::uint64_t> keys, const estimate& bytes, const eviction_view& view) {
  evictable_share made{
      .keys = keys, .keys_share = std::nullopt, .bytes = bytes, .bytes_share = part(bytes.value, view.bytes.value)};
  if (keys && view.keys) made.keys_share = part(static_cast<double>(*keys), static_cast<double>(*view.keys));
  return made;
}

// LFU counters begin at 5 and fall, so a low one is a key that nobody has asked for; else idle time says it.
eviction_risk risk_of(const exposed_pattern& row) {
  const std::optional<double>& unused = row.share_hardly_used();
  if (!unused) return eviction_risk::unknown;
  if (*unused >= often) return eviction_risk::high;
  return *unused >= seldom ? eviction_risk::medium : eviction_risk::low;
}

exposed_pattern row_of(const ttl_split& split, bool ruled) {
  exposed_pattern one{.pattern = split.pattern,
                      .all = split.with_ttl + split.without_ttl,
                      .exposed = split.without_ttl,
                      .exposed_bytes = split.without_ttl_bytes,
                      .share_idle_a_day = std::nullopt,
                      .share_rarely_used = std::nullopt,
                      .mean_idle_seconds = std::nullopt,
                      .mean_frequency = std::nullopt,
                      .ruled = ruled};
  const usage& used = split.used;
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

eviction_advice advice_on(const eviction_view& view) {
  if (view.policy.empty()) return eviction_advice::ask_the_server;
  if (view.policy.starts_with("allkeys-")) return eviction_advice::keep_nothing;
  if (view.under_volatile.keys_share.value_or(0) >= nearly_all) return eviction_advice::change_nothing;
  // Booked writes do not know of keys that nobody wrote meanwhile: somebody has to look.
  const bool knows_all = view.source == eviction_source::keys;
  return view.uncovered == 0 && knows_all ? eviction_advice::mend_old_keys : eviction_advice::find_the_owners;
}

void take_shares(const sums& all, const std::optional<key_counts>& keys, eviction_view& view) {
  if (keys) view.keys = keys->all;
  view.bytes = all.with_bytes + all.without_bytes;
  const auto with_ttl = keys ? std::optional(std::min(keys->with_ttl, keys->all)) : std::nullopt;
  view.under_volatile = share_of(with_ttl, all.with_bytes, view);
  view.under_allkeys = share_of(view.keys, view.bytes, view);
  std::optional<std::uint64_t> mended;
  if (with_ttl && view.source == eviction_source::keys) mended = *with_ttl + all.ruled_without;
  view.after_rules = share_of(mended, all.with_bytes + all.ruled_bytes, view);
  view.now = share_of(keys ? std::optional<std::uint64_t>(0) : std::nullopt, nothing, view);
  if (view.is_volatile()) view.now = view.under_volatile;
  if (view.policy.starts_with("allkeys-")) view.now = view.under_allkeys;
}

}  // namespace

std::string_view name_of(eviction_risk risk) noexcept {
  constexpr std::array<std::string_view, 4> names{"unknown", "low", "medium", "high"};
  return names[static_cast<std::size_t>(risk)];
}

std::string_view name_of(eviction_advice advice) noexcept {
  constexpr std::array<std::string_view, 5> names{"ask_the_server", "keep_nothing", "change_nothing", "mend_old_keys",
                                                  "find_the_owners"};
  return names[static_cast<std::size_t>(advice)];
}

eviction_evidence evidence_of(const census& keys, double share) {
  eviction_evidence made{.source = eviction_source::keys, .patterns = {}, .keys = key_counts{}};
  for (const pattern_row* row : keys.rows()) {
    made.patterns.push_back({.pattern = row->pattern,
                             .with_ttl = scaled(row->with_ttl.keys(), share),
                             .without_ttl = scaled(row->without_ttl.keys(), share),
                             .with_ttl_bytes = row->with_ttl.total(share),
                             .without_ttl_bytes = row->without_ttl.total(share),
                             .used = row->used});
    made.keys->with_ttl += made.patterns.back().with_ttl;
    made.keys->all += made.patterns.back().with_ttl + made.patterns.back().without_ttl;
  }
  return made;
}

eviction_view judge_eviction(const eviction_evidence& evidence, const server_memory& server,
                             const std::vector<mending_rule>& rules) {
  // A row of discovered keys is a rule's where the rule's glob takes the row's own pattern as a key.
  const mending ruled(rules);
  sums all;
  eviction_view view{.source = evidence.source,
                     .target = server.target,
                     .policy = server.policy,
                     .memory_used = server.used,
                     .memory_max = server.max,
                     .evicted_keys = server.evicted_keys};
  for (const ttl_split& split : evidence.patterns) {
    all.with += split.with_ttl;
    all.without += split.without_ttl;
    all.with_bytes = all.with_bytes + split.with_ttl_bytes;
    all.without_bytes = all.without_bytes + split.without_ttl_bytes;
    if (split.without_ttl == 0) continue;
    const bool covered = ruled.covers(split.pattern);
    if (covered) {
      all.ruled_without += split.without_ttl;
      all.ruled_bytes = all.ruled_bytes + split.without_ttl_bytes;
    }
    view.exposed.push_back(row_of(split, covered));
  }
  take_shares(all, evidence.keys, view);
  view.uncovered = all.without - all.ruled_without;
  std::stable_sort(view.exposed.begin(), view.exposed.end(),
                   [](const exposed_pattern& a, const exposed_pattern& b) { return a.exposed > b.exposed; });
  if (view.exposed.size() > exposed_max) {
    view.exposed_left_out = view.exposed.size() - exposed_max;
    view.exposed.resize(exposed_max);
  }
  view.advice = advice_on(view);
  return view;
}

}  // namespace tidegate::keyspace
