// What one reads first: the verdict, the figures, the questions, the story.
#include <algorithm>

#include "evidence/report/figures.hpp"
#include "evidence/report/sections.hpp"

namespace tidegate::report {
namespace {

using document::line;

constexpr double trend_points = 0.002;  // of maxmemory: less is stable
constexpr double untimed_notable = 0.10;
constexpr double writes_ordinary_least = 0.05;  // a second: less is nothing

int trend_of(const incident& facts) {
  if (!facts.now.share() || facts.timeline.empty()) return 0;
  const std::size_t back = std::max<std::size_t>(3, facts.timeline.size() / 20);
  const std::size_t at = facts.timeline.size() - std::min(back, facts.timeline.size());
  const auto then = facts.timeline[at].memory_share;
  if (!then) return 0;
  const double change = *facts.now.share() - *then;
  return change > trend_points ? 1 : change < -trend_points ? -1 : 0;
}

line emergency(const telling& of) {
  const wording& w = of.words;
  const auto share = of.facts.now.share();
  if (of.facts.evicted.value_or(0) > 0) {
    return filled(w.a_evicted,
                  {figure(count_text(static_cast<double>(*of.facts.evicted))), figure(of.share_text(of.facts.now))});
  }
  if (!share) return filled(w.a_unknown);
  const int trend = trend_of(of.facts);
  const auto now = figure(percent_text(*share));
  if (*share >= critical_share) return filled(trend > 0 ? w.a_critical_rising : w.a_critical_falling, {now});
  if (*share >= alert_share) return filled(trend > 0 ? w.a_high_rising : w.a_high, {now});
  return filled(w.a_fine, {now});
}

line action(const telling& of) {
  const wording& w = of.words;
  if (of.facts.burst->goes_on) {
    return filled(w.a_cap, {name(of.culprit().name), figure(byte_rate_text(of.culprit().during.bytes))});
  }
  const auto share = of.facts.now.share().value_or(0);
  if (share >= critical_share && trend_of(of.facts) >= 0) return filled(w.a_free, {figure(percent_text(share))});
  return filled(w.a_no_action, {words(clock_text(of.facts.burst->end))});
}

line cause(const telling& of) {
  const writer& who = of.culprit();
  line made = filled(of.words.a_cause, {name(who.name), figure(percent_text(who.bytes_share)),
                                        who.by_command.empty() ? words("–") : name(who.by_command.front().name),
                                        who.by_pattern.empty() ? words("–") : name(who.by_pattern.front().name),
                                        who.sources.empty() ? words("–") : name(who.sources.front().address)});
  for (std::size_t each = 1; each < of.facts.culprits; ++each) {
    made.push_back(words(each == 1 ? " + " : ", "));
    made.push_back(name(of.facts.writers[each].name));
    made.push_back(words(" (" + percent_text(of.facts.writers[each].bytes_share) + ")"));
  }
  return made;
}

line again(const telling& of) {
  const wording& w = of.words;
  if (of.culprit().delayed + of.culprit().rejected > 0) {
    return filled(w.a_again_limited,
                  {figure(count_text(static_cast<double>(of.culprit().delayed + of.culprit().rejected)))});
  }
  if (!of.facts.other_bursts.empty()) {
    return filled(w.a_again_seen, {figure(std::to_string(of.facts.other_bursts.size()))});
  }
  return filled(w.a_again_unlimited);
}

line resolves(const telling& of) {
  const wording& w = of.words;
  const std::string alert = threshold_text(alert_share);
  const auto share = of.facts.now.share();
  if (!share) return filled(w.a_unknown);
  if (*share < alert_share) return filled(w.a_resolved, {words(alert)});
  if (of.facts.drain && of.facts.drain->under_alert_at) {
    const unix_ms at = *of.facts.drain->under_alert_at;
    return filled(w.a_resolves_at, {figure(clock_text(at) + " UTC"), words(duration_text(at - of.facts.now.at, w))});
  }
  return filled(w.a_resolves_never, {figure(of.facts.drain ? percent_text(of.facts.drain->share_then) : "–")});
}

std::string severity(const telling& of) {
  switch (of.facts.state) {
    case situation::critical:
      return filled_text(of.words.severity_high, {threshold_text(critical_share)});
    case situation::warning:
      return of.facts.peak.share().value_or(0) >= critical_share
                 ? filled_text(of.words.severity_high, {threshold_text(critical_share)})
                 : filled_text(of.words.severity_medium, {threshold_text(alert_share)});
    case situation::held:
      return told(of.words.severity_low);
    case situation::empty:
    case situation::quiet:
      break;
  }
  return told(of.words.severity_none);
}

std::string multiple_of(double high, double low, double least) {
  return low >= least ? multiple_text(high / low) : "–";
}

class figures_table {
 public:
  explicit figures_table(const telling& of) : of_(of) {
    made_.columns = {{told(of.words.metric), false}, {told(of.words.value), false}};
  }

