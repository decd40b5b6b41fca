// The other end, as simple as can be: a blocking TCP socket on loopback, plain or TLS, that gives up after ten seconds.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/net/transport.hpp"

namespace tidegate::net_test {

class peer_socket {
 public:
  peer_socket() = default;
  explicit peer_socket(int fd);
  ~peer_socket();
  peer_socket(peer_socket&& other) noexcept;
  peer_socket& operator=(peer_socket&&) = delete;

  // fd() < 0 when refused. A receive buffer > 0 is set before the connect, so that the window is small.
  static peer_socket connect(std::uint16_t port, int receive_buffer = 0);
  [[nodiscard]] int fd() const { return fd_; }
  // Trusts anybody. True when the handshake came to its end.
  bool start_tls(const std::string& certificate = {}, const std::string& key = {});
  bool start_tls_as_server(const std::string& certificate, const std::string& key);

  [[nodiscard]] std::string peer_common_name() const;

  bool send(std::string_view bytes);
  // Until `size` bytes came, or the end.
  std::string read(std::size_t size);
  // Everything until the end; "RESET" is appended when that was no FIN.
  std::string read_to_end();
  void finish_sending();  // close_notify with TLS, FIN
  void reset();           // RST

 private:
  bool shake();
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

class test_listener {
 public:
  test_listener();
  ~test_listener();
  test_listener(const test_listener&) = delete;
  test_listener& operator=(const test_listener&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] peer_socket accept();
  // Whether a connection waits to be accepted now.
  [[nodiscard]] bool has_pending() const;

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

// A port on which nobody listens.
[[nodiscard]] std::uint16_t closed_port();

}  // namespace tidegate::net_test
