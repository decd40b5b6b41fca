#include "proxy/net/transport.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace tidegate::net {

void transport::attach(int fd) noexcept {
  reset();
  fd_ = fd;
}

void transport::reset() noexcept {
  ssl_.reset();
  fd_ = -1;
  system_error_ = 0;
  tls_error_ = 0;
  broken_ = false;
  half_written_ = false;
}

bool transport::start_tls(ssl_pointer ssl) noexcept {
  ERR_clear_error();
  if (SSL_set_fd(ssl.get(), fd_) != 1) return false;
  ssl_ = std::move(ssl);
  return true;
}

// The error queue is the thread's, shared by all its connections: what another one left there would be taken for this
// one's by SSL_get_error(3), so every call begins with a clean queue.
io_result transport::handshake() noexcept {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  return {0, result == 1 ? io_status::ok : classify(result)};
}

io_result transport::read(char* into, std::size_t room) noexcept {
  if (ssl_) return read_tls(into, room);
  for (;;) {
    const ssize_t got = ::recv(fd_, into, room, 0);
    if (got > 0) {
      const auto bytes = static_cast<std::size_t>(got);
      // A short read emptied the socket: asking again would only be told EAGAIN (epoll(7)).
      return {bytes, bytes == room ? io_status::ok : io_status::want_read};
    }
    if (got == 0) return {0, io_status::end};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, io_status::want_read};
    system_error_ = errno;
    return {0, io_status::failed};
  }
}

io_result transport::write(std::string_view bytes) noexcept {
  if (ssl_) return write_tls(bytes);
  for (;;) {
    const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) {
      const auto taken = static_cast<std::size_t>(put);
      return {taken, taken == bytes.size() ? io_status::ok : io_status::want_write};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {0, io_status::want_write};
    system_error_ = errno;
    return {0, io_status::failed};
  }
}

io_result transport::read_tls(char* into, std::size_t room) noexcept {
  std::size_t total = 0;
  while (total < room) {
    if (broken_) return {total, io_status::failed};
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), into + total, room - total, &got);
    if (result != 1) return {total, classify(result)};
    total += got;
    // With read-ahead the next record may already be in OpenSSL's buffer, where epoll does not see it. With nothing
    // there, asking again would only be told EAGAIN.
    if (SSL_has_pending(ssl_.get()) == 0) return {total, io_status::want_read};
  }
  return {total, io_status::ok};
}

io_result transport::write_tls(std::string_view bytes) noexcept {
  std::size_t total = 0;
  while (total < bytes.size()) {
    if (broken_) return {total, io_status::failed};
    ERR_clear_error();
    std::size_t put = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data() + total, bytes.size() - total, &put);
    if (result != 1) {
      const io_status why = classify(result);
      half_written_ = why == io_status::want_write || why == io_status::want_read;
      return {total, why};
    }
    half_written_ = false;
    total += put;
  }
  return {total, io_status::ok};
}

io_status transport::classify(int result) noexcept {
  const int saved = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return io_status::want_read;
    case SSL_ERROR_WANT_WRITE:
      return io_status::want_write;
    case SSL_ERROR_ZERO_RETURN:
      return io_status::end;
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      system_error_ = saved;
      // A bare FIN where OpenSSL has no better word for it, as in the middle of a handshake.
      return saved == 0 ? io_status::end : io_status::failed;
    default:
      broken_ = true;
      tls_error_ = ERR_peek_last_error();
      return io_status::failed;
  }
}

void transport::end_writing() noexcept {
  if (ssl_ && !broken_ && !half_written_ && SSL_is_init_finished(ssl_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());  // best effort: a peer that does not read gets the FIN alone
  }
  ::shutdown(fd_, SHUT_WR);
}

tls_refusal transport::why_handshake_failed() const noexcept {
  return why_refused(SSL_get_verify_result(ssl_.get()), tls_error_);
}

std::string transport::describe_failure() const {
  if (ssl_) {
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK && ERR_GET_REASON(tls_error_) == SSL_R_CERTIFICATE_VERIFY_FAILED)
      return std::string("certificate not accepted: ") + X509_verify_cert_error_string(verdict);
    if (tls_error_ != 0) {
      const char* reason = ERR_reason_error_string(tls_error_);
      return std::string("TLS: ") + (reason != nullptr ? reason : "protocol error");
    }
  }
  if (system_error_ != 0) return std::generic_category().message(system_error_);
  return "connection closed by peer";
}

}  // namespace tidegate::net
