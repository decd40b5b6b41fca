// The subcommands of `tidegate`: each says its own options, example and exit statuses, and what to run when it is
// asked.
//
// Thread safety: none. Ownership: what an add_… function captures lives in the CLI::App's callbacks, and so as long as
// it. Invariants: data go to stdout, progress and messages to stderr; a command returns 0 (done), 1 (the thing checked
// or asked for failed) or 2 (wrong usage). Cost: none.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace tidegate::cli {

// Filled while the command line is parsed; run afterwards, so that no exception of a command passes through CLI11.
struct chosen_command {
  std::function<int()> run;
};

void add_serve(CLI::App& app, chosen_command& chosen);
void add_check(CLI::App& app, chosen_command& chosen);
void add_report(CLI::App& app, chosen_command& chosen);
void add_policy(CLI::App& app, chosen_command& chosen);
void add_top(CLI::App& app, chosen_command& chosen);
void add_ttl(CLI::App& app, chosen_command& chosen);
void add_cap(CLI::App& app, chosen_command& chosen);
void add_block(CLI::App& app, chosen_command& chosen);
void add_uncap(CLI::App& app, chosen_command& chosen);
void add_caps(CLI::App& app, chosen_command& chosen);
void add_status(CLI::App& app, chosen_command& chosen);
void add_simulate(CLI::App& app, chosen_command& chosen);
void add_replay(CLI::App& app, chosen_command& chosen);

}  // namespace tidegate::cli
