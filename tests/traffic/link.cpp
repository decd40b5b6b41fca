#include "tests/traffic/link.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace tidegate::traffic {

namespace {

constexpr std::size_t tls_bytes_max = 1 << 20;  // SSL_write takes an int

[[noreturn]] void fail(const std::string& doing) {
  throw std::runtime_error(doing + ": " + std::strerror(errno));
}

}  // namespace

authority::authority(const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
  if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1) {
    throw std::runtime_error("no certificates in " + ca_file);
  }
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

place parse_place(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  place found;
  if (colon != text.npos) {
    found.host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), found.port);
    if (parsed.ec == std::errc() && parsed.ptr == port.data() + port.size()) return found;
  }
  throw std::invalid_argument("not HOST:PORT: " + std::string(text));
}

link::link(const place& to) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (descriptor_ < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(to.port));
  ::inet_pton(AF_INET, to.host.c_str(), &address.sin_addr);
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof address);
  if (::connect(descriptor_, &generic, sizeof address) != 0) {
    const int error = errno;
    ::close(std::exchange(descriptor_, -1));
    errno = error;
    fail("connect to port " + std::to_string(to.port));
  }
  if (to.tls != nullptr) {
    ssl_.reset(SSL_new(to.tls->context()));
    SSL_set_fd(ssl_.get(), descriptor_);
    if (SSL_connect(ssl_.get()) != 1) {
      ::close(std::exchange(descriptor_, -1));
      throw std::runtime_error("TLS with port " + std::to_string(to.port) + " failed");
    }
  }
  ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
}

link::link(link&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), ssl_(std::move(other.ssl_)) {}

link& link::operator=(link&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(ssl_, other.ssl_);
  return *this;
}

link::~link() {
  ssl_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

namespace {

std::optional<std::size_t> of_tls(SSL* ssl, int result) {
  if (result > 0) return static_cast<std::size_t>(result);
  const int error = SSL_get_error(ssl, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  return std::nullopt;
}

std::optional<std::size_t> of_socket(ssize_t result) {
  if (result >= 0) return static_cast<std::size_t>(result);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> link::read(std::span<char> into) {
  if (descriptor_ < 0) return std::nullopt;
  ERR_clear_error();
  if (ssl_) return of_tls(ssl_.get(), SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size())));
  const ssize_t result = ::recv(descriptor_, into.data(), into.size(), 0);
  if (result == 0) return std::nullopt;
  return of_socket(result);
}

std::optional<std::size_t> link::write(std::string_view bytes) {
  if (descriptor_ < 0) return std::nullopt;
  ERR_clear_error();
  if (ssl_) {
    return of_tls(ssl_.get(),
                  SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min(bytes.size(), tls_bytes_max))));
  }
  return of_socket(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

void link::half_close() {
  if (ssl_) {
    SSL_shutdown(ssl_.get());
  } else {
    ::shutdown(descriptor_, SHUT_WR);
  }
}

void link::reset() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  if (ssl_) SSL_set_quiet_shutdown(ssl_.get(), 1);
  ssl_.reset();
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

}  // namespace tidegate::traffic
