// The configuration as values: what a YAML file says after every default is filled in and every mistake excluded.
//
// Thread safety: immutable once loaded; shared as std::shared_ptr<const config>.
// Ownership: plain values, no file is open. Secrets are here in the clear: never log, print or serialise a whole
// config; they are wiped with the values that hold them. Invariants: (1) loaded without a mistake, or not at all; (2)
// rates and bursts are above zero, burst at least 1, shares from 0 to 1; (3) names of rules and users, TTL patterns and
// listening addresses are unique; (4) `until` lies in 1970-2200, so that it can be compared in nanoseconds; (5) list
// sizes are bounded (config/sections.hpp). Cost: built at start and reload only. Units: std::chrono for durations,
// bytes for sizes; rates are units a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/wipe.hpp"

namespace tidegate::config {

using std::chrono::milliseconds;
using std::chrono::seconds;

enum class client_auth : std::uint8_t { none, optional, required };

struct tls_listener {
  std::string certificate, key, client_ca;  // paths, relative ones resolved against the config file's folder
  config::client_auth client_auth = config::client_auth::none;
};

struct listener {
  std::string address;  // numeric host, without brackets
  std::uint16_t port = 0;
  std::optional<tls_listener> tls;
  std::uint32_t line = 0;
};

struct credentials {
  std::string username;  // empty = default user, AUTH with one argument
  std::string password;
  ~credentials() { wipe(password); }
};

enum class pooling : std::uint8_t { multiplex, session };

struct upstream {
  std::string host;
  std::uint16_t port = 6379;
  bool tls = false;
  std::string ca;                      // path; empty = the system's
  std::uint32_t db = 0;                // redis://host/DB is refused unless 0: a session chooses its own
  std::optional<credentials> auth;     // absent = passthrough
  std::optional<credentials> control;  // absent = as auth
  config::pooling pooling = config::pooling::multiplex;
  std::uint32_t lanes = 1;
  std::uint32_t idle_dedicated = 32;
  milliseconds connect_timeout{2000};
  milliseconds queue_timeout{1000};
  milliseconds silence{30000};
  std::uint64_t maxmemory = 0;  // 0 = from INFO
  std::uint32_t line = 0;       // of the url
};

struct user {
  std::string name;
  std::string password;
  ~user() { wipe(password); }
};

struct memory_bounds {
  std::uint64_t session = 64ULL << 20;
  std::uint64_t total = 1ULL << 30;
};

struct admin {
  std::string address = "127.0.0.1";
  std::uint16_t port = 9121;
  std::string token;
  bool enabled = true;
  ~admin() { wipe(token); }
};

enum class identity_source : std::uint8_t { client_name, username, tls_subject, source, library };

struct name_fold {
  std::string match, as;
};
struct source_name {
  std::string cidr;  // as written
  bool v6 = false;
  std::uint8_t bytes[16] = {};  // network order; 4 used for IPv4
  std::uint8_t prefix = 0;
  std::string as;
};

struct attribution {
  std::vector<identity_source> identify_by{identity_source::client_name, identity_source::username,
                                           identity_source::tls_subject, identity_source::source};
  std::vector<name_fold> names;
  std::vector<source_name> sources;
  std::vector<std::string> patterns;
};

enum class limit_per : std::uint8_t { client, connection, pattern, rule };
enum class limit_cost : std::uint8_t { command, element, byte };
// block: nothing passes, whatever is in the bucket; no file says it, a person does in mid-incident.
enum class limit_action : std::uint8_t { observe, delay, reject, block };

struct memory_pressure {
  double from = 0.6, to = 0.85, floor = 0.1;  // fractions of maxmemory; floor a fraction of the rate
};

struct limit_rule {
  std::string name;
  std::string match_client;                 // glob; empty = any
  std::vector<std::string> match_commands;  // lower case names as in commandstats or a bare container, or "write";
                                            // empty = grow + scripts that may write
  std::string match_key;                    // glob; empty = any
  limit_per per = limit_per::client;
  double rate = 0;  // units a second
  double burst = 0;
  limit_cost cost = limit_cost::command;
  limit_action action = limit_action::delay;
  milliseconds max_delay{2000};
  std::optional<memory_pressure> memory;
  std::string owner;
  std::optional<std::chrono::sys_seconds> until;
  bool begins_empty = false;  // a rule that is new has no burst to give
  std::uint32_t line = 0;
};

enum class ttl_mode : std::uint8_t { off, observe, enforce };
struct ttl_rule {
  std::string pattern;
  std::optional<milliseconds> default_ttl, max_ttl;
  double jitter = 0;  // 0 … 1
  bool require = false;
  ttl_mode mode = ttl_mode::enforce;
  std::uint32_t line = 0;
};

struct ledger {
  bool enabled = true;
  std::string path = "tidegate.db";
  seconds bucket{10}, keep{14 * 86400};
  std::uint64_t max_size = 1ULL << 30;
};

struct capture {
  std::string directory;
  std::string match_client = "*", match_key = "*";
  std::vector<std::string> match_commands;  // empty = write
  double sample = 1.0;
  bool values = false;
  std::uint64_t rotate = 64ULL << 20, max_size = 1ULL << 30;
  seconds keep{7 * 86400};
};

enum class log_level : std::uint8_t { trace, debug, info, warn, error };
enum class log_format : std::uint8_t { text, json };
struct log {
  log_level level = log_level::info;
  log_format format = log_format::text;
};

struct config {
  std::string path;  // where it came from
  std::string instance;
  std::uint32_t workers = 1;
  milliseconds drain{30000};
  std::vector<listener> listen;
  tidegate::config::upstream upstream;
  std::vector<user> users;
  memory_bounds memory;
  tidegate::config::admin admin;
  tidegate::config::attribution attribution;
  std::vector<limit_rule> limits;
  std::vector<ttl_rule> ttl;
  tidegate::config::ledger ledger;
  std::optional<tidegate::config::capture> capture;
  tidegate::config::log log;
};

}  // namespace tidegate::config
