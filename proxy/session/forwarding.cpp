// From a command and the policy's decision to bytes for the upstream and a place in its line of replies.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proxy/session/engine_state.hpp"
#include "proxy/session/subscription_kind.hpp"
#include "resp/encoder.hpp"
#include "resp/keyword.hpp"

namespace tidegate::session {

namespace {

constexpr std::string_view no_previous_errors = "-EXECABORT Transaction discarded because of previous errors.\r\n";

// The db into which MOVE and COPY … DB put their key; -1: the connection's own.
std::int64_t other_db(const resp::command_spec& spec, const resp::request& request) noexcept {
  std::string_view text;
  if (spec.kind == resp::special::move && request.size() == 3) text = request[2];
  if (spec.kind == resp::special::copy) {
    for (std::size_t index = 3; index + 1 < request.size(); ++index) {
      if (resp::is_keyword(request[index], "db")) text = request[index + 1];
    }
  }
  std::uint32_t db = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), db);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? std::int64_t{db} : -1;
}

}  // namespace

// From here on anything may come at any time: replies can no longer be told apart.
bool engine::state::unframes(const resp::command_spec& spec) noexcept {
  return spec.answers == resp::answer::endless;
}

void engine::state::append_request(session& s, upstream_connection& to, const resp::request& request) {
  if (!request.is_inline) {
    to.out.append(request.raw.substr(std::exchange(s.forwarded_early, 0)));
    return;
  }
  resp::append_array_header(to.out, request.size());
  for (std::size_t index = 0; index < request.size(); ++index) resp::append_bulk(to.out, request[index]);
}

void engine::state::push_slot(session& s, upstream_connection& to, slot& item) {
  if (s.exchanging) s.exchanged = true;
  if (to.unframed) {
    if (item.kind == slot_kind::reply && (item.flags & slot::queued) == 0) book_as_sent(item);
    return;
  }
  if (s.replies != reply_mode::on && item.kind == slot_kind::subscribe) {
    // Subscriptions speak all the same; only a refusal is kept silent.
    if (s.replies == reply_mode::skip_next) s.replies = reply_mode::on;
    slot silenced = item;
    silenced.flags |= slot::silenced;
    to.line.push(silenced);
    ++s.in_flight;
    s.current = &to;
    return;
  }
  if (s.replies != reply_mode::on) {
    // No reply will come: booked as sent; what MULTI queues is booked at EXEC.
    if (s.replies == reply_mode::skip_next) s.replies = reply_mode::on;
    if ((item.flags & slot::queued) != 0) return;
    if (item.special == resp::special::discard && s.tx) forget_discarded(*s.tx, item.extra);
    book_as_sent(item);
    return;
  }
  if (to.line.empty()) to.heard_at = now;
  if (to.rtt_slots_left == 0) {
    to.rtt_sent_at = now;
    to.rtt_slots_left = to.line.size() + 1;
  }
  to.line.push(item);
  ++s.in_flight;
  s.current = &to;
}

void engine::state::send_own(upstream_connection& to, std::string_view name, slot_kind kind) {
  slot item;
  item.kind = kind;
  const resp::command_spec* spec = snapshot->commands->find_name(name);
  item.extra = spec != nullptr ? spec->id : 0;
  item.special = spec != nullptr ? spec->kind : resp::special::none;
  to.line.push(item);
}

void engine::state::send_follow_up(upstream_connection& to, std::string_view key, const ttl::follow_up& what,
                                   std::uint32_t pattern, std::uint16_t command) {
  if (to.unframed) {
    // Its reply could not be kept from the client.
    stats.ttl_failed.add(label_key(pattern));
    return;
  }
  ttl::append_follow_up(to.out, key, what, snapshot->expire_options);
  const std::string_view name = !snapshot->expire_options ? "eval" : what.ttl_ms % 1000 == 0 ? "expire" : "pexpire";
  if (to.owner != nullptr && to.owner->replies == reply_mode::off) {
    count_own(name);
    return;
  }
  send_own(to, name, slot_kind::follow_up);
  slot& item = to.line.at(to.line.size() - 1);
  item.pattern = pattern;
  item.command = command;
  if (what.kind == ttl::follow_up::what::max_lt) item.flags |= slot::capped;
}

