#include "evidence/keyspace/census.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace tidegate::keyspace {
namespace {

constexpr std::size_t siblings_kept = 8;
constexpr std::uint64_t few_keys_min = 10;
constexpr std::uint64_t few_keys_share = 500;  // a 500th of all keys is not few

constexpr std::string_view separators = ":/|{}#";

std::vector<std::string> without_repeats(std::vector<std::string> patterns) {
  std::vector<std::string> unique;
  for (std::string& pattern : patterns) {
    if (std::find(unique.begin(), unique.end(), pattern) == unique.end()) unique.push_back(std::move(pattern));
  }
  return unique;
}

// What a pattern is with one of its sections left open, for each section that is not open already.
std::vector<std::string> sibling_patterns(std::string_view pattern) {
  std::vector<std::string> found;
  std::size_t begin = 0;
  while (begin <= pattern.size()) {
    const std::size_t end = std::min(pattern.find_first_of(separators, begin), pattern.size());
    if (end != begin && pattern.substr(begin, end - begin) != "*") {
      found.push_back(std::string(pattern.substr(0, begin)) + "*" + std::string(pattern.substr(end)));
    }
    begin = end + 1;
  }
  return found;
}

}  // namespace

void usage::note(const key_measure& seen) noexcept {
  if (seen.idle_seconds) {
    ++idle_sampled;
    idle_sum += static_cast<double>(*seen.idle_seconds);
    if (*seen.idle_seconds >= idle_long_seconds) ++idle_long;
  }
  if (seen.frequency) {
    ++frequency_sampled;
    frequency_sum += static_cast<double>(*seen.frequency);
    if (*seen.frequency <= rare_frequency) ++frequency_rare;
  }
}

void usage::merge(const usage& other) noexcept {
  idle_sampled += other.idle_sampled;
  idle_long += other.idle_long;
  idle_sum += other.idle_sum;
  frequency_sampled += other.frequency_sampled;
  frequency_rare += other.frequency_rare;
  frequency_sum += other.frequency_sum;
}

std::string parent_pattern(std::string_view pattern) {
  if (pattern.size() > 1 && pattern.back() == '*' && separators.find(pattern[pattern.size() - 2]) != separators.npos) {
    pattern.remove_suffix(2);
  }
  const std::size_t cut = pattern.find_last_of(separators);
  if (cut == std::string_view::npos) return "*";
  return std::string(pattern.substr(0, cut + 1)) + "*";
}

census::census(std::vector<std::string> named) {
  named = without_repeats(std::move(named));
  named_globs_ = attribution::pattern_set(named);
  for (std::string& pattern : named) {
    named_.emplace_back();
    named_.back().pattern = std::move(pattern);
    named_.back().named = true;
  }
}

pattern_row& census::row_of(std::string_view key) {
  const std::uint32_t index = named_globs_.longest(key);
  if (index != attribution::pattern_set::npos) return named_[index];
  std::array<char, attribution::inferred_size_max> text;
  const std::string pattern(text.data(), attribution::infer_pattern(key, text.data(), text.size()));
  const auto found = inferred_.find(pattern);
  if (found != inferred_.end()) return found->second;
  // Half of the room must come free, or each new pattern of a keyspace of names would fold again.
  if (inferred_.size() >= rows_max) shrink_to(rows_max / 2);
  pattern_row& made = inferred_[pattern];
  made.pattern = pattern;
  return made;
}

pattern_row& census::count(std::string_view key, std::int64_t ttl_ms) {
  pattern_row& row = row_of(key);
  ++keys_;
  if (ttl_ms < 0) {
    row.without_ttl.count();
  } else {
    row.with_ttl.count();
    row.ttls.count(ttl_ms);
  }
  return row;
}

bool census::wants_measure(std::string_view key, std::int64_t ttl_ms, std::uint64_t one_in) {
  const pattern_row& row = row_of(key);
  return (ttl_ms < 0 ? row.without_ttl : row.with_ttl).wants_measure(one_in);
}

