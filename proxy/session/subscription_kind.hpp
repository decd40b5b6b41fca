// Which of a connection's three kinds of subscription a command, or the message that confirms it, is about.
//
// Thread safety: a pure function.
#pragma once

#include <cstddef>
#include <string_view>

namespace tidegate::session {

// name: "subscribe", "punsubscribe", "ssubscribe" … 0 channels, 1 patterns, 2 shard channels.
[[nodiscard]] inline std::size_t subscription_kind(std::string_view name) noexcept {
  if (name.starts_with("p")) return 1;
  return name.starts_with("ss") || name.starts_with("suns") ? 2 : 0;
}

}  // namespace tidegate::session
