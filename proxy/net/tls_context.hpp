// What TLS connections of one listener, or to the upstream, have in common: certificates, versions, ciphers, policy.
//
// Thread safety: immutable once made; new_session() from any thread (OpenSSL counts references atomically).
// Ownership: std::shared_ptr; each SSL object holds a reference of its own, so a reload never touches a live
// connection. Invariants: (1) TLS 1.2 or later, no compression, no renegotiation (CVE-2011-1473, CVE-2021-3449),
// forward-secret AEAD ciphers; (2) where clients may show certificates no session is ever resumed, as a resumed one
// would skip the policy (nginx CVE-2025-23419); (3) never asks for a passphrase. Errors: text with the file and the
// remedy; never a secret.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "proxy/net/transport.hpp"

namespace tidegate::net {

class tls_context {
 public:
  // For a listener.
  [[nodiscard]] static std::expected<std::shared_ptr<const tls_context>, std::string> for_clients(
      const config::tls_listener& files);
  // For connections to `host`, which the server's certificate must name. `ca` empty = the system's authorities.
  [[nodiscard]] static std::expected<std::shared_ptr<const tls_context>, std::string> for_upstream(
      const std::string& host, const std::string& ca);

  // Null when memory is out.
  [[nodiscard]] ssl_pointer new_session() const;
  // Unix time at which the first certificate that a listener shows (its own or one of its chain) ends; 0 = it shows
  // none.
  [[nodiscard]] std::int64_t not_after() const noexcept { return not_after_; }

 private:
  struct context_delete {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  };
  using context_pointer = std::unique_ptr<SSL_CTX, context_delete>;
  explicit tls_context(context_pointer context) : context_(std::move(context)) {}
  [[nodiscard]] static context_pointer make(const SSL_METHOD* method);

  context_pointer context_;
  std::string host_;  // upstream only
  bool host_is_address_ = false;
  bool server_ = false;
  std::int64_t not_after_ = 0;
};

// Unix time at which a certificate ends; 0 where it does not say.
[[nodiscard]] std::int64_t not_after(const X509* certificate) noexcept;
// Of those that a peer showed, the first to end; 0 = it showed none.
[[nodiscard]] std::int64_t not_after_of_peer(const SSL* ssl) noexcept;

// The first DNS name among the alternative names of the verified certificate that the peer showed, else its common
// name; empty without one. A name with a NUL or control character in it names nobody.
[[nodiscard]] std::string subject_of_peer(const SSL* ssl);

}  // namespace tidegate::net
