#include "bench/load/endpoint.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace tidegate::load {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

[[noreturn]] void fail_tls(const std::string& what) {
  const unsigned long code = ERR_get_error();
  throw std::runtime_error(what + ": " + (code != 0 ? ERR_error_string(code, nullptr) : "the connection ended"));
}

}  // namespace

tls_client::tls_client(const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* const context = context_.get();
  if (context == nullptr || SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1)
    fail_tls("reading the authority " + ca_file);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

endpoint::endpoint(const std::string& host, int port, const tls_client* tls)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (descriptor_ < 0) fail("a socket for " + host);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(port));
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw std::runtime_error(host + " is no IPv4 address");
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(descriptor_, generic, sizeof address) != 0) fail("connecting to " + host + ":" + std::to_string(port));
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls == nullptr) return;
  ssl_.reset(SSL_new(tls->context()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), descriptor_) != 1 || SSL_connect(ssl_.get()) != 1)
    fail_tls("TLS with " + host + ":" + std::to_string(port));
}

endpoint::endpoint(endpoint&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), ssl_(std::move(other.ssl_)) {}

endpoint::~endpoint() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void endpoint::exchange(std::string_view request, std::string_view reply) {
  if (write(request) != request.size()) throw std::runtime_error("a greeting was not taken whole");
  std::string heard(reply.size(), '\0');
  for (std::size_t have = 0; have < reply.size();) {
    have += read(std::span(heard).subspan(have));
    if (std::string_view(heard).substr(0, have) != reply.substr(0, have))
      throw std::runtime_error("a greeting was answered with " + heard.substr(0, have));
  }
}

void endpoint::nonblocking() {
  if (::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK) != 0)
    fail("making a socket nonblocking");
}

std::size_t endpoint::tls_result(int result, const char* doing) {
  if (result > 0) return static_cast<std::size_t>(result);
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  fail_tls(doing);
}

std::size_t endpoint::read(std::span<char> into) {
  if (ssl_) return tls_result(SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size())), "reading replies");
  const ssize_t count = ::recv(descriptor_, into.data(), into.size(), 0);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) throw std::runtime_error("the connection was closed on us");
  if (errno != EAGAIN) fail("reading replies");
  return 0;
}

std::size_t endpoint::write(std::string_view bytes) {
  if (ssl_) return tls_result(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())), "sending commands");
  const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno != EAGAIN) fail("sending commands");
  return 0;
}

}  // namespace tidegate::load