void census::measure(std::string_view key, std::int64_t ttl_ms, const key_measure& seen) {
  pattern_row& row = row_of(key);
  if (seen.bytes) (ttl_ms < 0 ? row.without_ttl : row.with_ttl).measure(static_cast<double>(*seen.bytes));
  row.used.note(seen);
}

void census::move_rows(const std::vector<std::string>& children, const std::string& into) {
  for (const std::string& child : children) {
    if (child == into) continue;
    const auto node = inferred_.extract(child);
    if (node.empty()) continue;
    pattern_row& sum = inferred_[into];
    sum.pattern = into;
    sum.with_ttl.merge(node.mapped().with_ttl);
    sum.without_ttl.merge(node.mapped().without_ttl);
    sum.ttls.merge(node.mapped().ttls);
    sum.used.merge(node.mapped().used);
  }
}

bool census::fold_siblings(std::uint64_t keys_few) {
  std::map<std::string, std::vector<std::string>> families;
  for (const auto& [pattern, row] : inferred_) {
    if (row.keys() >= keys_few) continue;
    for (std::string& family : sibling_patterns(pattern)) families[std::move(family)].push_back(pattern);
  }
  std::vector<const decltype(families)::value_type*> largest;
  for (const auto& one : families) largest.push_back(&one);
  std::stable_sort(largest.begin(), largest.end(),
                   [](const auto* a, const auto* b) { return a->second.size() > b->second.size(); });
  const std::size_t before = inferred_.size();
  for (const auto* one : largest) {
    const auto here = [this](const std::string& child) { return inferred_.contains(child); };
    // Those that a larger family has taken are gone.
    if (static_cast<std::size_t>(std::count_if(one->second.begin(), one->second.end(), here)) > siblings_kept) {
      move_rows(one->second, one->first);
    }
  }
  return inferred_.size() != before;
}

bool census::fold_up(std::uint64_t keys_few) {
  std::map<std::string, std::vector<std::string>> families;
  for (const auto& [pattern, row] : inferred_) {
    if (row.keys() < keys_few && pattern != "*") families[parent_pattern(pattern)].push_back(pattern);
  }
  for (const auto& [parent, children] : families) move_rows(children, parent);
  return !families.empty();
}

void census::shrink_to(std::size_t rows) {
  for (std::uint64_t few = 2; inferred_.size() > rows; few *= 4) {
    while (inferred_.size() > rows && fold_siblings(few)) {
    }
    while (inferred_.size() > rows && fold_up(few)) {
    }
  }
}

void census::fold() {
  while (fold_siblings(std::max(few_keys_min, keys_ / few_keys_share))) {
  }
  shrink_to(rows_final_max);
}

std::vector<const pattern_row*> census::rows() const {
  std::vector<const pattern_row*> all;
  for (const pattern_row& row : named_) all.push_back(&row);
  const auto named_end = static_cast<std::ptrdiff_t>(all.size());
  for (const auto& [pattern, row] : inferred_) {
    if (row.keys() != 0) all.push_back(&row);
  }
  std::sort(all.begin() + named_end, all.end(), [](const pattern_row* a, const pattern_row* b) {
    return std::tuple(b->without_ttl.keys(), b->keys(), std::string_view(a->pattern)) <
           std::tuple(a->without_ttl.keys(), a->keys(), std::string_view(b->pattern));
  });
  return all;
}

pattern_row census::total() const {
  pattern_row sum;
  sum.pattern = "*";
  const auto add = [&sum](const pattern_row& row) {
    sum.with_ttl.merge(row.with_ttl);
    sum.without_ttl.merge(row.without_ttl);
    sum.ttls.merge(row.ttls);
    sum.used.merge(row.used);
  };
  for (const pattern_row& row : named_) add(row);
  for (const auto& [pattern, row] : inferred_) add(row);
  return sum;
}

}  // namespace tidegate::keyspace
