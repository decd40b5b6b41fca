// One thread, one event loop, one engine: the world as the engine's machines see it.
//
// A turn: wait; every descriptor that is ready is read (or written) once; those that became ready meanwhile too; what
// could not be finished in the last turn goes on; deadlines; the engine's end_turn, which sends; then what is wanted of
// each descriptor is settled. Each descriptor is served at most twice in a turn, however fast its peer writes.
//
// Thread safety: add_listener before start(); post_*, wake() and the counters from any thread; the rest on its own
// thread. An eventfd is the only way in from outside. Ownership: owns its engine, listening sockets and connections
// (connection.hpp says when one is freed). Invariants: (1) the engine is called only between begin_turn and end_turn,
// never from inside a shell call; (2) no byte of a client goes to an upstream whose certificate was not verified:
// connected() comes after the handshake. Cost: in steady state no allocation and no lock; recv and send for a
// descriptor that was ready, and two epoll_waits a turn.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "attribution/counters.hpp"
#include "proxy/net/connection.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/net/mailbox.hpp"
#include "proxy/net/poller.hpp"
#include "proxy/net/tls_context.hpp"
#include "proxy/net/tls_refusal.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/shell.hpp"

namespace tidegate::net {

// Bounds of the shell. Those of the protocol are the engine's.
namespace bounds {
inline constexpr std::size_t scratch_bytes = 64U << 10;
inline constexpr unsigned reads_per_turn = 4;       // of one connection; then the others have their turn
inline constexpr unsigned handshakes_per_turn = 8;  // steps; each may cost a millisecond of arithmetic
inline constexpr session::steady_ns handshake_deadline = 5'000'000'000;
inline constexpr session::steady_ns lingering_deadline = 2'000'000'000;
inline constexpr std::size_t lingering_bytes = 4U << 20;
inline constexpr session::steady_ns paused_interval = 100'000'000;
inline constexpr unsigned paused_looks = 1000;         // at one time
inline constexpr std::size_t paused_bytes = 1U << 20;  // read before a FIN of a paused client
inline constexpr session::steady_ns accept_rest = 100'000'000;
inline constexpr session::steady_ns idle_turn = 1'000'000'000;  // a watchdog may expect a turn this often
}  // namespace bounds

// What all workers of a server share.
struct admission {
  std::atomic<std::int64_t> clients{0};
  std::atomic<std::int64_t> clients_peak{0};  // since somebody took it; two workers that pass it at once may lose one
  std::int64_t clients_max = 0;
};

struct tls_contexts {
  std::vector<std::shared_ptr<const tls_context>> listeners;  // by index in `listen`; null = plain
  std::shared_ptr<const tls_context> upstream;
  bool upstream_tls = false;  // without a context: nothing connects, as plain text is not what was asked for
};

struct tls_counters {
  using by_reason = std::array<attribution::single_writer_counter, tls_refusal_words.size()>;
  attribution::single_writer_counter client_handshakes, client_refused, upstream_handshakes, upstream_refused;
  by_reason client_reasons, upstream_reasons;  // of those refused

  void client_refused_for(tls_refusal why) noexcept {
    client_refused.add(1);
    client_reasons[static_cast<std::size_t>(why)].add(1);
  }
  void upstream_refused_for(tls_refusal why) noexcept {
    upstream_refused.add(1);
    upstream_reasons[static_cast<std::size_t>(why)].add(1);
  }
};

class worker final : public session::shell {
 public:
  worker(session::engine_options options, admission& shared);
  ~worker() override;
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  [[nodiscard]] std::expected<void, std::string> add_listener(unique_fd fd, std::size_t index);
  void start();
  // Closes everything and waits for the thread.
  void stop();
  // Sends the thread a signal: from the thread that calls start() and stop().
  void signal(int number);

  void post_addresses(std::shared_ptr<const address_list> addresses);
  void post_tls(tls_contexts contexts);
  void post_snapshot(std::shared_ptr<const policy::snapshot> next);
  void post_drain();
  void wake() noexcept;

  [[nodiscard]] const session::engine& machine() const noexcept { return engine_; }
  [[nodiscard]] const tls_counters& tls() const noexcept { return tls_; }
  [[nodiscard]] std::uint64_t accept_errors() const noexcept { return accept_errors_.load(); }

  // shell
  void connect(session::upstream_connection& connection) override;
  [[nodiscard]] std::ptrdiff_t send(session::stream& to, std::string_view bytes) override;
  void resume_reading(session::stream& from) override;
  void close(session::stream& which, session::close_how how) override;

 private:
  // --- worker.cpp: the loop
  void run();
  void turn();
  [[nodiscard]] std::span<const poller::ready> wait();
  void begin_turn();
  void take_posted();
  void go_on();
  void run_deadlines();
  [[nodiscard]] session::steady_ns next_deadline() const noexcept;
  void settle();
  void settle_one(connection& c);
  void settle_open(connection& c);
  void serve(const poller::ready& event);
  void take_wakes();
  void accept_all(acceptor& a);
  void admit(const accepted_socket& socket, std::size_t listener);
  void close_everything();

  // --- worker_connections.cpp: one connection
  void on_readable(connection& c);
  void on_writable(connection& c);
  void step(connection& c);
  void read_from(connection& c);
  void finish_connect(connection& c);
  void try_addresses(connection& c);
  void continue_handshake(connection& c);
  void refuse_handshake(connection& c, bool ended);
  void open_client(connection& c);
  void open_upstream(connection& c);
  void fail(connection& c, std::string_view why);
  void linger(connection& c);
  void discard(connection& c);
  void look_at_paused();
  void look_at(connection& c);
  void dispose(connection& c, bool abruptly);
  void touch(connection& c);
  void queue(connection& c);
  [[nodiscard]] connection& make_connection(bool client);
  [[nodiscard]] connection* find(const session::stream& which) noexcept;

  poller poller_;
  watched wakes_;
  admission& shared_;
  std::vector<std::unique_ptr<acceptor>> acceptors_;
  session::steady_ns rest_until_ = session::never;

  std::shared_ptr<const address_list> addresses_;
  tls_contexts contexts_;
  mailbox<std::shared_ptr<const address_list>> posted_addresses_;
  mailbox<tls_contexts> posted_tls_;
  std::atomic<bool> posted_drain_{false}, posted_stop_{false};

  connection_list<&connection::in_all> all_;
  connection_list<&connection::by_deadline> handshakes_, lingering_, opening_;
  connection_list<&connection::by_pause> paused_;
  std::vector<connection*> touched_, queued_, going_on_;
  session::steady_ns paused_look_at_ = session::never;

  bool draining_ = false;
  session::steady_ns now_ = 0;
  unsigned handshakes_ran_ = 0;
  std::unique_ptr<char[]> scratch_;
  tls_counters tls_;
  attribution::single_writer_counter accept_errors_;
  std::uint32_t number_ = 0;
  session::engine engine_;  // dies first: its end may still close streams
  std::thread thread_;
};

}  // namespace tidegate::net
