// The lives of sessions: what they hold, what they wait for, how they end.
#include <algorithm>
#include <utility>

#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

void engine::state::account(session& s) {
  if (opts.held == nullptr) return;
  // What leaves at the end of the turn is not held.
  const bool stuck = s.own != nullptr && (s.own->write_blocked_ || s.own->io == nullptr);
  const std::uint64_t unsent = stuck ? s.own->out.size() : 0;
  const std::uint64_t held = s.out.size() + s.held.size() + s.local.size() + unsent;
  if (held == s.accounted) return;
  opts.held->change(opts.worker, s.accounted, held);
  s.accounted = held;
}

// Over the total: the session that holds most goes, not the service. Where it is another worker's it goes at that
// worker's next turn.
void engine::state::shed() {
  if (opts.held == nullptr) return;
  while (opts.held->total() > config().memory.total) {
    session* greediest = nullptr;
    for (session* s = sessions; s != nullptr; s = s->next) {
      if (s->accounted > 0 && (greediest == nullptr || s->accounted > greediest->accounted)) greediest = s;
    }
    const std::uint64_t most = greediest == nullptr ? 0 : greediest->accounted;
    opts.held->lower_to(opts.worker, most);
    if (most == 0 || !opts.held->is_greediest(opts.worker, most)) return;
    stats.client_errors.add(static_cast<std::uint64_t>(client_error::memory));
    close_session(*greediest, close_how::reset);
  }
}

void engine::state::bury(session& s) {
  if (s.dead) return;
  pending_exchanges.erase(&s);
  s.dead = true;
  graveyard.push_back(&s);
}

void engine::state::close_session(session& s, close_how how) {
  if (s.gone) return;
  s.gone = true;
  leave_line(s);
  stop_waiting(s);
  if (s.in_exchange_line) std::erase(exchange_line, &s);
  s.in_exchange_line = false;
  wake_exchange_line();  // its turn may have been the next
  timers.cancel(s);
  if (s.previous != nullptr) s.previous->next = s.next;
  if (s.next != nullptr) s.next->previous = s.previous;
  if (sessions == &s) sessions = s.next;
  s.previous = s.next = nullptr;
  --sessions_alive;
  stats.sessions.add(-1);
  if (s.io != nullptr) world.close(s, how);
  s.io = nullptr;
  s.out.clear();
  s.held.clear();
  s.local.clear();
  drop_parser(s);
  leave_group(s);
  settle_opened(s);
  if (s.named) opts.registry->release_client(s.client, now);
  s.named = false;
  stats.evidence.disconnect(std::exchange(s.connection_cell, 0));
  if (s.own != nullptr) part_from_own(s);
  account(s);
  if (s.in_flight == 0) bury(s);
}

bool engine::state::waits_for_events(const session& s) noexcept {
  return s.blocking_in_flight > 0 || s.watching || s.streamed || (s.tx && s.tx->open) || s.unframed ||
         s.subscribed_ever || s.subscribed() > 0;
}

void engine::state::start_closing(session& s) {
  if (s.closing) return;
  s.closing = true;
  s.closing_until = now + bounds::closing_deadline;
  rearm(s);
}

// As start_closing, and nothing more is read of it.
void engine::state::close_after_replies(session& s) {
  start_closing(s);
  set_reading(s, false);
  mark_dirty(s);
}

// Closes once everything it asked for was answered and sent; takes no new bytes from now on.
void engine::state::close_when_done(session& s) {
  if (s.gone) return;
  if (s.hold == hold_reason::none && s.in_flight == 0 && s.out.empty()) {
    close_session(s, close_how::graceful);
    return;
  }
  if (s.hold == hold_reason::none) start_closing(s);
}

void engine::state::session_timer(session& s) {
  if (now >= s.opened_at + bounds::opened_patience) settle_opened(s);
  if (s.closing && s.out.empty()) {
    s.closing_until = now + bounds::closing_deadline;  // it is the upstream that takes its time
  } else if (s.closing && now >= s.closing_until) {
    stats.client_errors.add(static_cast<std::uint64_t>(client_error::slow));
    close_session(s, close_how::reset);  // it does not take what it asked for
    return;
  }
  if (s.hold == hold_reason::limit && now >= std::min(s.look_again_at, s.delay_until)) {
    go_on(s);
    if (s.gone) return;
  }
  if (s.hold == hold_reason::connection && now >= s.connection_until) {
    // Everything received so far has waited long enough; what comes later waits anew.
    s.unavailable_bytes = std::max<std::uint64_t>(s.held.size(), 1);
    s.connection_until = 0;
    stop_waiting(s);
    go_on(s);
    if (s.gone) return;
  } else if (s.hold == hold_reason::connection && s.own == nullptr && s.waiting_on == nullptr &&
             now >= s.look_again_at) {
    go_on(s);  // its dedicated connection did not open: once more
    if (s.gone) return;
  }
  if (s.begun_at != 0 && s.hold == hold_reason::none) {
    const bool must_log_in =
        s.user.empty() && (logins_are_ours() ? !config().users.empty() : s.group != nullptr && s.group->login_required);
    const bool stalled = now - s.progress_at >= bounds::stall_deadline;
    const bool slow = now - s.begun_at >= bounds::slow_window && s.progress_bytes < bounds::slow_bytes;
    if (stalled || slow || (must_log_in && now - s.begun_at >= bounds::login_deadline)) {
      stats.client_errors.add(static_cast<std::uint64_t>(client_error::slow));
      close_session(s, close_how::graceful);
      return;
    }
    if (now - s.begun_at >= bounds::slow_window) {
      s.begun_at = now;
      s.progress_bytes = 0;
    }
  }
  rearm(s);
}

void engine::state::rearm(session& s) {
  if (s.gone) return;
  steady_ns due = never;
  if (s.hold == hold_reason::limit) due = std::min(s.look_again_at, s.delay_until);
  if (s.hold == hold_reason::connection) {
    due = s.connection_until;
    if (s.own == nullptr && s.waiting_on == nullptr) due = std::min(due, s.look_again_at);
  }
  if (s.begun_at != 0) {
    due = std::min({due, s.progress_at + bounds::stall_deadline, s.begun_at + bounds::slow_window});
    if (s.user.empty()) due = std::min(due, std::max(now, s.begun_at) + bounds::login_deadline);
  }
  if (s.closing) due = std::min(due, s.closing_until);
  if (!s.opened_counted) due = std::min(due, s.opened_at + bounds::opened_patience);
  if (due == s.deadline) return;
  timers.set(s, due);
}

}  // namespace tidegate::session
