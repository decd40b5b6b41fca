#include "evidence/replay/server_stream.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tidegate::replay {
namespace {

std::string tls_error(std::string_view what) {
  const unsigned long code = ERR_get_error();
  const char* const reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return std::string(what) + ": " + (reason != nullptr ? reason : "the connection ended");
}

std::string address_of(const config::upstream& where) {
  return where.host + ":" + std::to_string(where.port);
}

std::unexpected<std::string> failed(std::string_view what) {
  const bool late = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS;
  return std::unexpected(std::string(what) + ": " + (late ? "no answer within 30 s" : std::strerror(errno)));
}

}  // namespace

server_stream::server_stream(server_stream&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), context_(std::move(other.context_)), tls_(std::move(other.tls_)) {}

server_stream::~server_stream() {
  tls_.reset();
  if (socket_ >= 0) ::close(socket_);
}

std::expected<server_stream, std::string> server_stream::connect(const config::upstream& where) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found);
  if (code != 0) return std::unexpected(address_of(where) + ": " + ::gai_strerror(code));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
  std::string why = "there is no address";
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    server_stream made(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol));
    if (made.socket_ < 0) continue;
    const timeval bound{.tv_sec = patience.count(), .tv_usec = 0};
    const int on = 1;
    ::setsockopt(made.socket_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    ::setsockopt(made.socket_, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound));
    ::setsockopt(made.socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::connect(made.socket_, one->ai_addr, one->ai_addrlen) != 0) {
      why = failed("connecting").error();
      continue;
    }
    if (where.tls) {
      if (auto secured = made.begin_tls(where); !secured) {
        return std::unexpected(address_of(where) + ": " + secured.error());
      }
    }
    return made;
  }
  return std::unexpected(address_of(where) + ": " + why);
}

std::expected<void, std::string> server_stream::begin_tls(const config::upstream& where) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return std::unexpected(tls_error("TLS"));
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusted = where.ca.empty() ? SSL_CTX_set_default_verify_paths(context_.get()) == 1
                                        : SSL_CTX_load_verify_file(context_.get(), where.ca.c_str()) == 1;
  if (!trusted) return std::unexpected(tls_error("the authority " + where.ca));
  tls_.reset(SSL_new(context_.get()));
  if (!tls_ || SSL_set_fd(tls_.get(), socket_) != 1) return std::unexpected(tls_error("TLS"));
  // An address is checked as such: it is no name for SNI (RFC 6066, section 3).
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), where.host.c_str()) != 1) {
    // SSL_set_tlsext_host_name() without its macro's cast.
    std::string name = where.host;
    if (SSL_set1_host(tls_.get(), name.c_str()) != 1 ||
        SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) != 1) {
      return std::unexpected(tls_error("TLS"));
    }
  }
  if (SSL_connect(tls_.get()) != 1) {
    const long verified = SSL_get_verify_result(tls_.get());
    if (verified != X509_V_OK) {
      return std::unexpected(std::string("its certificate is refused: ") + X509_verify_cert_error_string(verified));
    }
    return std::unexpected(tls_error("the TLS handshake"));
  }
  return {};
}

std::expected<void, std::string> server_stream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t sent = 0;
    if (tls_) {
      ERR_clear_error();
      if (SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent) != 1)
        return std::unexpected(tls_error("sending"));
    } else {
      const ssize_t got = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("sending");
      sent = static_cast<std::size_t>(got);
    }
    bytes.remove_prefix(sent);
  }
  return {};
}

std::expected<std::size_t, std::string> server_stream::read(std::span<char> into) {
  for (;;) {
    if (tls_) {
      ERR_clear_error();
      std::size_t got = 0;
      if (SSL_read_ex(tls_.get(), into.data(), into.size(), &got) == 1) return got;
      return std::unexpected(tls_error("reading"));
    }
    const ssize_t got = ::recv(socket_, into.data(), into.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return std::unexpected(std::string("the server closed the connection"));
    if (errno != EINTR) return failed("reading");
  }
}

}  // namespace tidegate::replay
