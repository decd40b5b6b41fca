#include "limiter/key_index.hpp"

#include <algorithm>

namespace tidegate::limiter {

key_index::key_index(const std::bitset<rules_max>& keyless,
                     const std::vector<std::pair<std::string, std::uint32_t>>& prefixes)
    : keyless_(keyless) {
  auto sorted = prefixes;
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [prefix, rule] : sorted) {
    if (entries_.empty() || entries_.back().prefix != prefix) {
      // What this prefix begins with stands before it, nearest last: the entry before, or one above that.
      std::uint32_t above = entries_.empty() ? none : static_cast<std::uint32_t>(entries_.size() - 1);
      while (above != none && !prefix.starts_with(entries_[above].prefix)) above = entries_[above].above;
      entries_.push_back({prefix, above, above == none ? keyless_ : entries_[above].rules});
    }
    entries_.back().rules.set(rule);
  }
}

// Whatever prefix of the key is among the entries lies at or before the key, and all that lies between the two begins
// with it: so it is the entry right before the key, or one above that.
const std::bitset<rules_max>& key_index::rules_of(std::string_view key) const noexcept {
  const auto behind = std::upper_bound(entries_.begin(), entries_.end(), key,
                                       [](std::string_view text, const entry& one) { return text < one.prefix; });
  if (behind == entries_.begin()) return keyless_;
  auto at = static_cast<std::uint32_t>(behind - entries_.begin() - 1);
  while (at != none && !key.starts_with(entries_[at].prefix)) at = entries_[at].above;
  return at == none ? keyless_ : entries_[at].rules;
}

}  // namespace tidegate::limiter
