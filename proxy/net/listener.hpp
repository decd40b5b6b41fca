// Listening sockets: binding them so that every worker has its own, and accepting without ever spinning or stalling.
//
// Thread safety: bind_listener from one thread; an acceptor belongs to its worker. Ownership: both own their sockets.
// Invariants: (1) one bad accept never stops the others (CVE-2025-48367 in Redis); (2) out of descriptors, the reserve
// one lets one waiting client be told so by a close, then the listener rests: no loop on a readiness that cannot be
// served; (3) an IPv6 listener takes IPv6 alone, so that each address is the configured one. Cost: one accept4 a
// connection and one that finds nothing; at most accepts_per_turn a turn.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "attribution/identity.hpp"
#include "config/config.hpp"
#include "proxy/net/poller.hpp"

namespace tidegate::net {

inline constexpr unsigned accepts_per_turn = 64;
inline constexpr int accept_backlog = 4096;

class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  ~unique_fd() { reset(); }
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

struct bound_listener {
  std::uint16_t port = 0;
  std::vector<unique_fd> sockets;  // one a worker; more where more were inherited
};

// A listening socket that another process passed on.
struct inherited_socket {
  std::string address;
  std::uint16_t port = 0;
  unique_fd socket;
};
using inherited_sockets = std::vector<inherited_socket>;

// Takes the sockets of this address out of `inherited`, all of them, since a client may already wait in each one's
// queue; binds what is missing to one a worker. The error names the address and the remedy.
[[nodiscard]] std::expected<bound_listener, std::string> bind_listener(const config::listener& where,
                                                                       std::uint32_t workers,
                                                                       inherited_sockets& inherited);

// What every TCP socket of ours has set: no delay, keepalive after 60 s, death after 30 s of unacknowledged bytes.
void tune_socket(int fd) noexcept;

struct accepted_socket {
  int fd = -1;
  attribution::address source;
};

enum class accept_status : std::uint8_t {
  accepted,
  empty,      // wait until readable
  failed,     // this one failed, the next may not
  exhausted,  // no descriptors: rest
};

class acceptor : public watched {
 public:
  explicit acceptor(std::size_t index);
  // The socket that comes out is non-blocking.
  [[nodiscard]] accept_status accept(accepted_socket& out) noexcept;
  // Gives up the reserve descriptor for as long as it takes to accept one client and close it.
  void turn_one_away() noexcept;

  std::size_t index;  // in the configuration's `listen`
  bool resting = false;

 private:
  unique_fd reserve_;
};

}  // namespace tidegate::net
