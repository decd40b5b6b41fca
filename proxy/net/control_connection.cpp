#include "proxy/net/control_connection.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "resp/encoder.hpp"
#include "resp/error_code.hpp"

namespace tidegate::net {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// Where own commands count: ids of the built-in table never change.
std::uint16_t id_of(std::string_view name) {
  static const std::shared_ptr<const resp::command_table> table = resp::command_table::builtin();
  const resp::command_spec* spec = table->find_name(name);
  return spec == nullptr ? std::uint16_t{0} : spec->id;
}

std::int64_t now_ns() {
  return steady_clock::now().time_since_epoch().count();
}

const std::optional<config::credentials>& credentials_of(const config::upstream& upstream) {
  return upstream.control ? upstream.control : upstream.auth;
}

bool same_login(const std::optional<config::credentials>& a, const std::optional<config::credentials>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->username == b->username && a->password == b->password);
}

// What a fresh look begins with. True if credentials were sent.
bool add_auth(question& asked, const config::upstream& upstream) {
  const std::optional<config::credentials>& login = credentials_of(upstream);
  if (!login) return false;
  if (login->username.empty()) {
    asked.add("auth", {"AUTH", login->password});
  } else {
    asked.add("auth", {"AUTH", login->username, login->password});
  }
  return true;
}

// Text that came from the upstream, for the log.
std::string quoted(std::string_view text) {
  return std::string(text.substr(0, 200));
}

bool same(const std::vector<resp::upstream_command>& a, const std::vector<resp::upstream_command>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.name == y.name && x.arity == y.arity && x.flags == y.flags && x.first_key == y.first_key &&
           x.last_key == y.last_key && x.step == y.step;
  });
}

}  // namespace

control_connection::control_connection(asio::io_context& context, std::string instance,
                                       const config::upstream& upstream,
                                       std::shared_ptr<session::upstream_state> shared, events told)
    : context_(context),
      upstream_(upstream),
      shared_(std::move(shared)),
      told_(std::move(told)),
      random_(std::random_device{}()),
      started_(steady_clock::now()),
      trouble_("not connected yet") {
  name_ = "tidegate:";
  resp::append_sanitized(name_, instance, 64);
  name_ += ":control";
}

control_connection::~control_connection() = default;

void control_connection::start() {
  asio::co_spawn(context_, keep_connected(), asio::detached);
  asio::co_spawn(context_, watch_hints(), asio::detached);
}

void control_connection::reconfigure(const config::upstream& upstream) {
  const bool moved = upstream.host != upstream_.host || upstream.port != upstream_.port ||
                     upstream.tls != upstream_.tls || upstream.ca != upstream_.ca;
  const bool relogin = !same_login(credentials_of(upstream), credentials_of(upstream_));
  upstream_ = upstream;
  if (!moved && !relogin) return;
  if (moved) addresses_.clear();
  backoff_ = backoff_min;
  ++configured_;
}

std::string control_connection::trouble() const {
  const std::scoped_lock lock(trouble_mutex_);
  return trouble_;
}

