// What two servers hold, as one text each: every key with a digest of its value and whether it has a TTL.
//
// Thread safety: none. Ownership: none.
// Invariants: equal texts are equal data: DUMP of each key, but for what DUMP writes in the order of a random hash
// (sets)
//   or with the time of day (streams with groups), whose contents are taken in order instead.
// Cost: one script a db, which blocks the server for its whole keyspace.
#pragma once

#include <string>

#include "tests/traffic/link.hpp"

namespace tidegate::differential {

// One call and its whole reply, blocking. Throws std::runtime_error when the connection ends.
[[nodiscard]] std::string call(traffic::link& to, std::string_view request);
[[nodiscard]] std::string encode(std::initializer_list<std::string_view> words);

// With `ttls`, whether a key has one is part of the text.
[[nodiscard]] std::string keyspace_of(const traffic::place& server, bool ttls);

}  // namespace tidegate::differential
