// The smallest set of limits that would have kept the memory under a share of maxmemory, and what it would have cost
// the writers: a byte budget for as few clients as do, each as wide as it may be.
//
// How. Clients are taken by the bytes they wrote. First it is asked how few of them, held to almost nothing, keep the
// memory down; then how wide one common budget for those may be (bisection, since more budget never means less memory).
// Then the same with a budget that shrinks under memory pressure; whichever makes the writers wait less is suggested.
//
// Thread safety: pure, but for reading the traffic. Cost: some forty simulations.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "evidence/simulate/traffic.hpp"

namespace tidegate::simulate {

struct suggestion {
  bool needed = true;  // false: it stays under it without any rule
  std::vector<std::string> clients;
  double bytes_per_second = 0;
  bool by_pressure = false;  // the budget shrinks with the memory
  double pressure_from = 0, pressure_to = 0;
  double max_delay_seconds = 2;
  outcome before, after;
  std::string yaml;  // a `limits:` section
};

// under: of maxmemory. base: the configuration whose other rules stay. The error says why nothing does.
[[nodiscard]] std::expected<suggestion, std::string> suggest(const traffic& from,
                                                             std::shared_ptr<const config::config> base,
                                                             const memory_facts& memory, double under);

}  // namespace tidegate::simulate
