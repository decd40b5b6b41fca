#include "proxy/net/control_thread.hpp"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>

#include "config/load.hpp"
#include "evidence/audit/cap_file.hpp"
#include "proxy/net/control_connection.hpp"
#include "proxy/net/file_watch.hpp"
#include "proxy/net/loop_watchdog.hpp"
#include "proxy/net/memory_return.hpp"
#include "proxy/net/service_manager.hpp"
#include "proxy/net/takeover.hpp"
#include "proxy/net/tls_files.hpp"

namespace tidegate::net {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds watch_interval{1000};
constexpr milliseconds drain_tick{20};
constexpr milliseconds reload_rest{50};

limiter::steady_ns now_ns() {
  return steady_clock::now().time_since_epoch().count();
}

std::vector<std::string> watched_files(const std::string& config_path, const config::config& config) {
  std::vector<std::string> paths;
  if (!config_path.empty()) paths.push_back(config_path);
  if (config.upstream.tls && !config.upstream.ca.empty()) paths.push_back(config.upstream.ca);
  for (const config::listener& listener : config.listen) {
    if (!listener.tls) continue;
    for (const std::string& path : {listener.tls->certificate, listener.tls->key, listener.tls->client_ca}) {
      if (!path.empty()) paths.push_back(path);
    }
  }
  return paths;
}

bool same(const config::ledger& a, const config::ledger& b) {
  return a.enabled == b.enabled && a.path == b.path && a.bucket == b.bucket && a.keep == b.keep &&
         a.max_size == b.max_size;
}

bool same(const std::optional<config::capture>& a, const std::optional<config::capture>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->directory == b->directory && a->match_client == b->match_client && a->match_key == b->match_key &&
         a->match_commands == b->match_commands && a->sample == b->sample && a->values == b->values &&
         a->rotate == b->rotate && a->max_size == b->max_size && a->keep == b->keep;
}

bool has_memory_rule(const config::config& config) {
  return std::any_of(config.limits.begin(), config.limits.end(),
                     [](const config::limit_rule& rule) { return rule.memory.has_value(); });
}

// Of all that the upstream calls a write; nothing where commandstats were not asked for, or refused.
std::optional<std::uint64_t> write_calls_of(const upstream_info& seen, const resp::command_table& commands) {
  if (seen.calls.empty()) return std::nullopt;
  std::uint64_t sum = 0;
  for (const auto& [name, calls] : seen.calls) {
    const resp::command_spec* spec = commands.find_name(name);
    if (spec != nullptr && spec->write) sum += calls;
  }
  return sum;
}

// Errors may hold several lines; each becomes a log line of its own.
void log_lines(spdlog::level::level_enum level, const char* what, std::string_view text) {
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    if (newline != 0) spdlog::log(level, "{}: {}", what, text.substr(0, newline));
    text.remove_prefix(std::min(newline + 1, text.size()));
  }
}

}  // namespace

struct control_thread::state {
  state(options opts, server& served)
      : given(std::move(opts)),
        workers(served),
        signals(context, SIGTERM, SIGINT, SIGHUP),
        tick(context),
        drain_timer(context),
        watch_timer(context),
        hangup_timer(context),
        loops(served.workers()),
        current(given.snapshot),
        loaded(given.snapshot->config),
        caps(context, cap_options()),
        trail(context, {.path = given.config_path.empty() ? std::string() : audit::paths_of(*loaded).log,
                        .noted = given.watch_caps}),
        successor(context, loaded->listen, handover_events()),
        upstream(context, loaded->instance, loaded->upstream, given.upstream, connection_events()) {}

  control_connection::events connection_events();
  cap_keeper::options cap_options();
  handover::events handover_events();
  void wait_for_signal();
  void on_signal(int number);
  void reload_soon();
  void watch_files();
  void tell_of_nonsense();
  void watch_loops();
  void give_memory_back();
  void blame(const loop_watchdog::finding& found);
  void reload(const char* cause);
  void publish(std::shared_ptr<const config::config> config);
  std::shared_ptr<const policy::snapshot> renew();
  void learned(const std::vector<resp::upstream_command>& commands, bool expire_options);
  void info(const upstream_info& info);
  void memory(double fraction);
  void begin_drain();
  void await_drained();
  void finish();