  document::table of_frame() {
    add(of_.words.upstream, {name(of_.facts.upstream)});
    add(of_.words.observed_by, {words("tidegate "), name(of_.facts.instance)});
    add(of_.words.severity, {figure(severity(of_))});
    if (of_.has_burst()) add_burst();
    add_memory();
    if (of_.has_burst()) add_rates();
    if (of_.facts.evicted) add(of_.words.evictions, {words(count_text(static_cast<double>(*of_.facts.evicted)))});
    add_coverage();
    return std::move(made_);
  }

 private:
  void add(std::string_view title, line value) {
    made_.rows.push_back({.cells = {{words(told(title))}, std::move(value)}});
  }

  void add_burst() {
    const wording& w = of_.words;
    const burst_facts& burst = *of_.facts.burst;
    const auto lasted = words(duration_text(burst.end - burst.begin, w));
    add(w.burst_time,
        burst.goes_on ? filled(w.burst_goes_on, {words(date_text(burst.begin)), lasted})
                      : filled(w.burst_range, {words(date_text(burst.begin)), words(clock_text(burst.end)), lasted}));
    for (std::size_t each = 0; each < of_.facts.culprits; ++each) {
      const writer& who = of_.facts.writers[each];
      add(each == 0 ? w.who : "", filled(w.who_share, {name(who.name), figure(percent_text(who.bytes_share)),
                                                       words(percent_text(who.commands_share))}));
    }
  }

  void add_memory() {
    const wording& w = of_.words;
    const incident& facts = of_.facts;
    if (!facts.now.used) return;
    if (of_.has_burst()) add(w.memory_before, {words(of_.memory_text(facts.before))});
    add(w.memory_peak, {figure(of_.memory_text(facts.peak))});
    if (of_.has_burst() && facts.before.used && facts.peak.share() && facts.before.share()) {
      const double rise = static_cast<double>(*facts.peak.used) - static_cast<double>(*facts.before.used);
      const std::string points = percent_text(*facts.peak.share() - *facts.before.share());
      add(w.memory_rise, filled(w.memory_rise_value,
                                {words(bytes_text(std::max(0.0, rise))), words(points.substr(0, points.size() - 1))}));
    }
    add(w.memory_end, {words(of_.memory_text(facts.now))});
    if (!of_.has_burst()) return;
    const burst_facts& burst = *facts.burst;
    const std::string title = filled_text(w.alert_time, {threshold_text(alert_share)});
    if (!burst.alert_from) {
      add(title, filled(w.alert_never));
    } else if (burst.alert_to) {
      add(title, filled(w.alert_range, {words(clock_text(*burst.alert_from)), words(clock_text(*burst.alert_to)),
                                        words(duration_text(*burst.alert_to - *burst.alert_from, w))}));
    } else {
      add(title, filled(w.alert_since, {words(clock_text(*burst.alert_from))}));
    }
  }

