// What becomes of it and what would have held it: draining, the limit, node sizes.
#include <algorithm>
#include <cmath>

#include "evidence/document/safe_text.hpp"
#include "evidence/report/figures.hpp"
#include "evidence/report/sections.hpp"

namespace tidegate::report {
namespace {

std::string count_of(std::uint64_t count) {
  return count_text(static_cast<double>(count));
}

// As it goes into the configuration.
std::string limit_yaml(const telling& of, const holding_limit& held) {
  const double rate = held.pressed_rate > 0 ? held.pressed_rate : held.rate;
  const double wait = held.pressed_rate > 0 ? held.pressed_wait_s : held.longest_wait_s;
  // What would wait longer is rejected: a fifth more than the longest wait, within what the configuration allows.
  const auto minutes = static_cast<int>(std::clamp(std::ceil(wait * 1.2 / 60), 1.0, 60.0));
  std::string made = "limits:\n";
  for (std::size_t each = 0; each < of.facts.culprits; ++each) {
    const writer& who = of.facts.writers[each];
    made += "  - name: " + document::yaml_word("bytes-of-" + who.name) + "\n";
    made += "    match: { client: " + document::yaml_word(who.name) + " }\n";
    made += "    cost: byte\n    rate: " + rate_setting(rate) + "\n    max_delay: " + std::to_string(minutes) + "m\n";
    if (held.pressed_rate > 0) made += "    memory: { from: 60%, to: 70%, floor: 10% }\n";
    if (!who.owner.empty()) made += "    owner: " + document::yaml_word(who.owner) + "\n";
  }
  return made;
}

document::table limits_table(const telling& of) {
  const wording& w = of.words;
  document::table made;
  made.caption = told(w.limits_work);
  made.columns = {{told(w.rule), false},
                  {told(w.client), false},
                  {told(w.delayed), true},
                  {told(w.rejected), true},
                  {told(w.would), true}};
  for (const limit_work& each : of.facts.limits) {
    if (made.rows.size() == 12) break;
    made.rows.push_back({.cells = {{name(each.rule)},
                                   {name(each.client)},
                                   {words(count_of(each.delayed))},
                                   {words(count_of(each.rejected))},
                                   {words(count_of(each.observed))}}});
  }
  return made;
}

void add_budget(const telling& of, const holding_limit& held, document::section& into) {
  const wording& w = of.words;
  into.blocks.emplace_back(document::paragraph{filled(
      w.holding_text,
      {figure(byte_rate_text(held.rate)), figure(percent_text(held.peak_share)), words(of.share_text(of.facts.peak)),
       words(duration_text(static_cast<std::int64_t>(held.longest_wait_s * 1000), w))})});
  if (held.pressed_rate > 0) {
    into.blocks.emplace_back(document::paragraph{
        filled(w.holding_pressed, {figure(byte_rate_text(held.pressed_rate)),
                                   words(duration_text(static_cast<std::int64_t>(held.pressed_wait_s * 1000), w))})});
  }
  into.blocks.emplace_back(document::code{.language = "yaml", .text = limit_yaml(of, held)});
  std::string stored = std::to_string(held.stored_for_written);
  stored.resize(std::min(stored.size(), stored.find('.') + 3));
  into.blocks.emplace_back(document::paragraph{filled(w.holding_model, {words(stored)})});
}

document::table nodes_table(const telling& of) {
  const wording& w = of.words;
  const node_prices& prices = of.facts.prices;
  document::table made;
  std::string hours = std::to_string(static_cast<int>(prices.hours_a_month));
  made.caption = filled_text(w.nodes_caption, {document::safe_text(prices.region), std::to_string(prices.nodes), hours,
                                               document::safe_text(prices.as_of)});
  made.columns = {
      {told(w.node_type), false}, {told(w.node_memory), true}, {told(w.node_max), true},  {"vCPU", true},
      {told(w.node_price), true}, {told(w.node_month), true},  {told(w.node_more), true}, {told(w.node_before), true},
      {told(w.node_peak), true}};
  const bool knows_current = std::ranges::any_of(of.facts.nodes, &node_choice::is_current);
  for (const node_choice& each : of.facts.nodes) {
    document::line type =
        each.is_current ? filled(w.node_current, {name(each.size.type)}) : document::line{name(each.size.type)};
    made.rows.push_back(
        {.cells = {std::move(type),
                   {words(each.size.memory > 0 ? bytes_text(static_cast<double>(each.size.memory)) : "–")},
                   {words(bytes_text(static_cast<double>(each.size.maxmemory)))},
                   {words(each.size.vcpu > 0 ? std::to_string(each.size.vcpu) : "–")},
                   {words(prices.currency == "USD" ? "$" + std::to_string(each.size.price).substr(0, 5)
                                                   : std::to_string(each.size.price).substr(0, 5))},
                   {words(money_text(each.month, prices.currency))},
                   {words(each.is_current || !knows_current
                              ? "–"
                              : (each.more_a_month > 0 ? "+" : "") + money_text(each.more_a_month, prices.currency))},
                   {words(each.before_share ? percent_text(*each.before_share) : "–")},
                   {words(each.peak_share ? percent_text(*each.peak_share) : "–")}},
         .is_marked = each.is_current});
  }
  return made;
}

document::line node_advice(const telling& of) {
  const wording& w = of.words;
  const auto& nodes = of.facts.nodes;
  const auto current = std::ranges::find(nodes, true, &node_choice::is_current);
  if (current == nodes.end()) {
    return filled(w.node_unknown, {words(of.facts.now.max ? bytes_text(static_cast<double>(*of.facts.now.max)) : "–")});
  }
  if (current->peak_share.value_or(1) < alert_share) return filled(w.node_advice_current);
  const auto holds =
      std::ranges::find_if(nodes, [](const node_choice& each) { return each.peak_share.value_or(1) < alert_share; });
  const std::string alert = threshold_text(alert_share);
  if (holds == nodes.end()) return filled(w.node_advice_none, {words(alert)});
  return filled(w.node_advice_holds, {name(holds->size.type), words(alert), figure(percent_text(*holds->peak_share)),
                                      words(money_text(holds->more_a_month, of.facts.prices.currency))});
}

}  // namespace

document::section drain_section(const telling& of) {
  const wording& w = of.words;
  document::section made{.id = "drain", .heading = told(w.drain)};
  if (!of.facts.drain) return made;
  const drain& facts = *of.facts.drain;
  made.blocks.emplace_back(
      document::paragraph{filled(w.drain_text, {figure(bytes_text(static_cast<double>(facts.live_bytes)))})});
  document::table table;
  table.columns = {{told(w.drain_what), false}, {told(w.time), false}};
  const auto add = [&](std::string_view what, std::string when) {
    table.rows.push_back({.cells = {{words(told(what))}, {words(std::move(when))}}});
  };
  const auto time = [&](const std::optional<unix_ms>& at) {
    if (!at) return told(w.drain_never);
    return date_text(*at) + " (+" + duration_text(std::max<std::int64_t>(0, *at - of.facts.now.at), w) + ")";
  };
  const std::string under = filled_text(w.drain_under, {threshold_text(alert_share)});
  const bool is_under = of.facts.now.share().value_or(1) < alert_share;
  add(under, is_under ? told(w.drain_is) : time(facts.under_alert_at));
  if (facts.half_gone_at) add(w.drain_half, time(facts.half_gone_at));
  if (facts.gone_at) add(w.drain_all, time(facts.gone_at));
  add(w.drain_then, percent_text(facts.share_then));
  made.blocks.emplace_back(std::move(table));
  return made;
}

document::section holding_section(const telling& of) {
  const wording& w = of.words;
  document::section made{.id = "limit", .heading = told(w.holding)};
  const std::string alert = threshold_text(alert_share);
  std::uint64_t delayed = 0, rejected = 0;
  for (const limit_work& each : of.facts.limits) {
    delayed += each.delayed;
    rejected += each.rejected;
  }
  const bool stayed_under = of.facts.peak.share().value_or(0) < alert_share;
  if (of.has_burst() && of.facts.peak.share()) {
    if (stayed_under && delayed + rejected > 0) {
      made.blocks.emplace_back(
          document::paragraph{filled(w.holding_held, {figure(count_of(delayed)), words(count_of(rejected)),
                                                      figure(of.share_text(of.facts.peak))})});
    } else if (stayed_under) {
      made.blocks.emplace_back(document::paragraph{filled(w.holding_needless, {words(alert)})});
    } else if (of.facts.holding_limit && of.facts.holding_limit->possible) {
      add_budget(of, *of.facts.holding_limit, made);
    } else {
      made.blocks.emplace_back(
          document::paragraph{filled(w.holding_impossible, {words(alert), words(of.share_text(of.facts.before))})});
    }
  }
  if (!of.facts.limits.empty()) made.blocks.emplace_back(limits_table(of));
  return made;
}

document::section node_section(const telling& of) {
  document::section made{.id = "nodes", .heading = told(of.words.nodes)};
  if (of.facts.nodes.empty() || !of.facts.now.used) return made;
  made.blocks.emplace_back(nodes_table(of));
  made.blocks.emplace_back(document::paragraph{node_advice(of)});
  return made;
}

}  // namespace tidegate::report