  options given;
  server& workers;
  asio::io_context context{1};
  asio::signal_set signals;
  asio::steady_timer tick, drain_timer, watch_timer, hangup_timer;
  steady_clock::time_point reloaded_at;
  bool reload_due = false;
  file_watch files;
  loop_watchdog loops;
  memory_return freed;
  attribution::single_writer_counter loop_stalls, reloads_done, reloads_refused;
  std::uint64_t nonsense_told = 0;  // of the workers' desynchronised

  mutable std::mutex mutex;  // guards `current` and `draining`; control plane only
  std::shared_ptr<const policy::snapshot> current;
  bool draining = false;

  std::shared_ptr<const config::config> loaded;  // in force
  steady_clock::time_point drain_deadline;
  double last_fraction = -1;
  bool memory_told = false, memory_known = false;
  std::string eviction_told;
  cap_keeper caps;
  audit_trail trail;
  handover successor;
  control_connection upstream;
};

control_connection::events control_thread::state::connection_events() {
  return {.addresses = [this](const endpoints& found) { workers.set_upstream_addresses(found); },
          .wake = [this] { workers.wake(); },
          .learned = [this](const std::vector<resp::upstream_command>& commands,
                            bool expire_options) { learned(commands, expire_options); },
          .info = [this](const upstream_info& seen) { info(seen); },
          .memory = [this](double fraction) { memory(fraction); }};
}

cap_keeper::options control_thread::state::cap_options() {
  const audit::paths paths = audit::paths_of(*loaded);
  return {.state_path = given.config_path.empty() ? std::string() : paths.caps,
          .audit_path = given.config_path.empty() ? std::string() : paths.log,
          .book = given.caps,
          .noted = given.watch_caps,
          .publish =
              [this] {
                const std::shared_ptr<const policy::snapshot> next = renew();
                workers.publish_rules(next);
                return next->generation;
              },
          .in_use = [this] { return workers.generation_in_use(); }};
}

handover::events control_thread::state::handover_events() {
  return {.sockets = [this] { return workers.listening_sockets(); },
          .let_go = [this] { given.let_go(); },
          .taken =
              [this](pid_t pid) {
                spdlog::info("process {} has taken over the listening sockets", pid);
                if (!draining) begin_drain();
              }};
}

void control_thread::state::wait_for_signal() {
  signals.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    on_signal(number);
    wait_for_signal();
  });
}

void control_thread::state::on_signal(int number) {
  if (number == SIGHUP) {
    reload_soon();
  } else if (!draining) {
    begin_drain();
  } else {
    spdlog::warn("a second signal: stopping at once");
    finish();
  }
}

// However many signals come, one reload in `reload_rest`, and always one after the last of them.
void control_thread::state::reload_soon() {
  if (reload_due) return;
  reload_due = true;
  hangup_timer.expires_at(reloaded_at + reload_rest);  // may have passed: then at once
  hangup_timer.async_wait([this](boost::system::error_code error) {
    if (error) return;
    reload_due = false;
    reload("SIGHUP");
    reloaded_at = steady_clock::now();
  });
}

void control_thread::state::watch_files() {
  tick.expires_after(watch_interval);
  tick.async_wait([this](boost::system::error_code error) {
    if (error) return;
    if (files.changed()) reload("a changed file");
    give_memory_back();
    tell_of_nonsense();
    watch_files();
  });
}

void control_thread::state::give_memory_back() {
  const memory_return::held connections{workers.clients(), workers.take_clients_peak()};
  const memory_return::held bytes{static_cast<std::int64_t>(workers.bytes_held()),
                                  static_cast<std::int64_t>(workers.take_bytes_peak())};
  if (!freed.due(connections, bytes)) return;
  ::malloc_trim(0);
}

// Workers log nothing themselves: what they count is put into words here, in one line a tick however much it is.
void control_thread::state::tell_of_nonsense() {
  std::uint64_t now = 0;
  for (std::uint32_t i = 0; i < workers.workers(); ++i) now += workers.stats(i).desynchronised.load();
  if (now == nonsense_told) return;
  spdlog::error(
      "upstream {}:{} sent on {} connection(s) what answers no command or is no reply: they and every client with a "
      "command under way there were closed",
      loaded->upstream.host, loaded->upstream.port, now - nonsense_told);
  nonsense_told = now;
}

