#include "tests/net/peer_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace tidegate::net_test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return where;
}

}  // namespace

peer_socket::peer_socket(int fd) : fd_(fd) {
  const timeval patience{10, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

peer_socket::peer_socket(peer_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      context_(std::exchange(other.context_, nullptr)),
      ssl_(std::exchange(other.ssl_, nullptr)) {}

peer_socket::~peer_socket() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  if (fd_ >= 0) ::close(fd_);
}

peer_socket peer_socket::connect(std::uint16_t port, int receive_buffer) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  const sockaddr_in where = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0) {
    ::close(fd);
    return {};
  }
  return peer_socket(fd);
}

bool peer_socket::shake() {
  SSL_set_fd(ssl_, fd_);
  return SSL_do_handshake(ssl_) == 1;
}

bool peer_socket::start_tls(const std::string& certificate, const std::string& key) {
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (!certificate.empty()) {
    SSL_CTX_use_certificate_chain_file(context_, certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM);
  }
  ssl_ = SSL_new(context_);
  SSL_set_connect_state(ssl_);
  return shake();
}

bool peer_socket::start_tls_as_server(const std::string& certificate, const std::string& key) {
  context_ = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_use_certificate_chain_file(context_, certificate.c_str());
  SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM);
  ssl_ = SSL_new(context_);
  SSL_set_accept_state(ssl_);
  return shake();
}

std::string peer_socket::peer_common_name() const {
  std::array<char, 256> name{};
  X509* shown = SSL_get1_peer_certificate(ssl_);
  if (shown == nullptr) return {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name.data(), static_cast<int>(name.size()));
  X509_free(shown);
  return name.data();
}

bool peer_socket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                        : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

std::string peer_socket::read(std::size_t size) {
  std::string got;
  std::array<char, 65536> room{};
  while (got.size() < size) {
    const std::size_t want = std::min(room.size(), size - got.size());
    const ssize_t bytes =
        ssl_ != nullptr ? SSL_read(ssl_, room.data(), static_cast<int>(want)) : ::recv(fd_, room.data(), want, 0);
    if (bytes <= 0) break;
    got.append(room.data(), static_cast<std::size_t>(bytes));
  }
  return got;
}

std::string peer_socket::read_to_end() {
  std::string got;
  std::array<char, 65536> room{};
  for (;;) {
    const ssize_t bytes = ssl_ != nullptr ? SSL_read(ssl_, room.data(), static_cast<int>(room.size()))
                                          : ::recv(fd_, room.data(), room.size(), 0);
    if (bytes > 0) {
      got.append(room.data(), static_cast<std::size_t>(bytes));
      continue;
    }
    const bool clean =
        ssl_ != nullptr ? SSL_get_error(ssl_, static_cast<int>(bytes)) == SSL_ERROR_ZERO_RETURN : bytes == 0;
    return clean ? got : got + (errno == EAGAIN ? "TIMEOUT" : "RESET");
  }
}

void peer_socket::finish_sending() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  ::shutdown(fd_, SHUT_WR);
}

void peer_socket::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::close(std::exchange(fd_, -1));
}

test_listener::test_listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in where = loopback(0);
  socklen_t size = sizeof(where);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&where), size) != 0 || ::listen(fd_, 16) != 0) std::abort();
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size);
  port_ = ntohs(where.sin_port);
}

test_listener::~test_listener() {
  ::close(fd_);
}

bool test_listener::has_pending() const {
  pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 1;
}

peer_socket test_listener::accept() {
  return peer_socket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
}

std::uint16_t closed_port() {
  return test_listener().port();
}

}  // namespace tidegate::net_test
