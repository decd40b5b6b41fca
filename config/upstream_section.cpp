#include <limits>
#include <map>

#include "config/sections.hpp"

namespace tidegate::config {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view credentials_example = R"({ username: NAME, password: "${PASSWORD}" })";

void read_credentials(reading& in, const place& at, std::optional<credentials>& out) {
  section one(in, at, {"username", "password"}, credentials_example, true);
  if (!one.readable()) return;
  credentials made;
  if (const auto it = one.find("username")) in.text(*it, "write the user's name", name_bytes_max, made.username);
  if (const auto it = one.need("password", R"(password: "${PASSWORD}")")) in.secret(*it, made.password);
  out = std::move(made);
}

void read_auth(reading& in, const place& at, std::optional<credentials>& out) {
  if (at.is(node_kind::mapping)) {
    read_credentials(in, at, out);
    return;
  }
  // Never quoted: it may be a password that was put here.
  const bool passthrough = at.is(node_kind::scalar) && at.value->text == "passthrough";
  if (!passthrough) in.book(at, "must be passthrough or " + std::string(credentials_example));
}

void read_url(reading& in, const place& at, upstream& out) {
  const auto url = in.scalar(at, "write rediss://HOST:6379");
  if (!url) return;
  auto parsed = parse_url(*url);
  if (!parsed) {
    in.book(at, parsed.error());
    return;
  }
  out.host = std::move(parsed->host);
  out.port = parsed->port;
  out.tls = parsed->tls;
  out.line = at.line;
  if (parsed->ca.empty()) return;
  out.ca = in.resolved(parsed->ca);
  in.ca_file(at, out.ca);
}

}  // namespace

void read_upstream(reading& in, const place& at, upstream& out) {
  section up(in, at,
             {"url", "auth", "control", "pooling", "lanes", "idle_dedicated", "connect_timeout", "queue_timeout",
              "silence", "maxmemory"},
             "url: rediss://HOST:6379 below it");
  if (const auto it = up.need("url", "url: rediss://HOST:6379")) read_url(in, *it, out);
  if (const auto it = up.find("auth")) read_auth(in, *it, out.auth);
  if (const auto it = up.find("control")) read_credentials(in, *it, out.control);
  if (const auto it = up.find("pooling")) {
    in.choice<pooling>(*it, {{"multiplex", pooling::multiplex}, {"session", pooling::session}}, out.pooling);
  }
  if (const auto it = up.find("lanes")) in.count(*it, 1, 64, out.lanes);
  if (const auto it = up.find("idle_dedicated")) in.count(*it, 0, 65'536, out.idle_dedicated);
  if (const auto it = up.find("connect_timeout")) {
    in.duration(*it, milliseconds(1), std::chrono::minutes(5), out.connect_timeout);
  }
  if (const auto it = up.find("queue_timeout")) {
    in.duration(*it, milliseconds(0), std::chrono::minutes(5), out.queue_timeout);
  }
  if (const auto it = up.find("silence")) in.duration(*it, milliseconds(100), std::chrono::hours(24), out.silence);
  if (const auto it = up.find("maxmemory")) in.size(*it, 0, size_max, out.maxmemory);
}

void read_users(reading& in, const place& at, std::vector<user>& out) {
  std::map<std::string, std::uint32_t> seen;
  for (const place& item : in.list(at, R"({ name: NAME, password: "${TOKEN}" })", users_max)) {
    section one(in, item, {"name", "password"}, R"({ name: NAME, password: "${TOKEN}" })", true);
    if (!one.readable()) continue;
    user made;
    if (const auto it = one.need("password", R"(password: "${TOKEN}")")) in.secret(*it, made.password);
    const auto name = one.need("name", "name: NAME");
    if (!name || !in.text(*name, "write the user's name", name_bytes_max, made.name)) continue;
    const auto [first, is_new] = seen.emplace(made.name, name->line);
    if (!is_new) {
      in.book(*name, "the name is used twice, first on line " + std::to_string(first->second) + "; rename one of them");
    }
    out.push_back(std::move(made));
  }
}

void read_memory(reading& in, const place& at, memory_bounds& out) {
  section memory(in, at, {"session", "total"}, "{ session: 64MiB, total: 1GiB }");
  if (!memory.readable()) return;
  const std::size_t before = in.mistakes();
  if (const auto it = memory.find("session")) in.size(*it, 4096, size_max, out.session);
  if (const auto it = memory.find("total")) in.size(*it, 4096, size_max, out.total);
  if (in.mistakes() == before && out.session > out.total) {
    const auto it = memory.find("session");
    in.book(it ? *it : at,
            "session is above total (" + std::to_string(out.total) + " bytes); write total above session");
  }
}

}  // namespace tidegate::config
