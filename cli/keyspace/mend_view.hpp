// What mending found or did, and what a plan holds, as tables and as JSON.
//
// Thread safety: pure but for the streams. Invariants: of a dry run the census is there. Cost: control path.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "cli/keyspace/mend.hpp"

namespace tidegate::cli {

// Of a dry run, in the order of its rules.
[[nodiscard]] std::vector<keyspace::expectation> expected_of(const mended& found,
                                                             const std::vector<keyspace::mending_rule>& rules);
void print_dry_run(const mended& found, const std::vector<keyspace::mending_rule>& rules, const std::string& target,
                   std::ostream& out);
void print_mended(const mended& found, const std::vector<keyspace::mending_rule>& rules, const std::string& target,
                  std::ostream& out);
void print_plan(const keyspace::plan& plan, std::ostream& out);
[[nodiscard]] nlohmann::ordered_json mended_json(const mended& found, const std::vector<keyspace::mending_rule>& rules,
                                                 const std::string& target, bool dry);
// "contact:last:*: max 90.0 d, up to 10 % less".
[[nodiscard]] std::string rule_summary(const keyspace::mending_rule& rule);

}  // namespace tidegate::cli
