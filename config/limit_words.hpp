// The words of a limit's choices, as the file has them and as every screen and reply shows them.
//
// Thread safety: constants. Ownership: static text. Invariants: a word stands at its enumerator's place. Cost: none.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "config/config.hpp"

namespace tidegate::config {

template <class Enum, std::size_t count>
using word_table = std::array<std::pair<std::string_view, Enum>, count>;

inline constexpr word_table<limit_per, 4> limit_per_words{{{"client", limit_per::client},
                                                           {"connection", limit_per::connection},
                                                           {"pattern", limit_per::pattern},
                                                           {"rule", limit_per::rule}}};
inline constexpr word_table<limit_cost, 3> limit_cost_words{
    {{"command", limit_cost::command}, {"element", limit_cost::element}, {"byte", limit_cost::byte}}};
// The last one is no word of a file's.
inline constexpr word_table<limit_action, 4> limit_action_words{{{"observe", limit_action::observe},
                                                                 {"delay", limit_action::delay},
                                                                 {"reject", limit_action::reject},
                                                                 {"block", limit_action::block}}};

[[nodiscard]] constexpr std::string_view word_of(limit_per which) noexcept {
  return limit_per_words[static_cast<std::size_t>(which)].first;
}
[[nodiscard]] constexpr std::string_view word_of(limit_cost which) noexcept {
  return limit_cost_words[static_cast<std::size_t>(which)].first;
}
[[nodiscard]] constexpr std::string_view word_of(limit_action which) noexcept {
  return limit_action_words[static_cast<std::size_t>(which)].first;
}

}  // namespace tidegate::config
