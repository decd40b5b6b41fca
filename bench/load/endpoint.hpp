// One connection of the generator, plain or TLS: made and greeted in blocking calls, then never blocking.
//
// Thread safety: none.
// Ownership: owns its socket and its SSL; the tls_client that it was made with must outlive it.
// Invariants: read() and write() never wait; a lost connection is a std::runtime_error that says what was lost.
// Cost: one system call for a read or write of plain bytes; no allocation of ours after the start.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tidegate::load {

struct free_ssl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// Trusts one authority, speaks TLS 1.3 with one cipher, so that all peers are measured over the same one.
class tls_client {
 public:
  explicit tls_client(const std::string& ca_file);
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, free_ssl> context_;
};

class endpoint {
 public:
  // `tls` null: plain. Throws std::runtime_error where the connection cannot be made.
  endpoint(const std::string& host, int port, const tls_client* tls);
  endpoint(endpoint&& other) noexcept;
  endpoint& operator=(endpoint&&) = delete;
  ~endpoint();

  // Blocking: sends `request` and takes exactly `reply`. Pre: nonblocking() was not called.
  void exchange(std::string_view request, std::string_view reply);
  void nonblocking();

  // What came, or how much went; 0 where it would have to wait.
  [[nodiscard]] std::size_t read(std::span<char> into);
  [[nodiscard]] std::size_t write(std::string_view bytes);

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] const char* cipher() const { return ssl_ ? SSL_get_cipher_name(ssl_.get()) : ""; }

 private:
  [[nodiscard]] std::size_t tls_result(int result, const char* doing);

  int descriptor_ = -1;
  std::unique_ptr<SSL, free_ssl> ssl_;
};

}  // namespace tidegate::load
