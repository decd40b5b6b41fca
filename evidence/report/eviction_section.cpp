#include "evidence/report/eviction_section.hpp"

#include "evidence/document/safe_text.hpp"
#include "evidence/keyspace/wording.hpp"
#include "evidence/report/figures.hpp"
#include "evidence/report/sections.hpp"

namespace tidegate::report {
namespace {

using keyspace::evictable_share;
using keyspace::eviction_source;
using keyspace::eviction_view;

const std::string unknown = "–";

std::string count_of(std::uint64_t count) {
  return count_text(static_cast<double>(count));
}

std::uint64_t without_ttl(const eviction_view& view) {
  const std::uint64_t all = view.keys.value_or(0);
  return all - std::min(all, view.under_volatile.keys.value_or(all));
}

// What the policy does with the keys that it does not cover, or covers though they were meant to stay.
std::optional<document::line> consequence(const eviction_view& view, const wording& w) {
  if (view.policy == "noeviction") return filled(w.policy_noeviction);
  if (view.policy.starts_with("allkeys-")) return filled(w.policy_allkeys);
  if (!view.is_volatile() || without_ttl(view) == 0) return std::nullopt;
  const double share = static_cast<double>(without_ttl(view)) / static_cast<double>(*view.keys);
  return filled(w.policy_volatile, {figure(count_of(without_ttl(view))), words(percent_text(share))});
}

document::line origin_of(const eviction_view& view, const wording& w) {
  if (view.source == eviction_source::writes) return filled(w.policy_booked);
  const auto used = static_cast<double>(view.memory_used);
  return filled(w.policy_counted,
                {name(view.target), words(bytes_text(used)),
                 words(view.memory_max == 0 ? unknown : percent_text(used / static_cast<double>(view.memory_max))),
                 words(count_of(view.evicted_keys))});
}

document::table shares_table(const eviction_view& view, const wording& w) {
  document::table made;
  made.caption = told(w.policy_can);
  made.columns = {{told(w.policy_can), false},
                  {told(w.keys), true},
                  {told(w.policy_share), true},
                  {told(view.source == eviction_source::writes ? w.policy_written : w.policy_memory), true},
                  {told(w.policy_share), true}};
  const auto add = [&](document::line what, const evictable_share& share, bool is_marked) {
    const bool knows_bytes = view.bytes.measured != 0;
    made.rows.push_back({.cells = {std::move(what),
                                   {words(share.keys ? count_of(*share.keys) : unknown)},
                                   {words(share.keys_share ? percent_text(*share.keys_share) : unknown)},
                                   {words(knows_bytes ? keyspace::estimate_text(share.bytes) : unknown)},
                                   {words(knows_bytes ? percent_text(share.bytes_share) : unknown)}},
                         .is_marked = is_marked});
  };
  if (!view.policy.empty()) add(filled(w.policy_now, {name(view.policy)}), view.now, true);
  if (!view.is_volatile()) add(filled(w.policy_as_volatile), view.under_volatile, false);
  add(filled(w.policy_after_rules), view.after_rules, false);
  add(filled(w.policy_as_allkeys), view.under_allkeys, false);
  return made;
}

std::string_view word_of(keyspace::eviction_risk risk, const wording& w) {
  switch (risk) {
    case keyspace::eviction_risk::unknown:
      return w.risk_unknown;
    case keyspace::eviction_risk::low:
      return w.risk_low;
    case keyspace::eviction_risk::medium:
      return w.risk_medium;
    case keyspace::eviction_risk::high:
      return w.risk_high;
  }
  return w.risk_unknown;
}

// Writes say nothing of how much keys are used: those two columns are the counted keys' alone.
document::table exposed_table(const eviction_view& view, const wording& w) {
  const bool counted = view.source == eviction_source::keys;
  document::table made;
  made.caption = filled_text(w.policy_exposed, {});
  made.columns = {{told(w.pattern), false},
                  {told(counted ? w.policy_exposed_keys : w.policy_exposed_writes), true},
                  {told(counted ? w.policy_memory : w.policy_written), true}};
  if (counted) {
    made.columns.push_back({told(w.policy_unused), true});
    made.columns.push_back({told(w.policy_risk), false});
  }
  made.columns.push_back({told(w.policy_rule), false});
  for (const keyspace::exposed_pattern& one : view.exposed) {
    document::table_row row{.cells = {{name(one.pattern)},
                                      {words(count_of(one.exposed))},
                                      {words(keyspace::estimate_text(one.exposed_bytes))}}};
    if (counted) {
      const std::optional<double>& unused = one.share_hardly_used();
      row.cells.push_back({words(unused ? threshold_text(*unused) : unknown)});
      row.cells.push_back({words(told(word_of(one.risk, w)))});
    }
    row.cells.push_back({words(told(one.ruled ? w.yes : w.no))});
    made.rows.push_back(std::move(row));
  }
  return made;
}

}  // namespace

std::optional<document::line> eviction_now(const eviction_view& view, const wording& w) {
  if (view.policy.empty() || !view.keys || !view.now.keys) return std::nullopt;
  return filled(w.policy_is, {name(view.policy), figure(count_of(*view.now.keys)), words(count_of(*view.keys))});
}

document::line eviction_advice(const eviction_view& view, const wording& w) {
  using enum keyspace::eviction_advice;
  switch (view.advice) {
    case ask_the_server:
      return filled(w.advice_ask);
    case keep_nothing:
      return filled(w.advice_keep);
    case change_nothing:
      return filled(w.advice_change_nothing);
    case mend_old_keys:
      return filled(w.advice_mend);
    case find_the_owners:
      break;
  }
  if (view.source == eviction_source::keys) return filled(w.advice_owners, {figure(count_of(view.uncovered))});
  return filled(w.advice_owners_booked, {figure(view.keys ? count_of(without_ttl(view)) : unknown)});
}

document::section eviction_section(const eviction_view& view, const wording& w) {
  document::section made{.id = "policy", .heading = told(w.policy)};
  if (auto now = eviction_now(view, w)) made.blocks.emplace_back(document::paragraph{std::move(*now)});
  if (auto more = consequence(view, w)) made.blocks.emplace_back(document::paragraph{std::move(*more)});
  made.blocks.emplace_back(document::paragraph{origin_of(view, w)});
  made.blocks.emplace_back(shares_table(view, w));
  if (!view.exposed.empty()) {
    made.blocks.emplace_back(document::paragraph{filled(w.policy_exposed)});
    made.blocks.emplace_back(exposed_table(view, w));
  }
  if (view.exposed_left_out != 0) {
    made.blocks.emplace_back(document::paragraph{filled(w.policy_more, {words(count_of(view.exposed_left_out))})});
  }
  made.blocks.emplace_back(document::paragraph{eviction_advice(view, w)});
  return made;
}

document::section policy_section(const telling& of) {
  document::section made;
  if (!of.facts.eviction) return made;
  made = eviction_section(*of.facts.eviction, of.words);
  if (of.facts.eviction->source == eviction_source::keys) return made;
  made.blocks.emplace_back(document::paragraph{filled(of.words.policy_hook)});
  made.blocks.emplace_back(
      document::code{.language = "sh", .text = "tidegate report " + of.config_option() + " --keyspace upstream\n"});
  return made;
}

document::section brief_policy_section(const telling& of) {
  document::section made{.id = "policy", .heading = told(of.words.policy)};
  if (!of.facts.eviction) return made;
  if (auto now = eviction_now(*of.facts.eviction, of.words)) {
    made.blocks.emplace_back(document::paragraph{std::move(*now)});
  }
  made.blocks.emplace_back(document::paragraph{eviction_advice(*of.facts.eviction, of.words)});
  return made;
}

}  // namespace tidegate::report
