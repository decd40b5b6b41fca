// Columns that line up: the first to the left, the others to the right.
//
// Where they are wider than the screen, the first column stands on lines of its own (names are shown whole, to be
// pasted), and of the others those that may be missed are left out until the rest fits.
//
// Thread safety: none. Ownership: values. Invariant: no cell is cut. Cost: that of the text.
#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace tidegate::cli {

class text_table {
 public:
  explicit text_table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Below the row that was added last, over all columns.
  void note(std::string text) { notes_.emplace_back(rows_.size() - 1, std::move(text)); }
  // Columns that a narrow screen goes without, by their header, the first first.
  void may_miss(std::vector<std::string> columns) { missable_ = std::move(columns); }
  // The headers of what was left out.
  std::vector<std::string> print(std::ostream& out, std::size_t width) const;

 private:
  struct layout {
    std::vector<std::size_t> columns, widths;  // by column shown; by column
    bool stacked = false;
  };
  [[nodiscard]] layout fit(std::size_t width, std::vector<std::string>& missed) const;
  void print_row(const std::vector<std::string>& row, const layout& how, std::ostream& out) const;

  std::vector<std::vector<std::string>> rows_;
  std::vector<std::pair<std::size_t, std::string>> notes_;  // by row
  std::vector<std::string> missable_;
};

}  // namespace tidegate::cli
