// The command line. Everything it can do stands in a file of its own; here is only who is asked.
#include <CLI/CLI.hpp>
#include <array>
#include <exception>
#include <iostream>

#include "cli/command_line.hpp"
#include "proxy/admin/version.hpp"

namespace {

constexpr int wrong_usage = 2;

// In the order of `tidegate --help`.
constexpr std::array commands{
    &tidegate::cli::add_serve,     //
    &tidegate::cli::add_check,     //
    &tidegate::cli::add_status,    //
    &tidegate::cli::add_report,    //
    &tidegate::cli::add_top,       //
    &tidegate::cli::add_cap,       //
    &tidegate::cli::add_block,     //
    &tidegate::cli::add_uncap,     //
    &tidegate::cli::add_caps,      //
    &tidegate::cli::add_ttl,       //
    &tidegate::cli::add_policy,    //
    &tidegate::cli::add_simulate,  //
    &tidegate::cli::add_replay,    //
};

int run(int argc, char** argv) {
  CLI::App app("A RESP proxy that knows who writes, limits bursts, and gives every key a TTL.", "tidegate");
  app.set_version_flag("--version", std::string("tidegate ") + tidegate::admin::version_text);
  app.require_subcommand(0, 1);  // that there is one is asked below: CLI11 would say so of a misspelt one too
  app.footer("Example:\n  tidegate serve -c tidegate.yaml");

  tidegate::cli::chosen_command chosen;
  for (const auto add : commands) add(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has a status for each kind of error; the contract knows one.
    return app.exit(error) == 0 ? 0 : wrong_usage;
  }
  if (!chosen.run) {
    std::cerr << "a command is needed\n\n" << app.help();
    return wrong_usage;
  }
  return chosen.run();
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
