#include "proxy/net/worker.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace tidegate::net {
namespace {

// networking.c, acceptCommonHandler: what Redis itself says.
constexpr std::string_view too_many_clients = "-ERR max number of clients reached\r\n";

session::steady_ns monotonic() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

worker::worker(session::engine_options options, admission& shared)
    : wakes_(watched::kind::wake),
      shared_(shared),
      scratch_(std::make_unique<char[]>(bounds::scratch_bytes)),
      number_(options.worker),
      engine_(std::move(options), *this) {
  const int wakes = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wakes < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  if (!wakes_.open(poller_, wakes, true, false)) throw std::system_error(errno, std::generic_category(), "epoll");
}

worker::~worker() {
  stop();
}

std::expected<void, std::string> worker::add_listener(unique_fd fd, std::size_t index) {
  auto made = std::make_unique<acceptor>(index);
  if (!made->open(poller_, fd.release(), true, false))
    return std::unexpected("epoll: " + std::generic_category().message(errno));
  acceptors_.push_back(std::move(made));
  return {};
}

void worker::start() {
  thread_ = std::thread([this] { run(); });
}

void worker::signal(int number) {
  if (thread_.joinable()) ::pthread_kill(thread_.native_handle(), number);
}

void worker::stop() {
  if (!thread_.joinable()) return;
  engine_.post_stop();
  posted_stop_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

void worker::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full: then the worker has been woken already.
  [[maybe_unused]] const ssize_t put = ::write(wakes_.fd(), &one, sizeof(one));
}

void worker::post_addresses(std::shared_ptr<const address_list> addresses) {
  posted_addresses_.put(std::make_unique<std::shared_ptr<const address_list>>(std::move(addresses)));
  wake();
}

void worker::post_tls(tls_contexts contexts) {
  posted_tls_.put(std::make_unique<tls_contexts>(std::move(contexts)));
  wake();
}

void worker::post_snapshot(std::shared_ptr<const policy::snapshot> next) {
  engine_.post_snapshot(std::move(next));
  wake();
}

void worker::post_drain() {
  engine_.post_drain();
  posted_drain_.store(true, std::memory_order_release);
  wake();
}

void worker::run() {
  const std::string name = "tidegate-w" + std::to_string(number_);
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
  while (!posted_stop_.load(std::memory_order_acquire)) turn();
  begin_turn();  // takes the engine's own stop
  engine_.end_turn();
  close_everything();
}

void worker::turn() {
  settle();
  const std::span<const poller::ready> events = wait();
  begin_turn();
  for (const poller::ready& event : events) serve(event);
  // While these were read others became ready: what they send leaves in the same write, and one look costs less than
  // the write and the wake-up that it saves.
  if (!events.empty()) {
    for (const poller::ready& event : poller_.wait(0)) serve(event);
  }
  go_on();
  run_deadlines();
  engine_.end_turn();
}

std::span<const poller::ready> worker::wait() {
  if (!queued_.empty()) return poller_.wait(0);
  const session::steady_ns left = std::min(next_deadline() - monotonic(), bounds::idle_turn);
  // Rounded up: a turn before the deadline would find nothing to do. No timer descriptor is armed, however often
  // deadlines move.
  constexpr session::steady_ns millisecond = 1'000'000;
  return poller_.wait(left <= 0 ? 0 : static_cast<int>((left - 1) / millisecond + 1));
}

void worker::serve(const poller::ready& event) {
  switch (event.who->what()) {
    case watched::kind::connection: {
      auto& c = static_cast<connection&>(*event.who);
      c.end_near = c.end_near || event.end;
      if (event.write) on_writable(c);
      // What is queued is read when its turn comes, and once.
      if (event.read && !c.queued) on_readable(c);
      return;
    }
    case watched::kind::acceptor:
      return accept_all(static_cast<acceptor&>(*event.who));
    case watched::kind::wake:
      return take_wakes();
  }
}

void worker::begin_turn() {
  now_ = monotonic();
  handshakes_ran_ = 0;
  take_posted();
  engine_.begin_turn(
      now_, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()));
}

void worker::take_posted() {
  if (auto addresses = posted_addresses_.take()) addresses_ = std::move(*addresses);
  if (auto contexts = posted_tls_.take()) contexts_ = std::move(*contexts);
  if (!draining_ && posted_drain_.load(std::memory_order_acquire)) {
    draining_ = true;
    // The acceptors themselves stay: events of this turn may name them.
    for (const auto& a : acceptors_) a->close_fd();
  }
}

void worker::go_on() {
  std::swap(queued_, going_on_);
  for (connection* c : going_on_) {
    c->queued = false;
    touch(*c);
    step(*c);
  }
  going_on_.clear();
}

