// Finds where replies end, in RESP2 and RESP3, without keeping them: an upstream's bytes pass through as they come.
//
// Thread safety: none. Ownership: none of the bytes; at most reply_head_bytes of a reply split over reads are kept.
// Invariants: (1) nesting is counted, not stacked: depth costs nothing and is not limited; (2) an attribute (`|`)
// belongs
//   to the reply that follows it; (3) any split of the input gives the same frames; (4) streamed RESP3 types (`$?`,
//   `*?`, `;`, `.`) and everything else that is not RESP is `malformed`, and stays so until reset(); (5) what stands
//   in a `,` or `(` line is not judged (scripts choose it), and a push may stand between an array's elements
//   (PUBLISH to oneself in MULTI) and is none of them.
// Cost: no allocation (but for the tracked elements); bulk bodies are skipped by length; one pass.
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

  // Continues with the current frame, or begins the next one if the last was complete. `incomplete` takes all of
  // `data`; after `malformed`, bytes is how many came before the offending one.
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
  // The last `:` number read in the frame (the count in a subscribe reply, the answer of EXPIRE); 0 if none. Numbers of
  // attributes before the frame's value do not count.
  [[nodiscard]] std::int64_t last_integer() const noexcept { return last_integer_; }
  // The frame's first bytes (at most reply_head_bytes, attributes left out): type byte, error line, kind of a push.
  // Valid after consume() until the next call.
  [[nodiscard]] std::string_view head() const noexcept;
  // The error line without its `-` and CRLF, cut at reply_head_bytes; for `!` the text; empty for other replies.
  [[nodiscard]] std::string_view error_text() const noexcept;
  // The first element of an aggregate, if it is a bulk or simple string: "message", "subscribe", … cut at 32 bytes.
  // Empty for others. Valid as long as head().
  [[nodiscard]] std::string_view kind() const noexcept;

  // While set, the outcome of each element of a frame's outermost array (`*`) is appended, in order, attributes left
  // out. The sink grows by what arrived, not by what the header announced.
  void track_elements(std::vector<element_outcome>* sink) noexcept { elements_sink_ = sink; }

  void reset() noexcept;

 private:
  enum class stage : std::uint8_t {
    type,    // the next byte begins a value
    number,  // sign and digits of `:`, of a length or of a count
    number_lf,
    line,     // `+` and `-`
    line_cr,  // a CR came in it: its end, if LF follows
    token,    // `_ # , (`
    token_lf,
    body,  // of `$ ! =`
    body_cr,
    body_lf,
  };

  [[nodiscard]] result complete_whole(std::string_view data, const char* after) noexcept;
  void keep_head(std::string_view data, const char* until, bool complete) noexcept;
  const char* step(const char* p, const char* end) noexcept;
  const char* read_values(const char* p, const char* end) noexcept;
  const char* read_number(const char* p, const char* end) noexcept;
  const char* read_line(const char* p, const char* end) noexcept;
  const char* read_token(const char* p, const char* end) noexcept;
  const char* read_body(const char* p, const char* end) noexcept;
  const char* expect(const char* p, char wanted, stage next) noexcept;
  const char* refuse(const char* p) noexcept;
  void begin_frame() noexcept;
  [[nodiscard]] bool begin_value(const char* p) noexcept;
  [[nodiscard]] bool finish_number() noexcept;
  [[nodiscard]] bool finish_null() noexcept;
  [[nodiscard]] bool finish_aggregate() noexcept;
  void finish_value() noexcept;
  void capture(const char* p, std::size_t size) noexcept;

  // Enough of a tracked element's error to classify it: the longest text compared has 44 bytes.
  static constexpr std::size_t captured_bytes_max = 64;

  std::vector<element_outcome>* elements_sink_ = nullptr;
  const char* head_data_ = nullptr;  // where the head lies in the data of this call; nullptr: it is in head_
  std::size_t head_size_ = 0;
  std::uint64_t need_ = 0;      // values that must still come, the one being read among them
  std::uint64_t top_left_ = 0;  // elements of the outermost array that have not begun
  std::uint64_t elements_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t body_left_ = 0;
  std::int64_t last_integer_ = 0;
  std::uint64_t line_size_ = 0;
  std::uint8_t digits_ = 0;
  std::uint8_t captured_size_ = 0;
  stage stage_ = stage::type;
  char value_type_ = 0;
  char type_ = 0;
  bool negative_ = false;
  bool signed_ = false;
  bool top_ = false;  // the value being read is the frame's own
  bool capturing_ = false;
  bool null_ = false;
  bool malformed_ = false;
  bool idle_ = true;
  std::array<char, captured_bytes_max> captured_{};
  std::array<char, reply_head_bytes> head_{};
};

}  // namespace tidegate::resp
