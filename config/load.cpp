#include "config/load.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

#include "config/private_file.hpp"
#include "config/sections.hpp"

namespace tidegate::config {
namespace {

constexpr std::string_view instance_remedy = "write letters, digits, dots, dashes, like proxy-a";
constexpr std::size_t instance_bytes_max = 64;

bool instance_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

// The host's own name, fit for the connection names that are built of it.
std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return "tidegate";
  std::string name(buffer.data());
  std::ranges::replace_if(name, [](char c) { return !instance_character(c); }, '-');
  name.resize(std::min(name.size(), instance_bytes_max));
  return name.empty() ? "tidegate" : name;
}

std::uint32_t cores() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, workers_max);
}

void read_top(reading& in, const section& root, config& out) {
  if (const auto it = root.find("instance")) {
    if (in.text(*it, instance_remedy, instance_bytes_max, out.instance) &&
        !std::ranges::all_of(out.instance, instance_character)) {
      in.book(*it, reading::quoted(it->value->text) + " holds other characters; " + std::string(instance_remedy));
    }
  }
  if (const auto it = root.find("workers")) in.count(*it, 1, workers_max, out.workers);
  if (const auto it = root.find("drain")) in.duration(*it, milliseconds(0), std::chrono::hours(24), out.drain);
}

void read_sections(reading& in, section& root, config& out) {
  read_top(in, root, out);
  if (const auto it = root.need("listen", R"(listen: [ { address: "127.0.0.1:6379" } ])"))
    read_listen(in, *it, out.listen);
  if (const auto it = root.need("upstream", "upstream: { url: rediss://HOST:6379 }"))
    read_upstream(in, *it, out.upstream);
  if (const auto it = root.find("users")) read_users(in, *it, out.users);
  if (const auto it = root.find("memory")) read_memory(in, *it, out.memory);
  if (const auto it = root.find("admin")) read_admin(in, *it, out.admin);
  if (const auto it = root.find("attribution")) read_attribution(in, *it, out.attribution);
  if (const auto it = root.find("limits")) read_limits(in, *it, out.limits);
  if (const auto it = root.find("ttl")) read_ttl(in, *it, out.ttl);
  if (const auto it = root.find("ledger")) read_ledger(in, *it, out.ledger);
  if (const auto it = root.find("capture")) read_capture(in, *it, out.capture);
  if (const auto it = root.find("log")) read_log(in, *it, out.log);
}

// What only two sections together show.
void compare_sections(reading& in, const section& root, const config& loaded) {
  const auto admin_ip = parse_ip(loaded.admin.address);
  for (const listener& one : loaded.listen) {
    const bool same =
        loaded.admin.enabled && one.port != 0 && one.port == loaded.admin.port && parse_ip(one.address) == admin_ip;
    if (same) {
      in.book(one.line, "listen", "is the address of admin as well; give one of them another port");
    }
  }
  const auto users = root.find("users");
  const auto up = root.find("upstream");
  if (users && !loaded.users.empty() && !loaded.upstream.auth) {
    in.warn(users->line, "users", "not used: with upstream.auth: passthrough the upstream verifies passwords itself");
  }
  if (up && loaded.upstream.auth && loaded.users.empty()) {
    in.warn(up->line, "upstream.auth",
            "whoever can connect writes with these credentials; list the applications in users:");
  }
  if (up && loaded.upstream.tls && !loaded.upstream.auth && !loaded.upstream.control) {
    in.warn(up->line, "upstream.control",
            "is absent, so COMMAND and INFO are asked without AUTH; add it if the upstream "
            "wants a password");
  }
}

using loaded_or_mistakes = std::expected<std::shared_ptr<const config>, std::vector<mistake>>;

loaded_or_mistakes load(std::string_view yaml, const std::string& path, std::optional<mode_t> mode,
                        std::vector<mistake>* warnings) {
  auto parsed = parse_document(yaml);
  if (!parsed) return std::unexpected(std::vector<mistake>{{path, parsed.error().line, {}, parsed.error().text}});
  reading in(path, mode);
  if (mode && (*mode & S_IWOTH) != 0) in.book(1, {}, "anybody may write this file; run chmod o-w on it");
  if (parsed->root == nullptr || parsed->root->kind == node_kind::null) {
    in.book(1, {}, "the file says nothing; write at least listen: and upstream:");
    return std::unexpected(in.take_mistakes());
  }
  auto loaded = std::make_shared<config>();
  loaded->path = path;
  loaded->instance = host_name();
  loaded->workers = cores();
  loaded->ledger.path = in.resolved(loaded->ledger.path);
  section root(in, place{parsed->root, {}, parsed->root->line},
               {"instance", "workers", "drain", "listen", "upstream", "users", "memory", "admin", "attribution",
                "limits", "ttl", "ledger", "capture", "log"},
               "listen: and upstream: as keys");
  if (root.readable()) {
    read_sections(in, root, *loaded);
    compare_sections(in, root, *loaded);
  }
  if (warnings != nullptr) std::ranges::move(in.take_warnings(), std::back_inserter(*warnings));
  if (in.mistakes() > 0) return std::unexpected(in.take_mistakes());
  return loaded;
}

}  // namespace

loaded_or_mistakes load_text(std::string_view yaml, const std::string& path, std::vector<mistake>* warnings) {
  return load(yaml, path, std::nullopt, warnings);
}

loaded_or_mistakes load_file(const std::string& path, std::vector<mistake>* warnings) {
  auto file = read_whole(path, text_bytes_max);
  if (!file) {
    return std::unexpected(
        std::vector<mistake>{{path, 0, {}, "cannot be read: " + file.error() + "; correct the path (-c FILE)"}});
  }
  auto loaded = load(file->text, path, file->mode, warnings);
  wipe(file->text);
  return loaded;
}

}  // namespace tidegate::config
