// Certificates made for a test: an authority, and what it (or nobody) signs, as PEM files in a folder of the test's
// own.
#pragma once

#include <openssl/x509.h>

#include <filesystem>
#include <string>

namespace tidegate::net_test {

struct certificate_files {
  std::string certificate, key;
};

struct wish {
  std::string common_name = "leaf";
  std::string names = "DNS:localhost";  // subjectAltName as in openssl.cnf; empty = none
  long not_before_days = -1, not_after_days = 30;
};

class folder {
 public:
  folder();
  ~folder();
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return (where_ / name).string(); }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path where_;
};

class authority {
 public:
  authority(const folder& where, const std::string& name);
  ~authority();
  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] certificate_files issue(const std::string& file, const wish& what = {});
  [[nodiscard]] static certificate_files self_signed(const folder& where, const std::string& file,
                                                     const wish& what = {});

 private:
  const folder& where_;
  std::string file_;
  EVP_PKEY* key_;
  X509* certificate_;
};

}  // namespace tidegate::net_test
