// Replies that the control thread itself asked for, as values: hiredis's reader with a tree and bounds of our own.
//
// Thread safety: none; one reader a connection. Ownership: a reply owns its whole tree.
// Invariants: (1) one answer takes at most `answer_bytes_max` on the wire and `answer_elements_max` elements, whatever
// the upstream announces; (2) after a failure the reader stays failed. Cost: allocates; control path only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::net {

// COMMAND of Redis 7.0 is 0.2 MB with 30,000 elements; modules add to it.
inline constexpr std::size_t answer_bytes_max = 16U << 20;
inline constexpr std::size_t answer_elements_max = 1U << 20;

struct reply {
  enum class kind : std::uint8_t { nil, status, error, integer, text, array };
  reply::kind what = kind::nil;
  std::int64_t integer = 0;
  std::string text;          // status, error (without '-'), text
  std::vector<reply> items;  // array

  [[nodiscard]] bool is_error() const noexcept { return what == kind::error; }
};

class reply_reader {
 public:
  reply_reader();
  ~reply_reader();
  reply_reader(const reply_reader&) = delete;
  reply_reader& operator=(const reply_reader&) = delete;

  // Begins a new answer: the bounds count from here.
  void reset_bounds() noexcept;
  // False once a bound is passed or memory ran out.
  [[nodiscard]] bool feed(std::string_view bytes);
  // The next whole reply; an empty optional when more bytes are needed; the error says why the stream is unusable.
  [[nodiscard]] std::expected<std::optional<reply>, std::string> next();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::net
