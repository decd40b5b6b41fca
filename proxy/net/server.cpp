#include "proxy/net/server.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>

#include "proxy/net/worker.hpp"

namespace tidegate::net {
namespace {

constexpr std::int64_t clients_max = 10'000;
constexpr std::int64_t descriptors_kept = 64;  // of the process itself: ledger, admin, log, epoll …

// A client may need an upstream connection of its own, so half of the descriptors are for clients.
std::int64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return clients_max;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto usable = static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, 1U << 24)) - descriptors_kept;
  return std::clamp<std::int64_t>(usable / 2, 1, clients_max);
}

// OpenSSL writes with write(2), which has no MSG_NOSIGNAL.
void ignore_broken_pipes() {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
  ::sigaction(SIGXFSZ, &ignore, nullptr);  // a file at its limit is a full disk to whoever writes it, no reason to die
}

// Signals are the control thread's: workers are born with all of them blocked.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigdelset(&all, SIGABRT);  // how the watchdog ends a worker that hangs
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_{};
};

std::string name_of(const config::listener& where) {
  return where.address + ":" + std::to_string(where.port);
}

const config::listener* find(const std::vector<config::listener>& all, const config::listener& wanted) {
  const auto at = std::ranges::find_if(
      all, [&](const auto& other) { return other.address == wanted.address && other.port == wanted.port; });
  return at == all.end() ? nullptr : &*at;
}

void add_line(std::string& text, const std::string& line) {
  if (!text.empty()) text += '\n';
  text += line;
}

}  // namespace

struct server::state {
  explicit state(options given)
      : opts(std::move(given)), config(opts.snapshot->config), not_after(config->listen.size()) {
    for (std::uint32_t i = 0; i < std::max(1U, config->workers); ++i) {
      session::engine_options engine;
      engine.worker = i;
      engine.workers = std::max(1U, config->workers);
      engine.snapshot = opts.snapshot;
      engine.registry = opts.registry;
      engine.upstream = opts.upstream;
      engine.held = &held;
      if (i < opts.captures.size()) engine.capture = opts.captures[i];
      workers.push_back(std::make_unique<worker>(std::move(engine), shared));
    }
  }

  [[nodiscard]] std::expected<void, std::string> load_contexts(const config::config& from);
  void read_anew(const config::config& next, std::string& problems);
  void compare(const config::config& next, std::string& problems) const;
  void note_ends();

  options opts;
  std::shared_ptr<const config::config> config;  // what was bound at start
  admission shared;
  session::memory_held held;
  tls_contexts contexts;
  std::vector<std::atomic<std::int64_t>> not_after;  // by index in `listen`; 0 = plain
  std::vector<std::uint16_t> ports;
  // Second descriptors of every listening socket, to pass on; they keep a socket open, so draining closes them.
  inherited_sockets passable;
  std::vector<std::unique_ptr<worker>> workers;
};

std::expected<void, std::string> server::state::load_contexts(const config::config& from) {
  tls_contexts loaded;
  for (const auto& where : from.listen) {
    if (!where.tls) {
      loaded.listeners.push_back(nullptr);
      continue;
    }
    auto made = tls_context::for_clients(*where.tls);
    if (!made) return std::unexpected("listener " + name_of(where) + ": " + made.error());
    loaded.listeners.push_back(std::move(*made));
  }
  loaded.upstream_tls = from.upstream.tls;
  if (from.upstream.tls) {
    auto made = tls_context::for_upstream(from.upstream.host, from.upstream.ca);
    if (!made) return std::unexpected("upstream: " + made.error());
    loaded.upstream = std::move(*made);
  }
  contexts = std::move(loaded);
  note_ends();
  return {};
}

void server::state::note_ends() {
  for (std::size_t i = 0; i < contexts.listeners.size(); ++i)
    not_after[i].store(contexts.listeners[i] ? contexts.listeners[i]->not_after() : 0, std::memory_order_relaxed);
}

// Each certificate for itself: a broken one leaves the others renewed.
void server::state::read_anew(const config::config& next, std::string& problems) {
  for (std::size_t i = 0; i < contexts.listeners.size(); ++i) {
    const config::listener* where = find(next.listen, config->listen[i]);
    if (where == nullptr || !where->tls || !contexts.listeners[i]) continue;
    auto made = tls_context::for_clients(*where->tls);
    if (made)
      contexts.listeners[i] = std::move(*made);
    else
      add_line(problems, "listener " + name_of(*where) + ": " + made.error() + "; the certificate in use stays");
  }
  note_ends();
  contexts.upstream_tls = next.upstream.tls;
  if (!next.upstream.tls) {
    contexts.upstream = nullptr;
    return;
  }
  auto made = tls_context::for_upstream(next.upstream.host, next.upstream.ca);
  if (made)
    contexts.upstream = std::move(*made);
  else
    add_line(problems, "upstream: " + made.error() + "; the authorities in use stay");
}

void server::state::compare(const config::config& next, std::string& problems) const {
  for (const auto& now : config->listen) {
    const config::listener* then = find(next.listen, now);
    if (then == nullptr)
      add_line(problems, "listener " + name_of(now) + " was removed: restart to close it");
    else if (then->tls.has_value() != now.tls.has_value())
      add_line(problems,
               "listener " + name_of(now) + (then->tls ? " was given TLS" : " lost its TLS") + ": restart for it");
  }
  for (const auto& then : next.listen) {
    if (find(config->listen, then) == nullptr)
      add_line(problems, "listener " + name_of(then) + " is new: restart to open it");
  }
  if (next.workers != config->workers)
    add_line(problems, "workers changed from " + std::to_string(config->workers) + " to " +
                           std::to_string(next.workers) + ": restart for it");
}

