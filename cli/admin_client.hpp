// A small synchronous HTTP client for the admin API of a running tidegate, found by the configuration or the
// environment.
//
// Thread safety: none needed; one request at a time. Ownership: keeps no connection and no thread between requests.
// Invariants: (1) no error text holds the token; (2) each request ends within its deadline, whatever the other side
// does; (3) an answer larger than answer_bytes_max is an error. Cost: a connection a request.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tidegate::cli {

inline constexpr std::uint64_t answer_bytes_max = 64ULL << 20;

struct api_answer {
  unsigned status = 200;  // 2xx
  std::string body;
};

struct api_error {
  unsigned status = 0;  // what the other side answered; 0 = it could not be asked
  std::string text;     // what is wrong, where, and the remedy
};

class admin_client {
 public:
  struct target {
    std::string host;  // numeric or a name, without brackets
    std::uint16_t port = 0;
    std::string token;  // empty = none
    std::string user;   // who asks, for the audit log; a claim
    std::chrono::milliseconds deadline{10'000};
  };
  explicit admin_client(target where) : where_(std::move(where)) {}

  // Where `config_path` says (admin.address, admin.token); what it does not say, or everything where it is empty, comes
  // from TIDEGATE_ADMIN (HOST:PORT) and TIDEGATE_TOKEN. The error is ready to be printed.
  [[nodiscard]] static std::expected<admin_client, std::string> open(const std::string& config_path);
  // The same for a configuration that is already loaded.
  [[nodiscard]] static std::expected<admin_client, std::string> open(const config::config& config);

  // path: with query, as sent ("/api/v1/caps"); json: a document. An answer other than 2xx is an error.
  [[nodiscard]] std::expected<api_answer, api_error> get(std::string_view path) const;
  [[nodiscard]] std::expected<api_answer, api_error> post(std::string_view path, std::string_view json) const;
  [[nodiscard]] std::expected<api_answer, api_error> del(std::string_view path) const;

  [[nodiscard]] const target& where() const noexcept { return where_; }

 private:
  [[nodiscard]] std::expected<api_answer, api_error> ask(std::string_view method, std::string_view path,
                                                         std::string_view json) const;
  target where_;
};

// `-c FILE` of a command that speaks to a running tidegate: not required, because the environment may stand in for it.
void add_admin_option(CLI::App& command, std::string& config_path);

// A name as one segment of a path: everything but unreserved characters as %XX (RFC 3986, section 2.3).
[[nodiscard]] std::string path_segment(std::string_view name);

}  // namespace tidegate::cli
