// What shows it: the timeline, the writers, the keys and their TTLs, the coverage.
#include <algorithm>

#include "attribution/ttl_class.hpp"
#include "evidence/document/safe_text.hpp"
#include "evidence/report/figures.hpp"
#include "evidence/report/sections.hpp"

namespace tidegate::report {
namespace {

constexpr std::int64_t leaks_seen_min_ms = 600'000;  // of less no figure a day is made

using document::line;

constexpr std::size_t timeline_rows = 16;
constexpr std::size_t parts_shown = 8;
constexpr std::size_t chart_points = 360;

std::string maybe_count(const std::optional<std::uint64_t>& count) {
  return count ? count_text(static_cast<double>(*count)) : "–";
}

std::string count_of(std::uint64_t count) {
  return count_text(static_cast<double>(count));
}

// --- charts ------------------------------------------------------------------------------------------------------

// Every n-th step, so that a long window does not make a large file; of each stretch its highest value.
class chart_maker {
 public:
  explicit chart_maker(const telling& of)
      : of_(of), stride_((of.facts.timeline.size() + chart_points - 1) / std::max<std::size_t>(1, chart_points)) {
    stride_ = std::max<std::size_t>(1, stride_);
  }

  document::chart framed(std::string_view title, std::string unit, document::chart::kind how) const {
    document::chart made;
    made.how = how;
    made.title = told(title);
    made.unit = std::move(unit);
    for (std::size_t at = 0; at < of_.facts.timeline.size(); at += stride_) {
      made.times_ms.push_back(of_.facts.timeline[at].at);
    }
    if (of_.facts.burst) {
      made.from_ms = of_.facts.burst->begin;
      made.to_ms = of_.facts.burst->end;
      made.shaded = told(of_.words.burst_label);
    }
    return made;
  }

  template <typename Value>
  document::series line_of(std::string title, Value value) const {
    document::series made{.name = std::move(title), .values = {}};
    const auto& rows = of_.facts.timeline;
    for (std::size_t at = 0; at < rows.size(); at += stride_) {
      std::optional<double> most;
      for (std::size_t each = at; each < std::min(rows.size(), at + stride_); ++each) {
        const std::optional<double> one = value(rows[each]);
        if (one && (!most || *one > *most)) most = one;
      }
      made.values.push_back(most);
    }
    return made;
  }

  document::chart memory() const {
    document::chart made = framed(of_.words.chart_memory, "%", document::chart::kind::lines);
    made.series.push_back(line_of(told(of_.words.memory_share), [](const timeline_row& row) {
      return row.memory_share ? std::optional(*row.memory_share * 100) : std::nullopt;
    }));
    for (const double share : {warn_share, alert_share, critical_share}) {
      made.thresholds.push_back({.name = std::to_string(static_cast<int>(share * 100)) + "%", .value = share * 100});
    }
    add_limited(made);
    return made;
  }

  document::chart by_client(std::string_view title, std::string unit,
                            std::vector<double> timeline_row::* values) const {
    document::chart made = framed(title, std::move(unit), document::chart::kind::stacked);
    for (std::size_t each = 0; each <= of_.facts.culprits; ++each) {
      const std::string who =
          each < of_.facts.culprits ? name(of_.facts.writers[each].name).text : told(of_.words.everybody_else);
      made.series.push_back(line_of(who, [&](const timeline_row& row) { return std::optional((row.*values)[each]); }));
    }
    // The many at the bottom, who made it on top.
    std::ranges::rotate(made.series, made.series.end() - 1);
    return made;
  }

  document::chart connections() const {
    document::chart made = framed(of_.words.chart_connections, "", document::chart::kind::lines);
    made.series.push_back(line_of(told(of_.words.chart_open), [](const timeline_row& row) {
      return row.clients ? std::optional(static_cast<double>(*row.clients)) : std::nullopt;
    }));
    made.series.push_back(line_of(told(of_.words.chart_opened), [](const timeline_row& row) {
      return std::optional(static_cast<double>(row.opened));
    }));
    return made;
  }

