// `tidegate ttl suggest`: the ledger's writes without TTL and the keys that are there, joined by pattern into rules.
#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/keyspace/audit_view.hpp"
#include "cli/ttl.hpp"
#include "config/load.hpp"
#include "config/quantity.hpp"
#include "evidence/keyspace/suggestion.hpp"
#include "evidence/ledger/reader.hpp"

namespace tidegate::cli {
namespace {

using keyspace::pattern_evidence;

constexpr int wrong_usage = 2;
constexpr std::int64_t day_ms = 86'400'000;

struct suggest_options {
  server_options server;
  std::string from = "both", since = "-14d", guess = "30d", rate, format = "text";
  std::uint64_t keys_min = 100;
  bool quiet = false;
};

int fail(const std::string& why, int status = 1) {
  std::cerr << "tidegate: " << why << '\n';
  return status;
}

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// "-30m", or an instant.
std::expected<std::int64_t, std::string> read_since(const std::string& text) {
  if (text.starts_with('-')) {
    const auto ago = config::parse_duration(text.substr(1));
    if (!ago) return std::unexpected(ago.error());
    return wall_ms() - ago->count();
  }
  const auto at = config::parse_instant(text);
  if (!at) return std::unexpected(at.error() + ", or a time ago, like -14d");
  return at->time_since_epoch().count() * 1000;
}

using by_pattern = std::map<std::string, pattern_evidence>;

pattern_evidence& of(by_pattern& all, const std::string& pattern) {
  pattern_evidence& one = all[pattern];
  one.pattern = pattern;
  return one;
}

std::string add_ledger(const std::string& path, std::int64_t since, by_pattern& all) {
  auto ledger = ledger::reader::open(path);
  if (!ledger) return ledger.error();
  const auto groups = ledger->writes(
      {.when = {.since = since}, .by = ledger::by_client | ledger::by_pattern, .with_keys = false, .with_ttl = true});
  if (!groups) return path + ": " + groups.error().text;
  for (const ledger::write_group& group : *groups) {
    pattern_evidence& one = of(all, group.pattern);
    one.writes += group.sums.commands;
    one.writes_without_ttl += group.sums.without_ttl;
    if (group.sums.without_ttl != 0) one.writers_without_ttl.emplace_back(group.client, group.sums.without_ttl);
    keyspace::ttl_histogram left;
    for (std::size_t k = 0; k < keyspace::ttl_classes; ++k) left.keys[k] = group.sums.ttl.cells[k].writes;
    left.shortest_ms = group.sums.ttl_min_ms.value_or(0);
    left.longest_ms = group.sums.ttl_max_ms.value_or(0);
    one.written.merge(left);
  }
  for (auto& [pattern, one] : all) {
    std::stable_sort(one.writers_without_ttl.begin(), one.writers_without_ttl.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
  }
  return {};
}

void add_census(const counted_keyspace& found, by_pattern& all) {
  for (const keyspace::pattern_row* row : found.keys.rows()) {
    if (row->keys() == 0) continue;
    pattern_evidence& one = of(all, row->pattern);
    one.keys = row->keys();
    one.keys_without_ttl = row->without_ttl.keys();
    one.left = row->ttls;
    one.bytes_without_ttl = row->without_ttl.total(found.distinct_share);
  }
}

std::vector<std::string> covered_by(const server_target& target) {
  std::vector<std::string> patterns;
  if (!target.config) return patterns;
  for (const config::ttl_rule& rule : target.config->ttl) {
    if (rule.mode != config::ttl_mode::off && (rule.default_ttl || rule.max_ttl)) patterns.push_back(rule.pattern);
  }
  return patterns;
}

void print_json(const std::vector<keyspace::suggestion>& rules) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const keyspace::suggestion& rule : rules) {
    const pattern_evidence& seen = rule.evidence;
    nlohmann::ordered_json writers = nlohmann::ordered_json::array();
    for (const auto& [name, writes] : seen.writers_without_ttl)
      writers.push_back({{"client", name}, {"writes", writes}});
    constexpr std::array reasons{"written", "left", "guessed"};
    list.push_back({{"pattern", seen.pattern},
                    {"default", keyspace::config_duration(rule.default_ttl)},
                    {"jitter", "10%"},
                    {"mode", rule.why == keyspace::reason::guessed ? "observe" : "enforce"},
                    {"reason", reasons[static_cast<std::size_t>(rule.why)]},
                    {"keys", seen.keys},
                    {"keys_without_ttl", seen.keys_without_ttl},
                    {"bytes_without_ttl",
                     seen.bytes_without_ttl ? estimate_json(*seen.bytes_without_ttl) : nlohmann::ordered_json(nullptr)},
                    {"writes", seen.writes},
                    {"writes_without_ttl", seen.writes_without_ttl},
                    {"writers_without_ttl", std::move(writers)}});
  }
  std::cout << nlohmann::ordered_json{{"ttl", std::move(list)}}.dump(2, ' ', false,
                                                                     nlohmann::ordered_json::error_handler_t::replace)
            << '\n';
}

// The evidence that `how` asks for; `source` says which.
std::string gather(const suggest_options& how, const server_target& target, by_pattern& all, std::string& source) {
  if (how.from != "audit") {
    const auto since = read_since(how.since);
    if (!since) return "--since: " + since.error();
    std::string wrong = "without -c FILE there is no ledger to read";
    if (target.config) {
      wrong = target.config->ledger.enabled ? add_ledger(target.config->ledger.path, *since, all)
                                            : std::string("the configuration says `ledger: off`");
    }
    if (wrong.empty()) source = "the ledger's last " + std::to_string((wall_ms() - *since) / day_ms) + " days";
    if (!wrong.empty() && how.from == "ledger") return wrong;
    if (!wrong.empty() && target.config) std::cerr << "tidegate: from the keys alone: " << wrong << '\n';
  }
  if (how.from != "ledger") {
    double rate = census_rate;
    if (!how.rate.empty()) {
      const auto given = config::parse_rate(how.rate);
      if (!given || given->bytes) return "--rate: write commands a second, like 5000/s";
      rate = given->per_second;
    }
    stop_request stop;
    const auto found = take_census(target, {}, rate, how.quiet, stop);
    if (!found) return found.error();
    if (!(*found)->whole) return "it was interrupted";
    add_census(**found, all);
    source += (source.empty() ? "the keys of " : " and the keys of ") + target.name;
  }
  return {};
}

int suggest(const suggest_options& how) {
  const auto target = find_target(how.server);
  if (!target) return fail(target.error(), wrong_usage);
  const auto guess = config::parse_duration(how.guess);
  if (!guess || *guess < std::chrono::seconds(1)) return fail("--guess: write a TTL, like 30d", wrong_usage);
  by_pattern all;
  std::string source;
  if (const std::string wrong = gather(how, *target, all, source); !wrong.empty()) return fail(wrong);
  std::vector<pattern_evidence> seen;
  for (auto& [pattern, one] : all) seen.push_back(std::move(one));
  const auto rules =
      keyspace::suggest(std::move(seen), covered_by(*target), {.guess = *guess, .keys_min = how.keys_min});
  if (how.format == "json") {
    print_json(rules);
  } else {
    std::cout << keyspace::to_yaml(rules, source);
  }
  return 0;
}

}  // namespace