  void add_rates() {
    const wording& w = of_.words;
    const burst_facts& burst = *of_.facts.burst;
    add(w.writes_in_burst, filled(w.writes_value, {words(count_text(static_cast<double>(burst.commands))),
                                                   words(count_text(static_cast<double>(burst.elements))),
                                                   words(bytes_text(static_cast<double>(burst.bytes)))}));
    add(w.rate_peak,
        filled(w.rates_value, {words(rate_text(burst.before.commands)), figure(rate_text(burst.peak.commands)),
                               words(multiple_of(burst.peak.commands, burst.before.commands, 0.1))}));
    add(w.byte_rate_peak,
        filled(w.rates_value, {words(byte_rate_text(burst.before.bytes)), figure(byte_rate_text(burst.peak.bytes)),
                               words(multiple_of(burst.peak.bytes, burst.before.bytes, 1))}));
    if (burst.clients_before && burst.clients_most) {
      add(w.connections,
          filled(w.connections_value,
                 {words(std::to_string(*burst.clients_before)), figure(std::to_string(*burst.clients_most)),
                  words(clock_text(*burst.clients_most_at)), words(std::to_string(burst.opened))}));
    }
    if (burst.keys_added) {
      const std::string untimed = burst.keys_added_without_ttl
                                      ? count_text(static_cast<double>(*burst.keys_added_without_ttl))
                                      : std::string("–");
      add(w.keys_added,
          filled(w.keys_added_value, {words(count_text(static_cast<double>(*burst.keys_added))), words(untimed)}));
    }
  }

  void add_coverage() {
    const auto& seen = of_.facts.coverage;
    if (!seen) return add(of_.words.coverage, filled(of_.words.coverage_unknown));
    add(of_.words.coverage,
        filled(of_.words.coverage_value,
               {figure(percent_text(seen->share())), words(count_text(static_cast<double>(seen->booked + seen->own))),
                words(count_text(static_cast<double>(seen->upstream)))}));
  }

