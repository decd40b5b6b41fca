#include "proxy/session/engine.hpp"

#include <algorithm>
#include <utility>

#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

engine::state::state(engine_options options, shell& where)
    : opts(std::move(options)), world(where), evaluator(*opts.registry), stats(opts.workers) {
  seed = 0x9e3779b97f4a7c15ULL * (opts.worker + 1);
  address_generation = opts.upstream->address_generation.load(std::memory_order_acquire);
  spare.reserve(bounds::spare_parsers);
  use_snapshot(opts.snapshot);
  opts.snapshot.reset();
}

engine::state::~state() {
  delete posted_snapshot.exchange(nullptr);
  // Sessions that are gone but have replies due are known to the lines alone.
  const auto gather = [&](upstream_connection& c) {
    for (std::size_t index = 0; index < c.line.size(); ++index) {
      session* s = c.line.at(index).owner;
      if (s != nullptr && s->gone) bury(*s);
    }
  };
  for (auto& group : groups) {
    for (auto& lane : group->lanes) gather(*lane);
  }
  for (auto* list : {&owned, &idle, &retired, &dead_connections}) {
    for (auto& c : *list) gather(*c);
  }
  for (session* s = sessions; s != nullptr;) {
    leave_line(*s);
    delete std::exchange(s, s->next);
  }
  for (session* s : graveyard) delete s;
}

void engine::state::use_snapshot(std::shared_ptr<const policy::snapshot> next) {
  // Those in a line leave it before its bucket may go, and ask again in the order in which they came.
  std::vector<session*> delayed;
  for (session* s = sessions; s != nullptr; s = s->next) {
    if (s->place && s->place->where != nullptr) delayed.push_back(s);
  }
  std::sort(delayed.begin(), delayed.end(), [](const session* a, const session* b) {
    return a->delayed_at != b->delayed_at ? a->delayed_at < b->delayed_at : a->place->ticket < b->place->ticket;
  });
  for (session* s : delayed) {
    leave_line(*s);
    make_runnable(*s);
  }
  snapshot = std::move(next);
  evaluator.use(*snapshot);
  rule_numbers.clear();
  for (const limiter::rule& rule : snapshot->limits->rules()) {
    rule_numbers.push_back(opts.registry->intern_pattern("rule:" + rule.name));
  }
  use_capture_rules();
  generation.store(snapshot->generation, std::memory_order_release);
}

void engine::state::take_posted() {
  if (posted_snapshot.load(std::memory_order_relaxed) != nullptr) {
    const std::unique_ptr<std::shared_ptr<const policy::snapshot>> next(
        posted_snapshot.exchange(nullptr, std::memory_order_acq_rel));
    if (next) use_snapshot(std::move(*next));
  }
  const std::uint64_t address = opts.upstream->address_generation.load(std::memory_order_acquire);
  if (address != address_generation) {
    address_generation = address;
    address_changed();
  }
  if (posted_drain.load(std::memory_order_relaxed) && !draining) {
    draining = true;
    for (session* s = sessions; s != nullptr;) {
      session* const next = s->next;
      // A subscriber or a blocked client would never be done: it reconnects elsewhere.
      if (s->subscribed_ever || s->unframed) {
        close_session(*s, close_how::graceful);
      } else {
        close_when_done(*s);
      }
      s = next;
    }
  }
  if (posted_stop.load(std::memory_order_relaxed) && !stopped) {
    stopped = true;
    for (session* s = sessions; s != nullptr;) {
      session* const next = s->next;
      if (s->hold == hold_reason::limit || s->hold == hold_reason::connection) {
        if (s->in_flight == 0 && !is_amid_message(*s)) s->out.append("-ERR shutting down\r\n");
      }
      flush_stream(*s);
      if (!s->gone) close_session(*s, close_how::graceful);
      s = next;
    }
    for (auto& group : groups) {
      for (auto& lane : group->lanes) {
        if (lane->at != upstream_connection::phase::closed) end_connection(*lane, close_how::graceful, "stopped");
      }
    }
    for (auto* list : {&owned, &retired}) {
      while (!list->empty()) end_connection(*list->back(), close_how::graceful, "stopped");
    }
    while (!idle.empty()) drop_connection(*idle.back());
  }
}

void engine::state::mark_dirty(stream& which) {
  if (which.in_dirty_list_) return;
  which.in_dirty_list_ = true;
  dirty.push_back(&which);
}

