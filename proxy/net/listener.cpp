#include "proxy/net/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace tidegate::net {
namespace {

constexpr int keepalive_seconds = 60;
constexpr int keepalive_interval_seconds = 15;
constexpr int keepalive_probes = 3;
constexpr int unacknowledged_milliseconds = 30'000;

struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  [[nodiscard]] sockaddr* raw() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] std::uint16_t port() const noexcept {
    if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
};

std::expected<socket_address, std::string> parse(const std::string& host, std::uint16_t port) {
  socket_address out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof(sockaddr_in);
    return out;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof(sockaddr_in6);
    return out;
  }
  return std::unexpected("listen address " + host + " is not a numeric address");
}

void set_option(int fd, int level, int name, int value) noexcept {
  ::setsockopt(fd, level, name, &value, sizeof(value));
}

// errno tells why it failed.
unique_fd bind_one(const socket_address& where, bool shared) {
  unique_fd fd(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fd;
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (shared) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (where.storage.ss_family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (::bind(fd.get(), where.raw(), where.size) != 0 || ::listen(fd.get(), accept_backlog) != 0) {
    const int why = errno;
    fd.reset();
    errno = why;
  }
  return fd;
}

std::unexpected<std::string> cannot_bind(const config::listener& where, int why) {
  const bool v6 = where.address.contains(':');
  std::string text = "cannot listen on " + (v6 ? "[" + where.address + "]" : where.address) + ":" +
                     std::to_string(where.port) + ": " + std::generic_category().message(why);
  if (why == EADDRINUSE) text += " (another process serves this port: stop it or choose another one)";
  if (why == EACCES) text += " (a port below 1024 needs CAP_NET_BIND_SERVICE)";
  if (why == EADDRNOTAVAIL) text += " (this machine has no such address)";
  return std::unexpected(std::move(text));
}

attribution::address source_of(const socket_address& from) noexcept {
  attribution::address out;
  if (from.storage.ss_family == AF_INET6) {
    out.v6 = true;
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&from.storage)->sin6_addr, 16);
  } else if (from.storage.ss_family == AF_INET) {
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(&from.storage)->sin_addr, 4);
  }
  return out;
}

}  // namespace

void unique_fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

void tune_socket(int fd) noexcept {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_milliseconds);
}

std::expected<bound_listener, std::string> bind_listener(const config::listener& where, std::uint32_t workers,
                                                         inherited_sockets& inherited) {
  auto address = parse(where.address, where.port);
  if (!address) return std::unexpected(address.error());
  bound_listener out;
  for (inherited_socket& one : inherited) {
    if (where.port == 0 || one.port != where.port || one.address != where.address) continue;
    out.port = one.port;
    out.sockets.push_back(std::move(one.socket));
  }
  std::erase_if(inherited, [](const inherited_socket& one) { return one.socket.get() < 0; });
  if (where.port != 0 && out.sockets.empty()) {
    // SO_REUSEPORT would share the port silently with a second proxy of the same user: try alone first.
    const unique_fd alone = bind_one(*address, false);
    if (alone.get() < 0) return cannot_bind(where, errno);
  }
  while (out.sockets.size() < workers) {
    unique_fd fd = bind_one(*address, true);
    if (fd.get() < 0) return cannot_bind(where, errno);
    if (out.sockets.empty()) {
      // Port 0 was chosen by the system just now: the other workers' sockets join it.
      socket_address bound;
      ::getsockname(fd.get(), bound.raw(), &bound.size);
      out.port = bound.port();
      address = parse(where.address, out.port);
    }
    out.sockets.push_back(std::move(fd));
  }
  return out;
}

acceptor::acceptor(std::size_t which)
    : watched(kind::acceptor), index(which), reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

accept_status acceptor::accept(accepted_socket& out) noexcept {
  socket_address from;
  const int taken = ::accept4(fd(), from.raw(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (taken >= 0) {
    tune_socket(taken);
    out = {taken, source_of(from)};
    return accept_status::accepted;
  }
  switch (errno) {
    case EAGAIN:
      return accept_status::empty;
    // Out of descriptors or memory, ours or the machine's.
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return accept_status::exhausted;
    // accept(2): errors of the one connection, reported here. They and what is not foreseen are counted and passed
    // over.
    default:
      return accept_status::failed;
  }
}

void acceptor::turn_one_away() noexcept {
  reserve_.reset();
  const int taken = ::accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (taken >= 0) ::close(taken);
  reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace tidegate::net
