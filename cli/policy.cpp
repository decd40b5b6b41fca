// `tidegate policy`: what the eviction policy may take now, and what a change of it would put at risk.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_line.hpp"
#include "cli/keyspace/audit_view.hpp"
#include "config/quantity.hpp"
#include "evidence/keyspace/evictability.hpp"

namespace tidegate::cli {
namespace {

constexpr int wrong_usage = 2;

struct policy_options {
  server_options server;
  std::string rate, format = "text";
  bool quiet = false;
};

int fail(const std::string& why, int status = 1) {
  std::cerr << "tidegate: " << why << '\n';
  return status;
}

std::vector<keyspace::mending_rule> rules_in_force(const server_target& target) {
  std::vector<keyspace::mending_rule> rules;
  if (!target.config) return rules;
  for (const config::ttl_rule& rule : target.config->ttl) {
    if (rule.mode != config::ttl_mode::enforce || (!rule.default_ttl && !rule.max_ttl)) continue;
    rules.push_back({.pattern = rule.pattern, .default_ttl = rule.default_ttl, .max_ttl = rule.max_ttl, .jitter = 0});
  }
  return rules;
}

int policy(const policy_options& how) {
  double rate = census_rate;
  if (!how.rate.empty()) {
    const auto given = config::parse_rate(how.rate);
    if (!given || given->bytes) return fail("--rate: write commands a second, like 5000/s", wrong_usage);
    rate = given->per_second;
  }
  const auto target = find_target(how.server);
  if (!target) return fail(target.error(), wrong_usage);
  stop_request stop;
  const auto found = take_census(*target, {}, rate, how.quiet, stop);
  if (!found) return fail(found.error());
  if (!(*found)->whole) return fail("it was interrupted: a part of the keys says nothing of the whole");
  const server_facts& facts = (*found)->facts;
  const std::uint64_t configured = target->config ? target->config->upstream.maxmemory : 0;
  const keyspace::eviction_view view = keyspace::judge_eviction((*found)->keys, (*found)->distinct_share,
                                                                {.target = target->name,
                                                                 .policy = facts.eviction_policy,
                                                                 .used = facts.memory_used,
                                                                 .max = configured != 0 ? configured : facts.memory_max,
                                                                 .evicted_keys = facts.evicted_keys},
                                                                rules_in_force(*target));
  if (how.format == "json") {
    std::cout << keyspace::to_json(view).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  } else {
    std::cout << keyspace::to_markdown(view);
  }
  return 0;
}

}  // namespace

void add_policy(CLI::App& app, chosen_command& chosen) {
  auto how = std::make_shared<policy_options>();
  CLI::App* command =
      app.add_subcommand("policy", "What eviction may take now, and what another maxmemory-policy would put at risk.");
  add_server_options(*command, how->server);
  command->add_option("--rate", how->rate, "Commands at most; less when the server slows down [20000/s]")
      ->type_name("R/s");
  command->add_option("--format", how->format, "Markdown for people, or JSON")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->add_flag("-q,--quiet", how->quiet, "No progress");
  command->footer(
      "Reads only, and every key: SCAN at a pace that gives way to others.\n"
      "Exit status: 0 = done, 1 = the server could not be read, 2 = wrong usage.\n"
      "Example:\n  tidegate policy -c tidegate.yaml");
  command->callback([how, &chosen] { chosen.run = [how] { return policy(*how); }; });
}

}  // namespace tidegate::cli
