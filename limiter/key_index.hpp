// Which of many rules can match a key at all: by the literal text that their key globs begin with.
//
// Thread safety: immutable once made. Ownership: owns its texts.
// Invariants: (1) a rule whose glob matches the key is among rules_of(key); rules without a key always are; (2) where
// all globs have the usual form (`text*`), no rule with a key is among them that does not match. Cost: rules_of is a
// binary search among the distinct texts, then one step up for each of them that is nested in another; no allocation.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "limiter/rule_set.hpp"

namespace tidegate::limiter {

class key_index {
 public:
  key_index() = default;
  // `keyless`: the rules that look at no key. The others by index, with the text before their glob's first wildcard.
  key_index(const std::bitset<rules_max>& keyless, const std::vector<std::pair<std::string, std::uint32_t>>& prefixes);

  [[nodiscard]] const std::bitset<rules_max>& rules_of(std::string_view key) const noexcept;
  [[nodiscard]] const std::bitset<rules_max>& keyless() const noexcept { return keyless_; }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;
  struct entry {
    std::string prefix;
    std::uint32_t above = none;    // the longest other prefix that this one begins with
    std::bitset<rules_max> rules;  // of this prefix and all above it, and the keyless ones
  };

  std::bitset<rules_max> keyless_;
  std::vector<entry> entries_;  // sorted by prefix
};

}  // namespace tidegate::limiter