void engine::state::set_reading(stream& which, bool wanted) {
  if (which.wants_read_ == wanted) return;
  which.wants_read_ = wanted;
  if (wanted && which.io != nullptr) world.resume_reading(which);
}

void engine::state::make_runnable(session& s) {
  if (s.runnable || s.gone) return;
  s.runnable = true;
  runnable.push_back(&s);
}

// Sends what a stream has to say; the counterpart that was held back for its sake goes on when it is drained.
void engine::state::flush_stream(stream& which) {
  settle_bookings();
  while (!which.out.empty() && !which.write_blocked_ && which.io != nullptr) {
    const std::string_view bytes = which.out.view();
    const std::ptrdiff_t taken = world.send(which, bytes);
    if (taken < 0) {
      if (which.which() == stream::side::client) {
        close_session(static_cast<session&>(which), close_how::reset);
      } else {
        auto& c = static_cast<upstream_connection&>(which);
        end_connection(c, close_how::reset, "write failed");
      }
      return;
    }
    if (taken == 0) {
      which.write_blocked_ = true;
      break;
    }
    if (which.which() == stream::side::client) {
      stats.bytes_out.add(static_cast<std::uint64_t>(taken));
      static_cast<session&>(which).closing_until = now + bounds::closing_deadline;  // counts once it closes
    }
    const bool all = static_cast<std::size_t>(taken) == bytes.size();
    which.out.consume(static_cast<std::size_t>(taken));
    if (all) break;
  }
  if (which.which() == stream::side::client) {
    auto& s = static_cast<session&>(which);
    if (s.gone) return;
    account(s);
    if (s.own != nullptr && s.out.size() < bounds::session_out_low) set_reading(*s.own, true);
    if (s.out.empty() && s.closing && s.in_flight == 0) close_session(s, close_how::graceful);
  } else {
    auto& c = static_cast<upstream_connection&>(which);
    if (c.owner == nullptr && c.group == nullptr && c.retiring && c.line.empty() && c.out.empty()) {
      end_connection(c, close_how::graceful, "client gone");
      return;
    }
    if (c.owner != nullptr && c.owner->own == &c) account(*c.owner);
    if (c.out.size() < bounds::connection_out_low && !c.waiting.empty() && c.at == upstream_connection::phase::ready) {
      release_waiting(c);
    }
    if (c.owner != nullptr && !c.owner->gone && c.owner->streamed && c.out.size() < bounds::connection_out_low) {
      set_reading(*c.owner, true);
    }
  }
}

void engine::state::run_runnable() {
  for (std::size_t index = 0; index < runnable.size(); ++index) {
    session& s = *runnable[index];
    s.runnable = false;
    if (!s.gone) go_on(s);
  }
  runnable.clear();
}

void engine::state::run_timers() {
  while (timed* due = timers.pop_due(now)) {
    auto& which = static_cast<stream&>(*due);
    if (which.which() == stream::side::client) {
      session_timer(static_cast<session&>(which));
    } else {
      connection_timer(static_cast<upstream_connection&>(which));
    }
  }
}

// --- the public face

engine::engine(engine_options options, shell& world) : state_(std::make_unique<state>(std::move(options), world)) {}
engine::~engine() = default;

void engine::begin_turn(steady_ns now, std::chrono::milliseconds wall) {
  state_->now = now;
  state_->wall = wall;
  state_->stats.turns.add(1);
  state_->settle_bookings();
  state_->stats.evidence.use_epoch(state_->opts.upstream->evidence_epoch.load(std::memory_order_acquire));
  state_->take_posted();
  state_->run_timers();
  if (now - state_->folded_at >= bounds::fold_interval) {
    state_->folded_at = now;
    state_->stats.writes.fold_retired(*state_->opts.registry);
    state_->forget_idle_groups();
    std::erase_if(state_->shares, [](const auto& entry) { return entry.second.expired(); });
  }
}

void engine::end_turn() {
  state& e = *state_;
  do {
    e.run_runnable();
    for (std::size_t index = 0; index < e.dirty.size(); ++index) {
      stream& which = *e.dirty[index];
      which.in_dirty_list_ = false;
      e.flush_stream(which);
    }
    e.dirty.clear();
    for (std::size_t index = 0; index < e.release_due.size(); ++index) {
      session& s = *e.release_due[index];
      s.release_due = false;
      if (!s.dead) e.consider_release(s);
    }
    e.release_due.clear();
    e.shed();
  } while (!e.runnable.empty() || !e.dirty.empty());
  e.settle_bookings();
  e.session_objects -= e.graveyard.size();
  for (session* s : e.graveyard) delete s;
  e.graveyard.clear();
  e.dead_connections.clear();
  if (e.draining && e.sessions_alive == 0) e.drained.store(true, std::memory_order_release);
}

