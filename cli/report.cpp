// `tidegate report`: what happened, who did it, and what would have held it, out of the ledger.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "attribution/glob.hpp"
#include "cli/command_line.hpp"
#include "cli/keyspace/judge_policy.hpp"
#include "cli/time_option.hpp"
#include "config/load.hpp"
#include "config/private_file.hpp"
#include "evidence/document/html.hpp"
#include "evidence/document/markdown.hpp"
#include "evidence/document/slack.hpp"
#include "evidence/report/analysis.hpp"
#include "evidence/report/bursts.hpp"
#include "evidence/report/compose.hpp"
#include "evidence/report/json.hpp"
#include "evidence/report/ledger_source.hpp"
#include "evidence/report/node_prices.hpp"

namespace tidegate::cli {
namespace {

using report::incident;
using report::unix_ms;
using report::window;

constexpr std::int64_t lookback_buckets = 360;  // an hour of ten seconds each
constexpr unix_ms hour_ms = 3'600'000;
constexpr std::int64_t fine_buckets = 2 * 1440;  // a window longer than this is read coarsely first
constexpr std::streamoff prices_bytes_max = 1 << 20;
constexpr std::size_t keyspace_bytes_max = 1U << 20;

struct report_options {
  std::string config_path, since, until, format = "md", lang = "en", prices_path, output_path, keyspace;
};

template <typename T>
using maybe = std::expected<T, std::string>;

maybe<report::node_prices> prices_of(const std::string& path) {
  if (path.empty()) return report::parse_node_prices(report::shipped_node_prices(), "deploy/node-prices.yaml");
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    return std::unexpected(path + ": it cannot be read; --prices names a YAML file like deploy/node-prices.yaml");
  if (file.tellg() > prices_bytes_max) return std::unexpected(path + ": more than 1 MiB; it is no list of node prices");
  file.seekg(0);
  std::ostringstream text;
  text << file.rdbuf();
  return report::parse_node_prices(text.str(), path);
}

// The first owner of a limit that matches the client: who is asked about it.
std::string owner_of(const config::config& config, const std::string& client) {
  for (const config::limit_rule& rule : config.limits) {
    if (rule.owner.empty()) continue;
    if (rule.match_client.empty() || attribution::glob(rule.match_client).matches(client)) return rule.owner;
  }
  return "";
}

struct asked {
  window span;
  unix_ms from = 0;
  std::optional<window> hint;
};

// Where to look: what was asked for, or around the last incident, or the last hour.
maybe<asked> span_of(report::ledger_source& ledger, const report_options& how, unix_ms now) {
  const auto held = ledger.span();
  if (!held) return std::unexpected(held.error());
  const auto bucket = ledger.bucket_ms();
  const unix_ms last = held->until == 0 ? now : held->until;
  const unix_ms lookback = held->until == 0 ? hour_ms : lookback_buckets * bucket.value_or(10'000);
  maybe<unix_ms> until = last;
  if (!how.until.empty()) until = parse_time(how.until, now);
  if (!until) return std::unexpected("--until: " + until.error());
  asked made;
  if (!how.since.empty()) {
    const auto since = parse_time(how.since, now);
    if (!since) return std::unexpected("--since: " + since.error());
    if (*since >= *until) return std::unexpected("--since is not before --until: nothing lies between");
    made.span = {.since = *since, .until = *until};
    made.from = *since - lookback;
    return made;
  }
  const auto found = ledger.last_incident({.since = held->since, .until = std::min(*until, last)});
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    made.span = {.since = *until - hour_ms, .until = *until};
    made.from = made.span.since - lookback;
    return made;
  }
  const report::incident_window& burst = **found;
  made.hint = window{.since = burst.begin, .until = burst.end};
  made.span = {.since = std::max(burst.quiet_since, burst.begin - lookback),
               .until = std::min(*until, burst.end + lookback)};
  // What is ordinary may lie before an earlier burst.
  made.from = std::min(made.span.since, burst.begin - lookback);
  return made;
}

// What --keyspace names: a judgement that was written down, or a server whose keys are counted now.
maybe<keyspace::eviction_view> counted_keyspace(const report_options& how) {
  if (how.keyspace != "upstream" && !how.keyspace.starts_with("redis://") && !how.keyspace.starts_with("rediss://")) {
    const auto file = config::read_whole(how.keyspace, keyspace_bytes_max);
    if (!file) {
      return std::unexpected("--keyspace: " + file.error() +
                             "; it is a file of `tidegate policy --format json`, a redis[s]:// URL, or `upstream`");
    }
    auto view = keyspace::eviction_from_json(file->text);
    if (!view) return std::unexpected("--keyspace " + how.keyspace + ": " + view.error());
    return view;
  }
  server_options server;
  server.config_path = how.config_path;
  if (how.keyspace != "upstream") server.url = how.keyspace;
  const auto target = find_target(server);
  if (!target) return std::unexpected("--keyspace: " + target.error());
  return judge_policy(*target, census_rate, false);
}

maybe<incident> incident_of(const config::config& config, const report_options& how, report::node_prices prices) {
  auto ledger = report::ledger_source::open(config.ledger.path);
  if (!ledger) return std::unexpected(ledger.error());
  const unix_ms now = wall_clock_ms();
  auto asked = span_of(*ledger, how, now);
  if (!asked) return std::unexpected(asked.error());
  auto seen = ledger->observe(asked->span, asked->from);
  if (!seen) return std::unexpected(seen.error());
  auto burst = report::main_burst(*seen, report::bursts_of(*seen), asked->hint);
  const auto bucket = ledger->bucket_ms().value_or(10'000);
  // A long window was read in coarse steps: what it shows is looked at again from near.
  if (burst && seen->step_ms > bucket && (seen->until - seen->from) / bucket > fine_buckets) {
    asked->hint = burst;
    asked->span = {.since = std::max(asked->span.since, burst->since - lookback_buckets * bucket),
                   .until = std::min(asked->span.until, burst->until + lookback_buckets * bucket)};
    seen = ledger->observe(asked->span, asked->span.since);
    if (!seen) return std::unexpected(seen.error());
    burst = report::main_burst(*seen, report::bursts_of(*seen), asked->hint);
  }
  const auto distinct = ledger->distinct_keys(burst.value_or(window{.since = seen->since, .until = seen->since}));
  if (!distinct) return std::unexpected(distinct.error());
  std::optional<keyspace::eviction_view> counted;
  if (!how.keyspace.empty()) {
    auto view = counted_keyspace(how);
    if (!view) return std::unexpected(view.error());
    counted = std::move(*view);
  }
  const report::surroundings around{
      .upstream = config.upstream.host + ":" + std::to_string(config.upstream.port),
      .made_at = now,
      .prices = std::move(prices),
      .owner_of = [&config](const std::string& client) { return owner_of(config, client); },
      .ttl_rules = ttl_rules_in_force(config),
      .counted = std::move(counted),
      .hint = asked->hint};
  return report::analyse(*seen, around, *distinct);
}

std::string text_of(const incident& facts, const report_options& how) {
  const auto language = how.lang == "zh" ? report::language::chinese : report::language::english;
  const report::command_context around{.config_path = how.config_path};
  if (how.format == "json") return report::to_json(facts);
  if (how.format == "slack") return document::to_slack(report::compose_brief(facts, language, around));
  const document::document made = report::compose(facts, language, around);
  return how.format == "html" ? document::to_html(made) : document::to_markdown(made);
}

int fail(const std::string& why) {
  std::cerr << "tidegate report: " << why << '\n';
  return 1;
}

int write_out(const std::string& text, const std::string& path) {
  if (path.empty() || path == "-") {
    std::cout << text << std::flush;
    return std::cout ? 0 : fail("it could not be written to standard output");
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text << std::flush;
  if (!file) return fail(path + ": it could not be written; give --output a file in a folder that exists");
  std::cerr << "written to " << path << '\n';
  return 0;
}

int run_report(const report_options& how) {
  const auto loaded = config::load_file(how.config_path);
  if (!loaded) {
    for (const config::mistake& each : loaded.error()) std::cerr << each.to_string() << '\n';
    return 1;
  }
  if (!(*loaded)->ledger.enabled) {
    return fail("the configuration says `ledger: off`, so there is nothing to report on; remove it or name a path");
  }
  auto prices = prices_of(how.prices_path);
  if (!prices) return fail(prices.error());
  const auto facts = incident_of(**loaded, how, std::move(*prices));
  if (!facts) return fail(facts.error());
  return write_out(text_of(*facts, how), how.output_path);
}

}  // namespace

void add_report(CLI::App& app, chosen_command& chosen) {
  auto how = std::make_shared<report_options>();
  CLI::App* command =
      app.add_subcommand("report", "The incident as a document: what happened, who did it, what would have held it.");
  command->add_option("-c,--config", how->config_path, "The configuration, which names the ledger")
      ->required()
      ->type_name("FILE");
  command->add_option("--since", how->since, "From when on; without it, the last incident, else the last hour")
      ->type_name("TIME");
  command->add_option("--until", how->until, "Until when; without it, the last that was recorded")->type_name("TIME");
  command->add_option("--format", how->format, "md, html (one file, with plots), json, or slack (a message to post)")
      ->check(CLI::IsMember({"md", "html", "json", "slack"}))
      ->type_name("md|html|json|slack")
      ->capture_default_str();
  command->add_option("--lang", how->lang, "English or Chinese")
      ->check(CLI::IsMember({"en", "zh"}))
      ->type_name("en|zh")
      ->capture_default_str();
  command->add_option("--prices", how->prices_path, "Node sizes and prices [deploy/node-prices.yaml, as shipped]")
      ->type_name("FILE");
  command
      ->add_option("--keyspace", how->keyspace,
                   "Counted keys for the eviction policy's section: a file of `tidegate policy --format json`, a "
                   "redis[s]:// URL, or `upstream`: count them now [the ledger]")
      ->type_name("FILE|URL|upstream");
  command->add_option("-o,--output", how->output_path, "Where to write it [standard output]")->type_name("FILE");
  command->footer(
      "TIME is RFC 3339 (2026-02-12T14:00:00Z) or counts from now (-30m).\n"
      "Exit status: 0 = written, also where nothing happened; 1 = there is no ledger, or it cannot be read; 2 = wrong "
      "usage.\n"
      "Examples:\n  tidegate report -c tidegate.yaml\n"
      "  tidegate report -c tidegate.yaml --since -2h --format html --lang zh --output report.html\n"
      "  tidegate report -c tidegate.yaml --keyspace upstream\n"
      "  tidegate report -c tidegate.yaml --format slack | curl -d @- -H 'content-type: application/json' $WEBHOOK");
  command->callback([how, &chosen] { chosen.run = [how] { return run_report(*how); }; });
}

}  // namespace tidegate::cli
