// Incremental parser of what clients send: multibulk and inline requests (redis.io/docs/reference/protocol-spec;
// limits and error texts are those of networking.c in Redis 7.0).
//
// Thread safety: none; one parser serves one thread.
// Ownership: owns the argument table and, for inline requests, the unescaped arguments. The bytes stay the caller's.
// Invariants: (1) after `incomplete` the next parse() call gets the same bytes again, possibly moved, with more behind
//   them, and goes on where it stopped (no byte is scanned twice, a frame that arrives byte by byte costs O(n));
//   (2) memory grows with what arrived, never with what was announced; (3) nothing throws: memory that is not to be had
//   is reported as an error; (4) any split of the same bytes gives the same requests and the same error; (5) an error
//   lasts until reset().
// Cost: no allocation once the argument table has grown to the largest request seen.
//
// As in Redis: a line ends at its first `\r` and whatever byte follows it; the two bytes behind a bulk are not looked
// at; a NUL before the line end hides that end, so that such a line is waited for until it is too long. Redis measures
// "too long" by what it happened to have read; here it is as if the bytes came one by one: a line end must be among the
// first inline_bytes_max + 1 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

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
  request_parser() noexcept = default;
  request_parser(const request_parser&) = delete;
  request_parser& operator=(const request_parser&) = delete;
  request_parser(request_parser&& other) noexcept { swap(other); }
  request_parser& operator=(request_parser&& other) noexcept {
    swap(other);
    return *this;
  }

  // data: the bytes from the first byte of the request on; may hold more than one request.
  [[nodiscard]] parse_status parse(std::string_view data) noexcept;

  // After `complete`: the request; its raw.size() is what the caller must skip. Calling parse() again begins the next.
  [[nodiscard]] const struct request& request() const noexcept { return request_; }

  // After `error`: "-ERR Protocol error: …\r\n", always one line, byte for byte what Redis answers. The byte quoted in
  // "expected '$', got '…'" may be any but NUL, CR and LF: sanitize the line before it goes into a log.
  [[nodiscard]] std::string_view error_line() const noexcept { return {error_line_.data(), error_size_}; }

  // Forgets a request in progress.
  void reset() noexcept;

  // Redis's tighter limits for a client that has yet to authenticate.
  void set_authenticated(bool authenticated) noexcept { authenticated_ = authenticated; }

  // What is known of a request in progress (after `incomplete`), for streaming decisions.
  struct progress {
    bool begun = false;  // at least one byte that is not skippable was seen
    bool multibulk = false;
    std::int64_t args_announced = 0;   // of `*N`; 0 while unknown
    std::uint32_t args_complete = 0;   // arguments wholly arrived
    std::int64_t bulk_announced = -1;  // of the argument now arriving; -1 = its `$` line is not complete
    std::uint64_t bulk_offset = 0;     // where its first byte lies in the frame
  };
  [[nodiscard]] progress in_progress() const noexcept;
  // Arguments that arrived whole, of a request in progress; relative to data.data() of the last parse() call.
  [[nodiscard]] std::span<const arg_ref> complete_args() const noexcept { return refs_.view(); }

  // Exchanges the state of a request in progress, so that a parser shared by a worker's sessions serves
  // uninterrupted requests and a session keeps one of its own only while a request is split.
  void swap(request_parser& other) noexcept;

  // Bytes held beyond sizeof(*this).
  [[nodiscard]] std::size_t used_memory() const noexcept;

 private:
  enum class stage : std::uint8_t { fresh, count_line, arguments, inline_line, failed };
  enum class line : std::uint8_t { whole, partial, too_long };

  // Grows by doubling; unlike std::vector it answers when there is no memory.
  class arg_table {
   public:
    [[nodiscard]] bool push(arg_ref ref) noexcept {
      if (size_ == capacity_ && !grow()) [[unlikely]] {
        return false;
      }
      refs_[size_++] = ref;
      return true;
    }
    void clear() noexcept { size_ = 0; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] std::span<const arg_ref> view() const noexcept { return {refs_.get(), size_}; }
    [[nodiscard]] std::size_t bytes() const noexcept { return capacity_ * sizeof(arg_ref); }
    void swap(arg_table& other) noexcept;

   private:
    [[nodiscard]] bool grow() noexcept;

    std::unique_ptr<arg_ref[]> refs_;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
  };

  [[nodiscard]] parse_status parse_multibulk(std::string_view data) noexcept;
  [[nodiscard]] parse_status parse_inline(std::string_view data) noexcept;
  [[nodiscard]] parse_status read_count(std::string_view data) noexcept;
  [[nodiscard]] parse_status read_bulk_length(std::string_view data) noexcept;
  [[nodiscard]] parse_status split_inline(std::string_view text) noexcept;
  [[nodiscard]] line find_line_end(std::string_view rest, char last, std::size_t& length) noexcept;
  [[nodiscard]] parse_status finish(std::string_view raw, const char* base) noexcept;
  [[nodiscard]] parse_status fail(std::string_view text) noexcept;
  void begin_line() noexcept;

  struct request request_;
  arg_table refs_;
  std::unique_ptr<char[]> inline_bytes_;
  std::size_t inline_capacity_ = 0;
  std::uint64_t position_ = 0;   // bytes of the frame already understood
  std::uint64_t scanned_ = 0;    // bytes from position_ on in which no line end was found
  std::int64_t args_left_ = -1;  // -1: the count line is not complete
  std::int64_t args_announced_ = 0;
  std::int64_t bulk_length_ = -1;
  std::array<char, 64> error_line_{};
  std::uint8_t error_size_ = 0;
  stage stage_ = stage::fresh;
  bool line_hidden_ = false;  // a NUL came before the line end
  bool begun_ = false;
  bool authenticated_ = true;
};

}  // namespace tidegate::resp
