#include "cli/keyspace/text_table.hpp"

#include <algorithm>

namespace tidegate::cli {
namespace {

constexpr std::size_t gap = 2;

void print_line(std::string line, std::ostream& out) {
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << '\n';
}

}  // namespace

text_table::layout text_table::fit(std::size_t width, std::vector<std::string>& missed) const {
  layout how;
  for (const auto& row : rows_) {
    how.widths.resize(std::max(how.widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) how.widths[i] = std::max(how.widths[i], row[i].size());
  }
  for (std::size_t i = 1; i < how.widths.size(); ++i) how.columns.push_back(i);
  const auto needed = [&how] {
    std::size_t sum = 0;
    for (const std::size_t i : how.columns) sum += gap + how.widths[i];
    return sum;
  };
  if (how.widths.front() + needed() <= width) return how;
  how.stacked = true;
  for (const std::string& name : missable_) {
    if (needed() <= width) break;
    const auto found = std::ranges::find(rows_.front(), name);
    if (std::erase(how.columns, static_cast<std::size_t>(found - rows_.front().begin())) != 0) missed.push_back(name);
  }
  return how;
}

void text_table::print_row(const std::vector<std::string>& row, const layout& how, std::ostream& out) const {
  std::string line = row.front();
  if (how.stacked) {
    print_line(std::move(line), out);
    line.clear();
  } else {
    line.resize(how.widths.front(), ' ');
  }
  for (const std::size_t i : how.columns) {
    const std::string cell = i < row.size() ? row[i] : std::string();
    line += std::string(gap + how.widths[i] - cell.size(), ' ') + cell;
  }
  print_line(std::move(line), out);
}

std::vector<std::string> text_table::print(std::ostream& out, std::size_t width) const {
  std::vector<std::string> missed;
  const layout how = fit(width, missed);
  auto note = notes_.begin();
  for (std::size_t number = 0; number < rows_.size(); ++number) {
    print_row(rows_[number], how, out);
    for (; note != notes_.end() && note->first == number; ++note) out << "  " << note->second << '\n';
  }
  return missed;
}

}  // namespace tidegate::cli
