#include "cli/keyspace/mend_view.hpp"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/keyspace/audit_view.hpp"
#include "cli/keyspace/text_table.hpp"
#include "evidence/keyspace/wording.hpp"

namespace tidegate::cli {
namespace {

using keyspace::bytes_text;
using keyspace::grouped;
using keyspace::mending_rule;
using keyspace::printable;
using keyspace::ttl_text;
using nlohmann::ordered_json;

std::string rule_text(const mending_rule& rule) {
  std::string text;
  if (rule.default_ttl) text += "default " + ttl_text(rule.default_ttl->count());
  if (rule.max_ttl) text += std::string(text.empty() ? "" : ", ") + "max " + ttl_text(rule.max_ttl->count());
  if (rule.jitter > 0) text += ", up to " + std::to_string(static_cast<int>(rule.jitter * 100 + 0.5)) + " % less";
  return text;
}

// Bytes of the keys that would be given a TTL or have theirs cut.
std::optional<std::uint64_t> bytes_of(const keyspace::pattern_row& row, const rule_tally& tally) {
  const keyspace::estimate none = row.without_ttl.total();
  const keyspace::estimate some = row.with_ttl.total();
  if (none.measured == 0 && some.measured == 0) return std::nullopt;
  double bytes = none.value;
  if (row.with_ttl.keys() != 0) {
    bytes += some.value * static_cast<double>(tally.cut) / static_cast<double>(row.with_ttl.keys());
  }
  return static_cast<std::uint64_t>(bytes);
}

// What is, or was, expected of each rule.
void print_expected(const std::vector<keyspace::expectation>& expected, const std::vector<mending_rule>& rules,
                    std::ostream& out) {
  text_table table({"pattern", "keys", "get a TTL", "are cut", "memory"});
  for (std::size_t i = 0; i < std::min(rules.size(), expected.size()); ++i) {
    const keyspace::expectation& one = expected[i];
    table.add({printable(one.pattern), grouped(one.keys), grouped(one.give), grouped(one.cut),
               one.bytes ? "~" + bytes_text(static_cast<double>(*one.bytes)) : "-"});
    table.note(rule_text(rules[i]));
  }
  table.print(out, screen_width(STDOUT_FILENO));
}

}  // namespace

std::vector<keyspace::expectation> expected_of(const mended& found, const std::vector<mending_rule>& rules) {
  std::vector<keyspace::expectation> all;
  const auto rows = found.census->rows();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const rule_tally& tally = found.by_rule[i];
    all.push_back({.pattern = rules[i].pattern,
                   .keys = tally.keys,
                   .give = tally.give,
                   .cut = tally.cut,
                   .bytes = bytes_of(*rows[i], tally)});
  }
  return all;
}

ordered_json mended_json(const mended& found, const std::vector<mending_rule>& rules, const std::string& target,
                         bool dry) {
  ordered_json patterns = ordered_json::array();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const rule_tally& tally = found.by_rule[i];
    ordered_json one{{"pattern", rules[i].pattern}, {"keys", tally.keys}, {"given", tally.give}, {"cut", tally.cut}};
    if (dry) {
      const auto bytes = bytes_of(*found.census->rows()[i], tally);
      one["bytes"] = bytes ? ordered_json(*bytes) : ordered_json(nullptr);
    } else {
      one["changed_meanwhile"] = tally.moved;
    }
    patterns.push_back(std::move(one));
  }
  return {{"target", target},
          {"dry_run", dry},
          {"complete", found.end == walk_end::finished},
          {"looked_at", found.looked_at},
          {"given", found.given},
          {"cut", found.cut},
          {"without_ttl_before", found.without_before},
          {"ttl_before", histogram_json(found.before)},
          {"ttl_after", histogram_json(found.after)},
          {"seconds", found.seconds},
          {"slowed", found.slowed},
          {"patterns", std::move(patterns)}};
}

void print_dry_run(const mended& found, const std::vector<mending_rule>& rules, const std::string& target,
                   std::ostream& out) {
  out << "dry run on " << target << ": nothing was changed\n\n";
  print_expected(expected_of(found, rules), rules, out);
  out << "\nbefore:\n";
  print_histogram(found.before, found.without_before, out);
  out << "\nafter:\n";
  print_histogram(found.after, 0, out);
}

void print_plan(const keyspace::plan& plan, std::ostream& out) {
  out << "plan for " << printable(plan.target) << ", made by " << printable(plan.made_by) << " at "
      << printable(plan.made_at) << "\n\n";
  print_expected(plan.expected, plan.rules, out);
}

void print_mended(const mended& found, const std::vector<mending_rule>& rules, const std::string& target,
                  std::ostream& out) {
  text_table table({"pattern", "keys", "got a TTL", "cut", "changed"});
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const rule_tally& tally = found.by_rule[i];
    table.add({printable(rules[i].pattern), grouped(tally.keys), grouped(tally.give), grouped(tally.cut),
               grouped(tally.moved)});
    table.note(rule_text(rules[i]));
  }
  table.print(out, screen_width(STDOUT_FILENO));
  out << '\n'
      << target << ":\n"
      << grouped(found.given) << " keys got a TTL, " << grouped(found.cut) << " were cut, of "
      << grouped(found.looked_at) << " looked at, in "
      << keyspace::duration_text(static_cast<std::int64_t>(found.seconds)) << "; slowed down " << found.slowed
      << " times\n";
}

std::string rule_summary(const mending_rule& rule) {
  return printable(rule.pattern) + ": " + rule_text(rule);
}

}  // namespace tidegate::cli
