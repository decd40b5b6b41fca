// What clients send, and what must be made of it: used against the parser alone and against a real Redis.
//
// `wants` renders the requests in order: (a|b) multibulk, i(a|b) inline, () and i() empty, !text the protocol error
// that ends the stream, ? a request begun and not complete. Bytes outside printable ASCII are rendered as \hh.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "resp/request_parser.hpp"

namespace tidegate::resp::test {

struct request_vector {
  std::string wire;
  std::string wants;
  bool authenticated = true;
  // False where Redis's answer depends on how the bytes happen to be read, or where Redis is not asked because our own
  // bound comes first.
  bool same_in_redis = true;
};

// Keeps NULs of a literal.
template <std::size_t N>
std::string bytes(const char (&text)[N]) {
  return {text, N - 1};
}

inline std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

std::vector<request_vector> request_vectors();
// Lines about as long as may be: too big for every split point.
std::vector<request_vector> long_request_vectors();

// What arrives in `chunks`, parsed as a session does it: each call gets a heap block of exactly the bytes at hand.
struct parsed_stream {
  std::string rendered;
  std::vector<std::vector<std::string>> requests;
  std::string error;
};
parsed_stream parse_stream(const std::vector<std::string_view>& chunks, bool authenticated);

}  // namespace tidegate::resp::test
