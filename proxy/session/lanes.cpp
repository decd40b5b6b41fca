// Lanes: upstream connections that many sessions share, by (user, db, protocol); and what every upstream connection
// goes through before it serves anybody.
#include <algorithm>

#include "proxy/session/engine_state.hpp"
#include "resp/encoder.hpp"

namespace tidegate::session {

namespace {
using phase = upstream_connection::phase;
}

std::string_view engine::state::upstream_user(const session& s) const {
  if (!logins_are_ours()) return s.user;
  return config().upstream.auth->username.empty() ? std::string_view("default") : config().upstream.auth->username;
}

const std::string* engine::state::secret_of(std::string_view user) const {
  if (logins_are_ours()) return &config().upstream.auth->password;
  const auto found = secrets.find(std::string(user));
  return found == secrets.end() ? nullptr : &found->second;
}

// Spreads reconnects: 75 % to 125 % of the base.
steady_ns engine::state::jittered(steady_ns base) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return base * 3 / 4 + static_cast<steady_ns>(seed % static_cast<std::uint64_t>(base / 2 + 1));
}

lane_group& engine::state::group_for(const session& s) {
  const std::string_view user = upstream_user(s);
  for (auto& group : groups) {
    if (group->user == user && group->db == s.db && group->protocol == s.protocol) return *group;
  }
  auto group = std::make_unique<lane_group>();
  group->user = user;
  group->db = s.db;
  group->protocol = s.protocol;
  for (std::uint32_t index = 0; index < std::max(1U, config().upstream.lanes); ++index) {
    auto lane = std::make_unique<upstream_connection>(pool);
    lane->group = group.get();
    lane->list_index = index;
    group->lanes.push_back(std::move(lane));
  }
  groups.push_back(std::move(group));
  return *groups.back();
}

void engine::state::join_group(session& s) {
  if (s.group != nullptr) return;
  s.group = &group_for(s);
  s.lane_index = s.group->sessions_ever++ % static_cast<std::uint32_t>(s.group->lanes.size());
  ++s.group->sessions;
}

void engine::state::leave_group(session& s) {
  if (s.group == nullptr) return;
  --s.group->sessions;
  s.group = nullptr;
}

// A user's lanes go when nobody of that user was here for a while: users x dbs x protocols would add up.
void engine::state::forget_idle_groups() {
  std::erase_if(groups, [](const std::unique_ptr<lane_group>& group) {
    return group->sessions == 0 && !group->login_required &&
           std::all_of(group->lanes.begin(), group->lanes.end(), [](const auto& lane) {
             return lane->at == phase::closed && lane->line.empty() && lane->waiting.empty() &&
                    lane->deadline == never && !lane->in_dirty_list_;
           });
  });
}

upstream_connection* engine::state::lane_of(session& s) {
  join_group(s);
  lane_group& group = *s.group;
  upstream_connection& lane = *group.lanes[s.lane_index];
  if (lane.at == phase::ready) {
    s.connection_until = 0;
    return &lane;
  }
  if (group.login_required && now - group.login_checked_at < bounds::login_recheck) {
    // Only a connection of its own can tell this session what it still has to do.
    return own_of(s, evaluator.snapshot_commands().by_id(0), {}, false);
  }
  if (lane.at == phase::closed && now >= lane.retry_at) open_lane(group, lane);
  await_connection(s, &lane);
  return nullptr;
}

void engine::state::open_lane(lane_group& group, upstream_connection& lane) {
  lane.want_user = group.user;
  lane.want_db = group.db;
  lane.want_protocol = group.protocol;
  lane.want_name = connection_name() + ':' + std::to_string(opts.worker);
  start_connecting(lane);
}

void engine::state::end_connection(upstream_connection& c, close_how how, std::string_view why) {
  // One that is still opening is the shell's to give up as well.
  if (c.io != nullptr || c.at == upstream_connection::phase::connecting) world.close(c, how);
  c.io = nullptr;
  upstream_ended(c, why);
}