void control_thread::state::watch_loops() {
  watch_timer.expires_after(loop_watchdog::interval);
  watch_timer.async_wait([this](boost::system::error_code error) {
    if (error) return;
    std::vector<std::uint64_t> turns;
    for (std::uint32_t i = 0; i < workers.workers(); ++i) turns.push_back(workers.stats(i).turns.load());
    for (const loop_watchdog::finding& found : loops.tick(turns)) blame(found);
    if (loops.all_turning()) tell_service_manager("WATCHDOG=1");
    watch_loops();
  });
}

void control_thread::state::blame(const loop_watchdog::finding& found) {
  switch (found.happened) {
    case loop_watchdog::what::stalled:
      loop_stalls.add(1);
      spdlog::warn("worker {} has not turned for {} ms", found.worker,
                   loop_watchdog::stalled_ticks * loop_watchdog::interval.count());
      return;
    case loop_watchdog::what::recovered:
      spdlog::info("worker {} turns again", found.worker);
      return;
    case loop_watchdog::what::stuck:
      // Its clients get no answer, and a drain would wait for it: a supervisor's restart is the shorter outage.
      spdlog::critical("worker {} hangs: the process is ended, with that thread's stack", found.worker);
      spdlog::default_logger()->flush();
      workers.abort_in(static_cast<std::uint32_t>(found.worker));
  }
}

void control_thread::state::reload(const char* cause) {
  if (draining || given.config_path.empty()) return;
  spdlog::info("reloading {} because of {}", given.config_path, cause);
  std::vector<config::mistake> warnings;
  auto wanted = config::load_file(given.config_path, &warnings);
  for (const config::mistake& warning : warnings) spdlog::warn("{}", warning.to_string());
  const std::vector<config::mistake> mistakes = wanted ? mistakes_of_tls_files(**wanted) : wanted.error();
  if (!mistakes.empty()) {
    for (const config::mistake& mistake : mistakes) spdlog::error("{}", mistake.to_string());
    spdlog::error("the configuration has {} mistake(s): nothing changed", mistakes.size());
    reloads_refused.add(1);
    // Whoever mends a file that it names need not touch the configuration again.
    if (wanted) files.watch(watched_files(given.config_path, **wanted));
    return;
  }
  for (const std::string& sentence : needs_restart(*loaded, **wanted)) spdlog::warn("{}", sentence);
  std::shared_ptr<const config::config> next = keep_running_values(*loaded, **wanted);
  files.watch(watched_files(given.config_path, *next));
  spdlog::set_level(static_cast<spdlog::level::level_enum>(next->log.level));
  if (loaded->ttl.empty()) eviction_told.clear();  // the new rules may be the first that the warning is about
  publish(next);
  upstream.reconfigure(next->upstream);
  spdlog::info("configuration in force: generation {}", current->generation);
  reloads_done.add(1);
  if (given.watch_changes) given.watch_changes("reload", "generation " + std::to_string(current->generation));
}

void control_thread::state::publish(std::shared_ptr<const config::config> config) {
  loaded = std::move(config);
  if (const auto done = workers.publish(renew()); !done) log_lines(spdlog::level::warn, "reload", done.error());
}

// The next generation of what is loaded, with the caps in force.
std::shared_ptr<const policy::snapshot> control_thread::state::renew() {
  std::shared_ptr<const policy::snapshot> next =
      policy::make_snapshot(loaded, given.foundations, current->generation + 1, now_ns(), caps.rules());
  // Before a worker sees it: a reload must not open the gates for the second until the next INFO.
  next->limits->set_memory(last_fraction, now_ns());
  {
    const std::scoped_lock lock(mutex);
    current = next;
  }
  return next;
}

void control_thread::state::learned(const std::vector<resp::upstream_command>& commands, bool expire_options) {
  if (!commands.empty()) given.foundations.commands = resp::command_table::completed(commands);
  given.foundations.expire_options = expire_options;
  if (!expire_options) spdlog::info("upstream: EXPIRE has no NX and LT; scripts stand in for them");
  publish(loaded);
}

void control_thread::state::info(const upstream_info& seen) {
  if (given.watch_info) given.watch_info(seen, write_calls_of(seen, *current->commands));
  if (seen.eviction_policy == eviction_told) return;
  eviction_told = seen.eviction_policy;
  if (!loaded->ttl.empty() && eviction_told.starts_with("volatile-")) {
    spdlog::warn(
        "upstream: maxmemory-policy is {}: a key that a TTL rule gives a TTL can be evicted, where it could not before",
        eviction_told);
  }
}

