// One side of the proxy as the machines see it: bytes out, a wish to read, a deadline. A session (client side) and an
// upstream connection are streams; the shell keeps the socket.
//
// Thread safety: belongs to its worker. Ownership: the engine owns streams; `io` is the shell's and opaque here.
#pragma once

#include <cstdint>

#include "proxy/session/buffer_pool.hpp"
#include "proxy/session/timer_heap.hpp"

namespace tidegate::session {

class stream : public timed {
 public:
  enum class side : std::uint8_t { client, upstream };

  stream(side which, buffer_pool& pool) noexcept : out(pool), which_(which) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  [[nodiscard]] side which() const noexcept { return which_; }
  // Whether the shell may read from the socket now. The shell looks after each received() and flush(), and is told by
  // shell::resume_reading() when it turns true again.
  [[nodiscard]] bool wants_read() const noexcept { return wants_read_; }

  buffer out;          // what the peer has not taken yet
  void* io = nullptr;  // the shell's socket for it; null once closed or not yet connected

 protected:
  friend class engine;
  bool wants_read_ = true;
  bool write_blocked_ = false;  // the socket was full: `writable` will tell
  bool in_dirty_list_ = false;
  side which_;
};

}  // namespace tidegate::session
