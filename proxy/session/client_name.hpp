// What Redis takes for the name of a connection, and what it says of others.
//
// Thread safety: pure functions. Source: validateClientName() and clientSetNameOrReply() of Redis 7.0.
#pragma once

#include <algorithm>
#include <string_view>

namespace tidegate::session {

inline constexpr std::string_view invalid_client_name_line =
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";

[[nodiscard]] inline bool is_valid_client_name(std::string_view name) noexcept {
  return std::all_of(name.begin(), name.end(), [](char byte) { return byte >= '!' && byte <= '~'; });
}

}  // namespace tidegate::session
