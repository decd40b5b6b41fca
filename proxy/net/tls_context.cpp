#include "proxy/net/tls_context.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

namespace tidegate::net {
namespace {

// Forward secrecy and AEAD only; TLS 1.3 has nothing else.
constexpr const char* ciphers_of_tls12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
// Resumption is bound to who we are: OpenSSL demands a context id as soon as it verifies peers.
constexpr std::string_view session_context = "tidegate";
constexpr int certificate_chain_depth_max = 8;

std::string reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* text = ERR_reason_error_string(code);
  if (text != nullptr) return text;
  if (ERR_SYSTEM_ERROR(code)) return std::string("cannot be read");
  return "not accepted by OpenSSL";
}

std::unexpected<std::string> refuse(const std::string& file, std::string_view remedy) {
  return std::unexpected(file + ": " + reason() + " (" + std::string(remedy) + ")");
}

// An encrypted key must fail, not stop the start at a prompt.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

struct names_delete {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};

// The earlier of two ends, of which 0 is none.
std::int64_t earlier(std::int64_t a, std::int64_t b) noexcept {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

std::int64_t first_to_end(const STACK_OF(X509) * certificates) noexcept {
  std::int64_t first = 0;
  for (int i = 0; certificates != nullptr && i < sk_X509_num(certificates); ++i)
    first = earlier(first, not_after(sk_X509_value(certificates, i)));
  return first;
}

std::string text_of(const ASN1_STRING* value) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) return {};
  std::string text(utf8, utf8 + size);
  OPENSSL_free(utf8);
  const bool printable =
      std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return printable ? text : std::string();
}

}  // namespace

tls_context::context_pointer tls_context::make(const SSL_METHOD* method) {
  ERR_clear_error();
  context_pointer context(SSL_CTX_new(method));
  if (!context) return context;
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, ciphers_of_tls12);
  // A FIN without close_notify is how most Redis clients leave; a cut frame never runs, so truncation gains nothing.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
  // One recv for header and body of a record, and for several small records; the buffer is released when it runs empty.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(raw, &no_passphrase);
  SSL_CTX_set_verify_depth(raw, certificate_chain_depth_max);
  return context;
}

std::expected<std::shared_ptr<const tls_context>, std::string> tls_context::for_clients(
    const config::tls_listener& files) {
  context_pointer context = make(TLS_server_method());
  if (!context) return std::unexpected("TLS cannot start: " + reason());
  SSL_CTX* const raw = context.get();
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1)
    return refuse(files.certificate, "a PEM file with the server's certificate and its chain is needed");
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return refuse(files.key, "an unencrypted PEM key that belongs to " + files.certificate + " is needed");
  if (SSL_CTX_check_private_key(raw) != 1) return refuse(files.key, "the key does not belong to " + files.certificate);
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(session_context.data()),
                                 static_cast<unsigned>(session_context.size()));
  SSL_CTX_set_num_tickets(raw, 1);  // clients keep their connections: a second ticket is for nobody
  if (!files.client_ca.empty() || files.client_auth != config::client_auth::none) {
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(raw, 0);
  }
  if (files.client_auth != config::client_auth::none) {
    if (files.client_ca.empty()) return std::unexpected("client_auth needs client_ca");
    if (SSL_CTX_load_verify_file(raw, files.client_ca.c_str()) != 1)
      return refuse(files.client_ca, "a PEM file with the authorities of the clients' certificates is needed");
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca.c_str());
    if (names == nullptr) return refuse(files.client_ca, "no certificate in it");
    SSL_CTX_set_client_CA_list(raw, names);
    const bool required = files.client_auth == config::client_auth::required;
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(raw, &chain);
  const std::int64_t end = earlier(tidegate::net::not_after(SSL_CTX_get0_certificate(raw)), first_to_end(chain));
  auto made = std::shared_ptr<tls_context>(new tls_context(std::move(context)));
  made->server_ = true;
  made->not_after_ = end;
  return made;
}

std::expected<std::shared_ptr<const tls_context>, std::string> tls_context::for_upstream(const std::string& host,
                                                                                         const std::string& ca) {
  context_pointer context = make(TLS_client_method());
  if (!context) return std::unexpected("TLS cannot start: " + reason());
  if (ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context.get()) != 1)
      return std::unexpected("the system's certificate authorities: " + reason() +
                             " (install ca-certificates or use ?ca=FILE)");
  } else if (SSL_CTX_load_verify_file(context.get(), ca.c_str()) != 1) {
    return refuse(ca, "a PEM file with the upstream's certificate authority is needed");
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  auto made = std::shared_ptr<tls_context>(new tls_context(std::move(context)));
  made->host_ = host;
  made->host_is_address_ = is_address(host);
  return made;
}

ssl_pointer tls_context::new_session() const {
  ERR_clear_error();
  ssl_pointer ssl(SSL_new(context_.get()));
  if (!ssl) return ssl;
  if (server_) {
    SSL_set_accept_state(ssl.get());
    return ssl;
  }
  SSL_set_connect_state(ssl.get());
  // Without a name to check any certificate of the authority would do: failing to set it is failing.
  if (host_is_address_) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host_.c_str()) != 1) return nullptr;
    return ssl;
  }
  SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl.get(), host_.c_str()) != 1) return nullptr;
  if (SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host_.c_str())) !=
      1)
    return nullptr;
  return ssl;
}

std::int64_t not_after(const X509* certificate) noexcept {
  tm when{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return 0;
  return ::timegm(&when);
}

std::int64_t not_after_of_peer(const SSL* ssl) noexcept {
  return first_to_end(SSL_get_peer_cert_chain(ssl));
}

std::string subject_of_peer(const SSL* ssl) {
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  // The result is "ok" also when no certificate was asked for or shown.
  if (certificate == nullptr || SSL_get_verify_result(ssl) != X509_V_OK || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
    return {};
  const std::unique_ptr<GENERAL_NAMES, names_delete> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) return text_of(name->d.dNSName);
  }
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

}  // namespace tidegate::net
