// Incremental parser of what clients send: multibulk and inline requests (redis.io/docs/reference/protocol-spec;
// limits and error texts are those of networking.c in Redis 7.0).
//
// Thread safety: none; one parser serves one thread.
// Ownership: owns the argument table and, for inline requests, the unescaped arguments. The bytes stay the caller's.
// Invariants: (1) after `incomplete` the next parse() call gets the same bytes again, possibly moved, with more behind
//   them, and goes on where it stopped (no byte is scanned twice, a frame that arrives byte by byte costs O(n));
//   (2) memory grows with what arrived, never with what was announced; (3) noexcept in all cases but bad_alloc of the
//   argument table, which is reported as an error.
// Cost: no allocation once the argument table has grown to the largest request seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/limits.hpp"
#include "resp/request.hpp"

namespace tidegate::resp {

enum class parse_status : std::uint8_t {
  complete,    // request() is valid; an empty request (`*0`, `*-1`, an empty line) has size() == 0 and gets no reply
  incomplete,  // more bytes are needed
  error,       // error_line() is the reply that Redis gives before it closes
};

class request_parser {
 public:
  // data: the bytes from the first byte of the request on; may hold more than one request.
  [[nodiscard]] parse_status parse(std::string_view data) noexcept;

  // After `complete`: the request; its raw.size() is what the caller must skip. Calling parse() again begins the next.
  [[nodiscard]] const struct request& request() const noexcept { return request_; }

  // After `error`: "-ERR Protocol error: …\r\n", one line, every byte of it printable.
  [[nodiscard]] std::string_view error_line() const noexcept { return error_line_; }

  // Forgets a request in progress.
  void reset() noexcept;

  // Redis's tighter limits for a client that has yet to authenticate.
  void set_authenticated(bool authenticated) noexcept { authenticated_ = authenticated; }

  // What is known of a request in progress (after `incomplete`), for streaming decisions.
  struct progress {
    bool begun = false;               // at least one byte that is not skippable was seen
    bool multibulk = false;
    std::int64_t args_announced = 0;  // of `*N`; 0 while unknown
    std::uint32_t args_complete = 0;  // arguments wholly arrived
    std::int64_t bulk_announced = -1; // of the argument now arriving; -1 = its `$` line is not complete
    std::uint64_t bulk_offset = 0;    // where its first byte lies in the frame
  };
  [[nodiscard]] progress in_progress() const noexcept;
  // Arguments that arrived whole, of a request in progress; relative to data.data() of the last parse() call.
  [[nodiscard]] std::span<const arg_ref> complete_args() const noexcept { return refs_; }

  // Exchanges the state of a request in progress, so that a parser shared by a worker's sessions serves
  // uninterrupted requests and a session keeps one of its own only while a request is split.
  void swap(request_parser& other) noexcept;

  // Bytes held beyond sizeof(*this).
  [[nodiscard]] std::size_t used_memory() const noexcept;

 private:
  [[nodiscard]] parse_status parse_multibulk(std::string_view data) noexcept;
  [[nodiscard]] parse_status parse_inline(std::string_view data) noexcept;
  [[nodiscard]] parse_status fail(std::string_view text) noexcept;

  struct request request_;
  std::vector<arg_ref> refs_;
  std::string inline_bytes_;
  std::string error_line_;
  std::uint64_t position_ = 0;   // bytes of the frame already understood
  std::uint64_t scanned_ = 0;    // bytes in which no line end was found
  std::int64_t args_left_ = -1;  // -1: the count line is not complete
  std::int64_t args_announced_ = 0;
  std::int64_t bulk_length_ = -1;
  bool begun_ = false;
  bool authenticated_ = true;
};

}  // namespace tidegate::resp
