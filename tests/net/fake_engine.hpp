// An engine that a test scripts, in the place of the real one: linked instead of proxy/session/engine.cpp, so that the
// shell's own behaviour is seen without any protocol above it. By default it sends back what it receives.
//
// Thread safety: hooks and `later` run on the worker's thread; note(), count() and wait_for() from any.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/session/engine.hpp"
#include "proxy/session/upstream_connection.hpp"

namespace tidegate::net_test {

class fake_stream : public session::stream {
 public:
  explicit fake_stream(session::buffer_pool& pool) noexcept : stream(side::client, pool) {}
  void want_read(bool yes) noexcept { wants_read_ = yes; }
  void blocked(bool yes) noexcept { write_blocked_ = yes; }
  session::peer who;
};

// What the test and the fake share. One at a time: the fake finds it by `fake_world::present`.
class fake_world {
 public:
  fake_world() { present = this; }
  ~fake_world() { present = nullptr; }
  fake_world(const fake_world&) = delete;
  fake_world& operator=(const fake_world&) = delete;
  static fake_world* present;

  // Set before the worker starts. Absent = the default.
  std::function<void(fake_stream&)> on_accepted;
  std::function<void(session::stream&, std::string_view)> on_received;  // default: echo
  std::function<void(session::stream&)> on_end;                         // default: graceful close of a client
  std::function<void(session::upstream_connection&)> on_connected;
  std::atomic<bool> quiet{false};  // note nothing: notes allocate

  void note(const std::string& event);
  [[nodiscard]] std::size_t count(const std::string& event) const;
  // True once `event` was noted `times` times; false when ten seconds passed.
  [[nodiscard]] bool wait_for(const std::string& event, std::size_t times = 1);
  // Why the first stream was lost; empty when ten seconds passed.
  [[nodiscard]] std::string wait_for_loss();

  // To be run at the next begin_turn; wake the worker after it.
  void later(std::function<void()> what);
  void run_posted();

  session::shell* shell = nullptr;
  session::buffer_pool* pool = nullptr;
  std::vector<fake_stream*> clients;  // open ones
  std::atomic<std::uint64_t> turns{0};
  std::uint64_t received_bytes = 0;  // of all clients together
  void send(session::stream& to, std::string_view bytes);
  void close(session::stream& which, session::close_how how);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> has_posted_{false};
};

}  // namespace tidegate::net_test
