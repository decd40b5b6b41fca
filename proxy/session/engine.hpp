// A worker's machine: all its sessions and upstream connections. Bytes and events in, actions out; no socket, no clock.
//
// Thread safety: none; one engine a worker, driven by its shell on one thread. Other threads reach it only through
// `post_*` words below, which are atomics that begin_turn() looks at.
// Ownership: owns sessions and upstream connections; the shell owns their sockets.
// Invariants: (1) a reply never reaches the wrong command or the wrong client; (2) every command received gets exactly
// one of {its reply, an error, a closed connection}; (3) nothing is sent upstream twice; (4) received() takes all the
// bytes it is given: what cannot be handled yet is held, and wants_read() says stop. Cost: no allocation and no lock in
// steady state.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "attribution/identity.hpp"
#include "policy/snapshot.hpp"
#include "proxy/session/memory_held.hpp"
#include "proxy/session/shell.hpp"
#include "proxy/session/stream.hpp"
#include "proxy/session/worker_stats.hpp"

namespace tidegate::session {

class session;
class capture_ring;
class upstream_connection;

// What the workers and the control thread share about the upstream: atomics only.
struct upstream_state {
  std::atomic<bool> reachable{false};  // the control connection is up
  std::atomic<bool> cluster_mode{false};
  std::atomic<std::uint64_t> address_generation{0};  // raised when the upstream's address or role changed: reconnect
  std::atomic<std::uint64_t> failover_hints{0};      // raised by workers: a reply told of a failover; control probes
  std::atomic<std::uint64_t> silence_hints{0};       // raised by workers: a lane is silent; control probes
  std::atomic<std::uint64_t> probe_failed{0};        // raised by control: the probe after a silence hint failed
  std::atomic<std::uint64_t> memory_used{0}, memory_max{0}, keys{0}, keys_with_ttl{0}, evicted_keys{0};
  std::atomic<std::int64_t> certificate_not_after{0};  // Unix time; 0 = no TLS, or not connected yet
  std::atomic<std::int64_t> info_at{0};                // steady ns of the last INFO; 0 = none yet
  std::atomic<std::uint32_t> evidence_epoch{0};        // raised by the recorder at each bucket; 0 = there is none
  std::atomic<std::uint64_t> stats_wanted{0};          // raised by the recorder: control asks for commandstats at once
};

// What an accepted connection is known by.
struct peer {
  attribution::address source;
  std::string tls_subject;  // of a verified client certificate; empty without
  bool tls = false;
};

struct engine_options {
  std::uint32_t worker = 0;
  std::uint32_t workers = 1;
  std::shared_ptr<const policy::snapshot> snapshot;
  std::shared_ptr<attribution::registry> registry;
  std::shared_ptr<upstream_state> upstream;
  capture_ring* capture = nullptr;  // null = nothing is captured
  memory_held* held = nullptr;      // null = memory.total is not watched
};

// What an engine holds at this moment: for tests and for those who look for a leak.
struct inventory {
  std::size_t sessions = 0;                                     // whose client is there
  std::size_t session_objects = 0;                              // with those that are gone but still have replies due
  std::size_t lanes = 0, dedicated = 0, idle = 0, retired = 0;  // upstream connections; lanes: open ones
  std::size_t groups = 0;                                       // of lanes: a user, db and protocol each
  std::size_t exchanges = 0;                                    // dedicated connections in use for one exchange
  std::size_t waiting = 0;       // sessions in a connection's waiting list or the exchange line
  std::size_t buffer_bytes = 0;  // lent by the pool
};

class engine {
 public:
  engine(engine_options options, shell& world);
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  // A turn: begin_turn, any number of events, then end_turn, which sends everything that became due.
  // now: monotonic clock; wall: Unix time.
  void begin_turn(steady_ns now, std::chrono::milliseconds wall);
  void end_turn();
  // When the engine wants a turn though nothing happens; `never` if not.
  [[nodiscard]] steady_ns next_deadline() const noexcept;

  // A client connected (TLS already done). `io` becomes the stream's.
  [[nodiscard]] stream& accepted(void* io, const peer& who);
  void received(stream& from, std::string_view bytes);
  // FIN or close_notify.
  void end_of_stream(stream& from);
  // Reset, error, refused, certificate not accepted … `why` is for log and metrics. The shell has closed the socket.
  void lost(stream& which, std::string_view why);
  // An upstream connection is up and verified. Its io is set.
  void connected(upstream_connection& which);
  void writable(stream& which);

  // From any thread: taken up at the next begin_turn (wake the worker after it).
  void post_snapshot(std::shared_ptr<const policy::snapshot> next);
  void post_drain();  // no new sessions; close idle ones, finish what was received, then is_drained()
  void post_stop();   // close everything now
  // Generation of the snapshot in use, for whoever waits for a reload to be in force.
  [[nodiscard]] std::uint64_t generation_in_use() const noexcept;
  [[nodiscard]] bool is_drained() const noexcept;  // any thread

  [[nodiscard]] const worker_stats& stats() const noexcept;
  // On the worker's thread.
  [[nodiscard]] inventory inventory_now() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::session