void engine::state::send_follow_ups(upstream_connection& to, const ttl::plan& plan, const resp::request& request,
                                    std::uint16_t command) {
  const std::int64_t db = other_db(snapshot->commands->by_id(command), request);
  const bool elsewhere = db >= 0 && db != to.db;
  const std::uint32_t home = to.db;
  if (elsewhere && to.db_in_doubt) {
    for (const ttl::follow_up& what : plan.follow_ups)
      stats.ttl_failed.add(label_key(snapshot->ttl_pattern_numbers[what.rule]));
    return;
  }
  if (elsewhere) send_select(to, static_cast<std::uint32_t>(db));
  for (const ttl::follow_up& what : plan.follow_ups) {
    send_follow_up(to, request[what.key_index], what, snapshot->ttl_pattern_numbers[what.rule], command);
  }
  if (elsewhere) send_select(to, home);
}

// For a follow-up in another db than the session's; `to.db` stays what the session has.
void engine::state::send_select(upstream_connection& to, std::uint32_t db) {
  if (to.unframed) return;
  resp::append_command(to.out, "SELECT", std::to_string(db));
  if (to.owner != nullptr && to.owner->replies == reply_mode::off) {
    count_own("select");
  } else {
    send_own(to, "select", slot_kind::own);
  }
}

// The policy's word on a command that writes or that a rule names. `item` takes what its reply books, `plan` its TTL
// plan.
engine::state::ruling engine::state::decide(session& s, const resp::command_spec& spec, const resp::request& request,
                                            bool queued, slot& item, const ttl::plan*& plan) {
  const policy::command& what = evaluator.read(spec, request);
  bool without_ttl = false;
  const ttl::plan* planned = nullptr;
  // Half of it is on its way: a rule that a reload brought meanwhile comes too late for it.
  const bool is_decided = s.forwarded_early > 0;
  if (spec.write) {
    planned = &evaluator.plan_ttl(request, wall);
    without_ttl = planned->without_ttl;
    if (!is_decided) plan = planned;
    if (plan != nullptr && plan->refused) {
      const std::uint32_t pattern = snapshot->ttl_pattern_numbers[plan->rule];
      stats.ttl_refused.add(label_key(pattern, spec.id));
      scratch = "-TTLREQUIRED pattern=";
      resp::append_sanitized(scratch, opts.registry->pattern_name(pattern));
      scratch += "\r\n";
      if (s.tx && s.tx->open) s.tx->refused = true;
      note_command(s, spec);
      reply_locally(s, scratch);
      return ruling::answered;
    }
  }
  limiter::charges& charges = evaluator.limits(s.limits, request);
  if (charges.size != 0 && !is_decided) {
    if (queued) {
      forget_stale_charges(*s.tx);
      for (const limiter::charge& charge : charges.all()) s.tx->add_charge(charge);
    } else {
      if (admit(s, charges.all(), false) == step::held) return ruling::held;
      if (!scratch.empty()) {
        note_command(s, spec);
        reply_locally(s, scratch);
        return ruling::answered;
      }
    }
  }
  if (spec.write || spec.cls == resp::command_class::script) prepare_booking(s, spec, what, without_ttl, item);
  if (spec.write && stats.evidence.on()) prepare_evidence(s, request, what, *planned, item);
  if (spec.write && opts.capture != nullptr) capture_sent(s, spec, request, what, item);
  return ruling::send;
}

// What MULTI queues: it is booked, and followed, when EXEC ran it.
void engine::state::note_queued(session& s, upstream_connection& to, const resp::command_spec& spec,
                                const resp::request& request, slot& item) {
  item.flags |= slot::queued;
  item.extra = s.tx->base + static_cast<std::uint32_t>(s.tx->entries.size());
  queued_command entry;
  entry.books = item;
  if (spec.kind == resp::special::select && request.size() == 2) {
    const std::string_view text = request[1];
    std::int32_t db = -1;
    if (std::from_chars(text.data(), text.data() + text.size(), db).ec == std::errc()) entry.db = db;
    if (entry.db >= 0) s.tx->selected = entry.db;
  }
  if ((item.flags & slot::arity_bad) == 0) {  // else Redis refuses it, and the transaction with it
    s.tx->odd = s.tx->odd || spec.multi == resp::in_multi::untold;
    s.tx->unframes = s.tx->unframes || spec.multi == resp::in_multi::uncounted;
    keep_connection(s, to, spec);
  }
  s.tx->entries.push_back(entry);
  ++s.tx->count;
}

