// Any bytes, in random pieces, must give the requests and the error that they give in one piece.
//
// clang++-19 -std=c++23 -O1 -g -fsanitize=fuzzer,address,undefined -I. tests/fuzz/request_parser_fuzz.cpp
//   resp/request_parser.cpp -o /tmp/request_parser_fuzz && /tmp/request_parser_fuzz -max_len=2048 -max_total_time=60
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "resp/request_parser.hpp"

namespace {

using tidegate::resp::parse_status;
using tidegate::resp::request_parser;

struct outcome {
  std::string requests;
  std::string error;
  std::size_t left = 0;
  bool operator==(const outcome&) const = default;
};

void record(std::string& out, const tidegate::resp::request& request) {
  out += request.is_inline ? 'i' : 'm';
  out += std::to_string(request.raw.size());
  for (std::size_t i = 0; i < request.size(); ++i) {
    out += ',' + std::to_string(request[i].size()) + ':';
    out += request[i];
  }
}

outcome parse(const std::vector<std::string_view>& chunks, bool authenticated) {
  outcome out;
  request_parser parser;
  parser.set_authenticated(authenticated);
  std::string held;
  for (const std::string_view chunk : chunks) {
    held += chunk;
    for (;;) {
      const std::unique_ptr<char[]> block(new char[held.size()]);
      std::memcpy(block.get(), held.data(), held.size());
      const parse_status status = parser.parse({block.get(), held.size()});
      if (parser.used_memory() > 1024 + 4 * held.size() + 16 * out.requests.size()) {
        std::abort();  // grew by more than what arrived
      }
      if (status == parse_status::error) {
        out.error = parser.error_line();
        if (out.error.find_first_of("\r\n") != out.error.size() - 2) {
          std::abort();  // not one line
        }
        return out;
      }
      if (status == parse_status::incomplete) {
        break;
      }
      if (parser.request().raw.data() != block.get() || parser.request().raw.empty() ||
          parser.request().raw.size() > held.size()) {
        std::abort();
      }
      record(out.requests, parser.request());
      held.erase(0, parser.request().raw.size());
    }
  }
  out.left = held.size();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 3) {
    return 0;
  }
  const bool authenticated = (bytes[0] & 1U) != 0;
  std::minstd_rand random(bytes[1] | 1U);
  const std::size_t longest = 1U + bytes[2] % 64U;
  const std::string_view wire(reinterpret_cast<const char*>(bytes) + 3, size - 3);
  std::vector<std::string_view> chunks;
  for (std::string_view rest = wire; !rest.empty(); rest.remove_prefix(chunks.back().size())) {
    chunks.push_back(rest.substr(0, 1 + random() % longest));
  }
  if (!(parse({wire}, authenticated) == parse(chunks, authenticated))) {
    std::abort();
  }
  return 0;
}
