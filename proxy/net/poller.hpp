// Which descriptors are ready: epoll, with one system call a look.
//
// Asio's async_wait arms a descriptor with an epoll_ctl of its own before each wait (epoll_reactor.ipp: an operation
// that is not speculative re-arms the edge): a third system call for a command that needs two, and 400 bytes a
// connection for its operations. Here a descriptor stays armed and costs nothing until what is wanted of it changes.
//
// Thread safety: its worker's. Ownership: a `watched` owns its descriptor; the poller borrows the watched until it is
// closed, and events of one batch may still name it then: who frees it does so after the batch.
// Invariants: (1) what was wanted and is ready is reported in every wait until it is taken, so nothing has to be read
// or written to its end; but (2) with `once` it is reported when it becomes ready, and not again before more arrives or
// the want has changed: the kernel then need not look at it a second time after each read. Whoever leaves bytes unread
// must come back by himself, and go on to the end when it is reported; (3) a descriptor of which nothing is wanted
// reports at most once (a hang-up cannot be masked, but it can be edge-triggered), so that a peer's reset spins nobody.
// Cost: wait() one epoll_wait for up to events_max descriptors; want() one epoll_ctl when something changes, else none.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

namespace tidegate::net {

class poller;

class watched {
 public:
  enum class kind : std::uint8_t { connection, acceptor, wake };

  explicit watched(kind what) noexcept : what_(what) {}
  ~watched() { close_fd(); }
  watched(const watched&) = delete;
  watched& operator=(const watched&) = delete;

  // Takes the descriptor over. False when the kernel's limit of watches is reached (epoll_ctl(2), ENOSPC); the
  // descriptor is closed then.
  [[nodiscard]] bool open(poller& at, int fd, bool read, bool write) noexcept;
  // once: for reading alone, see invariant 2.
  void want(poller& at, bool read, bool write, bool once = false) noexcept;
  void close_fd() noexcept;

  // -1 when closed.
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] kind what() const noexcept { return what_; }
  [[nodiscard]] bool wants_read() const noexcept { return (events_ & EPOLLIN) != 0; }
  [[nodiscard]] bool wants_write() const noexcept { return (events_ & EPOLLOUT) != 0; }

 private:
  [[nodiscard]] static std::uint32_t events_for(bool read, bool write, bool once) noexcept;

  int fd_ = -1;
  int set_ = -1;  // the poller's descriptor
  std::uint32_t events_ = 0;
  kind what_;
};

class poller {
 public:
  static constexpr int events_max = 256;

  struct ready {
    watched* who;
    bool read, write;  // of what was wanted; a hang-up or an error counts as both
    bool end;          // the peer sends no more: its FIN is behind what is to be read
  };

  // Throws std::system_error when the machine has no more descriptors.
  poller();
  ~poller();
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  // Milliseconds; 0 only looks. Valid until the next wait().
  [[nodiscard]] std::span<const ready> wait(int timeout_ms) noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
  std::array<epoll_event, events_max> events_;
  std::array<ready, events_max> ready_;
};

}  // namespace tidegate::net
