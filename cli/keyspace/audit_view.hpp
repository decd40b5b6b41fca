// A census as a table for people and as JSON.
//
// Thread safety: pure but for the stream. Invariants: keys are bytes: what is not printable ASCII is escaped in text
// and replaced in JSON; every estimate stands with its margin or says that it has none. Cost: control path.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

#include "cli/keyspace/take_census.hpp"
#include "cli/screen_width.hpp"

namespace tidegate::cli {

struct audit_view_options {
  std::size_t rows_max = 40;  // inferred ones beyond are summed in one line
  bool histogram = true;
  std::size_t width = endless_width;
};

void print_audit(const counted_keyspace& found, const audit_view_options& how, std::ostream& out);
[[nodiscard]] nlohmann::ordered_json audit_json(const counted_keyspace& found);

[[nodiscard]] nlohmann::ordered_json estimate_json(const keyspace::estimate& bytes);
[[nodiscard]] nlohmann::ordered_json histogram_json(const keyspace::ttl_histogram& ttls);
void print_histogram(const keyspace::ttl_histogram& ttls, std::uint64_t without, std::ostream& out);

}  // namespace tidegate::cli
