// The proxy's own eye on the upstream: resolves its name, logs in, learns its commands, reads INFO each second, and
// probes it when a worker suspects a failover or silence.
//
// Thread safety: everything on the control thread's io_context, but trouble() and own_commands(), which any thread may
// read. Ownership: owns its connections; `upstream_state` is shared with the workers.
// Invariants: (1) every wait is bounded but for the system's resolver, which blocks nothing else; (2) at most one probe
// a second; (3) every command sent that the upstream counts is in own_commands(), once; (4) a wrong or hostile upstream
// makes nothing worse than `unreachable`. Cost: one small batch a second.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/net/control_link.hpp"
#include "proxy/net/upstream_facts.hpp"
#include "proxy/session/counter_map.hpp"
#include "proxy/session/engine.hpp"

namespace tidegate::net {

inline constexpr std::chrono::milliseconds answer_timeout{3000};
inline constexpr std::chrono::milliseconds info_interval{1000};
inline constexpr std::chrono::milliseconds info_stale_after{5000};
inline constexpr std::chrono::milliseconds probe_interval{1000};
inline constexpr std::chrono::milliseconds backoff_min{50}, backoff_max{5000};
inline constexpr std::chrono::milliseconds resolve_interval{1000};  // while nobody answers
// How soon a worker's hint is seen: workers only raise an atomic, which costs them nothing.
inline constexpr std::chrono::milliseconds hint_tick{50};

class control_connection {
 public:
  // Called on the control thread. All must be set.
  struct events {
    std::function<void(const endpoints&)> addresses;  // what the name resolves to now
    std::function<void()> wake;                       // upstream_state changed: the workers should look
    // COMMAND's answer, and whether EXPIRE … NX|LT is known; only when one of them changed.
    std::function<void(const std::vector<resp::upstream_command>&, bool expire_options)> learned;
    std::function<void(const upstream_info&)> info;
    std::function<void(double fraction)> memory;  // each INFO; negative once when it becomes unknown or stale
  };

  control_connection(boost::asio::io_context& context, std::string instance, const config::upstream& upstream,
                     std::shared_ptr<session::upstream_state> shared, events told);
  ~control_connection();
  control_connection(const control_connection&) = delete;
  control_connection& operator=(const control_connection&) = delete;

  // Runs until the io_context stops.
  void start();
  // After a reload: connects anew if where to or how changed.
  void reconfigure(const config::upstream& upstream);

  // Why the upstream is not reachable, for /readyz; empty while it is.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] const session::counter_map& own_commands() const noexcept { return own_commands_; }  // by command id

 private:
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  awaitable<void> keep_connected();
  awaitable<std::string> hold_session();
  awaitable<std::string> greet(control_link& link);
  awaitable<std::string> poll(control_link& link);
  awaitable<void> watch_hints();
  awaitable<void> probe(std::uint64_t silence);
  awaitable<void> resolve_anew();
  awaitable<void> sleep(std::chrono::milliseconds time);

  void note_addresses(endpoints found);
  void note_role(const std::string& role);
  void note_commands(const reply& commands, const reply& expire);
  void note_info(const reply& answer, const reply* commandstats = nullptr);
  void note_staleness();
  void note_reachable();
  void note_unreachable(const std::string& why);
  void raise_generation(const std::string& why);
  void count(const question& asked, const std::vector<reply>& got);
  [[nodiscard]] std::chrono::milliseconds jittered(std::chrono::milliseconds time);

  boost::asio::io_context& context_;
  std::string name_;  // of the connection, as CLIENT SETNAME takes it
  config::upstream upstream_;
  std::uint64_t configured_ = 0;  // raised by reconfigure
  std::shared_ptr<session::upstream_state> shared_;
  events told_;
  session::counter_map own_commands_;
  std::mt19937_64 random_;

  endpoints addresses_;
  std::string role_;
  std::vector<resp::upstream_command> commands_;
  std::optional<bool> expire_options_;
  std::string resolve_error_;  // of the last attempt; empty = it succeeded
  bool login_refused_ = false;
  bool info_refused_ = false;
  bool memory_known_ = true;
  std::chrono::milliseconds backoff_{backoff_min};
  std::chrono::steady_clock::time_point started_;
  std::uint64_t failovers_seen_ = 0, silences_seen_ = 0;
  std::uint64_t stats_seen_ = 0;

  mutable std::mutex trouble_mutex_;  // control plane only: no worker ever takes it
  std::string trouble_;
};

// One look at the upstream for `tidegate check`: what it is, or why it could not be asked.
[[nodiscard]] std::expected<upstream_info, std::string> look_at_upstream(const config::upstream& upstream);

}  // namespace tidegate::net