  const telling& of_;
  document::table made_;
};

document::table state_table(const telling& of) {
  const wording& w = of.words;
  const incident& facts = of.facts;
  document::table made;
  made.caption = told(w.status);
  made.columns = {{told(w.component), false}, {told(w.state), false}};
  const auto add = [&](std::string_view what, std::string state) {
    made.rows.push_back({.cells = {{words(told(what))}, {words(std::move(state))}}});
  };
  const int trend = trend_of(facts);
  const std::string_view way = trend > 0 ? w.trend_rising : trend < 0 ? w.trend_falling : w.trend_stable;
  if (facts.now.used) add(w.memory, of.share_text(facts.now) + ", " + told(way));
  if (facts.now.keys && facts.peak.keys) {
    add(w.keys, count_text(static_cast<double>(*facts.now.keys)) + " (" +
                    filled_text(w.at_peak, {clock_text(facts.peak.at)}) + ": " +
                    count_text(static_cast<double>(*facts.peak.keys)) + ")");
  }
  if (facts.timeline.empty()) return made;
  const timeline_row& last = facts.timeline.back();
  const auto ordinarily = [&](const std::string& figure_now, const std::string& before) {
    return filled_text(w.state_ordinarily, {figure_now, before});
  };
  if (last.clients && facts.burst->clients_before) {
    add(w.chart_connections, ordinarily(std::to_string(*last.clients), std::to_string(*facts.burst->clients_before)));
  }
  add(w.writes, ordinarily(rate_text(last.writes), rate_text(facts.burst->before.commands)));
  add(w.bytes, ordinarily(byte_rate_text(last.bytes), byte_rate_text(facts.burst->before.bytes)));
  return made;
}

}  // namespace

document::callout verdict(const telling& of) {
  const wording& w = of.words;
  const incident& facts = of.facts;
  if (facts.state == situation::empty) {
    return {.tone = document::tone::neutral, .title = filled(w.verdict_empty), .text = filled(w.verdict_empty_why)};
  }
  const line quiet = filled(w.verdict_quiet_why, {words(of.share_text(facts.peak)), words(of.share_text(facts.now))});
  line why = quiet;
  if (of.has_burst()) {
    const writer& who = of.culprit();
    why = filled(w.verdict_why,
                 {name(who.name), figure(bytes_text(static_cast<double>(who.bytes))),
                  words(duration_text(facts.burst->end - facts.burst->begin, w)), figure(percent_text(who.bytes_share)),
                  words(of.share_text(facts.before)), figure(of.share_text(facts.peak))});
  }
  switch (facts.state) {
    case situation::critical:
      return {.tone = document::tone::bad, .title = filled(w.verdict_critical), .text = why};
    case situation::warning:
      return {.tone = document::tone::warning, .title = filled(w.verdict_warning), .text = why};
    case situation::held:
      return {.tone = document::tone::good, .title = filled(w.verdict_held), .text = why};
    case situation::empty:
    case situation::quiet:
      break;
  }
  return {.tone = document::tone::good, .title = filled(w.verdict_quiet), .text = quiet};
}

std::vector<line> gap_lines(const telling& of) {
  const wording& w = of.words;
  std::vector<line> made;
  for (const gap& each : of.facts.gaps) {
    const bool is_last = &each == &of.facts.gaps.back() && each.to + 1000 >= std::min(of.facts.made_at, of.facts.until);
    const auto from = words(date_text(each.from));
    if (each.killed && is_last) {
      made.push_back(filled(w.gap_running, {from, words(date_text(of.facts.made_at))}));
    } else {
      made.push_back(filled(each.killed ? w.gap_killed : w.gap_stopped, {from, words(date_text(each.to))}));
    }
  }
  if (of.facts.rows_cut) made.push_back(filled(w.rows_cut));
  return made;
}

document::section summary(const telling& of) {
  document::section made{.id = "summary", .heading = told(of.words.summary)};
  made.blocks.emplace_back(verdict(of));
  if (of.facts.state == situation::empty) return made;
  made.blocks.emplace_back(figures_table(of).of_frame());
  for (line& each : gap_lines(of)) {
    made.blocks.emplace_back(document::callout{.tone = document::tone::warning, .title = std::move(each), .text = {}});
  }
  return made;
}

document::section questions(const telling& of) {
  const wording& w = of.words;
  document::table table;
  table.columns = {{told(w.question), false}, {told(w.answer), false}};
  const auto add = [&](std::string_view question, line answer) {
    table.rows.push_back({.cells = {{figure(told(question))}, std::move(answer)}});
  };
  add(w.q_emergency, emergency(of));
  add(w.q_action, action(of));
  add(w.q_cause, cause(of));
  add(w.q_again, again(of));
  add(w.q_resolve, resolves(of));
  document::section made{.id = "questions", .heading = told(w.questions)};
  made.blocks.emplace_back(std::move(table));
  made.blocks.emplace_back(state_table(of));
  return made;
}

document::section what_happened(const telling& of) {
  const wording& w = of.words;
  const incident& facts = of.facts;
  const burst_facts& burst = *facts.burst;
  document::listing story{.how = document::listing::kind::numbers, .items = {}};
  story.items.push_back(
      filled(w.w_before, {words(clock_text(burst.begin)), words(rate_text(burst.before.commands)),
                          words(byte_rate_text(burst.before.bytes)), words(of.share_text(facts.before)),
                          words(burst.clients_before ? std::to_string(*burst.clients_before) : "–")}));
  for (std::size_t each = 0; each < facts.culprits; ++each) {
    const writer& who = facts.writers[each];
    if (who.opened > 0 && !who.sources.empty()) {
      const std::string more =
          who.sources.size() > 1 ? filled_text(w.and_more, {std::to_string(who.sources.size() - 1)}) : "";
      story.items.push_back(
          filled(w.w_opened, {words(clock_text(burst.begin)), name(who.name), figure(std::to_string(who.opened)),
                              name(who.sources.front().address), words(more)}));
    }
    const bool is_new = who.before.commands < writes_ordinary_least;
    story.items.push_back(filled(is_new ? w.w_wrote_new : w.w_wrote,
                                 {name(who.name), figure(count_text(static_cast<double>(who.commands))),
                                  figure(bytes_text(static_cast<double>(who.bytes))), words(clock_text(burst.end)),
                                  words(rate_text(who.during.commands)),
                                  words(is_new ? "" : multiple_text(who.during.commands / who.before.commands))}));
    if (who.delayed + who.rejected > 0) {
      std::string rules;
      for (const limit_work& rule : facts.limits) {
        if (rule.client == who.name) rules += (rules.empty() ? "" : ", ") + name(rule.rule).text;
      }
      story.items.push_back(
          filled(w.w_held, {figure(count_text(static_cast<double>(who.delayed))),
                            figure(count_text(static_cast<double>(who.rejected))), document::code_span(rules)}));
    }
  }
  if (facts.peak.used) {
    story.items.push_back(filled(w.w_memory, {words(of.share_text(facts.before)), figure(of.share_text(facts.peak)),
                                              words(clock_text(facts.peak.at))}));
  }
  if (burst.alert_from && burst.alert_to) {
    story.items.push_back(filled(
        w.w_alert, {words(threshold_text(alert_share)), words(clock_text(*burst.alert_from)),
                    words(clock_text(*burst.alert_to)), words(duration_text(*burst.alert_to - *burst.alert_from, w))}));
  } else if (burst.alert_from) {
    story.items.push_back(
        filled(w.w_alert_still, {words(threshold_text(alert_share)), words(clock_text(*burst.alert_from))}));
  }
  if (facts.now.used && facts.now.keys) {
    story.items.push_back(filled(w.w_end, {words(clock_text(facts.now.at)), words(of.share_text(facts.now)),
                                           words(count_text(static_cast<double>(*facts.now.keys)))}));
  }
  document::section made{.id = "what-happened", .heading = told(w.what_happened)};
  made.blocks.emplace_back(std::move(story));
  return made;
}

document::section not_the_cause(const telling& of) {
  const wording& w = of.words;
  const incident& facts = of.facts;
  document::listing list;
  if (facts.evicted) {
    list.items.push_back(*facts.evicted == 0
                             ? filled(w.n_evict_ok)
                             : filled(w.n_evict_bad, {figure(count_text(static_cast<double>(*facts.evicted)))}));
  }
  if (facts.burst->bytes > 0) {
    const double untimed = facts.ttl.share_without();
    list.items.push_back(filled(untimed < untimed_notable ? w.n_ttl_ok : w.n_ttl_bad, {figure(percent_text(untimed))}));
  }
  if (facts.coverage) {
    list.items.push_back(filled(of.has_coverage_gap() ? w.n_bypass_bad : w.n_bypass_ok,
                                {figure(percent_text(facts.coverage->share()))}));
  }
  rates before = facts.burst->before;
  rates during = facts.burst->mean;
  for (std::size_t each = 0; each < facts.culprits; ++each) {
    before.commands -= facts.writers[each].before.commands;
    during.commands -= facts.writers[each].during.commands;
    before.bytes -= facts.writers[each].before.bytes;
    during.bytes -= facts.writers[each].during.bytes;
  }
  const auto both = [](const rates& of_them) {
    return rate_text(std::max(0.0, of_them.commands)) + ", " + byte_rate_text(std::max(0.0, of_them.bytes));
  };
  list.items.push_back(filled(w.n_others, {words(both(during)), words(both(before))}));
  document::section made{.id = "not-the-cause", .heading = told(w.not_cause)};
  made.blocks.emplace_back(std::move(list));
  return made;
}

}  // namespace tidegate::report
