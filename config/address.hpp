// Addresses as text: numeric host and port, CIDR blocks, the upstream's URL. No resolving, no socket headers.
//
// Thread safety: pure functions. Ownership: errors are remedies and never repeat the input (a URL may hold a password).
// Cost: control path only.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::config {

struct ip_address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // network order; the first 4 for IPv4
  [[nodiscard]] bool loopback() const;   // 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104
  [[nodiscard]] bool wildcard() const;   // 0.0.0.0, ::
  bool operator==(const ip_address&) const = default;
};

// Strict: four decimal numbers without leading zeros, or RFC 4291 section 2.2 without a zone.
[[nodiscard]] std::optional<ip_address> parse_ip(std::string_view text);

struct endpoint {
  std::string host;  // without brackets
  ip_address ip;
  std::uint16_t port = 0;
};
// `127.0.0.1:6379`, `[::1]:6379`.
[[nodiscard]] std::expected<endpoint, std::string> parse_endpoint(std::string_view text);

struct cidr {
  ip_address ip;
  std::uint8_t prefix = 0;
  bool host_bits = false;  // bits behind the prefix were set; they are cleared in `ip`
};
[[nodiscard]] std::expected<cidr, std::string> parse_cidr(std::string_view text);

struct redis_url {
  std::string host;
  std::uint16_t port = 6379;
  bool tls = false;
  std::string ca;
};
// `redis://host:port`, `rediss://host:port?ca=FILE`.
[[nodiscard]] std::expected<redis_url, std::string> parse_url(std::string_view text);

}  // namespace tidegate::config
