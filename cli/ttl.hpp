// The subcommands of `tidegate ttl` beside `audit`: those that change keys or sign off that they be changed, and the
// one that suggests rules.
//
// Thread safety: none. Ownership: as cli/command_line.hpp. Cost: none.
#pragma once

#include "cli/command_line.hpp"

namespace tidegate::cli {

void add_ttl_fix(CLI::App& ttl, chosen_command& chosen);
void add_ttl_approve(CLI::App& ttl, chosen_command& chosen);
void add_ttl_suggest(CLI::App& ttl, chosen_command& chosen);

}  // namespace tidegate::cli