void worker::run_deadlines() {
  while (!handshakes_.empty() && handshakes_.front().deadline <= now_) {
    tls_.client_refused_for(tls_refusal::timeout);
    dispose(handshakes_.front(), true);
  }
  while (!lingering_.empty() && lingering_.front().deadline <= now_) dispose(lingering_.front(), true);
  if (paused_look_at_ <= now_) look_at_paused();
  if (rest_until_ <= now_) {
    rest_until_ = session::never;
    for (const auto& a : acceptors_) {
      a->resting = false;
      a->want(poller_, true, false);
    }
  }
}

session::steady_ns worker::next_deadline() const noexcept {
  session::steady_ns first = std::min(engine_.next_deadline(), rest_until_);
  if (!handshakes_.empty()) first = std::min(first, handshakes_.front().deadline);
  if (!lingering_.empty()) first = std::min(first, lingering_.front().deadline);
  return std::min(first, paused_look_at_);
}

void worker::settle() {
  // By index: a failed wait may touch others, never this one again.
  for (std::size_t i = 0; i < touched_.size(); ++i) settle_one(*touched_[i]);
  touched_.clear();
  if (paused_.empty())
    paused_look_at_ = session::never;
  else if (paused_look_at_ == session::never)
    paused_look_at_ = now_ + bounds::paused_interval;
}

void worker::settle_one(connection& c) {
  c.touched = false;
  switch (c.at) {
    case connection::phase::closed:
      if (!c.queued) delete &c;
      return;
    case connection::phase::failed:
      return queue(c);
    case connection::phase::connecting:
      break;
    case connection::phase::handshaking:
      if (c.queued) return;
      break;
    case connection::phase::open:
      return settle_open(c);
    case connection::phase::lingering:
      break;
  }
  const bool write =
      c.at == connection::phase::connecting || (c.at == connection::phase::handshaking && c.read_wants_write);
  c.want(poller_, !write, write);
}

void worker::settle_open(connection& c) {
  const bool wants = c.stream->wants_read() && !c.end_seen;
  if (wants && c.leftover) queue(c);
  // OpenSSL may stop short of what the socket has; a plain read stops there, or says so in `leftover`.
  c.want(poller_, wants || c.write_wants_read, (c.write_short && !c.write_wants_read) || (wants && c.read_wants_write),
         !c.wire.is_tls());
  if (!c.client) return;
  if (wants == c.by_pause.is_linked()) {
    if (wants) {
      c.by_pause.unlink();
    } else {
      c.allowance = bounds::paused_bytes;
      paused_.push_back(c);
    }
  }
}

void worker::take_wakes() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wakes_.fd(), &count, sizeof(count));
}

void worker::accept_all(acceptor& a) {
  unsigned failures = 0;
  for (unsigned i = 0; i < accepts_per_turn && a.fd() >= 0; ++i) {
    accepted_socket socket;
    const accept_status status = a.accept(socket);
    if (status == accept_status::accepted) {
      admit(socket, a.index);
      continue;
    }
    if (status == accept_status::empty) return;
    accept_errors_.add(1);
    if (status == accept_status::exhausted) a.turn_one_away();
    if (status == accept_status::exhausted || ++failures == accepts_per_turn) {
      a.resting = true;
      a.want(poller_, false, false);
      rest_until_ = std::min(rest_until_, now_ + bounds::accept_rest);
      return;
    }
  }
}

void worker::admit(const accepted_socket& socket, std::size_t listener) {
  const auto& tls = contexts_.listeners[listener];
  const std::int64_t before = shared_.clients.fetch_add(1, std::memory_order_relaxed);
  if (before >= shared_.clients_max) {
    shared_.clients.fetch_sub(1, std::memory_order_relaxed);
    accept_errors_.add(1);
    // A TLS client could not read it.
    if (!tls) [[maybe_unused]]
      const ssize_t put = ::send(socket.fd, too_many_clients.data(), too_many_clients.size(), MSG_NOSIGNAL);
    ::shutdown(socket.fd, SHUT_WR);
    ::close(socket.fd);
    return;
  }
  if (before >= shared_.clients_peak.load(std::memory_order_relaxed))
    shared_.clients_peak.store(before + 1, std::memory_order_relaxed);
  connection& c = make_connection(true);
  c.source = socket.source;
  ssl_pointer ssl = tls ? tls->new_session() : nullptr;
  c.wire.attach(socket.fd);
  if (!c.open(poller_, socket.fd, true, false) || (tls && (!ssl || !c.wire.start_tls(std::move(ssl))))) {
    accept_errors_.add(1);
    return dispose(c, true);
  }
  if (!tls) return open_client(c);
  c.at = connection::phase::handshaking;
  c.deadline = now_ + bounds::handshake_deadline;
  handshakes_.push_back(c);
}

void worker::close_everything() {
  for (const auto& a : acceptors_) a->close_fd();
  for (connection& c : all_) {
    // The engine's end comes later, and must not name what is freed here.
    if (c.stream != nullptr) c.stream->io = nullptr;
    c.stream = nullptr;
    dispose(c, true);
  }
  for (connection* c : touched_) c->touched = false;
  touched_.clear();
  queued_.clear();
  all_.clear_and_dispose([](connection* c) { delete c; });
}

}  // namespace tidegate::net
