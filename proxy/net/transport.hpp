// Bytes over a non-blocking descriptor, plain or through TLS: read, write, handshake, goodbye. No Asio, no waiting.
//
// Thread safety: its worker's. Ownership: owns the SSL object, borrows the descriptor (the connection closes it).
// Invariants: (1) owns no buffer: TLS works on the descriptor itself and its record buffers are released when idle;
// (2) after `failed` nothing more is written, not even an alert (SSL_shutdown(3) forbids it).
// Cost: one recv/send a call for plain sockets; with TLS one a record written and one for up to 16 KiB read.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/tls_refusal.hpp"

namespace tidegate::net {

struct ssl_delete {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using ssl_pointer = std::unique_ptr<SSL, ssl_delete>;

enum class io_status : std::uint8_t {
  ok,          // read: the room was filled, more may be there. write: the call took what it could. handshake: done
  want_read,   // wait until readable
  want_write,  // wait until writable
  end,         // FIN or close_notify
  failed,      // describe_failure() says why
};

struct io_result {
  std::size_t bytes = 0;
  io_status status = io_status::ok;
};

class transport {
 public:
  transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  // `fd` is non-blocking and connected, or connecting. Forgets what was before.
  void attach(int fd) noexcept;
  // From now on everything goes through `ssl`, whose accept or connect state is set. False when memory is out.
  [[nodiscard]] bool start_tls(ssl_pointer ssl) noexcept;

  [[nodiscard]] io_result handshake() noexcept;
  // Bytes come with every status: what was read before the end, or before the failure, counts.
  [[nodiscard]] io_result read(char* into, std::size_t room) noexcept;
  // After less than all was taken the next call must begin with the same bytes, at any address, and may have more.
  [[nodiscard]] io_result write(std::string_view bytes) noexcept;
  // Says that nothing more will be sent: close_notify where TLS can still say it, then FIN.
  void end_writing() noexcept;

  [[nodiscard]] bool is_tls() const noexcept { return ssl_ != nullptr; }
  [[nodiscard]] const SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  // Of the last `failed`.
  [[nodiscard]] std::string describe_failure() const;
  // Of a handshake that failed or ended.
  [[nodiscard]] tls_refusal why_handshake_failed() const noexcept;
  void reset() noexcept;

 private:
  [[nodiscard]] io_status classify(int result) noexcept;
  [[nodiscard]] io_result read_tls(char* into, std::size_t room) noexcept;
  [[nodiscard]] io_result write_tls(std::string_view bytes) noexcept;

  ssl_pointer ssl_;
  int fd_ = -1;
  int system_error_ = 0;
  unsigned long tls_error_ = 0;
  bool broken_ = false;        // the TLS session met a fatal error
  bool half_written_ = false;  // a record is under way: another may not begin
};

}  // namespace tidegate::net
