// The identity ladder: from what is known of a session to the name its writes are booked under (design.md section 4).
//
// Thread safety: `ladder` is immutable. Cost: allocates; called at naming events only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/glob.hpp"
#include "config/config.hpp"

namespace tidegate::attribution {

// A peer address without a port: 4 or 16 bytes in network order. IPv4-mapped IPv6 is IPv4.
struct address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] static address from_string(std::string_view text) noexcept;  // 0.0.0.0 if not an address
};

// Everything a session is known by.
struct claims {
  address source;
  std::string client_name;   // CLIENT SETNAME, HELLO SETNAME
  std::string username;      // authenticated; "" or "default" name nobody
  std::string tls_subject;   // from the client certificate: first DNS SAN, else CN
  std::string library;       // CLIENT SETINFO lib-name
};

struct resolved {
  std::string name;                  // sanitised: 1-64 printable characters, no blank, no quote
  std::string_view from;             // "client_name", "username", …, "unnamed"
};

class ladder {
 public:
  explicit ladder(const config::attribution& config);
  [[nodiscard]] resolved resolve(const claims& who) const;

 private:
  std::vector<config::identity_source> order_;
  std::vector<config::source_name> sources_;  // longest prefix first
  std::vector<std::pair<glob, std::string>> names_;  // most literal characters first
};

}  // namespace tidegate::attribution
