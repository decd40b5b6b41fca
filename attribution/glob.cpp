#include "attribution/glob.hpp"

#include <algorithm>
#include <cstring>

namespace tidegate::attribution {

namespace {

// One run, wildcards `?` included, at exactly this place; text must be as long as the run.
bool run_matches_at(std::string_view run, const char* text) noexcept {
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (run[i] != '?' && run[i] != text[i]) return false;
  }
  return true;
}

// The leftmost place of the run in the text, npos if none. memmem because string_view::find is quadratic on text such
// as "aaaa…", and a client chooses the text.
std::size_t find_run(std::string_view run, std::string_view text) noexcept {
  if (run.size() > text.size()) return std::string_view::npos;
  if (run.find('?') == std::string_view::npos) {
    const void* found = ::memmem(text.data(), text.size(), run.data(), run.size());
    if (found == nullptr) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  }
  for (std::size_t at = 0; at + run.size() <= text.size(); ++at) {
    if (run_matches_at(run, text.data() + at)) return at;
  }
  return std::string_view::npos;
}

}  // namespace

glob::glob(std::string_view pattern) : pattern_(pattern) {
  prefix_size_ = std::min(pattern.find_first_of("*?"), pattern.size());
  literal_size_ = static_cast<std::size_t>(
      std::count_if(pattern.begin(), pattern.end(), [](char c) { return c != '*' && c != '?'; }));
}

std::string_view glob::literal_prefix() const noexcept {
  return std::string_view(pattern_).substr(0, prefix_size_);
}

bool glob::matches(std::string_view text) const noexcept {
  if (!text.starts_with(literal_prefix())) return false;
  if (prefix_size_ == pattern_.size()) return text.size() == prefix_size_;
  if (prefix_size_ + 1 == pattern_.size() && pattern_[prefix_size_] == '*') return true;
  return matches_behind_prefix(text.substr(prefix_size_));
}

bool glob::matches_behind_prefix(std::string_view text) const noexcept {
  std::string_view rest = std::string_view(pattern_).substr(prefix_size_);

  // The first run is tied to the front.
  std::size_t star = rest.find('*');
  if (star == std::string_view::npos) return rest.size() == text.size() && run_matches_at(rest, text.data());
  if (text.size() < star || !run_matches_at(rest.substr(0, star), text.data())) return false;
  text.remove_prefix(star);
  rest.remove_prefix(star + 1);

  // The last run is tied to the end; settled before the middle ones, since it rejects most texts at once.
  const std::size_t last = rest.rfind('*');
  const std::string_view tail = last == std::string_view::npos ? rest : rest.substr(last + 1);
  if (text.size() < tail.size() || !run_matches_at(tail, text.data() + (text.size() - tail.size()))) return false;
  if (last == std::string_view::npos) return true;
  text.remove_suffix(tail.size());
  rest = rest.substr(0, last);

  while (!rest.empty()) {
    star = std::min(rest.find('*'), rest.size());
    const std::string_view run = rest.substr(0, star);
    if (!run.empty()) {
      const std::size_t at = find_run(run, text);
      if (at == std::string_view::npos) return false;
      text.remove_prefix(at + run.size());
    }
    rest.remove_prefix(std::min(star + 1, rest.size()));
  }
  return true;
}

}  // namespace tidegate::attribution