  document::chart keys() const {
    document::chart made = framed(of_.words.chart_keys, "", document::chart::kind::stacked);
    made.series.push_back(line_of(told(of_.words.keys_without_ttl), [](const timeline_row& row) {
      return row.keys && row.keys_with_ttl
                 ? std::optional(static_cast<double>(*row.keys) - static_cast<double>(*row.keys_with_ttl))
                 : std::nullopt;
    }));
    made.series.push_back(line_of(told(of_.words.keys_with_ttl), [](const timeline_row& row) {
      return row.keys_with_ttl ? std::optional(static_cast<double>(*row.keys_with_ttl)) : std::nullopt;
    }));
    return made;
  }

 private:
  // The simulation has its own, coarser steps over the same time from the burst's beginning on.
  void add_limited(document::chart& into) const {
    const auto& held = of_.facts.holding_limit;
    if (!held || !held->possible || held->memory_share.empty() || !of_.facts.burst) return;
    if (of_.facts.peak.share().value_or(0) < alert_share) return;
    document::series made{.name = told(of_.words.with_limit), .values = {}};
    const auto begin = of_.facts.burst->begin;
    const auto span = std::max<std::int64_t>(1, std::min(of_.facts.until, of_.facts.last) - begin);
    const auto steps = static_cast<std::int64_t>(held->memory_share.size());
    for (const std::int64_t at : into.times_ms) {
      if (at < begin) {
        made.values.emplace_back();
        continue;
      }
      const auto step = std::min(steps - 1, (at - begin) * steps / span);
      made.values.emplace_back(held->memory_share[static_cast<std::size_t>(step)] * 100);
    }
    into.series.push_back(std::move(made));
  }