void engine::state::write_request(session& s, upstream_connection& to, const resp::request& request,
                                  const ttl::plan* plan) {
  if (s.streamed && plan != nullptr && plan->rewrite.kind == ttl::rewrite::what::append) {
    // Its own words go behind the value, which is still to come.
    s.streamed->rewrite = plan->rewrite;
    resp::append_array_header(to.out, request.size() + ttl::extra_arguments(plan->rewrite));
    to.out.append(request.raw.substr(request.raw.find('\r') + 2));
  } else if (plan != nullptr && plan->rewrite.kind != ttl::rewrite::what::none) {
    ttl::append_rewritten(to.out, request, plan->rewrite);
  } else {
    append_request(s, to, request);
  }
}

// What the slot of a command that runs at once must know besides its owner.
void engine::state::mark_slot(session& s, upstream_connection& to, const resp::command_spec& spec,
                              const resp::request& request, slot& item) {
  const bool in_multi = s.tx && s.tx->open;
  const bool arity_ok = spec.arity_ok(request.size());
  if (spec.kind == resp::special::discard && in_multi && arity_ok) {
    item.extra = s.tx->count;
    s.tx->count = 0;
  }
  if (spec.kind == resp::special::multi) item.extra = in_multi ? 0 : 1;  // 1: it opens a transaction
  if (spec.kind == resp::special::exec && in_multi) item.elements = 1;   // refused, it may end the open one
  note_state_change(s, to, spec, request);
  if (to.unframed) item.flags &= static_cast<std::uint16_t>(~slot::blocking);
  if (spec.answers == resp::answer::late && !to.unframed && s.replies == reply_mode::on &&
      resp::may_block(spec, request)) {
    item.flags |= slot::blocking;
    ++s.blocking_in_flight;
    if (spec.write) timers.set(to, std::min(to.deadline, now + bounds::blocking_booked_after));
  }
  if (spec.answers == resp::answer::confirmations && arity_ok) {
    item.kind = slot_kind::subscribe;
    item.extra = static_cast<std::uint32_t>(request.size() - 1);
    item.elements = static_cast<std::uint32_t>(subscription_kind(spec.name));
  }
}

// CLIENT REPLY. False: neither this command nor the next one is answered.
bool engine::state::switch_replies(session& s, const resp::command_spec& spec, const resp::request& request) {
  if (s.is_resp2_subscriber()) return true;  // Redis refuses it
  const bool is_reply_switch =
      spec.answers == resp::answer::switches && spec.arity_ok(request.size()) && request.size() == 3;
  if (is_reply_switch && resp::is_keyword(request[2], "off")) {
    s.replies = reply_mode::off;
  } else if (is_reply_switch && resp::is_keyword(request[2], "skip")) {
    if (s.replies == reply_mode::on) s.replies = reply_mode::skip_next;
    return false;  // neither it nor the next command is answered
  } else if (is_reply_switch && resp::is_keyword(request[2], "on")) {
    s.replies = reply_mode::on;
  }
  return true;
}

void engine::state::follow_up(session& s, upstream_connection& to, const resp::command_spec& spec,
                              const resp::request& request, const ttl::plan& plan, const slot& item) {
  const bool queued = (item.flags & slot::queued) != 0;
  if (queued) {
    for (const ttl::follow_up& what : plan.follow_ups) {
      s.tx->follow_ups.push_back({item.extra, snapshot->ttl_pattern_numbers[what.rule], what,
                                  std::string(request[what.key_index]),
                                  static_cast<std::int32_t>(other_db(spec, request))});
    }
  } else if (s.streamed) {
    s.streamed->command = spec.id;
    for (const ttl::follow_up& what : plan.follow_ups) {
      s.streamed->follow_ups.push_back(
          {0, snapshot->ttl_pattern_numbers[what.rule], what, std::string(request[what.key_index]), -1});
    }
  } else {
    send_follow_ups(to, plan, request, spec.id);
  }
}

