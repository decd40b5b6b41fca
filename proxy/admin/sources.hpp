// Where the admin side reads from: everything it shows, as references and questions; and the two things that it can
// do, change the caps and write into the audit log.
//
// Thread safety: every member may be used from the admin thread while workers and control go on.
// Ownership: what is pointed to outlives the admin server.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/registry.hpp"
#include "evidence/audit/audit_log.hpp"
#include "evidence/forecast/forecaster.hpp"
#include "evidence/recorder/status.hpp"
#include "policy/cap_book.hpp"
#include "policy/snapshot.hpp"
#include "proxy/session/counter_map.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/worker_stats.hpp"

namespace tidegate::admin {

struct tls_counts {
  std::uint64_t client_handshakes = 0, client_refused = 0, upstream_handshakes = 0, upstream_refused = 0;
  std::uint64_t accept_errors = 0;
  std::vector<std::pair<std::string, std::int64_t>> listeners_not_after = {};  // address, Unix time
  struct refusals {
    std::string_view side, reason;
    std::uint64_t count = 0;
  };
  std::vector<refusals> refused = {};
};

struct reload_totals {
  std::uint64_t done = 0, refused = 0;
};

// What a client did from one address.
struct source_row {
  std::string address;
  std::uint64_t writes = 0, bytes = 0, connections = 0, opened = 0;
};

// Whoever holds the caps; empty = nobody does. set and lift return when the change is in force, and may take seconds.
struct cap_access {
  std::function<std::vector<policy::cap>()> all;
  std::function<policy::cap_change(const policy::cap&)> set;
  std::function<policy::cap_change(const std::string& client, const std::string& who)> lift;
};

// Whoever keeps the audit log; empty = nobody does. `tell` returns why nothing was written down, or nothing.
struct audit_access {
  std::function<void(const audit::refusal&)> refused;
  std::function<std::expected<void, std::string>(const audit::told&)> tell;
};

class recent;

struct sources {
  std::shared_ptr<attribution::registry> registry;
  std::shared_ptr<session::upstream_state> upstream;
  std::vector<const session::worker_stats*> workers;
  const session::counter_map* control_commands = nullptr;  // by command id; null = none
  std::function<std::shared_ptr<const policy::snapshot>()> snapshot;
  std::function<std::string()> not_ready;      // why /readyz says 503; empty = ready
  std::function<tls_counts()> tls;             // may be empty
  std::function<std::uint64_t()> loop_stalls;  // may be empty
  std::function<reload_totals()> reloads;      // may be empty
  std::function<std::vector<source_row>(std::string_view client)> client_sources;  // empty = not known
  std::int64_t started_at_ms = 0;  // Unix time; tells a screen that counters began anew
  cap_access caps;
  audit_access audit;
  const recorder::status* evidence = nullptr;       // null = neither ledger nor capture
  const tidegate::admin::recent* recent = nullptr;  // the admin server's own; null = no history
  std::function<forecast::forecast()> forecast;     // empty = nobody looks ahead
};

}  // namespace tidegate::admin