void control_thread::state::memory(double fraction) {
  last_fraction = fraction;
  current->limits->set_memory(fraction, now_ns());
  const bool known = fraction >= 0;
  if (memory_told && known == memory_known) return;
  if (!known) {
    spdlog::log(has_memory_rule(*loaded) ? spdlog::level::warn : spdlog::level::info,
                "upstream: its memory is unknown (no INFO, or no maxmemory): limits run at their plain rate");
  } else if (memory_told) {
    spdlog::info("upstream: its memory is known again: {:.1f} % in use", fraction * 100);
  }
  memory_told = true;
  memory_known = known;
}

void control_thread::state::begin_drain() {
  tell_service_manager("STOPPING=1");
  successor.stop();
  {
    const std::scoped_lock lock(mutex);
    draining = true;
  }
  spdlog::info("draining, for {} ms at most", loaded->drain.count());
  drain_deadline = steady_clock::now() + loaded->drain;
  workers.drain();
  await_drained();
}

void control_thread::state::await_drained() {
  if (workers.drained()) {
    spdlog::info("drained");
    finish();
    return;
  }
  if (steady_clock::now() >= drain_deadline) {
    spdlog::warn("the drain time is over: closing what is left");
    finish();
    return;
  }
  drain_timer.expires_after(drain_tick);
  drain_timer.async_wait([this](boost::system::error_code error) {
    if (!error) await_drained();
  });
}

void control_thread::state::finish() {
  workers.stop();
  context.stop();
}

control_thread::control_thread(options opts, server& workers) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);
  std::signal(SIGUSR2, SIG_IGN);
  state_ = std::make_unique<state>(std::move(opts), workers);
  state_->wait_for_signal();
}

control_thread::~control_thread() = default;

void control_thread::run() {
  state_->files.watch(watched_files(state_->given.config_path, *state_->loaded));
  state_->watch_files();
  state_->watch_loops();
  tell_service_manager("READY=1");
  state_->caps.start();
  state_->successor.start();
  state_->upstream.start();
  state_->context.run();
}

void control_thread::request_stop() {
  asio::post(state_->context, [this] { state_->on_signal(SIGTERM); });
}

std::shared_ptr<const policy::snapshot> control_thread::snapshot() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->current;
}

serving_state control_thread::ready() const {
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->draining) return {false, "draining"};
  }
  const session::upstream_state& upstream = *state_->given.upstream;
  if (!upstream.reachable.load()) return {false, "the upstream is not reachable: " + state_->upstream.trouble()};
  if (upstream.cluster_mode.load()) return {false, "the upstream runs in cluster mode, which is not supported yet"};
  return {true, {}};
}

cap_keeper& control_thread::caps() noexcept {
  return state_->caps;
}

audit_trail& control_thread::audit() noexcept {
  return state_->trail;
}

std::uint64_t control_thread::loop_stalls() const noexcept {
  return state_->loop_stalls.load();
}

reload_counts control_thread::reloads() const noexcept {
  return {.done = state_->reloads_done.load(), .refused = state_->reloads_refused.load()};
}

const session::counter_map& control_thread::own_commands() const noexcept {
  return state_->upstream.own_commands();
}

std::vector<std::string> needs_restart(const config::config& running, const config::config& wanted) {
  std::vector<std::string> sentences;
  const auto differs = [&sentences](bool different, const char* key) {
    if (different) sentences.push_back(std::string("a change of `") + key + "` takes effect after a restart");
  };
  differs(running.workers != wanted.workers, "workers");
  differs(running.instance != wanted.instance, "instance");
  differs(running.admin.enabled != wanted.admin.enabled || running.admin.address != wanted.admin.address ||
              running.admin.port != wanted.admin.port,
          "admin.address");
  differs(running.log.format != wanted.log.format, "log.format");
  differs(!same(running.ledger, wanted.ledger), "ledger");
  differs(!same(running.capture, wanted.capture), "capture");
  return sentences;
}

std::shared_ptr<const config::config> keep_running_values(const config::config& running, const config::config& wanted) {
  auto kept = std::make_shared<config::config>(wanted);
  kept->workers = running.workers;
  kept->instance = running.instance;
  const std::string token = wanted.admin.token;
  kept->admin = running.admin;
  kept->admin.token = token;
  kept->log.format = running.log.format;
  kept->ledger = running.ledger;
  kept->capture = running.capture;
  return kept;
}

}  // namespace tidegate::net