asio::awaitable<void> control_connection::sleep(milliseconds time) {
  asio::steady_timer timer(context_, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

// [time, 1.25 time]: never sooner than asked for, and not all proxies of a fleet at once.
milliseconds control_connection::jittered(milliseconds time) {
  std::uniform_int_distribution<milliseconds::rep> extra(0, time.count() / 4);
  return time + milliseconds(extra(random_));
}

asio::awaitable<void> control_connection::keep_connected() {
  for (;;) {
    const std::string why = co_await hold_session();
    if (why.empty()) continue;  // it is to connect elsewhere, or as somebody else: at once
    note_unreachable(why);
    const std::uint64_t configured = configured_;
    const steady_clock::time_point until = steady_clock::now() + jittered(backoff_);
    backoff_ = std::min(backoff_ * 2, backoff_max);
    // The name of a dead primary is asked for more often than the primary itself: it is what will lead elsewhere.
    const bool nowhere = addresses_.empty();
    steady_clock::time_point asked = steady_clock::now();
    while (steady_clock::now() < until && configured == configured_ && nowhere == addresses_.empty()) {
      co_await sleep(hint_tick);
      if (steady_clock::now() - asked < resolve_interval) continue;
      co_await resolve_anew();
      asked = steady_clock::now();
    }
  }
}

// From resolving to the loss of the connection. The result says why it was lost; empty = it is to be made anew.
asio::awaitable<std::string> control_connection::hold_session() {
  co_await resolve_anew();
  if (addresses_.empty()) co_return resolve_error_;
  control_link link(context_, upstream_);
  const std::uint64_t configured = configured_;
  std::string why = co_await link.connect(addresses_);
  if (why.empty()) shared_->certificate_not_after.store(link.certificate_not_after(), std::memory_order_relaxed);
  if (why.empty()) why = co_await greet(link);
  if (why.empty()) {
    backoff_ = backoff_min;
    note_reachable();
  }
  while (why.empty() && configured == configured_) why = co_await poll(link);
  link.close();
  co_return why;
}

asio::awaitable<void> control_connection::resolve_anew() {
  const std::uint64_t configured = configured_;
  const config::upstream upstream = upstream_;
  auto found = co_await resolve(upstream);
  if (configured != configured_) co_return;
  if (found) {
    resolve_error_.clear();
    note_addresses(std::move(*found));
  } else {
    // A name server that fails must not take a working upstream away: the last addresses stay.
    if (resolve_error_ != found.error() && !addresses_.empty()) {
      spdlog::warn("upstream: {}; keeping the last addresses", found.error());
    }
    resolve_error_ = found.error();
  }
}

asio::awaitable<std::string> control_connection::greet(control_link& link) {
  const std::string probe_key = "tidegate:probe:" + std::to_string(random_());
  question asked;
  const bool logs_in = add_auth(asked, upstream_);
  const std::size_t first = logs_in ? 1 : 0;
  asked.add("client|setname", {"CLIENT", "SETNAME", name_});
  asked.add("role", {"ROLE"});
  asked.add("command", {"COMMAND"});
  asked.add("expire", {"EXPIRE", probe_key, "1", "NX"});
  asked.add("info", {"INFO"});
  const answers got = co_await link.ask(asked, std::max(answer_timeout, upstream_.connect_timeout));
  if (!got) co_return got.error();
  count(asked, *got);
  const bool refused = logs_in && got->front().is_error();
  if (refused != login_refused_) {
    login_refused_ = refused;
    if (refused) spdlog::error("upstream: the control connection's login was refused: {}", quoted(got->front().text));
  }
  // Where `auth` itself is refused no client can be served; `control` alone costs the proxy its sight, not its service.
  if (refused && !upstream_.control) co_return "login refused: " + quoted(got->front().text);
  const std::string role = read_role((*got)[first + 1]);
  if (!role.empty()) note_role(role);
  note_commands((*got)[first + 2], (*got)[first + 3]);
  note_info((*got)[first + 4]);
  co_return std::string();
}

asio::awaitable<std::string> control_connection::poll(control_link& link) {
  const std::uint64_t configured = configured_;
  const steady_clock::time_point next = steady_clock::now() + info_interval;
  const auto wanted = [&] { return shared_->stats_wanted.load(std::memory_order_acquire) != stats_seen_; };
  while (steady_clock::now() < next && configured == configured_ && !wanted()) co_await sleep(hint_tick);
  if (configured != configured_) co_return std::string();
  question asked;
  asked.add("info", {"INFO"});
  const bool with_stats = wanted();
  stats_seen_ = shared_->stats_wanted.load(std::memory_order_acquire);
  if (with_stats) asked.add("info", {"INFO", "commandstats"});
  const answers got = co_await link.ask(asked, answer_timeout);
  if (!got) co_return got.error();
  count(asked, *got);
  note_info(got->front(), with_stats ? &got->back() : nullptr);
  co_return std::string();
}

asio::awaitable<void> control_connection::watch_hints() {
  steady_clock::time_point not_before = steady_clock::now();
  steady_clock::time_point looked_at = not_before;
  for (;;) {
    co_await sleep(hint_tick);
    note_staleness();
    const std::uint64_t failovers = shared_->failover_hints.load(std::memory_order_acquire);
    const std::uint64_t silences = shared_->silence_hints.load(std::memory_order_acquire);
    const bool hinted = failovers != failovers_seen_ || silences != silences_seen_;
    // A primary that became a replica: its name will lead elsewhere soon, though nobody's write may tell us.
    const bool demoted = role_ == "slave" && steady_clock::now() - looked_at >= backoff_max;
    if ((!hinted && !demoted) || steady_clock::now() < not_before) continue;
    looked_at = steady_clock::now();
    const bool silent = silences != silences_seen_;
    failovers_seen_ = failovers;
    silences_seen_ = silences;
    co_await probe(silent ? silences : 0);
    not_before = steady_clock::now() + jittered(probe_interval);
  }
}

// A fresh look: name, connection, role. silence: the hint that asks whether anybody answers at all; 0 = none did.
asio::awaitable<void> control_connection::probe(std::uint64_t silence) {
  co_await resolve_anew();
  control_link link(context_, upstream_);
  std::string why = co_await link.connect(addresses_);
  std::string role;
  if (why.empty()) {
    question asked;
    const std::size_t first = add_auth(asked, upstream_) ? 1 : 0;
    asked.add("ping", {"PING"});
    asked.add("role", {"ROLE"});
    asked.add("info", {"INFO", "replication"});
    const answers got = co_await link.ask(asked, upstream_.connect_timeout);
    link.close();
    if (got) {
      count(asked, *got);
      role = read_role((*got)[first + 1]);
      if (role.empty()) role = read_info((*got)[first + 2].text).role;
    } else {
      why = got.error();
    }
  }
  if (!why.empty()) {
    spdlog::warn("upstream: a probe failed: {}", why);
    if (silence != 0) {
      shared_->probe_failed.store(silence, std::memory_order_release);
      told_.wake();
    }
  }
  if (!role.empty()) note_role(role);
}

void control_connection::note_addresses(endpoints found) {
  endpoints before = addresses_;
  endpoints after = found;
  // A name with several addresses may list them in another order each time: that moves nobody.
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  if (before == after) return;
  const bool first = addresses_.empty();
  addresses_ = std::move(found);
  if (!first) ++configured_;  // the control connection itself moves too
  told_.addresses(addresses_);
  raise_generation(first ? "" : "its name leads to another address");
}

void control_connection::note_role(const std::string& role) {
  if (role == role_) return;
  const bool first = role_.empty();
  role_ = role;
  if (!first) raise_generation("its role is now " + quoted(role));
}

void control_connection::raise_generation(const std::string& why) {
  if (!why.empty()) spdlog::warn("upstream moved: {}; connections are made anew", why);
  shared_->address_generation.fetch_add(1, std::memory_order_release);
  told_.wake();
}

void control_connection::note_commands(const reply& commands, const reply& expire) {
  bool changed = false;
  std::vector<resp::upstream_command> now = read_commands(commands);
  if (now.empty()) {
    spdlog::warn(
        "upstream: COMMAND told nothing ({}); commands that this build does not know get dedicated connections",
        commands.is_error() ? quoted(commands.text) : "an empty answer");
  } else {
    now = merge_commands(commands_, now);
    changed = !same(now, commands_);
    commands_ = std::move(now);
  }
  const std::optional<bool> known = read_expire_probe(expire);
  if (known && known != expire_options_) {
    changed = true;
    expire_options_ = known;
  }
  if (changed) told_.learned(commands_, expire_options_.value_or(true));
}

void control_connection::note_info(const reply& answer, const reply* commandstats) {
  if (answer.what != reply::kind::text) {
    if (!info_refused_) spdlog::warn("upstream: INFO was refused: {}", quoted(answer.text));
    info_refused_ = true;
    return;
  }
  info_refused_ = false;
  upstream_info info = read_info(answer.text);
  if (commandstats != nullptr && commandstats->what == reply::kind::text)
    info.calls = read_info(commandstats->text).calls;
  if (info.cluster && !shared_->cluster_mode.load(std::memory_order_relaxed)) {
    spdlog::error("upstream: cluster mode is on, which is not supported yet; /readyz says 503");
  }
  shared_->cluster_mode.store(info.cluster, std::memory_order_relaxed);
  shared_->memory_used.store(info.memory_used.value_or(0), std::memory_order_relaxed);
  shared_->memory_max.store(upstream_.maxmemory != 0 ? upstream_.maxmemory : info.memory_max.value_or(0),
                            std::memory_order_relaxed);
  shared_->keys.store(info.keys, std::memory_order_relaxed);
  shared_->keys_with_ttl.store(info.keys_with_ttl, std::memory_order_relaxed);
  shared_->evicted_keys.store(info.evicted_keys, std::memory_order_relaxed);
  shared_->info_at.store(now_ns(), std::memory_order_release);
  if (!info.role.empty()) note_role(info.role);
  told_.info(info);
  const double fraction = memory_fraction(info, upstream_.maxmemory);
  if (fraction >= 0 || memory_known_) told_.memory(fraction);
  memory_known_ = fraction >= 0;
}

void control_connection::note_staleness() {
  if (!memory_known_) return;
  const std::int64_t at = shared_->info_at.load(std::memory_order_relaxed);
  const std::int64_t since = at != 0 ? at : started_.time_since_epoch().count();
  if (now_ns() - since <= std::chrono::nanoseconds(info_stale_after).count()) return;
  memory_known_ = false;
  told_.memory(-1);
}

void control_connection::note_reachable() {
  {
    const std::scoped_lock lock(trouble_mutex_);
    trouble_.clear();
  }
  if (!shared_->reachable.exchange(true)) {
    spdlog::info("upstream {}:{} is reachable{}{}", upstream_.host, upstream_.port, role_.empty() ? "" : " as ", role_);
    told_.wake();
  }
}

void control_connection::note_unreachable(const std::string& why) {
  bool news = false;
  {
    const std::scoped_lock lock(trouble_mutex_);
    news = trouble_ != why;
    trouble_ = why;
  }
  const bool was = shared_->reachable.exchange(false);
  if (was || news) spdlog::warn("upstream {}:{} is not reachable: {}", upstream_.host, upstream_.port, why);
  if (was) told_.wake();
}

// What Redis refused before it ran is in no commandstats.
void control_connection::count(const question& asked, const std::vector<reply>& got) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].is_error()) {
      const resp::error_code code = resp::classify_error(got[i].text);
      const bool arity = got[i].text.find("wrong number of arguments") != std::string::npos;
      if (arity || code == resp::error_code::unknown_command || resp::refused_before_execution(code)) continue;
    }
    own_commands_.add(id_of(asked.names()[i]));
  }
}

std::expected<upstream_info, std::string> look_at_upstream(const config::upstream& upstream) {
  asio::io_context context;
  std::expected<upstream_info, std::string> seen = std::unexpected(std::string("no answer in time"));
  auto look = [&]() -> asio::awaitable<void> {
    auto found = co_await resolve(upstream);
    if (!found) {
      seen = std::unexpected(found.error());
      co_return;
    }
    control_link link(context, upstream);
    std::string why = co_await link.connect(*found);
    if (!why.empty()) {
      seen = std::unexpected(std::move(why));
      co_return;
    }
    question asked;
    const bool logs_in = add_auth(asked, upstream);
    asked.add("info", {"INFO"});
    const answers got = co_await link.ask(asked, upstream.connect_timeout);
    if (!got) {
      seen = std::unexpected(got.error());
    } else if (got->back().is_error()) {
      const reply& cause = logs_in && got->front().is_error() ? got->front() : got->back();
      seen = std::unexpected("it answered: " + quoted(cause.text));
    } else {
      seen = read_info(got->back().text);
    }
  };
  asio::co_spawn(context, look(), asio::detached);
  context.run();
  return seen;
}

}  // namespace tidegate::net
