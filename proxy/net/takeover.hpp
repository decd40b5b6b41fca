// Restart without a refused connection: listening sockets pass from the process that serves them to its successor, over
// a unix socket that only processes of the same user on this machine can talk to.
//
//   successor: predecessor::find ── gets sockets ── starts its workers ── taken() ── await_freed() ── admin side,
//   ledger predecessor: handover offers ───────────────────── on "taken": lets go of the admin address, "freed", drains
//
// Thread safety: none; `predecessor` is used before any other thread starts, `handover` on the control thread's
// context. Ownership: sockets are descriptors of the same open file on both sides: the kernel's queue of connections
// outlives the one that closes first. Invariants: (1) until the successor says that it serves, the predecessor goes on:
// a successor that dies on the way changes nothing; (2) the name lives in the abstract namespace, so nothing stale is
// left by a process that was killed; (3) SO_PEERCRED must be our own user on both sides; (4) a configuration that lets
// the system choose a port is never handed over: it has no address to be found under. Cost: some milliseconds at a
// start.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/net/listener.hpp"

namespace tidegate::net {

// A listening socket as it is passed on; the descriptor stays its owner's.
struct offered_socket {
  std::string address;
  std::uint16_t port = 0;
  int fd = -1;
};

class predecessor {
 public:
  // Who serves these addresses now, with its sockets; nothing if nobody answers. The error says what went wrong with
  // one that did answer.
  [[nodiscard]] static std::expected<std::optional<predecessor>, std::string> find(
      const std::vector<config::listener>& listeners);

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // To server::start(), which takes them.
  [[nodiscard]] inherited_sockets& sockets() noexcept { return sockets_; }
  // Our workers accept: the predecessor may stop.
  void taken();
  // Waits until it let go of the admin address; false if it did not say so in time.
  [[nodiscard]] bool await_freed(std::chrono::milliseconds patience);

 private:
  unique_fd link_;
  pid_t pid_ = 0;
  inherited_sockets sockets_;
};

class handover {
 public:
  struct events {
    std::function<std::vector<offered_socket>()> sockets;
    std::function<void()> let_go;  // of what the successor needs before we have drained: the admin address
    std::function<void(pid_t successor)> taken;
  };
  handover(boost::asio::io_context& context, const std::vector<config::listener>& listeners, events to);
  ~handover();
  handover(const handover&) = delete;
  handover& operator=(const handover&) = delete;

  // Waits for a successor from here on; while a predecessor still holds the name, tries again.
  void start();
  void stop();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

// The name under which these addresses are handed over, without the leading zero of the abstract namespace; empty = not
// at all.
[[nodiscard]] std::string takeover_name(const std::vector<config::listener>& listeners, uid_t user);

}  // namespace tidegate::net
