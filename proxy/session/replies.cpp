// Bytes of an upstream into replies, each to the command it answers: the line of slots decides, never time.
#include <algorithm>

#include "proxy/session/engine_state.hpp"
#include "proxy/session/subscription_kind.hpp"

namespace tidegate::session {

namespace {

using phase = upstream_connection::phase;

constexpr std::string_view lost_line = "-ERR upstream connection lost; the command may have been applied\r\n";

bool is_message(std::string_view kind) noexcept {
  return kind == "message" || kind == "pmessage" || kind == "smessage";
}
bool is_confirmation(std::string_view kind) noexcept {
  return kind.ends_with("subscribe") && kind.size() <= 12;  // (p|s)(un)subscribe
}

}  // namespace

void engine::state::upstream_received(upstream_connection& c, std::string_view bytes) {
  c.heard_at = now;
  c.probe_at = 0;
  while (!bytes.empty()) {
    if (c.unframed) {
      if (c.owner != nullptr) deliver(*c.owner, bytes);
      return;
    }
    if (c.framer.idle()) {
      const bool exec = !c.line.empty() && c.line.front().special == resp::special::exec &&
                        c.line.front().kind == slot_kind::reply && c.line.front().owner->tx != nullptr;
      if (exec) c.line.front().owner->tx->outcomes.clear();
      c.framer.track_elements(exec ? &c.line.front().owner->tx->outcomes : nullptr);
    }
    const resp::reply_framer::result found = c.framer.consume(bytes);
    if (found.state == resp::reply_framer::status::malformed) {
      desynchronised(c, "malformed reply");
      return;
    }
    const std::string_view frame = bytes.substr(0, found.bytes);
    bytes.remove_prefix(found.bytes);
    // Other pushes are set off by others, or answer what stands behind (SUBSCRIBE).
    push_follows = bytes.starts_with(">2\r\n$10\r\ninvalidate");

    session* to = nullptr;
    if (c.framer.is_push() || c.nothing_is_due()) {
      to = c.owner;
    } else {
      slot& front = c.line.front();
      if (front.kind == slot_kind::reply || front.kind == slot_kind::subscribe) {
        to = front.owner;
        if (found.state == resp::reply_framer::status::incomplete) front.flags |= slot::begun;
      }
    }
    if (to != nullptr) {
      to->reply_bytes += frame.size();
      deliver(*to, frame);
    }
    if (c.io == nullptr) return;
    if (found.state == resp::reply_framer::status::incomplete) return;

    if (!c.line.empty() && (c.line.front().flags & slot::silenced) != 0 && !is_confirmation(c.framer.kind())) {
      session& refused = *c.line.front().owner;  // its refusal was not sent: this answers what stands behind it
      if (!c.framer.is_push() && !is_message(c.framer.kind())) {
        pop(c);
        slot_done(refused);
        emit_local(c);
      }
    }
    if (out_of_band(c)) {
      emit_local(c);
      if (c.io == nullptr) return;
      continue;
    }
    if (c.nothing_is_due()) {
      unsolicited(c);
      if (c.io == nullptr) return;
      continue;
    }
    finish(c, c.line.front());
    if (c.io == nullptr) return;
  }
}

// Messages and invalidations come between replies and answer nothing; confirmations of SUBSCRIBE answer it though they
// look like messages. True if the frame that just ended takes no slot's turn.
bool engine::state::out_of_band(upstream_connection& c) {
  session* s = c.owner;
  if (s == nullptr) return c.framer.is_push();
  const std::uint32_t subscribed = s->subscribed();
  const bool push = c.framer.is_push();
  const bool confirms = !c.line.empty() && c.line.front().kind == slot_kind::subscribe;
  const bool resp2_pubsub = s->protocol == 2 && c.framer.type() == '*' && (subscribed > 0 || confirms);
  if (!push && !resp2_pubsub) return false;
  const std::string_view kind = c.framer.kind();
  if (is_confirmation(kind) && confirms) {
    finish_subscribe(*s, c);
    return true;
  }
  if (push) {
    if (is_confirmation(kind)) note_subscription(*s, c.framer);
    return true;
  }
  return subscribed > 0 && is_message(kind);
}

void engine::state::note_subscription(session& s, const resp::reply_framer& framer) {
  const std::string_view kind = framer.kind();
  const std::size_t which = subscription_kind(kind);
  const std::int64_t count = framer.last_integer();
  if (which == 2) {
    s.subscriptions[2] = static_cast<std::uint32_t>(std::max<std::int64_t>(count, 0));
    return;
  }
  // The count is that of channels and patterns together.
  const std::int64_t before = static_cast<std::int64_t>(s.subscriptions[0]) + s.subscriptions[1];
  if (count > before) {
    ++s.subscriptions[which];
  } else if (count < before && s.subscriptions[which] > 0) {
    --s.subscriptions[which];
  }
}

void engine::state::finish_subscribe(session& s, upstream_connection& c) {
  slot& item = c.line.front();
  if (item.extra == 0) item.extra = std::max(1U, s.subscriptions[item.elements]);  // UNSUBSCRIBE from all
  note_subscription(s, c.framer);
  if (--item.extra > 0) return;
  item.extra = 0;
  pop(c);
  slot_done(s);
  emit_local(c);
}

// Nothing was asked: an upstream that says why it is about to close (max clients, a forced end).
void engine::state::unsolicited(upstream_connection& c) {
  if (c.framer.is_error()) {
    if (c.owner != nullptr && !c.owner->gone) {
      start_closing(*c.owner);
      mark_dirty(*c.owner);
    }
    end_connection(c, close_how::graceful, "closed by the upstream with an error");
    return;
  }
  desynchronised(c, "a reply that nobody asked for");
}

void engine::state::pop(upstream_connection& c) {
  if (c.rtt_slots_left > 0 && --c.rtt_slots_left == 0) {
    stats.rtt.observe(now - c.rtt_sent_at);
  }
  c.line.pop();
}

void engine::state::count_answered(upstream_connection& c, const slot& item) {
  if (c.framer.is_error() && resp::refused_before_execution(resp::classify_error(c.framer.error_text()))) return;
  stats.own_commands.add(label_key(item.extra));
}

void engine::state::finish_follow_up(upstream_connection& c, const slot& item) {
  count_answered(c, item);
  if (c.framer.is_error()) {
    stats.ttl_failed.add(label_key(item.pattern));
    return;
  }
  if (c.framer.last_integer() != 1) return;
  if (!snapshot->expire_options) count_own("pexpire");  // the script's own call
  count_ttl(item);
}

void engine::state::finish(upstream_connection& c, slot& item) {
  switch (item.kind) {
    case slot_kind::follow_up: {
      const slot done = item;
      pop(c);
      finish_follow_up(c, done);
      if (c.owner != nullptr && c.owner->hold == hold_reason::drain && c.owner->in_flight == 0 && c.line.empty()) {
        make_runnable(*c.owner);
      }
      break;
    }
    case slot_kind::prelude: {
      const slot done = item;
      pop(c);
      finish_prelude_reply(c, done);
      break;
    }
    case slot_kind::own: {
      const slot done = item;
      pop(c);
      count_answered(c, done);
      if (done.owner != nullptr) {
        if ((done.flags & slot::refused_exec) != 0 && done.owner->tx) forget_queued(*done.owner->tx, done.elements);
        slot_done(*done.owner);
      }
      break;
    }
    case slot_kind::reply:
    case slot_kind::subscribe:  // here only with an error: SUBSCRIBE was refused
      finish_reply(c, item);
      break;
    case slot_kind::local:
      break;  // never waits for a reply
  }
  if (c.io == nullptr) return;
  emit_local(c);
  if (!c.line.empty()) return;
  if (c.owner != nullptr) {
    release_soon(*c.owner);
  } else if (c.retiring) {
    end_connection(c, close_how::graceful, "address changed");
  }
}

void engine::state::finish_reply(upstream_connection& c, slot& front) {
  slot item = front;
  session& s = *item.owner;
  pop(c);
  if ((item.flags & slot::queued) != 0) {
    queued_command* entry = s.tx ? s.tx->entry(item.extra) : nullptr;
    if (entry != nullptr) entry->answered = true;
    if (c.framer.type() == '+' && c.framer.head().starts_with("+QUEUED")) {
      if (entry != nullptr) entry->answered_queued = true;
    } else if (s.multi_failed || !c.framer.is_error()) {
      finish_booking(item, c.framer);  // MULTI was refused: it ran by itself
      if (entry != nullptr) entry->books.traits.capture = 0;
    }
    slot_done(s);
    return;
  }
  if ((item.flags & slot::blocking) != 0 && s.blocking_in_flight > 0) --s.blocking_in_flight;
  if (item.special == resp::special::exec) {
    finish_exec(s, c, item);
  } else {
    finish_booking(item, c.framer);
    // With a wrong number of arguments it changed nothing; what stands behind it in the pipeline may be about to.
    if (item.special != resp::special::none && (item.flags & slot::arity_bad) == 0) finish_special(s, c, item);
  }
  slot_done(s);
}

void engine::state::finish_exec(session& s, upstream_connection& c, slot& item) {
  if (c.framer.is_error() && resp::tells_of_failover(c.framer.error_text())) hint_failover();
  if (!s.tx) return;
  transaction& tx = *s.tx;
  if ((item.flags & slot::arity_bad) != 0) {
    // Since 6.2 that discards the transaction (rejectCommand() in server.c); before, EXEC can still be said.
    if (item.elements == 0 || !c.framer.error_text().starts_with("EXECABORT")) return;
    forget_queued(tx, tx.count);
    tx.end();
    s.watching = false;
    return;
  }
  if (!c.framer.is_error() && !c.framer.is_null()) {
    if (opts.capture != nullptr) opts.capture->push(capture_message::what::begin);
    std::size_t element = 0;
    for (std::uint32_t index = 0; index < item.extra && index < tx.entries.size(); ++index) {
      queued_command& entry = tx.entries[index];
      entry.ran = false;
      if (!entry.answered_queued) continue;
      const resp::element_outcome outcome =
          element < tx.outcomes.size() ? tx.outcomes[element] : resp::element_outcome{};
      ++element;
      if (resp::refused_before_execution(outcome.error)) {
        if (outcome.error == resp::error_code::readonly) hint_failover();
        continue;
      }
      const bool failed = outcome.error != resp::error_code::none;
      if (!failed && (entry.books.flags & (slot::injected | slot::capped)) != 0) count_ttl(entry.books);
      book(entry.books);
      capture_outcome(entry.books, true);
      entry.ran = !failed;
    }
    if (opts.capture != nullptr) opts.capture->push(capture_message::what::end);
    send_exec_follow_ups(s, c, item.extra);
    if (tx.odd) {
      // What the transaction did to the connection is not followed element by element: it stays this session's.
      s.sticky = s.sticky_for_good = true;
      s.unframed = c.unframed = c.line.empty();
      c.spoiled = true;
    }
    mark_dirty(c);
  }
  forget_queued(tx, item.extra);
}

// Behind the transaction and before the session's next command: inside it, a user without the right to EXPIRE would
// lose it whole. Each in the db in which its command ran.
void engine::state::send_exec_follow_ups(session& s, upstream_connection& c, std::uint32_t entries) {
  transaction& tx = *s.tx;
  const std::uint32_t before = c.db;
  for (std::uint32_t index = 0; index < entries && index < tx.entries.size(); ++index) {
    const queued_command& entry = tx.entries[index];
    if (entry.ran && entry.db >= 0) c.db = static_cast<std::uint32_t>(entry.db);
  }
  if (c.db != before) {
    s.db = c.db;
    if (!s.gone) leave_group(s);
  }
  std::uint32_t ran_in = before;
  std::uint32_t stands_in = c.db;
  for (std::uint32_t index = 0; index < entries && index < tx.entries.size(); ++index) {
    const queued_command& entry = tx.entries[index];
    if (!entry.ran) continue;
    if (entry.db >= 0) ran_in = static_cast<std::uint32_t>(entry.db);
    for (const queued_follow_up& follow : tx.follow_ups) {
      if (follow.entry != tx.base + index) continue;
      const std::uint32_t wanted = follow.db >= 0 ? static_cast<std::uint32_t>(follow.db) : ran_in;
      if (wanted != stands_in && c.db_in_doubt) {
        stats.ttl_failed.add(label_key(follow.pattern));
        continue;
      }
      if (wanted != stands_in) send_select(c, wanted);
      stands_in = wanted;
      send_follow_up(c, follow.key, follow.what, follow.pattern, entry.books.command);
    }
  }
  if (stands_in != c.db) send_select(c, c.db);
}

void engine::state::finish_special(session& s, upstream_connection& c, slot& item) {
  const bool failed = c.framer.is_error();
  switch (item.special) {
    case resp::special::multi:
      if (!failed || item.extra != 1 || !s.tx || !s.tx->open) break;
      if (s.in_flight == 1) {
        s.tx->end();  // nothing was said behind it yet
      } else {
        s.multi_failed = true;
      }
      break;
    case resp::special::discard:
      if (s.tx) forget_queued(*s.tx, item.extra);
      break;
    case resp::special::auth:
    case resp::special::hello:
    case resp::special::select:
      finish_exchange(s, c, item);
      break;
    case resp::special::reset:
      if (!failed) reset_connection(s, c);
      pending_exchanges.erase(&s);
      break;
    default:
      break;
  }
}

// One of the session's commands has its answer: what waited for it may go on.
void engine::state::slot_done(session& s) {
  --s.in_flight;
  if (s.gone) {
    if (s.in_flight == 0) {
      if (s.own != nullptr) drop_connection(*s.own);
      bury(s);
    }
    return;
  }
  s.reply_size = std::max({s.reply_bytes, s.reply_size - s.reply_size / 8, std::uint64_t{1}});
  s.reply_bytes = 0;
  if (s.hold == hold_reason::depth
          ? s.in_flight <= depth_of(s) / 2
          : s.in_flight == 0 && (s.hold == hold_reason::drain || s.hold == hold_reason::barrier)) {
    make_runnable(s);
  }
  if (s.in_flight == 0) {
    if (s.own != nullptr) release_soon(s);
    if (s.closing || ((s.finished_sending || draining) && s.hold == hold_reason::none)) {
      start_closing(s);
      mark_dirty(s);
    }
  }
}

void engine::state::desynchronised(upstream_connection& c, std::string_view why) {
  stats.desynchronised.add(1);
  stats.upstream_errors.add(static_cast<std::uint64_t>(upstream_error::desynchronised));
  // Which command the next bytes would answer is in doubt: everybody with one in flight here goes.
  for (std::size_t index = 0; index < c.line.size(); ++index) {
    session* s = c.line.at(index).owner;
    if (s != nullptr && !s->gone) close_session(*s, close_how::reset);
  }
  if (c.owner != nullptr && !c.owner->gone) close_session(*c.owner, close_how::reset);
  if (c.io != nullptr) end_connection(c, close_how::reset, why);
}

void engine::state::upstream_ended(upstream_connection& c, std::string_view why) {
  (void)why;
  const bool was_serving = c.at == phase::ready;
  const session* const amid_message =
      c.owner != nullptr && c.owner->own == &c && is_amid_message(*c.owner) ? c.owner : nullptr;
  if (was_serving && !c.retiring && c.line.size() > 0)
    stats.upstream_errors.add(static_cast<std::uint64_t>(upstream_error::lost));
  if (!was_serving) stats.upstream_errors.add(static_cast<std::uint64_t>(upstream_error::connect));
  if (was_serving && c.group != nullptr) stats.lanes.add(-1);
  c.io = nullptr;
  c.at = phase::closed;
  c.out.clear();
  c.write_blocked_ = false;
  timers.cancel(c);

  session* owner = c.owner;
  bool ended_as_asked = false;  // by SHUTDOWN, which says nothing where it succeeds, and nothing behind it ran
  while (!c.line.empty()) {
    slot item = c.line.front();
    c.line.pop();
    session* s = item.owner;
    if (snapshot->commands->by_id(item.command).answers == resp::answer::refusal) ended_as_asked = true;
    if (item.kind == slot_kind::reply && (item.flags & slot::queued) == 0) {
      if (item.special == resp::special::exec && s->tx) {
        for (std::uint32_t index = 0; index < item.extra && index < s->tx->entries.size(); ++index) {
          queued_command& entry = s->tx->entries[index];
          if (entry.answered_queued || !entry.answered) lose(entry.books);  // all but what was refused while queueing
        }
        forget_queued(*s->tx, item.extra);
      }
      lose(item);
    }
    if (s == nullptr) continue;
    if ((item.flags & slot::blocking) != 0 && s->blocking_in_flight > 0) --s->blocking_in_flight;
    if (!s->gone) {
      if ((item.flags & slot::begun) != 0 || s == amid_message) {
        close_session(*s, close_how::reset);  // half a frame went out: nothing true can follow it
      } else if (item.kind == slot_kind::local) {
        if (!ended_as_asked) deliver(*s, s->local.view().substr(0, item.extra));
        s->local.consume(std::min<std::size_t>(item.extra, s->local.size()));
      } else if (!ended_as_asked && (item.kind == slot_kind::reply || item.kind == slot_kind::subscribe)) {
        deliver(*s, lost_line);
      }
    }
    slot_done(*s);
  }
  c.rtt_slots_left = 0;
  if (was_serving || c.group == nullptr) release_waiting(c);  // those for whose requests it had no room

  if (c.group != nullptr) {
    // A lane opens again when somebody needs it; failing ones wait longer each time.
    const std::uint32_t doublings = std::min(c.failures, 7U);
    c.retry_at = was_serving && c.failures == 0
                     ? now + jittered(bounds::retry_min) / 4
                     : now + jittered(std::min(bounds::retry_min << doublings, bounds::retry_max));
    if (!was_serving) ++c.failures;
    if (!c.waiting.empty()) timers.set(c, c.retry_at);
    return;
  }
  if (owner != nullptr && !owner->gone && owner->own == &c) {
    forget_own(*owner);
    c.owner = nullptr;
    if (owner->current == &c) owner->current = nullptr;
    end_exchange(*owner);
    // A refusal is an answer: whoever gives one is there.
    if (!was_serving && !c.prelude_failed && !c.login_refused) ++own_failures;
    if (!was_serving && !owner->closing && owner->hold != hold_reason::connection) {
      // It never opened, and by now nobody waits for it.
    } else if (!was_serving && !owner->closing) {
      // It never opened: the session tries again until its patience ends.
      await_connection(*owner, nullptr);
      owner->look_again_at = now + jittered(bounds::retry_min);
      rearm(*owner);
    } else {
      // An upstream that closes a dedicated connection closes its client.
      close_after_replies(*owner);
      owner->held.clear();
    }
  }
  c.owner = nullptr;
  drop_connection(c);
}

}  // namespace tidegate::session