step engine::state::forward(session& s, upstream_connection& to, const resp::command_spec& spec,
                            const resp::request& request) {
  const bool in_multi = s.tx && s.tx->open;
  const bool arity_ok = spec.arity_ok(request.size());
  if (in_multi && spec.kind == resp::special::exec && arity_ok) return run_exec(s, to, spec, request);

  slot item;
  item.owner = &s;
  item.command = spec.id;
  item.special = spec.kind;
  if (!arity_ok) item.flags |= slot::arity_bad;
  const bool queued = in_multi && spec.multi != resp::in_multi::at_once;
  const ttl::plan* plan = nullptr;

  if (arity_ok && (spec.write || spec.cls == resp::command_class::script || evaluator.named_by_a_rule(spec.id))) {
    const ruling what = decide(s, spec, request, queued, item, plan);
    if (what != ruling::send) return what == ruling::held ? step::held : step::taken;
  }
  note_command(s, spec);

  if (plan != nullptr) {
    for (const auto& would : plan->would) {
      stats.ttl_observed.add(label_key(snapshot->ttl_pattern_numbers[would.rule], spec.id));
    }
    if (plan->rewrite.kind != ttl::rewrite::what::none) {
      item.flags |= plan->rewrite_caps ? slot::capped : slot::injected;
      item.pattern = snapshot->ttl_pattern_numbers[plan->rule];
    }
  }
  if (spec.kind == resp::special::wait && !in_multi && s.replies == reply_mode::on && !to.unframed) {
    // Under CLIENT REPLY the session has not left this connection since: its last command is behind its writes already.
    // WAIT asks about the offset of this connection's last command: give it one that is behind every write of the
    // session. HELLO alone changes nothing, and no ACL can refuse it: a PING that is refused leaves WAIT with an old
    // offset.
    const resp::command_spec* hello = snapshot->commands->find_name("hello");
    const bool has_hello = hello != nullptr && snapshot->commands->known_upstream(hello->id);
    resp::append_command(to.out, has_hello ? std::string_view("HELLO") : std::string_view("PING"));
    send_own(to, has_hello ? "hello" : "ping", slot_kind::own);
  }
  if (queued) note_queued(s, to, spec, request, item);
  write_request(s, to, request, plan);
  if (!queued) {
    mark_slot(s, to, spec, request, item);
    if (!switch_replies(s, spec, request)) {
      mark_dirty(to);
      return step::taken;
    }
  }
  push_slot(s, to, item);
  mark_dirty(to);
  if (plan != nullptr && !plan->follow_ups.empty()) follow_up(s, to, spec, request, *plan, item);
  return step::taken;
}

// What a command leaves on its connection stays with its session, or with nobody.
void engine::state::keep_connection(session& s, upstream_connection& to, const resp::command_spec& spec) noexcept {
  if (spec.dedicated == resp::dedicate::client || spec.dedicated == resp::dedicate::subscribe) s.sticky = true;
  if (spec.dedicated == resp::dedicate::unknown || spec.dedicated == resp::dedicate::admin) to.spoiled = true;
}

// What follows from a command's being sent, whatever it answers; what follows from its answer is in replies.cpp.
void engine::state::note_state_change(session& s, upstream_connection& to, const resp::command_spec& spec,
                                      const resp::request& request) {
  if (to.unframed) return;  // where nothing is told apart, nothing is waited for
  if (!spec.arity_ok(request.size())) {
    // It changes nothing, but the connection of an exchange has another session's db: nothing else may run there; and
    // EXEC may have ended the transaction.
    const bool ends = spec.kind == resp::special::exec && s.tx && s.tx->open && s.replies == reply_mode::on;
    if (s.exchanging || ends) hold_session(s, hold_reason::barrier);
    return;
  }
  switch (spec.kind) {
    case resp::special::multi:
      if (s.is_resp2_subscriber()) break;  // Redis refuses it
      if (!s.tx) s.tx = std::make_unique<transaction>();
      if (!s.tx->open) {
        s.tx->begin();
        s.multi_failed = false;
      }
      break;
    case resp::special::watch:
      s.watching = true;
      break;
    case resp::special::unwatch:
      s.watching = false;
      break;
    case resp::special::discard:
      // Outside MULTI it fails, and what is watched stays watched.
      if (!s.tx || !s.tx->open) break;
      s.watching = false;
      s.tx->open = false;
      break;
    case resp::special::subscribe:
      s.sticky = s.subscribed_ever = true;
      break;
    case resp::special::wait:
      s.sticky = s.sticky_for_good = true;
      break;
    case resp::special::auth:
    case resp::special::hello:
    case resp::special::select:
    case resp::special::reset:
      remember_exchange(s, spec, request);
      // RESET ends CLIENT REPLY OFF and is answered.
      if (spec.kind == resp::special::reset && s.replies == reply_mode::off) s.replies = reply_mode::on;
      if (s.replies != reply_mode::on) {
        assume_exchange(s, to, spec);
      } else {
        hold_session(s, hold_reason::barrier);
      }
      break;
    default:
      keep_connection(s, to, spec);
      if (s.exchanging) hold_session(s, hold_reason::barrier);
      break;
  }
  if (unframes(spec)) s.sticky = s.unframed = to.unframed = true;
}

