#include "config/sections.hpp"

namespace tidegate::config {
namespace {

constexpr std::string_view tls_example = "{ certificate: tls/server.crt, key: tls/server.key }";

void read_tls(reading& in, const place& at, std::optional<tls_listener>& out) {
  section tls(in, at, {"certificate", "key", "client_ca", "client_auth"}, tls_example);
  if (!tls.readable()) return;
  tls_listener& made = out.emplace();
  if (const auto it = tls.need("certificate", "certificate: FILE (PEM, with the chain)")) {
    in.file(*it, file_use::readable, made.certificate);
  }
  if (const auto it = tls.need("key", "key: FILE (PEM)")) in.file(*it, file_use::private_key, made.key);
  if (const auto it = tls.find("client_ca")) in.file(*it, file_use::readable, made.client_ca);
  const auto wanted = tls.find("client_auth");
  if (wanted) {
    in.choice<client_auth>(
        *wanted,
        {{"none", client_auth::none}, {"optional", client_auth::optional}, {"required", client_auth::required}},
        made.client_auth);
  }
  const auto ca = tls.find("client_ca");
  if (made.client_auth != client_auth::none && !ca) {
    in.book(*wanted, "client certificates cannot be verified without a CA; add client_ca: FILE, or write none");
  }
  if (ca && !wanted) {
    in.warn(ca->line, ca->key, "client certificates are not asked for; add client_auth: optional or required");
  }
}

}  // namespace

void read_listen(reading& in, const place& at, std::vector<listener>& out) {
  const std::size_t before = in.mistakes();
  const auto items = in.list(at, R"({ address: "127.0.0.1:6379" })", listeners_max);
  if (items.empty() && in.mistakes() == before) {
    in.book(at, R"(is empty: nobody could connect; write - { address: "127.0.0.1:6379" })");
  }
  std::vector<std::pair<endpoint, std::uint32_t>> seen;
  for (const place& item : items) {
    section one(in, item, {"address", "tls"}, R"({ address: "127.0.0.1:6379" })");
    if (!one.readable()) continue;
    listener made;
    made.line = item.line;
    const auto tls = one.find("tls");
    if (tls) read_tls(in, *tls, made.tls);
    const auto address = one.need("address", R"(address: "127.0.0.1:6379")");
    endpoint where;
    if (!address || !in.listen_address(*address, where)) continue;
    for (const auto& [other, line] : seen) {
      if (other.ip != where.ip || other.port != where.port || where.port == 0) continue;
      in.book(*address, "is the address of the listener on line " + std::to_string(line) +
                            " as well; give each its own port, or remove one");
    }
    seen.emplace_back(where, address->line);
    if (where.port == 0) in.warn(address->line, address->key, "port 0 takes any free port: for tests only");
    if (!tls && !where.ip.loopback()) {
      in.warn(address->line, address->key,
              "without tls passwords and data cross the network readable; add tls: or use "
              "127.0.0.1");
    }
    made.address = where.host;
    made.port = where.port;
    out.push_back(std::move(made));
  }
}

void read_admin(reading& in, const place& at, admin& out) {
  if (in.is_off(at)) {
    out.enabled = false;
    return;
  }
  section admin(in, at, {"address", "token"}, R"({ address: "127.0.0.1:9121", token: "${ADMIN_TOKEN}" }, or off)",
                true);
  if (!admin.readable()) return;
  const auto token = admin.find("token");
  if (token) in.secret(*token, out.token);
  const auto address = admin.find("address");
  if (!address) return;
  endpoint where;
  if (!in.listen_address(*address, where)) return;
  out.address = where.host;
  out.port = where.port;
  if (!where.ip.loopback() && !token) {
    in.book(*address,
            R"(an address that others can reach needs a token; add token: "${ADMIN_TOKEN}", or use 127.0.0.1)");
  }
}

}  // namespace tidegate::config
