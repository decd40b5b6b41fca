// An engine with everything around it in memory: a shell without sockets, clients that a test speaks for, a model of
// the upstream, and a clock that moves when the test says so.
//
// Thread safety: none. Ownership: the world owns engine, sockets and model; references to sockets stay good as long as
// it. Invariants: (1) the engine is called only between begin_turn and end_turn; (2) nothing is read from a stream that
// does not want to be read; (3) after close() the engine never hears of a stream again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "fake_redis.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/upstream_connection.hpp"

namespace tidegate::session::testing_support {

inline constexpr steady_ns millisecond = 1'000'000;
inline constexpr steady_ns second = 1'000'000'000;

struct fake_socket {
  stream* to = nullptr;
  bool is_client = true;
  bool connecting = false, open = false;
  std::size_t link = SIZE_MAX;  // of the model, for an upstream socket that is open

  std::string inbox;     // sent by the client, not yet read by the engine
  std::string received;  // what the engine sent to the client
  bool fin = false, fin_told = false, reset = false, writable_due = false;
  std::size_t room = SIZE_MAX;  // bytes that the socket still takes
  bool full = false;
  close_how closed_how = close_how::graceful;
  bool hold = false;        // an upstream's replies stay with it
  std::size_t release = 0;  // … but for so many bytes

  void send(std::string_view bytes) { inbox.append(bytes); }
  void send(const words& args) { inbox += command_line(args); }
  void half_close() { fin = true; }
  void abort() { reset = true; }
  [[nodiscard]] std::string take() { return std::exchange(received, {}); }
};

class fake_world final : public shell {
 public:
  using adjust = std::function<void(config::config&)>;
  explicit fake_world(const adjust& configure = {}, std::uint64_t seed = 0);
  ~fake_world() override;

  [[nodiscard]] fake_socket& connect_client(std::string_view address = "10.0.0.1");
  // Turns until nothing moves any more. Fails the test when that takes too long.
  void settle();
  // One turn.
  bool turn();
  // Lets time pass, with a turn at every deadline.
  void advance(steady_ns time);
  // Sends, settles, and gives what came back.
  [[nodiscard]] std::string ask(fake_socket& client, std::string_view bytes);
  [[nodiscard]] std::string ask(fake_socket& client, const words& args) { return ask(client, command_line(args)); }
  void reload(const adjust& configure);

  // Upstream sockets in the order in which the engine asked for them.
  [[nodiscard]] fake_socket& upstream(std::size_t index) { return *upstreams_[index]; }
  [[nodiscard]] std::size_t upstreams() const { return upstreams_.size(); }
  [[nodiscard]] std::size_t upstreams_open() const;
  // The upstream socket whose connection ran EXEC.
  [[nodiscard]] fake_socket& where_exec_ran();
  void lose_upstream(std::size_t index, bool reset = false);
  void lose_all_upstreams();
  void give_room(fake_socket& to, std::size_t bytes);

  // What the engine counted.
  [[nodiscard]] std::uint64_t booked(std::string_view command, std::string_view client = {}) const;
  [[nodiscard]] std::uint64_t own(std::string_view command) const;
  [[nodiscard]] static std::uint64_t total(const counter_map& counts);
  // Empty, or which command's calls in the model are not what was booked and what the proxy sent itself. With `unknown`
  // so many calls may be missing in the books.
  [[nodiscard]] std::string booking_difference(std::uint64_t unknown = 0) const;
  // Closes every client and expects that nothing of any of them is left.
  void expect_nothing_left();

  fake_redis redis;
  bool refuse_connects = false, hold_connects = false, hold_replies = false;
  std::uint64_t connects = 0;  // that the engine asked for
  bool chaotic = false;        // splits and delays at random
  steady_ns now = 1'000 * second;
  std::mt19937_64 random;
  std::shared_ptr<upstream_state> state = std::make_shared<upstream_state>();
  std::shared_ptr<attribution::registry> registry = std::make_shared<attribution::registry>();
  std::shared_ptr<const policy::snapshot> snapshot;
  memory_held held;
  std::unique_ptr<tidegate::session::engine> engine;
  std::vector<std::unique_ptr<fake_socket>> clients;

  // shell
  void connect(upstream_connection& connection) override;
  [[nodiscard]] std::ptrdiff_t send(stream& to, std::string_view bytes) override;
  void resume_reading(stream& from) override;
  void close(stream& which, close_how how) override;

 private:
  bool serve_client(fake_socket& s);
  bool serve_upstream(fake_socket& s);
  [[nodiscard]] std::size_t portion(std::size_t size);
  [[nodiscard]] std::shared_ptr<const policy::snapshot> make(const adjust& configure);

  config::config base_;
  policy::foundations foundations_;
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<fake_socket>> upstreams_;
  bool moved_ = false;
};

}  // namespace tidegate::session::testing_support
