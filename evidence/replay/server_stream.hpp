// One blocking connection to a server, plain or TLS.
//
// Thread safety: none. Ownership: owns its socket. Invariants: (1) TLS is 1.2 or later and verified against the host's
// name, always; (2) every wait is bounded by patience; (3) no error text holds a password.
// Cost: a system call a read and a write.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tidegate::replay {

inline constexpr std::chrono::seconds patience{30};

class server_stream {
 public:
  [[nodiscard]] static std::expected<server_stream, std::string> connect(const config::upstream& where);
  ~server_stream();
  server_stream(server_stream&& other) noexcept;
  server_stream& operator=(server_stream&&) = delete;

  [[nodiscard]] std::expected<void, std::string> write(std::string_view bytes);
  // At least one byte; 0 never.
  [[nodiscard]] std::expected<std::size_t, std::string> read(std::span<char> into);

 private:
  explicit server_stream(int socket) noexcept : socket_(socket) {}
  [[nodiscard]] std::expected<void, std::string> begin_tls(const config::upstream& where);

  struct free_context {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  };
  struct free_session {
    void operator()(SSL* session) const noexcept { SSL_free(session); }
  };
  int socket_ = -1;
  std::unique_ptr<SSL_CTX, free_context> context_;
  std::unique_ptr<SSL, free_session> tls_;
};

}  // namespace tidegate::replay