void engine::state::start_connecting(upstream_connection& c) {
  c.at = phase::connecting;
  c.user.clear();
  c.name.clear();
  c.db = 0;
  c.protocol = 2;
  c.framer.reset();
  c.selecting_first = c.selected_first = false;
  c.unframed = c.spoiled = c.retiring = c.write_blocked_ = false;
  c.wants_read_ = true;
  c.rtt_slots_left = 0;
  c.address_generation = address_generation;
  timers.set(c, now + std::chrono::nanoseconds(config().upstream.connect_timeout).count());
  world.connect(c);
}

void engine::state::connection_ready(upstream_connection& c) {
  if (c.at != phase::connecting) return;
  start_prelude(c);
}

// The proxy's own words come first and are answered before any client's.
void engine::state::start_prelude(upstream_connection& c, bool wait_for_name) {
  const bool only_name = !wait_for_name && c.at == phase::ready && (c.want_user.empty() || c.user == c.want_user) &&
                         c.protocol == c.want_protocol && c.db == c.want_db;
  if (only_name) {
    // A name changes nothing that a command could notice: its answer need not be waited for.
    if (!c.want_name.empty() && c.name != c.want_name) {
      resp::append_command(c.out, "CLIENT", "SETNAME", c.want_name);
      send_own(c, "client|setname", slot_kind::prelude);
      c.name = c.want_name;
      mark_dirty(c);
    }
    return;
  }
  c.at = phase::prelude;
  if (c.user.empty() && !c.want_user.empty() && c.db != c.want_db && !c.selected_first) {
    // As with a bare server: a session that chose its db and then logged in stays there, though its user may not
    // SELECT.
    c.selecting_first = c.selected_first = true;
    resp::append_command(c.out, "SELECT", std::to_string(c.want_db));
    send_own(c, "select", slot_kind::prelude);
    timers.set(c, now + std::chrono::nanoseconds(config().upstream.connect_timeout).count());
    mark_dirty(c);
    return;
  }
  c.prelude_failed = c.login_refused = c.login_required = false;
  c.heard_at = now;
  const std::size_t before = c.line.size();
  if (!c.want_user.empty() && c.user != c.want_user) {
    const std::string* secret = secret_of(c.want_user);
    if (secret == nullptr) {
      c.login_refused = true;
    } else if (logins_are_ours() && config().upstream.auth->username.empty()) {
      resp::append_command(c.out, "AUTH", *secret);  // servers before 6.0 know no user names
      send_own(c, "auth", slot_kind::prelude);
    } else {
      resp::append_command(c.out, "AUTH", c.want_user, *secret);
      send_own(c, "auth", slot_kind::prelude);
    }
    c.user = c.want_user;
  }
  if (c.protocol != c.want_protocol) {
    resp::append_command(c.out, "HELLO", std::string_view(c.want_protocol == 3 ? "3" : "2"));
    send_own(c, "hello", slot_kind::prelude);
    c.protocol = c.want_protocol;
  }
  if (c.db != c.want_db) {
    resp::append_command(c.out, "SELECT", std::to_string(c.want_db));
    send_own(c, "select", slot_kind::prelude);
    c.db = c.want_db;
  }
  if (!c.want_name.empty() && c.name != c.want_name) {
    resp::append_command(c.out, "CLIENT", "SETNAME", c.want_name);
    send_own(c, "client|setname", slot_kind::prelude);
    c.name = c.want_name;
  }
  if (c.line.size() == before) {
    prelude_done(c);
    return;
  }
  timers.set(c, now + std::chrono::nanoseconds(config().upstream.connect_timeout).count());
  mark_dirty(c);
}

