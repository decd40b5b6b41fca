// The server whose keys are looked at: which one the command line means, and one connection to it.
//
// Thread safety: none. Ownership: a link owns its connection and is used by one thread, synchronously.
// Invariants: (1) no text that leaves here holds a password; (2) TLS is verified against the host's name, always;
// (3) every wait is bounded; (4) after an error the link is closed: an answer is never taken for that of a later
// question. Cost: a round trip a question.
#pragma once

#include <CLI/CLI.hpp>
#include <expected>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "proxy/net/control_link.hpp"

namespace tidegate::cli {

// What every command on keys lets one say.
struct server_options {
  std::string config_path, url, through, password_file;
  std::uint32_t db = 0;
  bool db_given = false;
  bool keep_priority = false;
};
void add_server_options(CLI::App& command, server_options& options);

struct server_target {
  config::upstream where;  // credentials in `control`
  std::uint32_t db = 0;
  std::string name;  // host:port/db: what a plan and a state are bound to
  bool through_proxy = false;
  bool cluster_node = false;                     // one of several, whose keys are walked by themselves
  bool stands_back = true;                       // who walks its keys leaves this machine's processors to others
  std::shared_ptr<const config::config> config;  // null without -c
};

// The password of a URL without one comes from --password-file or TIDEGATE_SERVER_PASSWORD.
[[nodiscard]] std::expected<server_target, std::string> find_target(const server_options& options);

// `redis[s]://[user[:password]@]host[:port][/db][?ca=FILE]`, percent-encoding in user and password.
[[nodiscard]] std::expected<server_target, std::string> read_server_url(std::string_view url);

class server_link {
 public:
  // Connected, logged in, named, in its db.
  [[nodiscard]] static std::expected<server_link, std::string> open(const server_target& target,
                                                                    const std::string& client_name);
  ~server_link();
  server_link(server_link&& other) noexcept;
  server_link& operator=(server_link&& other) noexcept;

  [[nodiscard]] net::answers ask(const net::question& what);
  // Commands sent since it was opened.
  [[nodiscard]] std::uint64_t sent() const noexcept;

 private:
  struct state;
  explicit server_link(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::cli
