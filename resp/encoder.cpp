#include "resp/encoder.hpp"

namespace tidegate::resp {

void append_sanitized(std::string& out, std::string_view text, std::size_t limit) {
  const std::size_t begin = out.size();
  out.append(text.substr(0, limit));
  for (std::size_t at = begin; at < out.size(); ++at) {
    const char c = out[at];
    out[at] = c > ' ' && c < '\x7f' ? c : '_';  // where char is signed, bytes from 0x80 on are below the blank
  }
}

}  // namespace tidegate::resp
