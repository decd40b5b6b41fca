// Any bytes, in random pieces, must give the frames that they give in one piece.
//
// clang++-19 -std=c++23 -O1 -g -fsanitize=fuzzer,address,undefined -I. tests/fuzz/reply_framer_fuzz.cpp
//   resp/reply_framer.cpp resp/error_code.cpp -o /tmp/reply_framer_fuzz
//   && /tmp/reply_framer_fuzz -max_len=2048 -max_total_time=60
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_framer.hpp"

namespace {

using tidegate::resp::element_outcome;
using tidegate::resp::reply_framer;

void record(std::string& out, const reply_framer& framer, std::size_t bytes, std::vector<element_outcome>& outcomes) {
  out += framer.type();
  out += framer.is_null() ? 'N' : ' ';
  out += std::to_string(bytes) + ' ' + std::to_string(framer.elements()) + ' ' + std::to_string(framer.last_integer());
  for (const std::string_view text : {framer.head(), framer.error_text(), framer.kind()}) {
    out += ' ' + std::to_string(text.size()) + ':';
    out += text;
  }
  for (const auto& [type, error] : outcomes) {
    out += type;
    out += std::to_string(static_cast<int>(error));
  }
  outcomes.clear();
}

std::string frame(const std::vector<std::string_view>& chunks) {
  std::string out;
  reply_framer framer;
  std::vector<element_outcome> outcomes;
  framer.track_elements(&outcomes);
  std::size_t frame_bytes = 0;
  for (const std::string_view chunk : chunks) {
    const std::unique_ptr<char[]> block(new char[chunk.size()]);
    std::memcpy(block.get(), chunk.data(), chunk.size());
    std::string_view data(block.get(), chunk.size());
    while (!data.empty()) {
      const auto [state, bytes] = framer.consume(data);
      if (bytes > data.size() || (state == reply_framer::status::complete) != framer.idle() ||
          (state != reply_framer::status::malformed && bytes == 0)) {
        std::abort();
      }
      frame_bytes += bytes;
      data.remove_prefix(bytes);
      if (state == reply_framer::status::malformed) {
        return out + '!' + std::to_string(frame_bytes);
      }
      if (state == reply_framer::status::complete) {
        record(out, framer, frame_bytes, outcomes);
        frame_bytes = 0;
      }
    }
  }
  return out + '?' + std::to_string(frame_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  std::minstd_rand random(bytes[0] | 1U);
  const std::size_t longest = 1U + bytes[1] % 64U;
  const std::string_view wire(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  std::vector<std::string_view> chunks;
  for (std::string_view rest = wire; !rest.empty(); rest.remove_prefix(chunks.back().size())) {
    chunks.push_back(rest.substr(0, 1 + random() % longest));
  }
  if (frame({wire}) != frame(chunks)) {
    std::abort();
  }
  return 0;
}