  const telling& of_;
  std::size_t stride_;
};

bool any_memory(const incident& facts) {
  return std::ranges::any_of(facts.timeline, [](const timeline_row& row) { return row.memory_share.has_value(); });
}

// --- the timeline's table ----------------------------------------------------------------------------------------

std::vector<std::size_t> rows_to_show(const incident& facts) {
  std::vector<std::size_t> chosen;
  const auto& rows = facts.timeline;
  const std::size_t stride = std::max<std::size_t>(1, rows.size() / timeline_rows);
  for (std::size_t at = 0; at < rows.size(); at += stride) {
    // Of each stretch a row that the upstream's figures are there for, if any is.
    const auto last = std::min(at + stride, rows.size());
    std::size_t best = at;
    while (best < last && !rows[best].used) ++best;
    chosen.push_back(best < last ? best : at);
  }
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const bool begins = rows[at].in_burst && (at == 0 || !rows[at - 1].in_burst);
    const bool ends = !rows[at].in_burst && at > 0 && rows[at - 1].in_burst;
    const bool peaks =
        facts.peak.used && facts.peak.at - 1 >= rows[at].at && facts.peak.at - 1 < rows[at].at + facts.step_ms;
    if (begins || ends || peaks || at + 1 == rows.size()) chosen.push_back(at);
  }
  std::ranges::sort(chosen);
  const auto [first, last] = std::ranges::unique(chosen);
  chosen.erase(first, last);
  return chosen;
}

std::string mark_of(const telling& of, std::size_t at) {
  const auto& rows = of.facts.timeline;
  std::string made;
  const auto add = [&](std::string_view text) { made += (made.empty() ? "" : ", ") + told(text); };
  if (rows[at].in_burst && (at == 0 || !rows[at - 1].in_burst)) add(of.words.mark_begin);
  if (!rows[at].in_burst && at > 0 && rows[at - 1].in_burst) add(of.words.mark_end);
  const unix_ms peak = of.facts.peak.at - 1;
  if (of.facts.peak.used && peak >= rows[at].at && peak < rows[at].at + of.facts.step_ms) add(of.words.mark_peak);
  return made;
}

document::table timeline_table(const telling& of) {
  const wording& w = of.words;
  document::table made;
  made.caption = filled_text(w.table_timeline, {duration_text(of.facts.step_ms, w)});
  for (const auto title : {w.memory, w.used, w.keys, w.operations, w.writes, w.bytes, w.connections_short, w.opened}) {
    made.columns.push_back({told(title), true});
  }
  made.columns[6].title = told(w.chart_connections);
  made.columns.insert(made.columns.begin(), {told(w.time), false});
  made.columns.push_back({"", false});
  for (const std::size_t at : rows_to_show(of.facts)) {
    const timeline_row& row = of.facts.timeline[at];
    const std::string mark = mark_of(of, at);
    document::table_row cells{.cells = {}, .is_marked = !mark.empty()};
    for (const std::string& text : {clock_text(row.at), row.memory_share ? percent_text(*row.memory_share) : "–",
                                    row.used ? bytes_text(static_cast<double>(*row.used)) : "–", maybe_count(row.keys),
                                    row.operations ? count_text(*row.operations) : "–", count_text(row.writes),
                                    bytes_text(row.bytes), maybe_count(row.clients), count_of(row.opened), mark}) {
      cells.cells.push_back({words(text)});
    }
    made.rows.push_back(std::move(cells));
  }
  return made;
}

document::table bursts_table(const telling& of) {
  const wording& w = of.words;
  document::table made;
  made.caption = told(w.other_bursts);
  made.columns = {
      {told(w.begin), false}, {told(w.end), false}, {told(w.commands_count), true}, {told(w.written), true}};
  for (const burst_facts& each : of.facts.other_bursts) {
    made.rows.push_back({.cells = {{words(date_text(each.begin))},
                                   {words(date_text(each.end))},
                                   {words(count_of(each.commands))},
                                   {words(bytes_text(static_cast<double>(each.bytes)))}}});
  }
  return made;
}

document::table changes_table(const telling& of) {
  const wording& w = of.words;
  document::table made;
  made.caption = told(w.changes);
  made.columns = {
      {told(w.time), false}, {told(w.change_who), false}, {told(w.change_what), false}, {told(w.change_detail), false}};
  for (const change& each : of.facts.changes) {
    made.rows.push_back({.cells = {{words(clock_text(each.at))},
                                   {name(each.who)},
                                   {name(each.what)},
                                   {each.detail.empty() ? words("") : name(each.detail)}}});
  }
  return made;
}

// --- who ---------------------------------------------------------------------------------------------------------

document::table writers_table(const telling& of) {
  const wording& w = of.words;
  const incident& facts = of.facts;
  document::table made;
  const unix_ms from = facts.burst ? facts.burst->begin : facts.since;
  const unix_ms to = facts.burst ? facts.burst->end : facts.until;
  made.caption = filled_text(w.writers_caption, {date_text(from), clock_text(to) + " UTC"});
  made.columns = {{told(w.client), false},           {told(w.share_bytes), true}, {told(w.share_writes), true},
                  {told(w.share_elements), true},    {told(w.share_keys), true},  {told(w.before_during), true},
                  {told(w.connections_short), true}, {told(w.held_back), true}};
  for (std::size_t at = 0; at < facts.writers.size(); ++at) {
    const writer& each = facts.writers[at];
    made.rows.push_back(
        {.cells = {{name(each.name)},
                   {words(percent_text(each.bytes_share))},
                   {words(percent_text(each.commands_share))},
                   {words(percent_text(each.elements_share))},
                   {words(each.keys_share ? percent_text(*each.keys_share) : "–")},
                   {words((facts.burst ? bytes_text(each.before.bytes) + " → " : "") + bytes_text(each.during.bytes))},
                   {words((facts.burst ? std::to_string(each.open_before) + " → " : "") +
                          std::to_string(each.open_most))},
                   {words(count_of(each.delayed + each.rejected))}},
         .is_marked = at < facts.culprits});
  }
  return made;
}

document::table parts_table(const telling& of, std::string_view title, const std::vector<share_of>& parts) {
  const wording& w = of.words;
  document::table made;
  made.columns = {{told(title), false},           {told(w.share), true},       {told(w.commands_count), true},
                  {told(w.elements_count), true}, {told(w.bytes_count), true}, {told(w.without_ttl), true}};
  for (std::size_t at = 0; at < std::min(parts.size(), parts_shown); ++at) {
    const share_of& each = parts[at];
    made.rows.push_back({.cells = {{name(each.name)},
                                   {words(percent_text(each.share))},
                                   {words(count_of(each.commands))},
                                   {words(count_of(each.elements))},
                                   {words(bytes_text(static_cast<double>(each.bytes)))},
                                   {words(count_of(each.without_ttl))}}});
  }
  return made;
}

document::table sources_table(const telling& of, const writer& who) {
  const wording& w = of.words;
  document::table made;
  made.columns = {
      {told(w.source), false}, {told(w.opened), true}, {told(w.commands_count), true}, {told(w.bytes_count), true}};
  for (std::size_t at = 0; at < std::min(who.sources.size(), parts_shown); ++at) {
    const source_of& each = who.sources[at];
    made.rows.push_back({.cells = {{name(each.address)},
                                   {words(count_of(each.opened))},
                                   {words(count_of(each.commands))},
                                   {words(bytes_text(static_cast<double>(each.bytes)))}}});
  }
  if (who.sources.size() > parts_shown) {
    line more = filled(w.and_more, {words(std::to_string(who.sources.size() - parts_shown))});
    made.rows.push_back({.cells = {std::move(more), {}, {}, {}}});
  }
  return made;
}

document::section culprit_section(const telling& of, const writer& who) {
  const wording& w = of.words;
  document::section made{.id = "", .heading = name(who.name).text, .level = 3};
  made.blocks.emplace_back(
      document::paragraph{filled(w.writes_value, {figure(count_of(who.commands)), words(count_of(who.elements)),
                                                  figure(bytes_text(static_cast<double>(who.bytes)))})});
  made.blocks.emplace_back(
      document::paragraph{who.owner.empty() ? filled(w.owner_none) : filled(w.owner_is, {name(who.owner)})});
  if (!who.by_pattern.empty()) made.blocks.emplace_back(parts_table(of, w.pattern, who.by_pattern));
  if (!who.by_command.empty()) made.blocks.emplace_back(parts_table(of, w.command, who.by_command));
  if (!who.sources.empty()) made.blocks.emplace_back(sources_table(of, who));
  return made;
}

// --- keys and TTLs -----------------------------------------------------------------------------------------------

document::table keys_table(const telling& of) {
  const wording& w = of.words;
  const incident& facts = of.facts;
  document::table made;
  made.caption = told(w.keys_caption);
  made.columns = {{told(w.metric), false},
                  {filled_text(w.before, {clock_text(facts.before.at)}), true},
                  {filled_text(w.at_peak, {clock_text(facts.peak.at)}), true},
                  {filled_text(w.at_end, {clock_text(facts.now.at)}), true}};
  const auto row = [&](std::string_view title, auto text) {
    made.rows.push_back(
        {.cells = {
             {words(told(title))}, {words(text(facts.before))}, {words(text(facts.peak))}, {words(text(facts.now))}}});
  };
  row(w.total_keys, [](const moment& at) { return maybe_count(at.keys); });
  row(w.keys_with_ttl, [](const moment& at) { return maybe_count(at.keys_with_ttl); });
  row(w.keys_without_ttl, [](const moment& at) {
    return at.keys && at.keys_with_ttl ? count_of(*at.keys - std::min(*at.keys, *at.keys_with_ttl)) : std::string("–");
  });
  row(w.with_ttl_share, [](const moment& at) {
    return at.keys && at.keys_with_ttl && *at.keys > 0
               ? percent_text(static_cast<double>(*at.keys_with_ttl) / static_cast<double>(*at.keys))
               : std::string("–");
  });
  row(w.memory, [&](const moment& at) { return of.share_text(at); });
  return made;
}

std::string class_text(const telling& of, std::size_t ttl_class) {
  if (ttl_class == attribution::ttl_class_none) return told(of.words.ttl_none);
  if (ttl_class == attribution::ttl_class_keep) return told(of.words.ttl_keep);
  return filled_text(of.words.ttl_up_to,
                     {duration_text(attribution::ttl_class_upper_seconds(ttl_class) * 1000, of.words)});
}

void add_ttl_distribution(const telling& of, document::section& into) {
  const wording& w = of.words;
  const ttl_sums& sums = of.has_burst() ? of.culprit().ttl : of.facts.ttl;
  double timed = 0, untimed = 0;
  document::chart chart;
  chart.how = document::chart::kind::bars;
  chart.title = told(w.chart_ttl);
  chart.unit = "bytes";
  document::series bytes{.name = told(w.bytes_count), .values = {}};
  for (std::size_t each = 0; each < attribution::ttl_classes; ++each) {
    if (sums.writes[each] == 0) continue;
    chart.categories.push_back(class_text(of, each));
    bytes.values.emplace_back(static_cast<double>(sums.bytes[each]));
    (each < attribution::ttl_classes_timed ? timed : untimed) +=
        each == attribution::ttl_class_keep ? 0 : static_cast<double>(sums.bytes[each]);
  }
  if (bytes.values.empty()) return;
  if (of.has_burst() && timed > 0 && sums.least_ms && sums.most_ms) {
    into.blocks.emplace_back(document::paragraph{
        filled(w.finding_ttl, {figure(percent_text(timed / (timed + untimed))), words(duration_text(*sums.least_ms, w)),
                               words(duration_text(*sums.most_ms, w)), figure(bytes_text(untimed))})});
  } else if (of.has_burst() && timed == 0 && untimed > 0) {
    into.blocks.emplace_back(document::paragraph{filled(w.finding_no_ttl)});
  }
  document::table table;
  table.columns = {{told(w.ttl), false}, {told(w.commands_count), true}, {told(w.bytes_count), true}};
  for (std::size_t each = 0; each < attribution::ttl_classes; ++each) {
    if (sums.writes[each] == 0) continue;
    table.rows.push_back({.cells = {{words(class_text(of, each))},
                                    {words(count_of(sums.writes[each]))},
                                    {words(bytes_text(static_cast<double>(sums.bytes[each])))}}});
  }
  chart.series.push_back(std::move(bytes));
  into.blocks.emplace_back(std::move(chart));
  into.blocks.emplace_back(std::move(table));
}

void add_leaks(const telling& of, document::section& into) {
  const wording& w = of.words;
  const auto seen = words(duration_text(of.facts.leaks_ms, w));
  if (of.facts.leaks.empty()) {
    into.blocks.emplace_back(document::paragraph{filled(w.leaks_none, {seen})});
    return;
  }
  const bool is_short = of.facts.leaks_ms < leaks_seen_min_ms;
  into.blocks.emplace_back(
      document::paragraph{is_short ? filled(w.leaks_short, {seen})
                                   : filled(w.leaks_text, {figure(count_text(of.facts.leaked_a_day)), seen})});
  document::table table;
  table.caption = told(w.leaks);
  table.columns = {
      {told(w.client), false}, {told(w.pattern), false}, {told(w.commands_count), true}, {told(w.a_day), true}};
  for (const leak& each : of.facts.leaks) {
    table.rows.push_back({.cells = {{name(each.client)},
                                    {name(each.pattern)},
                                    {words(count_of(each.writes))},
                                    {words(is_short ? "–" : count_text(each.a_day))}}});
  }
  into.blocks.emplace_back(std::move(table));
}

}  // namespace

