// Writes requests and error replies.
//
// Thread safety: free functions over the caller's buffer. `Out` is anything with append(const char*, std::size_t).
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::resp {

template <class Out>
void append(Out& out, std::string_view text) {
  out.append(text.data(), text.size());
}

template <class Out>
void append_number_line(Out& out, char type, std::int64_t value) {
  std::array<char, 24> line;
  line[0] = type;
  char* end = std::to_chars(line.data() + 1, line.data() + line.size() - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(line.data(), static_cast<std::size_t>(end - line.data()));
}

template <class Out>
void append_array_header(Out& out, std::size_t size) {
  append_number_line(out, '*', static_cast<std::int64_t>(size));
}

template <class Out>
void append_bulk(Out& out, std::string_view value) {
  append_number_line(out, '$', static_cast<std::int64_t>(value.size()));
  append(out, value);
  append(out, "\r\n");
}

// append_command(out, "EXPIRE", key, "60", "NX")
template <class Out, class... Args>
void append_command(Out& out, const Args&... args) {
  append_array_header(out, sizeof...(args));
  (append_bulk(out, std::string_view(args)), ...);
}

// Appends `text` with every byte that is not printable ASCII, and every blank, replaced by '_'; at most `limit` bytes.
// Whatever a client named must pass through here on its way into an error, a name or a log line.
void append_sanitized(std::string& out, std::string_view text, std::size_t limit = 128);

}  // namespace tidegate::resp
