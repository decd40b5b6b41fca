// Finds where replies end, in RESP2 and RESP3, without keeping them: an upstream's bytes pass through as they come.
//
// Thread safety: none. Ownership: none of the bytes; at most reply_head_bytes of a reply split over reads are kept.
// Invariants: (1) nesting is counted, not stacked: depth costs nothing and is not limited; (2) an attribute (`|`) belongs
//   to the reply that follows it; (3) any split of the input gives the same frames; (4) streamed RESP3 types (`$?`,
//   `*?`, `;`, `.`) and everything else that is not RESP is `malformed`, and stays so.
// Cost: no allocation; bulk bodies are skipped by length; one pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "resp/error_code.hpp"
#include "resp/limits.hpp"

namespace tidegate::resp {

// What became of one element of the array that EXEC answers.
struct element_outcome {
  char type = 0;                        // its first byte
  error_code error = error_code::none;  // for '-' and '!'
};

class reply_framer {
 public:
  enum class status : std::uint8_t { incomplete, complete, malformed };
  struct result {
    status state;
    std::size_t bytes;  // how many bytes of the input belong to this frame
  };

  // Continues with the current frame, or begins the next one if the last was complete.
  [[nodiscard]] result consume(std::string_view data) noexcept;

  // True between frames.
  [[nodiscard]] bool idle() const noexcept { return idle_; }
  // First byte of the frame's value (after attributes): + - : $ * _ , # ! = ( % ~ >
  [[nodiscard]] char type() const noexcept { return type_; }
  [[nodiscard]] bool is_push() const noexcept { return type_ == '>'; }
  [[nodiscard]] bool is_error() const noexcept { return type_ == '-' || type_ == '!'; }
  // True for `$-1`, `*-1` and `_` as the whole reply.
  [[nodiscard]] bool is_null() const noexcept { return null_; }
  // Elements of the outermost aggregate (for maps twice their pairs); 0 for others.
  [[nodiscard]] std::uint64_t elements() const noexcept { return elements_; }
  // The last `:` number read in the frame (the count in a subscribe reply, the answer of EXPIRE); 0 if none.
  [[nodiscard]] std::int64_t last_integer() const noexcept { return last_integer_; }
  // The frame's first bytes (at most reply_head_bytes, attributes left out): type byte, error line, kind of a push.
  // Valid after consume() until the next call.
  [[nodiscard]] std::string_view head() const noexcept;
  // The error line without its `-` and CRLF, cut at reply_head_bytes; for `!` the text; empty for other replies.
  [[nodiscard]] std::string_view error_text() const noexcept;
  // First bulk/simple string inside an aggregate: "message", "subscribe", … cut at 32 bytes. Empty for others.
  [[nodiscard]] std::string_view kind() const noexcept;

  // While set, the outcome of each element of the outermost array of the current frame is appended.
  void track_elements(std::vector<element_outcome>* sink) noexcept { elements_sink_ = sink; }

  void reset() noexcept;

 private:
  // (the state of the machine; to be completed with the implementation)
  std::vector<element_outcome>* elements_sink_ = nullptr;
  std::array<char, reply_head_bytes> head_{};
  std::size_t head_size_ = 0;
  std::uint64_t elements_ = 0;
  std::int64_t last_integer_ = 0;
  char type_ = 0;
  bool null_ = false;
  bool idle_ = true;
};

}  // namespace tidegate::resp