document::section timeline(const telling& of) {
  document::section made{.id = "timeline", .heading = told(of.words.timeline)};
  if (of.facts.timeline.empty()) return made;
  const chart_maker charts(of);
  if (any_memory(of.facts)) made.blocks.emplace_back(charts.memory());
  made.blocks.emplace_back(charts.by_client(of.words.chart_bytes, "bytes/s", &timeline_row::bytes_of));
  made.blocks.emplace_back(charts.by_client(of.words.chart_writes, "/s", &timeline_row::writes_of));
  made.blocks.emplace_back(charts.connections());
  if (of.facts.now.keys) made.blocks.emplace_back(charts.keys());
  made.blocks.emplace_back(timeline_table(of));
  if (!of.facts.other_bursts.empty()) made.blocks.emplace_back(bursts_table(of));
  if (!of.facts.changes.empty()) made.blocks.emplace_back(changes_table(of));
  return made;
}

std::vector<document::section> who_did_it(const telling& of) {
  std::vector<document::section> made(1);
  made[0].id = "who";
  made[0].heading = told(of.has_burst() ? of.words.who_did_it : of.words.who_wrote);
  if (of.facts.writers.empty()) return made;
  made[0].blocks.emplace_back(writers_table(of));
  if (of.facts.writers_left_out > 0) {
    made[0].blocks.emplace_back(
        document::paragraph{filled(of.words.writers_left_out, {words(std::to_string(of.facts.writers_left_out)),
                                                               words(std::to_string(of.facts.writers.size()))})});
  }
  for (std::size_t each = 0; each < of.facts.culprits; ++each)
    made.push_back(culprit_section(of, of.facts.writers[each]));
  return made;
}

