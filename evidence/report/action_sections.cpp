// What to do and what to send: commands to paste, queries, the message to the owner.
#include <algorithm>
#include <set>

#include "evidence/document/safe_text.hpp"
#include "evidence/report/figures.hpp"
#include "evidence/report/sections.hpp"

namespace tidegate::report {
namespace {

using document::line;
using document::shell_word;

constexpr std::size_t patterns_fixed = 4;

// The replication group of an ElastiCache endpoint: master.GROUP.xxxxxx.use1.cache.amazonaws.com.
std::string replication_group(const std::string& upstream) {
  if (upstream.find(".cache.amazonaws.com") == std::string::npos) return "";
  const std::size_t first = upstream.find('.');
  const std::string label = upstream.substr(0, first);
  if (label != "master" && label != "replica" && label != "primary") return label;
  const std::size_t second = upstream.find('.', first + 1);
  return upstream.substr(first + 1, second - first - 1);
}

std::string again_command(const telling& of) {
  return "tidegate report " + of.config_option() + " --since " + instant_text(of.facts.since) + " --until " +
         instant_text(of.facts.until + 999) + "\n";
}

std::string cap_commands(const telling& of) {
  std::string made;
  for (std::size_t each = 0; each < of.facts.culprits; ++each) {
    made += "tidegate cap " + shell_word(of.facts.writers[each].name) + " --bytes " + rate_setting(of.cap_rate()) +
            " --for 30m " + of.config_option() + "\n";
  }
  return made;
}

// The longest TTL that anybody gives the pattern, rounded up; a month where nobody gives one.
std::string default_ttl(const leak& of) {
  if (!of.longest_ttl_ms) return "30d";
  constexpr std::int64_t hour_ms = 3'600'000;
  const std::int64_t hours = (*of.longest_ttl_ms + hour_ms - 1) / hour_ms;
  return hours < 48 ? std::to_string(hours) + "h" : std::to_string((hours + 23) / 24) + "d";
}

std::vector<leak> leaking_patterns(const incident& facts) {
  std::vector<leak> made;
  for (const leak& each : facts.leaks) {
    if (each.pattern == "other" || std::ranges::find(made, each.pattern, &leak::pattern) != made.end()) continue;
    made.push_back(each);
    if (made.size() == patterns_fixed) break;
  }
  return made;
}

std::string ttl_commands(const telling& of) {
  std::string made;
  for (const leak& each : leaking_patterns(of.facts)) {
    made += "tidegate ttl fix " + of.config_option() + " --pattern " + shell_word(each.pattern) + " --default " +
            default_ttl(each) + " --jitter 10% --dry-run\n";
  }
  return made;
}

std::string scale_commands(const telling& of) {
  const std::string group = replication_group(of.facts.upstream);
  const auto holds = std::ranges::find_if(of.facts.nodes, [](const node_choice& each) {
    return !each.is_current && each.peak_share.value_or(1) < alert_share;
  });
  if (holds == of.facts.nodes.end() || of.facts.peak.share().value_or(0) < alert_share) return "";
  std::string made = "aws elasticache modify-replication-group --replication-group-id " +
                     (group.empty() ? "REPLICATION_GROUP" : shell_word(group)) + " --cache-node-type " +
                     shell_word(holds->size.type) + " --apply-immediately";
  if (!of.facts.prices.region.empty()) made += " --region " + shell_word(of.facts.prices.region);
  return made + "\n";
}

class steps_maker {
 public:
  explicit steps_maker(const telling& of) : of_(of) {
    made_.id = "next";
    made_.heading = told(of.words.next_steps);
  }

  void heading(std::string_view text) { made_.blocks.emplace_back(document::paragraph{{figure(told(text))}}); }

  void task(line text, const std::string& commands = "") {
    made_.blocks.emplace_back(document::listing{.how = document::listing::kind::tasks, .items = {std::move(text)}});
    if (!commands.empty()) made_.blocks.emplace_back(document::code{.language = "sh", .text = commands});
  }

  document::section finished() { return std::move(made_); }