server::server(options opts) : state_(std::make_unique<state>(std::move(opts))) {}

server::~server() {
  stop();
}

std::expected<void, std::string> server::start(inherited_sockets inherited) {
  ignore_broken_pipes();
  state_->shared.clients_max = raise_descriptor_limit();
  if (auto loaded = state_->load_contexts(*state_->config); !loaded) return loaded;
  for (std::size_t i = 0; i < state_->config->listen.size(); ++i) {
    const config::listener& where = state_->config->listen[i];
    auto bound = bind_listener(where, workers(), inherited);
    if (!bound) return std::unexpected(bound.error());
    state_->ports.push_back(bound->port);
    for (std::size_t s = 0; s < bound->sockets.size(); ++s) {
      state_->passable.push_back({.address = where.address,
                                  .port = bound->port,
                                  .socket = unique_fd(::fcntl(bound->sockets[s].get(), F_DUPFD_CLOEXEC, 0))});
      if (auto added = state_->workers[s % workers()]->add_listener(std::move(bound->sockets[s]), i); !added)
        return added;
    }
  }
  const signals_blocked guard;
  for (const auto& w : state_->workers) {
    w->post_tls(state_->contexts);
    w->start();
  }
  return {};
}

std::expected<void, std::string> server::publish(std::shared_ptr<const policy::snapshot> next) {
  std::string problems;
  state_->compare(*next->config, problems);
  state_->read_anew(*next->config, problems);
  for (const auto& w : state_->workers) {
    w->post_tls(state_->contexts);
    w->post_snapshot(next);
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return {};
}

void server::publish_rules(const std::shared_ptr<const policy::snapshot>& next) {
  for (const auto& w : state_->workers) w->post_snapshot(next);
}

void server::set_upstream_addresses(std::vector<boost::asio::ip::tcp::endpoint> addresses) {
  const auto shared = std::make_shared<const address_list>(std::move(addresses));
  for (const auto& w : state_->workers) w->post_addresses(shared);
}

void server::wake() {
  for (const auto& w : state_->workers) w->wake();
}

std::vector<offered_socket> server::listening_sockets() const {
  std::vector<offered_socket> all;
  for (const inherited_socket& one : state_->passable) {
    if (one.socket.get() >= 0) all.push_back({.address = one.address, .port = one.port, .fd = one.socket.get()});
  }
  return all;
}

void server::drain() {
  state_->passable.clear();
  for (const auto& w : state_->workers) w->post_drain();
}

bool server::drained() const {
  return std::ranges::all_of(state_->workers, [](const auto& w) { return w->machine().is_drained(); });
}

void server::stop() {
  state_->passable.clear();
  for (const auto& w : state_->workers) w->stop();
}

void server::abort_in(std::uint32_t worker) {
  state_->workers[worker]->signal(SIGABRT);
}

std::uint32_t server::workers() const noexcept {
  return static_cast<std::uint32_t>(state_->workers.size());
}

const session::worker_stats& server::stats(std::uint32_t worker) const noexcept {
  return state_->workers[worker]->machine().stats();
}

std::uint64_t server::generation_in_use() const noexcept {
  std::uint64_t smallest = UINT64_MAX;
  for (const auto& w : state_->workers) smallest = std::min(smallest, w->machine().generation_in_use());
  return smallest;
}

std::vector<std::uint16_t> server::ports() const {
  return state_->ports;
}

server::tls_stats server::tls() const noexcept {
  tls_stats sum;
  for (const auto& w : state_->workers) {
    sum.client_handshakes += w->tls().client_handshakes.load();
    sum.client_refused += w->tls().client_refused.load();
    sum.upstream_handshakes += w->tls().upstream_handshakes.load();
    sum.upstream_refused += w->tls().upstream_refused.load();
  }
  return sum;
}

server::tls_reasons server::tls_refused() const noexcept {
  tls_reasons sum;
  for (const auto& w : state_->workers) {
    for (std::size_t i = 0; i < sum.client.size(); ++i) {
      sum.client[i] += w->tls().client_reasons[i].load();
      sum.upstream[i] += w->tls().upstream_reasons[i].load();
    }
  }
  return sum;
}

std::vector<std::pair<std::string, std::int64_t>> server::certificates_not_after() const {
  std::vector<std::pair<std::string, std::int64_t>> all;
  for (std::size_t i = 0; i < state_->not_after.size(); ++i) {
    const std::int64_t end = state_->not_after[i].load(std::memory_order_relaxed);
    if (end != 0) all.emplace_back(name_of(state_->config->listen[i]), end);
  }
  return all;
}

std::uint64_t server::accept_errors() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& w : state_->workers) sum += w->accept_errors();
  return sum;
}

std::int64_t server::clients() const noexcept {
  return state_->shared.clients.load(std::memory_order_relaxed);
}

std::int64_t server::take_clients_peak() noexcept {
  return state_->shared.clients_peak.exchange(clients(), std::memory_order_relaxed);
}

std::uint64_t server::bytes_held() const noexcept {
  return state_->held.total();
}

std::uint64_t server::take_bytes_peak() noexcept {
  return state_->held.take_peak();
}

}  // namespace tidegate::net