void engine::state::finish_prelude_reply(upstream_connection& c, const slot& item) {
  count_answered(c, item);
  if (c.at != phase::prelude) return;
  if (c.selecting_first) {
    c.selecting_first = false;
    if (!c.framer.is_error()) c.db = c.want_db;
    start_prelude(c);
    return;
  }
  if (c.framer.is_error()) {
    const resp::error_code code = resp::classify_error(c.framer.error_text());
    switch (item.special) {
      case resp::special::auth:
        // A server that is full refuses everybody: that says nothing of this secret.
        (c.framer.error_text().starts_with("ERR max number of clients") ? c.prelude_failed : c.login_refused) = true;
        break;
      case resp::special::client_setname:
        // A name is a courtesy: a user may lack the right to it. NOAUTH tells that a login is required here.
        c.login_required = c.login_required || code == resp::error_code::noauth;
        break;
      default:
        c.prelude_failed = true;
        c.login_required = c.login_required || code == resp::error_code::noauth;
        // BUSY, LOADING, NOPERM …: what the command that waits would have met itself.
        scratch = "-";
        scratch += c.framer.error_text();
        scratch += "\r\n";
        if (c.owner != nullptr) c.owner->refusal = scratch;
        for (session* s : c.waiting) s->refusal = scratch;
        break;
    }
    if (c.framer.error_text().starts_with("ERR max number of clients") && c.owner != nullptr && !c.owner->gone) {
      session& s = *c.owner;
      scratch = "-";
      scratch += c.framer.error_text();
      scratch += "\r\n";
      s.hold = hold_reason::none;
      reply_locally(s, scratch);
      start_closing(s);
      mark_dirty(s);
      c.prelude_failed = true;
    }
  }
  if (c.line.empty()) prelude_done(c);
}

void engine::state::prelude_done(upstream_connection& c) {
  timers.cancel(c);
  if (c.group != nullptr && c.login_required && c.want_user.empty()) {
    lane_group& group = *c.group;
    group.login_required = true;
    group.login_checked_at = now;
    if (c.io != nullptr) world.close(c, close_how::graceful);
    c.io = nullptr;
    c.at = phase::closed;
    c.retry_at = now + bounds::login_recheck;
    release_waiting(c);
    return;
  }
  // Anonymous ones pass NOAUTH on to who must log in; nobody's login may end on a connection that is not logged in.
  if (c.login_refused || (c.prelude_failed && !(c.login_required && c.want_user.empty()))) {
    if (c.login_refused) stats.upstream_errors.add(static_cast<std::uint64_t>(upstream_error::login));
    if (c.login_refused && !logins_are_ours()) {
      // The secret that was good is good no longer: whoever lives on it must log in again.
      const std::string user = c.want_user;
      secrets.erase(user);
      for (session* s = sessions; s != nullptr;) {
        session* const next = s->next;
        if (s->user.view() == user) close_session(*s, close_how::graceful);
        s = next;
      }
      if (c.at == phase::closed) return;  // it went with its owner
    }
    if (c.io != nullptr) world.close(c, close_how::graceful);
    c.io = nullptr;
    if (c.prelude_failed && c.group != nullptr) release_waiting(c);
    session* const owner = c.owner;
    upstream_ended(c, c.login_refused ? "login refused" : "prelude refused");
    if (owner != nullptr && !owner->gone && !owner->refusal.empty()) make_runnable(*owner);
    return;
  }
  c.at = phase::ready;
  c.failures = 0;
  own_failures = 0;
  if (c.group != nullptr) stats.lanes.add(1);
  if (c.group != nullptr) c.group->login_required = false;
  if (c.group != nullptr) timers.set(c, now + bounds::probe_patience);
  release_waiting(c);
  if (c.warming) {
    warmed(c);
    return;
  }
  if (c.owner == nullptr) return;
  make_runnable(*c.owner);
  release_soon(*c.owner);
}

void engine::state::await_connection(session& s, upstream_connection* c) {
  if (s.connection_until == 0) {
    s.connection_until = now + std::chrono::nanoseconds(config().upstream.queue_timeout).count();
  }
  if (c != nullptr) wait_for(s, *c);
  if (c != nullptr && c->at == phase::closed && c->group != nullptr) timers.set(*c, std::max(c->retry_at, now + 1));
  hold_session(s, hold_reason::connection);
  rearm(s);
}

void engine::state::wait_for(session& s, upstream_connection& c) {
  if (s.waiting_on == &c) return;
  stop_waiting(s);
  s.waiting_on = &c;
  s.waiting_index = c.waiting.size();
  c.waiting.push_back(&s);
}

void engine::state::stop_waiting(session& s) {
  if (s.waiting_on == nullptr) return;
  auto& list = s.waiting_on->waiting;
  list[s.waiting_index] = list.back();
  list[s.waiting_index]->waiting_index = s.waiting_index;
  list.pop_back();
  s.waiting_on = nullptr;
}

