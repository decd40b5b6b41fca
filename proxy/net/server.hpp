// The workers and their listeners: starts them, hands them snapshots, addresses and certificates, stops them.
//
// Thread safety: called from the control thread (and main); reaches workers by atomics and one eventfd each.
// Ownership: owns the worker threads, their engines, listening sockets and TLS contexts; counters outlive stop().
// Invariants: at most 10,000 clients, and half of the descriptors (the soft limit is raised to the hard one); SIGPIPE
// is ignored in the whole process.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/snapshot.hpp"
#include "proxy/net/takeover.hpp"
#include "proxy/net/tls_refusal.hpp"
#include "proxy/session/engine.hpp"

namespace tidegate::net {

class server {
 public:
  struct options {
    std::shared_ptr<const policy::snapshot> snapshot;
    std::shared_ptr<attribution::registry> registry;
    std::shared_ptr<session::upstream_state> upstream;
    std::vector<session::capture_ring*> captures = {};  // one a worker, which outlive the server; empty = none
  };
  explicit server(options opts);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // Loads certificates, binds every listener (SO_REUSEPORT, one socket a worker) and starts the workers. The error
  // names the listener or file and the remedy. inherited: sockets of a predecessor, used where they are for an address
  // of ours, closed where not.
  [[nodiscard]] std::expected<void, std::string> start(inherited_sockets inherited = {});
  // What a successor may have: none once drained. From the thread that calls drain() and stop().
  [[nodiscard]] std::vector<offered_socket> listening_sockets() const;

  // A new snapshot for every worker. Certificates are read anew; if they are wrong the old ones stay and the error says
  // why. A change of `workers`, `listen` addresses or upstream TLS that needs a restart is reported in the error as
  // well.
  [[nodiscard]] std::expected<void, std::string> publish(std::shared_ptr<const policy::snapshot> next);
  // The same where only the rules changed: certificates and addresses stay as they are.
  void publish_rules(const std::shared_ptr<const policy::snapshot>& next);
  // Where new upstream connections go (tried in order); empty = nothing resolved: connecting fails at once. Also before
  // start().
  void set_upstream_addresses(std::vector<boost::asio::ip::tcp::endpoint> addresses);
  // Wakes every worker, so that it looks at upstream_state.
  void wake();

  void drain();  // stop accepting, finish, see drained()
  [[nodiscard]] bool drained() const;
  void stop();  // close everything, join the threads
  // A worker hangs: the process ends with SIGABRT on that worker's thread, so that the core and the stack are its.
  void abort_in(std::uint32_t worker);

  [[nodiscard]] std::uint32_t workers() const noexcept;
  [[nodiscard]] const session::worker_stats& stats(std::uint32_t worker) const noexcept;
  [[nodiscard]] std::uint64_t generation_in_use() const noexcept;  // smallest over the workers
  // Actual ports, in the order of `listen` (a configured port 0 was chosen by the system).
  [[nodiscard]] std::vector<std::uint16_t> ports() const;

  // TLS counters, folded at scrape: handshakes refused by reason.
  struct tls_stats {
    std::uint64_t client_handshakes = 0, client_refused = 0, upstream_handshakes = 0, upstream_refused = 0;
  };
  [[nodiscard]] tls_stats tls() const noexcept;
  // Refused handshakes by reason, in the order of tls_refusal.
  struct tls_reasons {
    std::array<std::uint64_t, tls_refusal_words.size()> client{}, upstream{};
  };
  [[nodiscard]] tls_reasons tls_refused() const noexcept;
  // Of each TLS listener in force: its address as configured, and the Unix time at which its certificate or the first
  // of its chain ends. From any thread.
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> certificates_not_after() const;
  [[nodiscard]] std::uint64_t accept_errors() const noexcept;
  [[nodiscard]] std::int64_t clients() const noexcept;  // connections, those that still shake hands too
  [[nodiscard]] std::uint64_t bytes_held() const noexcept;
  [[nodiscard]] std::int64_t take_clients_peak() noexcept;  // of clients, since the last call
  [[nodiscard]] std::uint64_t take_bytes_peak() noexcept;   // of bytes_held, since the last call

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace tidegate::net
