#include "proxy/net/tls_refusal.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace tidegate::net {
namespace {

tls_refusal of_certificate(long verdict) noexcept {
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return tls_refusal::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return tls_refusal::not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return tls_refusal::wrong_host;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return tls_refusal::unknown_authority;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return tls_refusal::self_signed;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
      return tls_refusal::invalid_authority;
    case X509_V_ERR_INVALID_PURPOSE:
      return tls_refusal::purpose;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return tls_refusal::weak;
    default:
      return tls_refusal::certificate;
  }
}

}  // namespace

tls_refusal why_refused(long verdict, unsigned long error) noexcept {
  if (error == 0) return tls_refusal::ended;
  const int reason = ERR_GET_REASON(error);
  if (reason > SSL_AD_REASON_OFFSET) return tls_refusal::refused_by_peer;
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return of_certificate(verdict);
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK:
      return tls_refusal::weak;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return tls_refusal::no_certificate;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return tls_refusal::version_or_cipher;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
      return tls_refusal::not_tls;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return tls_refusal::ended;
    default:
      return tls_refusal::other;
  }
}

}  // namespace tidegate::net