steady_ns engine::next_deadline() const noexcept {
  return state_->timers.next();
}

stream& engine::accepted(void* io, const peer& who) {
  state& e = *state_;
  auto* s = new session(e.pool);
  s->io = io;
  s->number = ++e.sessions_ever * e.opts.workers + e.opts.worker;
  s->who.source = who.source;
  s->who.tls_subject = who.tls_subject;
  s->next = e.sessions;
  if (e.sessions != nullptr) e.sessions->previous = s;
  e.sessions = s;
  ++e.sessions_alive;
  ++e.session_objects;
  e.stats.sessions.add(1);
  e.name_session(*s);
  s->opened_at = e.now;
  e.rearm(*s);
  if (e.session_pooling()) s->sticky = s->sticky_for_good = true;
  if (e.draining) e.close_session(*s, close_how::graceful);
  return *s;
}

void engine::received(stream& from, std::string_view bytes) {
  state& e = *state_;
  if (from.which() == stream::side::client) {
    auto& s = static_cast<session&>(from);
    if (s.gone) return;
    e.stats.bytes_in.add(bytes.size());
    e.client_received(s, bytes);
  } else {
    auto& c = static_cast<upstream_connection&>(from);
    if (c.io != nullptr) e.upstream_received(c, bytes);
  }
  e.run_runnable();
}

void engine::end_of_stream(stream& from) {
  state& e = *state_;
  if (from.which() == stream::side::upstream) {
    auto& c = static_cast<upstream_connection&>(from);
    if (c.io == nullptr) return;
    e.end_connection(c, close_how::graceful, "closed by the upstream");
    return;
  }
  auto& s = static_cast<session&>(from);
  if (s.gone) return;
  if (state::waits_for_events(s)) {
    e.close_session(s, close_how::graceful);
    return;
  }
  s.finished_sending = true;
  e.set_reading(s, false);
  if (s.hold == hold_reason::none) e.close_when_done(s);
}

void engine::lost(stream& which, std::string_view why) {
  state& e = *state_;
  which.io = nullptr;
  if (which.which() == stream::side::client) {
    e.close_session(static_cast<session&>(which), close_how::reset);
  } else {
    e.upstream_ended(static_cast<upstream_connection&>(which), why);
  }
}

void engine::connected(upstream_connection& which) {
  state_->connection_ready(which);
}

void engine::writable(stream& which) {
  which.write_blocked_ = false;
  state_->mark_dirty(which);
}

void engine::post_snapshot(std::shared_ptr<const policy::snapshot> next) {
  delete state_->posted_snapshot.exchange(new std::shared_ptr<const policy::snapshot>(std::move(next)),
                                          std::memory_order_acq_rel);
}
void engine::post_drain() {
  state_->posted_drain.store(true, std::memory_order_release);
}
void engine::post_stop() {
  state_->posted_stop.store(true, std::memory_order_release);
}
std::uint64_t engine::generation_in_use() const noexcept {
  return state_->generation.load(std::memory_order_acquire);
}
bool engine::is_drained() const noexcept {
  return state_->drained.load(std::memory_order_acquire);
}
const worker_stats& engine::stats() const noexcept {
  return state_->stats;
}

inventory engine::inventory_now() const noexcept {
  const state& e = *state_;
  inventory now;
  now.sessions = e.sessions_alive;
  now.session_objects = e.session_objects;
  now.dedicated = e.owned.size();
  now.idle = e.idle.size();
  now.retired = e.retired.size();
  now.groups = e.groups.size();
  now.exchanges = e.exchanges;
  now.waiting = e.exchange_line.size();
  now.buffer_bytes = e.pool.lent();
  for (const auto& group : e.groups) {
    for (const auto& lane : group->lanes) {
      now.lanes += lane->at != upstream_connection::phase::closed ? 1U : 0U;
      now.waiting += lane->waiting.size();
    }
  }
  return now;
}

}  // namespace tidegate::session
