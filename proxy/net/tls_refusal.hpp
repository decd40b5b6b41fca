// Why a TLS handshake came to nothing, as a word that an operator can count and act on.
//
// Thread safety: free functions, reentrant. Ownership: none. Invariants: every failure has exactly one word.
// Cost: a switch; failed handshakes only. Codes: X509_STORE_CTX_get_error(3), ERR_GET_REASON(3).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::net {

enum class tls_refusal : std::uint8_t {
  expired,
  not_yet_valid,
  wrong_host,
  unknown_authority,  // also a chain that is not shown
  self_signed,
  invalid_authority,  // signed by what may not sign
  purpose,
  weak,
  certificate,  // wrong in another way
  no_certificate,
  version_or_cipher,
  not_tls,
  refused_by_peer,
  ended,
  timeout,
  other,
};
inline constexpr std::array<std::string_view, 16> tls_refusal_words{
    "expired", "not_yet_valid", "wrong_host",     "unknown_authority", "self_signed", "invalid_authority", "purpose",
    "weak",    "certificate",   "no_certificate", "version_or_cipher", "not_tls",     "refused_by_peer",   "ended",
    "timeout", "other"};

// verdict: SSL_get_verify_result(); error: the first of the thread's queue, 0 = TLS itself has nothing to say.
[[nodiscard]] tls_refusal why_refused(long verdict, unsigned long error) noexcept;

}  // namespace tidegate::net
