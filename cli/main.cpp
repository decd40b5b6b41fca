// The command line. Everything it can do stands in a file of its own; here is only who is asked.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "cli/check.hpp"
#include "cli/serve.hpp"
#include "proxy/admin/version.hpp"
#include "proxy/net/control_connection.hpp"

namespace {

constexpr int wrong_usage = 2;

std::expected<tidegate::cli::upstream_sight, std::string> look(const tidegate::config::upstream& upstream) {
  const auto seen = tidegate::net::look_at_upstream(upstream);
  if (!seen) return std::unexpected(seen.error());
  return tidegate::cli::upstream_sight{.cluster = seen->cluster, .eviction_policy = seen->eviction_policy};
}

int run(int argc, char** argv) {
  CLI::App app("A RESP proxy that knows who writes, limits bursts, and gives every key a TTL.", "tidegate");
  app.set_version_flag("--version", std::string("tidegate ") + tidegate::admin::version_text);
  app.require_subcommand(0, 1);  // that there is one is asked below: CLI11 would say so of a misspelt one too
  app.footer("Example:\n  tidegate serve -c tidegate.yaml");

  std::string serve_path;
  CLI::App* serve = app.add_subcommand("serve", "Serve clients until SIGTERM; SIGHUP or a changed file reloads.");
  serve->add_option("-c,--config", serve_path, "The configuration")->required()->type_name("FILE");
  serve->footer("Example:\n  tidegate serve -c /etc/tidegate/tidegate.yaml");

  tidegate::cli::check_options checked;
  std::string format = "text";
  CLI::App* check = app.add_subcommand("check", "Say every mistake in a configuration, with its line and the remedy.");
  check->add_option("-c,--config", checked.config_path, "The configuration")->required()->type_name("FILE");
  check->add_option("--format", format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  check->add_flag("--offline", checked.offline, "Do not ask the upstream what it is");
  check->footer(
      "Exit status: 0 = it can be served, 1 = it has mistakes, 2 = wrong usage.\n"
      "Example:\n  tidegate check -c tidegate.yaml --format json");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has a status for each kind of error; the contract knows one.
    return app.exit(error) == 0 ? 0 : wrong_usage;
  }
  if (app.get_subcommands().empty()) {
    std::cerr << "a command is needed\n\n" << app.help();
    return wrong_usage;
  }
  if (*serve) return tidegate::cli::serve(serve_path, std::cout);
  checked.format = format == "json" ? tidegate::cli::output_format::json : tidegate::cli::output_format::text;
  return tidegate::cli::check(checked, look, std::cout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "tidegate: " << error.what() << '\n';
    return 1;
  }
}