document::section keys_and_ttls(const telling& of) {
  document::section made{.id = "keys", .heading = told(of.words.keys_and_ttls)};
  if (of.facts.now.keys) made.blocks.emplace_back(keys_table(of));
  add_ttl_distribution(of, made);
  add_leaks(of, made);
  ttl_work sums;
  for (const ttl_work& each : of.facts.ttl_rules) {
    sums.injected += each.injected;
    sums.capped += each.capped;
    sums.observed += each.observed;
  }
  if (sums.injected + sums.capped + sums.observed > 0) {
    made.blocks.emplace_back(document::paragraph{
        filled(of.words.ttl_rules_work,
               {figure(count_of(sums.injected)), figure(count_of(sums.capped)), figure(count_of(sums.observed))})});
  }
  return made;
}

document::section coverage_section(const telling& of) {
  const wording& w = of.words;
  document::section made{.id = "coverage", .heading = told(w.coverage_section)};
  if (const auto& seen = of.facts.coverage) {
    made.blocks.emplace_back(
        document::paragraph{filled(of.facts.burst ? w.coverage_text : w.coverage_text_quiet,
                                   {words(count_of(seen->upstream)), words(count_of(seen->booked)),
                                    words(count_of(seen->own)), figure(percent_text(seen->share()))})});
  } else {
    made.blocks.emplace_back(document::paragraph{filled(w.coverage_unknown)});
  }
  if (of.has_coverage_gap()) {
    made.blocks.emplace_back(
        document::callout{.tone = document::tone::warning,
                          .title = filled(w.n_bypass_bad, {figure(percent_text(of.facts.coverage->share()))}),
                          .text = {}});
  }
  if (of.facts.coverage_suspended) made.blocks.emplace_back(document::paragraph{filled(w.coverage_suspended)});
  for (line& each : gap_lines(of)) made.blocks.emplace_back(document::paragraph{std::move(each)});
  return made;
}

}  // namespace tidegate::report
