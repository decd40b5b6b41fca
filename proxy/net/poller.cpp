#include "proxy/net/poller.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tidegate::net {

std::uint32_t watched::events_for(bool read, bool write, bool once) noexcept {
  if (once && read && !write) return std::uint32_t{EPOLLIN} | std::uint32_t{EPOLLRDHUP} | std::uint32_t{EPOLLET};
  const std::uint32_t events = (read ? std::uint32_t{EPOLLIN} : 0U) | (write ? std::uint32_t{EPOLLOUT} : 0U);
  return events != 0 ? events : std::uint32_t{EPOLLET};
}

bool watched::open(poller& at, int fd, bool read, bool write) noexcept {
  close_fd();
  epoll_event event{};
  event.events = events_for(read, write, false);
  event.data.ptr = this;
  if (::epoll_ctl(at.fd(), EPOLL_CTL_ADD, fd, &event) != 0) {
    ::close(fd);
    return false;
  }
  fd_ = fd;
  set_ = at.fd();
  events_ = event.events;
  return true;
}

void watched::want(poller& at, bool read, bool write, bool once) noexcept {
  const std::uint32_t events = events_for(read, write, once);
  if (events == events_ || fd_ < 0) return;
  epoll_event event{};
  event.events = events_ = events;
  event.data.ptr = this;
  // It is in the set and takes no more room there: nothing is left that could fail.
  ::epoll_ctl(at.fd(), EPOLL_CTL_MOD, fd_, &event);
}

void watched::close_fd() noexcept {
  if (fd_ < 0) return;
  // The listening socket may live on in a successor, and a watch lasts as long as the socket: it would report for ever.
  if (what_ == kind::acceptor) ::epoll_ctl(set_, EPOLL_CTL_DEL, fd_, nullptr);
  ::close(std::exchange(fd_, -1));
  events_ = 0;
}

poller::poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "epoll");
}

poller::~poller() {
  ::close(fd_);
}

std::span<const poller::ready> poller::wait(int timeout_ms) noexcept {
  const int count = ::epoll_wait(fd_, events_.data(), events_max, timeout_ms);
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    auto* const who = static_cast<watched*>(event.data.ptr);
    const bool ended = (event.events & (std::uint32_t{EPOLLHUP} | std::uint32_t{EPOLLERR})) != 0;
    const bool read = who->wants_read() && (ended || (event.events & EPOLLIN) != 0);
    const bool write = who->wants_write() && (ended || (event.events & EPOLLOUT) != 0);
    const bool end = ended || (event.events & EPOLLRDHUP) != 0;
    if (read || write) ready_[size++] = {who, read, write, end};
  }
  return {ready_.data(), size};
}

}  // namespace tidegate::net
