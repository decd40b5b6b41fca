// One connection of a test program to a server, plain or TLS: made in blocking calls, then never blocking.
//
// Thread safety: none; an authority may be shared.
// Ownership: owns its socket and its SSL; the authority that it was made with must outlive it.
// Invariants: read() and write() never wait; a connection that ended stays ended and says so each time.
// Cost: one system call for a read or write of plain bytes.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tidegate::traffic {

struct free_ssl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// Whose certificates are believed.
class authority {
 public:
  explicit authority(const std::string& ca_file);
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, free_ssl> context_;
};

struct place {
  std::string host;  // numeric IPv4
  int port = 0;
  const authority* tls = nullptr;  // null: plain
};
// "HOST:PORT". Throws std::invalid_argument.
[[nodiscard]] place parse_place(std::string_view text);

class link {
 public:
  // Throws std::runtime_error where the connection cannot be made.
  explicit link(const place& to);
  link(link&& other) noexcept;
  link& operator=(link&& other) noexcept;
  ~link();

  // What came, or how much went; 0 where it would have to wait; nullopt when the connection is over.
  [[nodiscard]] std::optional<std::size_t> read(std::span<char> into);
  [[nodiscard]] std::optional<std::size_t> write(std::string_view bytes);

  void half_close();
  // Ends with RST, as the kernel of a client that died does.
  void reset();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  // Bytes that were decrypted already: poll() does not tell of them.
  [[nodiscard]] bool has_pending() const { return ssl_ && SSL_pending(ssl_.get()) > 0; }

 private:
  int descriptor_ = -1;
  std::unique_ptr<SSL, free_ssl> ssl_;
};

}  // namespace tidegate::traffic
