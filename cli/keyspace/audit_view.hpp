// A census as a table for people and as JSON.
//
// Thread safety: pure but for the stream. Invariants: keys are bytes: what is not printable ASCII is escaped in text
// and replaced in JSON; every estimate stands with its margin or says that it has none. Cost: control path.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

#include "cli/keyspace/take_census.hpp"

namespace tidegate::cli {

struct audit_view_options {
  std::size_t rows_max = 40;  // inferred ones beyond are summed in one line
  bool histogram = true;
};

void print_audit(const counted_keyspace& found, const audit_view_options& how, std::ostream& out);
[[nodiscard]] nlohmann::ordered_json audit_json(const counted_keyspace& found);

[[nodiscard]] nlohmann::ordered_json estimate_json(const keyspace::estimate& bytes);
// Columns that line up: the first to the left, the others to the right.
class text_table {
 public:
  explicit text_table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Below the row that was added last, over all columns.
  void note(std::string text) { notes_.emplace_back(rows_.size() - 1, std::move(text)); }
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::pair<std::size_t, std::string>> notes_;  // by row
};

[[nodiscard]] nlohmann::ordered_json histogram_json(const keyspace::ttl_histogram& ttls);
void print_histogram(const keyspace::ttl_histogram& ttls, std::uint64_t without, std::ostream& out);

}  // namespace tidegate::cli
