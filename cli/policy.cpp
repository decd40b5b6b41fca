// `tidegate policy`: what the eviction policy may take now, and what a change of it would put at risk.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_line.hpp"
#include "cli/keyspace/judge_policy.hpp"
#include "config/quantity.hpp"
#include "evidence/document/markdown.hpp"
#include "evidence/report/eviction_section.hpp"

namespace tidegate::cli {
namespace {

constexpr int wrong_usage = 2;

struct policy_options {
  server_options server;
  std::string rate, format = "text", lang = "en";
  bool quiet = false;
};

int fail(const std::string& why, int status = 1) {
  std::cerr << "tidegate: " << why << '\n';
  return status;
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
  const auto view = judge_policy(*target, rate, how.quiet);
  if (!view) return fail(view.error());
  const report::wording& words =
      report::words_in(how.lang == "zh" ? report::language::chinese : report::language::english);
  if (how.format == "json") {
    auto made = keyspace::to_json(*view);
    made["verdict"] = document::plain_text(report::eviction_advice(*view, words));
    std::cout << made.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  } else {
    std::cout << document::to_markdown(report::eviction_section(*view, words));
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
  command->add_option("--lang", how->lang, "English or Chinese")
      ->check(CLI::IsMember({"en", "zh"}))
      ->type_name("en|zh")
      ->capture_default_str();
  command->add_flag("-q,--quiet", how->quiet, "No progress");
  command->footer(
      "Reads only, and every key: SCAN at a pace that gives way to others.\n"
      "Exit status: 0 = done, 1 = the server could not be read, 2 = wrong usage.\n"
      "Examples:\n  tidegate policy -c tidegate.yaml\n"
      "  tidegate policy -c tidegate.yaml --format json > keyspace.json    # then: tidegate report --keyspace "
      "keyspace.json");
  command->callback([how, &chosen] { chosen.run = [how] { return policy(*how); }; });
}

}  // namespace tidegate::cli
