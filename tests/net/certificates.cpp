#include "tests/net/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace tidegate::net_test {
namespace {

EVP_PKEY* new_key() {
  return EVP_EC_gen("P-256");
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) std::abort();
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make(EVP_PKEY* key, const wish& what, X509* issuer, EVP_PKEY* issuer_key, bool is_authority) {
  static std::atomic<long> serial{1};
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial.fetch_add(1));
  X509_gmtime_adj(X509_getm_notBefore(certificate), what.not_before_days * 86400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), what.not_after_days * 86400);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(what.common_name.data()),
                             static_cast<int>(what.common_name.size()), -1, 0);
  X509* const signer = issuer != nullptr ? issuer : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  add_extension(certificate, signer, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!what.names.empty()) add_extension(certificate, signer, NID_subject_alt_name, what.names);
  X509_sign(certificate, issuer_key != nullptr ? issuer_key : key, EVP_sha256());
  return certificate;
}

void write_certificate(const std::string& path, X509* certificate) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
}

void write_key(const std::string& path, EVP_PKEY* key) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

certificate_files write_pair(const folder& where, const std::string& file, EVP_PKEY* key, X509* certificate) {
  certificate_files out{where.path(file + ".crt"), where.path(file + ".key")};
  write_certificate(out.certificate, certificate);
  write_key(out.key, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return out;
}

}  // namespace

folder::folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-net-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  where_ = pattern;
}

folder::~folder() {
  std::filesystem::remove_all(where_);
}

std::string folder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  return path(name);
}

authority::authority(const folder& where, const std::string& name)
    : where_(where), file_(where.path(name + ".crt")), key_(new_key()) {
  certificate_ = make(key_, {.common_name = name, .names = ""}, nullptr, nullptr, true);
  write_certificate(file_, certificate_);
}

authority::~authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

certificate_files authority::issue(const std::string& file, const wish& what) {
  EVP_PKEY* key = new_key();
  return write_pair(where_, file, key, make(key, what, certificate_, key_, false));
}

certificate_files authority::self_signed(const folder& where, const std::string& file, const wish& what) {
  EVP_PKEY* key = new_key();
  return write_pair(where, file, key, make(key, what, nullptr, nullptr, false));
}

}  // namespace tidegate::net_test
