// What upstreams send, and what must be found in it.
#pragma once

#include <string>
#include <vector>

#include "resp/error_code.hpp"

namespace tidegate::resp::test {

// A frame is rendered as its type, then what is not as usual: N (null), #elements, i(last integer), e(error text),
// k(kind), x[type and code of each tracked element]. Behind the frames: ? (one is incomplete) or !offset of what is
// malformed in the last.
struct reply_vector {
  std::string wire;
  std::string wants;
};

std::vector<reply_vector> reply_vectors();

// How an element's error is rendered.
inline std::string code(error_code code) {
  return std::to_string(static_cast<int>(code));
}

}  // namespace tidegate::resp::test
