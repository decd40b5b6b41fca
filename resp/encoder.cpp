#include "resp/encoder.hpp"

namespace tidegate::resp {

void append_sanitized(std::string& out, std::string_view text, std::size_t limit) {
  for (const char c : text.substr(0, limit)) {
    out.push_back(c > ' ' && c < '\x7f' ? c : '_');  // where char is signed, bytes from 0x80 on are below the blank
  }
}

}  // namespace tidegate::resp
