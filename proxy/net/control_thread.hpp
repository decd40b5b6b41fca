// The control thread: signals, reloads of the configuration, draining, and what follows from the upstream's answers.
//
// Thread safety: run() on one thread (main's); snapshot(), ready() and own_commands() from any thread.
// Ownership: refers to the server, which outlives it; owns the io_context of the control connection.
// Invariants: (1) a configuration with a mistake changes nothing; (2) generations only rise; (3) what cannot change
// without a restart keeps its running value, and the log says so. Cost: wakes twenty times a second; no worker waits
// for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "policy/snapshot.hpp"
#include "proxy/net/audit_trail.hpp"
#include "proxy/net/cap_keeper.hpp"
#include "proxy/net/server.hpp"
#include "proxy/net/upstream_facts.hpp"
#include "proxy/session/counter_map.hpp"
#include "proxy/session/engine.hpp"

namespace tidegate::net {

// For /readyz.
struct serving_state {
  bool ready = false;
  std::string reason;  // why not
};

// Of the configuration, by signal or changed file.
struct reload_counts {
  std::uint64_t done = 0, refused = 0;
};

class control_thread {
 public:
  struct options {
    std::string config_path;  // empty = no file to watch
    policy::foundations foundations;
    std::shared_ptr<const policy::snapshot> snapshot;  // what the server was made with
    std::shared_ptr<session::upstream_state> upstream;
    policy::cap_book caps;  // those that the snapshot was made with
    // What a successor needs before we have drained: called once, on the control thread, when it has taken over.
    std::function<void()> let_go = [] {};
    // For the evidence; both may be empty. Called on the control thread: what INFO said, with the sum of its calls of
    // write commands where commandstats were asked for; and what changed, in words.
    std::function<void(const upstream_info&, std::optional<std::uint64_t> write_calls)> watch_info = {};
    std::function<void(const std::string& what, const std::string& detail)> watch_changes = {};
    // The same for caps and what else people did: who, what, and which.
    std::function<void(const std::string& who, const std::string& what, const std::string& detail)> watch_caps = {};
  };
  // Takes the signals from here on: SIGTERM and SIGINT drain, SIGHUP reloads, SIGPIPE and SIGUSR* are ignored.
  control_thread(options opts, server& workers);
  ~control_thread();
  control_thread(const control_thread&) = delete;
  control_thread& operator=(const control_thread&) = delete;

  // Returns when the server was drained and stopped. The server must have been started. From here on a successor may
  // take over the listening sockets (takeover.hpp): that drains as SIGTERM does.
  void run();
  // From any thread: as SIGTERM does.
  void request_stop();

  [[nodiscard]] std::shared_ptr<const policy::snapshot> snapshot() const;
  [[nodiscard]] serving_state ready() const;
  [[nodiscard]] const session::counter_map& own_commands() const noexcept;
  // How often a worker's loop stood still (loop_watchdog.hpp).
  [[nodiscard]] std::uint64_t loop_stalls() const noexcept;
  [[nodiscard]] reload_counts reloads() const noexcept;
  // What people put in front of the configured limits.
  [[nodiscard]] cap_keeper& caps() noexcept;
  [[nodiscard]] audit_trail& audit() noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

// What differs between two configurations and takes effect only after a restart, as sentences for the log.
[[nodiscard]] std::vector<std::string> needs_restart(const config::config& running, const config::config& wanted);
// `wanted` with the running value of everything that needs a restart.
[[nodiscard]] std::shared_ptr<const config::config> keep_running_values(const config::config& running,
                                                                        const config::config& wanted);

}  // namespace tidegate::net
