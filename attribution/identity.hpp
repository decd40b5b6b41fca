// The identity ladder: from what is known of a session to the name its writes are booked under (design.md section 4).
//
// Thread safety: `ladder` is immutable. Ownership: owns its rules; `resolved::from` is static text.
// Invariants: (1) a name is 1-64 characters of `A-Z a-z 0-9 - _ . : / @ + # ~ =`, every other byte became `_`, so that
// it can stand unquoted in a metric label, an error line, a glob and a report; (2) no claim yields `other` or
// `unnamed@…`: such a one gets a `_` in front, so that no client hides among those whose name is unknown or no longer
// kept. A rule of the operator (`names`, `sources`) may yield them, and may fold `unnamed@10.0.3.*`. Not a defence: a
// client may claim the name of another by CLIENT SETNAME. Where that matters, identify by `username`. Cost: allocates;
// called at naming events only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attribution/glob.hpp"
#include "config/config.hpp"

namespace tidegate::attribution {

inline constexpr std::size_t name_size_max = 64;

// A peer address without a port: 4 or 16 bytes in network order. IPv4-mapped IPv6 is IPv4.
struct address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] std::string to_string() const;  // IPv6 as RFC 5952 writes it
  // IPv4 where this is IPv4-mapped IPv6.
  [[nodiscard]] address unmapped() const noexcept;
  // 0.0.0.0 if not an address. The zone of a link-local address (`%eth0`) is dropped.
  [[nodiscard]] static address from_string(std::string_view text) noexcept;
};

// Everything a session is known by.
struct claims {
  address source;
  std::string client_name;  // CLIENT SETNAME, HELLO SETNAME
  std::string username;     // authenticated; "" or "default" name nobody
  std::string tls_subject;  // from the client certificate: first DNS SAN, else CN
  std::string library;      // CLIENT SETINFO lib-name
};

struct resolved {
  std::string name;       // sanitised: 1-64 printable characters, no blank, no quote
  std::string_view from;  // "client_name", "username", …, "unnamed"
};

class ladder {
 public:
  explicit ladder(const config::attribution& config);
  [[nodiscard]] resolved resolve(const claims& who) const;

 private:
  [[nodiscard]] const std::string* name_of(const address& source) const noexcept;
  [[nodiscard]] std::string fold(const std::string& name) const;

  std::vector<config::identity_source> order_;
  std::vector<config::source_name> sources_;         // longest prefix first
  std::vector<std::pair<glob, std::string>> names_;  // most literal characters first
};

// Invariant 1 alone; what of the name is beyond 64 characters is cut. "_" for an empty one.
[[nodiscard]] std::string sanitised_name(std::string_view name);

}  // namespace tidegate::attribution