step engine::state::run_exec(session& s, upstream_connection& to, const resp::command_spec& spec,
                             const resp::request& request) {
  transaction& tx = *s.tx;
  bool refused = tx.refused;
  std::string refusal(no_previous_errors);
  if (!refused && tx.unframes && !to.line.empty()) {
    hold_session(s, hold_reason::drain);
    return step::held;
  }
  forget_stale_charges(tx);
  if (!refused && !tx.charges.empty()) {
    if (admit(s, tx.charges, true) == step::held) return step::held;
    if (!scratch.empty()) {
      refused = true;
      refusal = scratch;
    }
  }
  note_command(s, spec);
  if (!refused && tx.unframes) {
    // Redis answers such a transaction with more or fewer values than it announces: they pass as they come.
    s.sticky = s.sticky_for_good = s.unframed = to.unframed = true;
    if (opts.capture != nullptr) opts.capture->push(capture_message::what::begin);
    for (queued_command& entry : tx.entries) {
      if (entry.answered_queued) book_as_sent(entry.books);
    }
    if (opts.capture != nullptr) opts.capture->push(capture_message::what::end);
    forget_queued(tx, static_cast<std::uint32_t>(tx.entries.size()));
    tx.end();
    append_request(s, to, request);
    mark_dirty(to);
    return step::taken;
  }
  slot item;
  item.owner = &s;
  item.command = spec.id;
  item.special = resp::special::exec;
  item.extra = tx.count;
  const bool waits_for_reply =
      tx.odd || !tx.follow_ups.empty() ||
      std::any_of(tx.entries.begin(), tx.entries.end(), [](const auto& e) { return e.db >= 0; });
  tx.end();
  s.watching = false;
  if (refused) {
    resp::append_command(to.out, "DISCARD");
    if (s.replies == reply_mode::on) {
      item.kind = slot_kind::own;
      item.flags |= slot::refused_exec;
      item.elements = item.extra;
      const resp::command_spec* discard = snapshot->commands->find_name("discard");
      item.extra = discard != nullptr ? discard->id : 0;
      to.line.push(item);
      ++s.in_flight;
      s.current = &to;
    } else {
      forget_queued(tx, item.extra);
      count_own("discard");
    }
    reply_locally(s, refusal);
    mark_dirty(to);
    return step::taken;
  }
  append_request(s, to, request);
  if (s.replies != reply_mode::on) {
    // Unanswered: what was queued is booked as sent.
    if (opts.capture != nullptr) opts.capture->push(capture_message::what::begin);
    for (queued_command& entry : tx.entries) {
      book_as_sent(entry.books);
      if (entry.db < 0) continue;
      s.db = to.db = static_cast<std::uint32_t>(entry.db);
      to.db_in_doubt = true;
    }
    if (opts.capture != nullptr) opts.capture->push(capture_message::what::end);
    tx.take(static_cast<std::uint32_t>(tx.entries.size()));
  }
  push_slot(s, to, item);
  mark_dirty(to);
  if (waits_for_reply && s.in_flight > 0) hold_session(s, hold_reason::barrier);
  return step::taken;
}

}  // namespace tidegate::session
