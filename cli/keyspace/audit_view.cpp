#include "cli/keyspace/audit_view.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/keyspace/text_table.hpp"
#include "cli/paragraph.hpp"
#include "evidence/keyspace/wording.hpp"

namespace tidegate::cli {
namespace {

using keyspace::bytes_text;
using keyspace::estimate_text;
using keyspace::grouped;
using keyspace::percent_text;
using keyspace::printable;
using keyspace::ttl_text;
using nlohmann::ordered_json;

constexpr std::size_t histogram_width = 32;

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::uint64_t scaled(std::uint64_t count, double by) {
  return by == 1 ? count : static_cast<std::uint64_t>(std::llround(static_cast<double>(count) * by));
}

std::vector<std::string> row_text(const keyspace::pattern_row& row, double by) {
  const auto middle = row.ttls.quantile(0.5);
  return {printable(row.pattern),
          grouped(scaled(row.keys(), by)),
          grouped(scaled(row.without_ttl.keys(), by)),
          percent_text(share(row.without_ttl.keys(), row.keys())),
          middle ? ttl_text(row.ttls.shortest_ms) : "-",
          middle ? "<= " + ttl_text(keyspace::ttl_class_seconds(*middle) * 1000) : "-",
          middle ? ttl_text(row.ttls.longest_ms) : "-",
          estimate_text(row.bytes(by)),
          estimate_text(row.without_ttl.total(by))};
}

ordered_json row_json(const keyspace::pattern_row& row, double by) {
  ordered_json one{{"pattern", row.pattern},
                   {"named", row.named},
                   {"keys", scaled(row.keys(), by)},
                   {"without_ttl", scaled(row.without_ttl.keys(), by)},
                   {"share_without_ttl", share(row.without_ttl.keys(), row.keys())},
                   {"ttl", histogram_json(row.ttls)},
                   {"bytes", estimate_json(row.bytes(by))},
                   {"bytes_without_ttl", estimate_json(row.without_ttl.total(by))}};
  const keyspace::usage& used = row.used;
  if (used.idle_sampled != 0) {
    one["idle"] = {{"sampled", used.idle_sampled},
                   {"mean_seconds", used.idle_sum / static_cast<double>(used.idle_sampled)},
                   {"share_over_a_day", share(used.idle_long, used.idle_sampled)}};
  }
  if (used.frequency_sampled != 0) {
    one["frequency"] = {{"sampled", used.frequency_sampled},
                        {"mean", used.frequency_sum / static_cast<double>(used.frequency_sampled)},
                        {"share_rare", share(used.frequency_rare, used.frequency_sampled)}};
  }
  return one;
}

}  // namespace

ordered_json estimate_json(const keyspace::estimate& bytes) {
  if (bytes.measured == 0) return nullptr;
  ordered_json one{{"estimate", std::llround(bytes.value)}, {"margin_95", nullptr}, {"keys_measured", bytes.measured}};
  if (bytes.margin) one["margin_95"] = std::llround(*bytes.margin);
  return one;
}

ordered_json histogram_json(const keyspace::ttl_histogram& ttls) {
  if (ttls.total() == 0) return nullptr;
  ordered_json classes = ordered_json::array();
  for (std::size_t k = 0; k < keyspace::ttl_classes; ++k) {
    if (ttls.keys[k] != 0) classes.push_back({{"up_to_s", keyspace::ttl_class_seconds(k)}, {"keys", ttls.keys[k]}});
  }
  return {{"shortest_ms", ttls.shortest_ms},
          {"longest_ms", ttls.longest_ms},
          {"median_up_to_s", keyspace::ttl_class_seconds(ttls.quantile(0.5).value_or(0))},
          {"histogram", std::move(classes)}};
}

void print_histogram(const keyspace::ttl_histogram& ttls, std::uint64_t without, std::ostream& out) {
  std::uint64_t most = std::max<std::uint64_t>(without, 1);
  for (const std::uint64_t keys : ttls.keys) most = std::max(most, keys);
  text_table table({"TTL left", "keys", ""});
  const auto add = [&](const std::string& label, std::uint64_t keys) {
    const auto marks = static_cast<std::size_t>(std::ceil(share(keys, most) * histogram_width));
    table.add({label, grouped(keys), std::string(marks, '#') + std::string(histogram_width - marks, ' ')});
  };
  for (std::size_t k = 0; k < keyspace::ttl_classes; ++k) {
    if (ttls.keys[k] != 0) add("<= " + ttl_text(keyspace::ttl_class_seconds(k) * 1000), ttls.keys[k]);
  }
  add("none", without);
  table.print(out, endless_width);
}

void print_audit(const counted_keyspace& found, const audit_view_options& how, std::ostream& out) {
  const double by = found.distinct_share;
  const keyspace::pattern_row total = found.keys.total();
  out << paragraph({}, "keys of " + found.target + " by pattern" + (found.whole ? "" : " (a part: it was interrupted)"),
                   0, how.width)
      << '\n';
  text_table table(
      {"pattern", "keys", "without TTL", "share", "shortest", "median", "longest", "memory", "of it without TTL"});
  keyspace::pattern_row rest;
  std::size_t shown = 0, hidden = 0;
  for (const keyspace::pattern_row* row : found.keys.rows()) {
    if (row->named || shown < how.rows_max) {
      if (row->named && row->keys() == 0) continue;
      table.add(row_text(*row, by));
      if (!row->named) ++shown;
    } else {
      rest.with_ttl.merge(row->with_ttl);
      rest.without_ttl.merge(row->without_ttl);
      rest.ttls.merge(row->ttls);
      ++hidden;
    }
  }
  if (hidden != 0) {
    rest.pattern = "(" + std::to_string(hidden) + " more patterns)";
    table.add(row_text(rest, by));
  }
  auto all = row_text(total, by);
  all[0] = "all";
  table.add(std::move(all));
  table.may_miss({"shortest", "median", "longest", "share"});
  const std::vector<std::string> missed = table.print(out, how.width);
  if (how.histogram) {
    out << '\n';
    print_histogram(total.ttls, total.without_ttl.keys(), out);
  }
  std::string memory = "memory: MEMORY USAGE of a sample of " + grouped(total.bytes().measured) +
                       " keys, +- 95 %; the server uses " + bytes_text(static_cast<double>(found.facts.memory_used)) +
                       " in all";
  if (found.facts.memory_max != 0) memory += " of " + bytes_text(static_cast<double>(found.facts.memory_max));
  out << '\n'
      << paragraph({}, memory, 0, how.width)
      << paragraph({},
                   "counts: " + std::string(by == 1 ? "each key once" : "estimated: more keys than are told apart") +
                       "; SCAN returned " + grouped(found.repeated) + " twice; " + grouped(found.keys_in_db) +
                       " keys by DBSIZE at the end",
                   0, how.width);
  std::string columns;
  for (const std::string& name : missed) columns += (columns.empty() ? "" : ", ") + name;
  if (!missed.empty()) out << paragraph({}, "columns left out for want of room: " + columns, 0, how.width);
}

ordered_json audit_json(const counted_keyspace& found) {
  const double by = found.distinct_share;
  ordered_json patterns = ordered_json::array();
  for (const keyspace::pattern_row* row : found.keys.rows()) patterns.push_back(row_json(*row, by));
  ordered_json total = row_json(found.keys.total(), by);
  total.erase("pattern");
  total.erase("named");
  return {{"target", found.target},
          {"complete", found.whole},
          {"exact", by == 1},
          {"seconds", found.seconds},
          {"dbsize", found.keys_in_db},
          {"returned_twice", found.repeated},
          {"used_bytes", found.facts.memory_used},
          {"max_bytes", found.facts.memory_max},
          {"eviction_policy", found.facts.eviction_policy},
          {"total", std::move(total)},
          {"patterns", std::move(patterns)}};
}

}  // namespace tidegate::cli
