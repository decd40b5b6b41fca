// Dedicated connections: taken from the idle ones or opened, made what the session is, given back when they carry no
// state.
#include <algorithm>

#include "proxy/session/engine_state.hpp"
#include "resp/encoder.hpp"
#include "resp/keyword.hpp"

namespace tidegate::session {

namespace {

using phase = upstream_connection::phase;

bool hello_logs_in(const resp::request& request) noexcept {
  for (std::size_t index = 2; index < request.size(); ++index) {
    if (resp::is_keyword(request[index], "auth")) return true;
  }
  return false;
}

}  // namespace

void engine::state::put(std::vector<std::unique_ptr<upstream_connection>>& where,
                        std::unique_ptr<upstream_connection> c) {
  c->list_index = where.size();
  where.push_back(std::move(c));
}

std::unique_ptr<upstream_connection> engine::state::take(std::vector<std::unique_ptr<upstream_connection>>& from,
                                                         std::size_t index) {
  std::unique_ptr<upstream_connection> taken = std::move(from[index]);
  if (index + 1 != from.size()) {
    from[index] = std::move(from.back());
    from[index]->list_index = index;
  }
  from.pop_back();
  return taken;
}

// What every upstream connection of this proxy is called, as far as nobody chose another name for it.
std::string engine::state::connection_name() const {
  std::string name = "tidegate:";
  resp::append_sanitized(name, config().instance, bounds::names_max);
  return name;
}

std::string engine::state::dedicated_name(const session& s) {
  if (!s.name.empty()) return s.name.str();
  std::string name = connection_name() + ':';
  resp::append_sanitized(name, opts.registry->client_name(s.client), bounds::names_max);
  return name;
}

// A dead upstream is not asked by every session for itself: ten thousand of them would keep the worker busy with
// nothing else. The first that opens lets all others try.
bool engine::state::may_open_own() {
  if (own_failures < bounds::own_failures_free) return true;
  if (now < own_retry_at) return false;
  own_retry_at = now + bounds::own_attempt;
  return true;
}

upstream_connection* engine::state::own_of(session& s, const resp::command_spec& spec, const resp::request& request,
                                           bool exchange) {
  // What served an exchange has the user and the db of whoever had it before: nothing else of this session may run
  // there.
  if (s.own != nullptr && s.exchanged && s.in_flight == 0 && s.own->at == phase::ready) release_own(s);
  if (s.own != nullptr) {
    if (s.own->at == phase::ready) {
      s.connection_until = 0;
      return s.own;
    }
    await_connection(s, nullptr);
    return nullptr;
  }
  if (s.in_flight > 0) {
    hold_session(s, hold_reason::drain);
    return nullptr;
  }
  exchange = exchange && !s.sticky && !s.watching;
  // Exchanges are few at a time anyway, and one that waits here would keep its place in their line.
  if (!exchange && idle.empty() && !may_open_own()) {
    s.look_again_at = now + jittered(bounds::own_look_again);
    await_connection(s, nullptr);
    return nullptr;
  }
  if (exchange) {
    if (exchanges >= bounds::exchanges_at_once) {
      if (!s.in_exchange_line) exchange_line.push_back(&s);
      s.in_exchange_line = true;
      hold_session(s, hold_reason::exchange);
      return nullptr;
    }
    if (s.in_exchange_line) std::erase(exchange_line, &s);
    s.in_exchange_line = false;
    ++exchanges;
    s.exchanging = true;
  }
  // A login replaces whoever the connection was: any of the same name will do, then any that is nobody's.
  std::string_view user = upstream_user(s);
  if (exchange && spec.kind == resp::special::auth && request.size() == 3) user = request[1];
  std::size_t best = idle.size();
  int best_score = -1;
  for (std::size_t index = idle.size(); index-- > 0;) {
    const upstream_connection& c = *idle[index];
    const bool login = exchange && spec.kind == resp::special::auth;
    if (c.user != user && !(c.user.empty() && (login || secret_of(user) != nullptr))) continue;
    const int score = (c.user == user ? 8 : 0) + (c.protocol == s.protocol ? 4 : 0) + (c.db == s.db ? 2 : 0) +
                      (!s.name.empty() && c.name == s.name.view() ? 1 : 0);
    if (score > best_score) {
      best = index;
      best_score = score;
    }
  }
  std::unique_ptr<upstream_connection> c;
  if (best < idle.size()) {
    c = take(idle, best);
    stats.idle_connections.add(-1);
  } else {
    c = std::make_unique<upstream_connection>(pool);
  }
  c->owner = &s;
  s.own = c.get();
  const bool login =
      exchange && (spec.kind == resp::special::auth || (spec.kind == resp::special::hello && hello_logs_in(request)));
  c->want_user = login && c->at == phase::ready              ? c->user
                 : login && spec.kind == resp::special::auth ? ""
                                                             : upstream_user(s);
  c->want_protocol = s.protocol;
  c->want_db = exchange ? c->db : s.db;
  c->want_name = exchange ? c->name : dedicated_name(s);
  put(owned, std::move(c));
  stats.dedicated_connections.add(1);
  s.own_reason =
      label_key(static_cast<std::uint64_t>(s.sticky_for_good && session_pooling()   ? resp::dedicate::none
                                           : spec.dedicated != resp::dedicate::none ? spec.dedicated
                                                                                    : resp::dedicate::exchange));
  stats.dedicated.add(s.own_reason);
  // A monitor would see the spare one's name being set, right behind its own +OK: ioredis takes a line that comes with
  // the reply for the reply to another command.
  if (!exchange && !session_pooling() && !unframes(spec)) keep_warm(s);
  if (s.own->at == phase::ready) {
    start_prelude(*s.own, unframes(spec));
  } else {
    start_connecting(*s.own);
  }
  if (s.own != nullptr && s.own->at == phase::ready) {
    s.connection_until = 0;
    return s.own;
  }
  if (s.own != nullptr) await_connection(s, nullptr);
  return nullptr;
}

// One more of the same kind stands ready, so that the next session that needs one finds it open: a connection opened
// while a script keeps the server busy could not even SELECT.
void engine::state::keep_warm(const session& s) {
  if (warming > 0 || idle.size() >= config().upstream.idle_dedicated || draining) return;
  const std::string_view user = upstream_user(s);
  for (const auto& c : idle) {
    if (c->user == user && c->db == s.db && c->protocol == s.protocol) return;
  }
  auto c = std::make_unique<upstream_connection>(pool);
  c->want_user = user;
  c->want_db = s.db;
  c->want_protocol = s.protocol;
  c->want_name = connection_name();
  c->warming = true;
  ++warming;
  put(owned, std::move(c));
  stats.dedicated_connections.add(1);
  start_connecting(*owned.back());
}

void engine::state::warmed(upstream_connection& c) {
  c.warming = false;
  --warming;
  if (idle.size() >= config().upstream.idle_dedicated || c.login_required || draining) {
    drop_connection(c);
    return;
  }
  put(idle, take(owned, c.list_index));
  stats.dedicated_connections.add(-1);
  stats.idle_connections.add(1);
}

// Looked at when the turn ends: by then it is known whether the session goes on with it.
void engine::state::release_soon(session& s) {
  if (s.release_due) return;
  s.release_due = true;
  release_due.push_back(&s);
}

void engine::state::consider_release(session& s) {
  if (s.own == nullptr || s.in_flight > 0) return;
  if (s.gone) {
    drop_connection(*s.own);
    return;
  }
  if (!s.own->line.empty()) return;  // follow-ups are still due: finish() comes back to it
  if (s.own->retiring && s.own->line.empty() && s.own->at == phase::ready && s.sticky) {
    close_session(s, close_how::graceful);
    return;
  }
  if (s.sticky || s.watching || s.unframed || s.streamed || s.forwarded_early > 0 || s.hold != hold_reason::none ||
      s.replies != reply_mode::on)
    return;
  if ((s.tx && s.tx->open) || s.own->at != phase::ready) return;
  if (s.out.size() > bounds::session_out_high) return;  // a slow reader keeps it until it caught up
  release_own(s);
}

// Its own connection serves it no longer, whatever becomes of that.
void engine::state::forget_own(session& s) {
  s.own = nullptr;
  stats.dedicated.subtract(s.own_reason);
  account(s);
}

void engine::state::release_own(session& s) {
  upstream_connection& c = *s.own;
  // With half a command on it, the next one's first bytes would be taken for the other half.
  if (s.forwarded_early > 0) c.spoiled = true;
  forget_own(s);
  c.owner = nullptr;
  if (s.current == &c) s.current = nullptr;
  end_exchange(s);
  if (c.spoiled || c.retiring || draining || c.unframed || !c.line.empty() ||
      idle.size() >= config().upstream.idle_dedicated) {
    drop_connection(c);
    return;
  }
  timers.cancel(c);
  set_reading(c, true);
  put(idle, take(owned, c.list_index));
  stats.dedicated_connections.add(-1);
  stats.idle_connections.add(1);
}

// A client is gone. A dead BLPOP takes no item, a dead MULTI leaves nothing: then its connection goes at once. One with
// nothing but replies due is read to the last of them, for the books and the follow-ups, and closed then.
void engine::state::part_from_own(session& s) {
  upstream_connection& own = *s.own;
  const bool waits = waits_for_events(s) || own.at != phase::ready;
  if (!waits && !s.sticky && own.line.empty()) {
    release_own(s);
    return;
  }
  // What it asked without wanting an answer goes out all the same; then flush_stream ends the connection.
  const bool has_word_left = own.at == phase::ready && s.in_flight == 0 && !own.out.empty() && !s.streamed &&
                             !s.unframed && !(s.tx && s.tx->open);
  forget_own(s);
  s.current = nullptr;
  own.owner = nullptr;
  own.retiring = true;
  end_exchange(s);
  if (has_word_left) {
    set_reading(own, true);
    mark_dirty(own);
  } else if (waits || own.line.empty()) {
    end_connection(own, close_how::graceful, "client gone");
  } else {
    set_reading(own, true);
  }
}

void engine::state::wake_exchange_line() {
  for (std::uint32_t free = exchanges; free < bounds::exchanges_at_once && !exchange_line.empty(); ++free) {
    session* next = exchange_line.front();
    exchange_line.pop_front();
    next->in_exchange_line = false;
    make_runnable(*next);
  }
}

void engine::state::end_exchange(session& s) {
  if (!s.exchanging) return;
  s.exchanging = s.exchanged = false;
  --exchanges;
  wake_exchange_line();
}

void engine::state::drop_connection(upstream_connection& c) {
  if (c.io != nullptr || c.at == phase::connecting) world.close(c, close_how::graceful);
  c.io = nullptr;
  c.at = phase::closed;
  if (c.warming) --warming;
  c.warming = false;
  timers.cancel(c);
  if (c.owner != nullptr) {
    if (c.owner->own == &c) forget_own(*c.owner);
    if (c.owner->current == &c) c.owner->current = nullptr;
    end_exchange(*c.owner);
    c.owner = nullptr;
  }
  for (auto* list : {&owned, &idle, &retired}) {
    if (c.list_index < list->size() && (*list)[c.list_index].get() == &c) {
      if (list == &owned) stats.dedicated_connections.add(-1);
      if (list == &idle) stats.idle_connections.add(-1);
      dead_connections.push_back(take(*list, c.list_index));
      return;
    }
  }
}

}  // namespace tidegate::session
