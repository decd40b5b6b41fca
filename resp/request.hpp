// A parsed request: a view of the bytes it was read from; nothing is copied.
//
// Lifetime: valid as long as the bytes it was parsed from stay where they are and the parser that made it
// is not used again.
// Thread safety: none; a view belongs to whoever parsed it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tidegate::resp {

// Where an argument lies, relative to `request::base`.
struct arg_ref {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

struct request {
  // The frame as it came: from the first byte of `*` (or of the inline line) to its last CRLF / LF.
  std::string_view raw;
  // What the arg_refs are relative to: raw.data() for multibulk, the parser's unescaped copy for inline.
  const char* base = nullptr;
  std::span<const arg_ref> refs;
  bool is_inline = false;

  [[nodiscard]] std::size_t size() const noexcept { return refs.size(); }
  [[nodiscard]] bool empty() const noexcept { return refs.empty(); }
  [[nodiscard]] std::string_view operator[](std::size_t index) const noexcept {
    const arg_ref ref = refs[index];
    return {base + ref.offset, ref.length};
  }
};

}  // namespace tidegate::resp