void engine::state::release_waiting(upstream_connection& c) {
  // In the order in which they came, as far as nobody left.
  for (session* s : c.waiting) {
    s->waiting_on = nullptr;
    make_runnable(*s);
  }
  c.waiting.clear();
}

void engine::state::retire_lane(lane_group& group, std::size_t index) {
  auto fresh = std::make_unique<upstream_connection>(pool);
  fresh->group = &group;
  fresh->list_index = index;
  std::unique_ptr<upstream_connection> old = std::move(group.lanes[index]);
  group.lanes[index] = std::move(fresh);
  old->group = nullptr;
  old->retiring = true;
  if (old->at == phase::ready) stats.lanes.add(-1);
  release_waiting(*old);
  if (old->line.empty() || old->at != phase::ready) {
    put(retired, std::move(old));
    end_connection(*retired.back(), close_how::graceful, "address changed");
    return;
  }
  put(retired, std::move(old));
}

void engine::state::address_changed() {
  own_failures = 0;
  for (auto& group : groups) {
    for (std::size_t index = 0; index < group->lanes.size(); ++index) {
      if (group->lanes[index]->at == phase::closed) {
        group->lanes[index]->retry_at = 0;
        group->lanes[index]->failures = 0;
      } else {
        retire_lane(*group, index);
      }
    }
  }
  while (!idle.empty()) drop_connection(*idle.back());
  for (std::size_t index = owned.size(); index-- > 0;) {
    upstream_connection& c = *owned[index];
    c.retiring = true;
    if (c.line.empty() && c.owner != nullptr && c.at == phase::ready) {
      const session& s = *c.owner;
      if (s.sticky || waits_for_events(s)) {
        close_session(*c.owner, close_how::graceful);
      } else {
        release_soon(*c.owner);
      }
    }
  }
}

void engine::state::hint_failover() {
  if (now - hinted_at < bounds::hint_interval) return;
  hinted_at = now;
  opts.upstream->failover_hints.fetch_add(1, std::memory_order_acq_rel);
}

void engine::state::connection_timer(upstream_connection& c) {
  if (c.at == phase::connecting || c.at == phase::prelude) {
    stats.upstream_errors.add(static_cast<std::uint64_t>(upstream_error::timeout));
    end_connection(c, close_how::reset, "timeout");
    return;
  }
  if (c.at == phase::closed) {
    if (c.group != nullptr && !c.waiting.empty()) open_lane(*c.group, c);
    return;
  }
  // A blocking write that was not refused by now is waiting: Redis has counted it.
  if (c.owner != nullptr && c.owner->blocking_in_flight > 0) {
    bool waits = true;  // everything before it was answered, and it was sent
    bool unbooked = false;
    for (std::size_t index = 0; index < c.line.size(); ++index) {
      slot& item = c.line.at(index);
      const bool blocking = (item.flags & slot::blocking) != 0;
      if (blocking && waits && c.out.empty()) {
        book(item);
        item.flags |= slot::booked;
      }
      unbooked = unbooked || (blocking && (item.flags & slot::booked) == 0);
      waits = false;
    }
    if (unbooked) timers.set(c, now + bounds::blocking_booked_after);
  }
  if (c.group == nullptr) return;
  const steady_ns silence = std::chrono::nanoseconds(config().upstream.silence).count();
  if (!c.line.empty() && now - c.heard_at >= silence) {
    if (c.probe_at == 0) {
      c.probe_at = now;
      c.probe_mark = opts.upstream->silence_hints.fetch_add(1, std::memory_order_acq_rel) + 1;
    } else if (opts.upstream->probe_failed.load(std::memory_order_acquire) >= c.probe_mark) {
      stats.upstream_errors.add(static_cast<std::uint64_t>(upstream_error::timeout));
      end_connection(c, close_how::reset, "silent");
      return;
    }
  }
  if (c.group->sessions == 0 && c.line.empty() && now - c.heard_at >= bounds::lane_idle) {
    end_connection(c, close_how::graceful, "idle");
    return;
  }
  timers.set(c, now + bounds::probe_patience);
}

}  // namespace tidegate::session
