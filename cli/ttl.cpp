// `tidegate ttl …`: what old keys look like, which rules they want, and mending them. Here are only the options.
#include "cli/ttl.hpp"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_line.hpp"
#include "cli/keyspace/audit_view.hpp"
#include "config/quantity.hpp"

namespace tidegate::cli {
namespace {

struct audit_options {
  server_options server;
  std::vector<std::string> patterns;
  std::string rate, format = "text";
  audit_view_options view;
  bool quiet = false;
};

int fail(const std::string& why, int status = 1) {
  std::cerr << "tidegate: " << why << '\n';
  return status;
}

int audit(const audit_options& how) {
  double rate = census_rate;
  if (!how.rate.empty()) {
    const auto given = config::parse_rate(how.rate);
    if (!given || given->bytes) return fail("--rate: " + (given ? std::string("write 5000/s") : given.error()), 2);
    rate = given->per_second;
  }
  const auto target = find_target(how.server);
  if (!target) return fail(target.error(), 2);
  stop_request stop;
  const auto found = take_census(*target, how.patterns, rate, how.quiet, stop);
  if (!found) return fail(found.error());
  if (how.format == "json") {
    std::cout << audit_json(**found).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  } else {
    audit_view_options view = how.view;
    view.width = screen_width(STDOUT_FILENO);
    print_audit(**found, view, std::cout);
  }
  return (*found)->whole ? 0 : 1;
}

void add_audit(CLI::App& ttl, chosen_command& chosen) {
  auto how = std::make_shared<audit_options>();
  CLI::App* command = ttl.add_subcommand("audit", "Count keys with and without TTL by pattern, and what they weigh.");
  add_server_options(*command, how->server);
  command->add_option("--pattern", how->patterns, "Also count what this glob matches under it")->type_name("P");
  command->add_option("--rate", how->rate, "Commands at most; less when the server slows down [20000/s]")
      ->type_name("R/s");
  command->add_option("--top", how->view.rows_max, "Discovered patterns to show")->capture_default_str();
  command->add_option("--format", how->format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->add_flag("-q,--quiet", how->quiet, "No progress");
  command->footer(
      "Reads only. Patterns: those of the file, four well-known ones, and what is discovered.\n"
      "Exit status: 0 = all was counted, 1 = not all, 2 = wrong usage.\n"
      "Examples:\n  tidegate ttl audit -c tidegate.yaml\n"
      "  TIDEGATE_SERVER_PASSWORD=... tidegate ttl audit --url rediss://ops@host:6379?ca=ca.crt --format json");
  command->callback([how, &chosen] { chosen.run = [how] { return audit(*how); }; });
}

}  // namespace

void add_ttl(CLI::App& app, chosen_command& chosen) {
  CLI::App* ttl = app.add_subcommand("ttl", "Old keys: count those without TTL, suggest rules, mend them.");
  ttl->require_subcommand(1);
  ttl->footer("Example:\n  tidegate ttl audit -c tidegate.yaml");
  add_audit(*ttl, chosen);
  add_ttl_suggest(*ttl, chosen);
  add_ttl_fix(*ttl, chosen);
  add_ttl_approve(*ttl, chosen);
}

}  // namespace tidegate::cli