 private:
  const telling& of_;
  document::section made_;
};

std::string message_in(const telling& of, language in) {
  const wording& w = words_in(in);
  const telling mine{.facts = of.facts, .words = w, .around = of.around};
  const incident& facts = of.facts;
  const writer& who = of.culprit();
  const auto count = [](std::uint64_t value) { return count_text(static_cast<double>(value)); };
  const std::string client = document::safe_text(who.name);
  std::string patterns;
  for (std::size_t each = 0; each < std::min<std::size_t>(3, who.by_pattern.size()); ++each) {
    patterns += (each == 0 ? "" : ", ") + document::safe_text(who.by_pattern[each].name);
  }
  const std::string rate = byte_rate_text(of.cap_rate());
  const std::string timed = percent_text(who.ttl.share_without());
  const std::string begin = date_text(facts.burst->begin);
  const std::string lasted = duration_text(facts.burst->end - facts.burst->begin, w);
  return filled_text(w.message_body,
                     {client, begin, lasted, count(who.commands), bytes_text(static_cast<double>(who.bytes)),
                      percent_text(who.bytes_share), document::safe_text(facts.upstream)}) +
         "\n" + filled_text(w.message_memory, {mine.share_text(facts.before), mine.share_text(facts.peak), patterns}) +
         "\n\n" + filled_text(w.message_ask, {rate, timed}) + "\n";
}

}  // namespace

document::section next_steps(const telling& of) {
  const wording& w = of.words;
  steps_maker steps(of);
  if (of.has_burst()) {
    steps.heading(w.next_now);
    const bool is_held = !of.facts.burst->goes_on && of.culprit().delayed + of.culprit().rejected > 0;
    if (!is_held) steps.task(filled(w.s_cap), cap_commands(of));
    steps.task(filled(w.s_watch), "tidegate status --watch " + of.config_option() + "\n");
    steps.task(filled(w.s_message));
    steps.heading(w.next_week);
    if (of.facts.holding_limit && of.facts.holding_limit->possible &&
        of.facts.peak.share().value_or(0) >= alert_share) {
      steps.task(filled(w.s_limit), "tidegate check " + of.config_option() + "\n");
    }
    steps.task(filled(w.s_simulate), "tidegate simulate --since " + instant_text(of.facts.since) + " --until " +
                                         instant_text(of.facts.until + 999) + " --suggest " + of.config_option() +
                                         "\n");
  }
  if (of.has_coverage_gap()) steps.task(filled(w.s_bypass));
  if (const std::string commands = ttl_commands(of); !commands.empty()) steps.task(filled(w.s_ttl), commands);
  steps.heading(w.next_later);
  if (const std::string commands = scale_commands(of); !commands.empty()) {
    steps.task(filled(w.s_scale, {words(threshold_text(alert_share))}), commands);
  }
  steps.task(filled(w.s_again), again_command(of));
  return steps.finished();
}

document::section queries(const telling& of) {
  document::section made{.id = "queries", .heading = told(of.words.queries)};
  made.blocks.emplace_back(document::paragraph{filled(of.words.queries_text)});
  made.blocks.emplace_back(
      document::code{.language = "promql",
                     .text = "# memory, and what it will come to\n"
                             "100 * tidegate_upstream_memory_used_bytes / tidegate_upstream_memory_max_bytes\n"
                             "100 * tidegate_forecast_peak_bytes / tidegate_upstream_memory_max_bytes\n"
                             "# who writes how many bytes, and how many times an hour's mean\n"
                             "topk(5, sum by (client) (rate(tidegate_write_bytes_total[1m])))\n"
                             "sum by (client) (rate(tidegate_write_bytes_total[1m]))\n"
                             "  / sum by (client) (rate(tidegate_write_bytes_total[1h] offset 5m))\n"
                             "# connections opened: the earliest sign\n"
                             "sum by (client) (increase(tidegate_client_connections_opened_total[5m]))\n"
                             "# keys left without a TTL, and by whom\n"
                             "topk(10, sum by (client, pattern) (increase(tidegate_writes_without_ttl_total[1d])))\n"
                             "# growth of keys: a gauge, so deriv() and not rate()\n"
                             "deriv(tidegate_upstream_keys[5m])\n"});
  return made;
}

document::section message(const telling& of) {
  const wording& w = of.words;
  document::section made{.id = "message", .heading = told(w.message)};
  if (!of.has_burst()) return made;
  const writer& who = of.culprit();
  made.blocks.emplace_back(document::paragraph{who.owner.empty() ? filled(w.message_to_nobody, {name(who.name)})
                                                                 : filled(w.message_to, {name(who.owner)})});
  made.blocks.emplace_back(document::code{
      .language = "text", .text = message_in(of, language::english) + "\n" + message_in(of, language::chinese)});
  return made;
}

}  // namespace tidegate::report