void add_ttl_suggest(CLI::App& ttl, chosen_command& chosen) {
  auto how = std::make_shared<suggest_options>();
  CLI::App* command = ttl.add_subcommand("suggest", "Suggest ttl: rules from what was written and what is there.");
  add_server_options(*command, how->server);
  command->add_option("--from", how->from, "The ledger's writes, the keys themselves, or both")
      ->check(CLI::IsMember({"both", "ledger", "audit"}))
      ->type_name("both|ledger|audit")
      ->capture_default_str();
  command->add_option("--since", how->since, "The ledger from then on")->type_name("T")->capture_default_str();
  command->add_option("--guess", how->guess, "The default where no TTL of the pattern was ever seen")
      ->type_name("D")
      ->capture_default_str();
  command->add_option("--min", how->keys_min, "Only patterns with so many keys or writes without TTL")
      ->capture_default_str();
  command->add_option("--rate", how->rate, "Commands at most, for the keys [20000/s]")->type_name("R/s");
  command->add_option("--format", how->format, "YAML to paste, or JSON")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->add_flag("-q,--quiet", how->quiet, "No progress");
  command->footer(
      "Reads only. What rests on a guess is suggested with mode: observe.\n"
      "Exit status: 0 = done, 1 = the evidence could not be read, 2 = wrong usage.\n"
      "Example:\n  tidegate ttl suggest -c tidegate.yaml --since -7d > rules.yaml");
  command->callback([how, &chosen] { chosen.run = [how] { return suggest(*how); }; });
}

}  // namespace tidegate::cli
