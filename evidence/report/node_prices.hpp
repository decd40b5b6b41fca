// The node sizes that a report compares, from a YAML file that people edit.
//
// Thread safety: pure. Ownership: the result is the caller's. Invariants: every size has a type, a memory and a price
// above zero, at most sizes_max of them, in order of price; what is wrong is said with its line. Cost: linear in the
// text.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "evidence/report/incident.hpp"

namespace tidegate::report {

inline constexpr std::size_t sizes_max = 64;

// name: what an error calls the text. The shipped table is embedded: deploy/node-prices.yaml.
[[nodiscard]] std::expected<node_prices, std::string> parse_node_prices(std::string_view yaml, const std::string& name);
[[nodiscard]] std::string_view shipped_node_prices();

}  // namespace tidegate::report
