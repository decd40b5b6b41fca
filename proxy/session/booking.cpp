// Who wrote what: counted once, at the reply, if Redis ran the command.
#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

void engine::state::prepare_booking(session& s, const resp::command_spec& spec, const policy::command& what,
                                    bool without_ttl, slot& out) {
  out.command = spec.id;
  if (!spec.write) {
    out.flags |= slot::script;
    out.counter = &stats.scripts.at(label_key(s.client, what.pattern, spec.id));
    return;
  }
  attribution::series* found = s.last_series;
  if (found == nullptr || s.last_pattern != what.pattern || s.last_command != spec.id) {
    found = s.last_series = stats.writes.find(s.client, what.pattern, spec.id);
    s.last_pattern = what.pattern;
    s.last_command = spec.id;
  }
  out.series = found;
  out.bytes = what.bytes;
  out.elements = what.elements;
  if (without_ttl) out.flags |= slot::without_ttl;
}

void engine::state::book(const slot& item) {
  if ((item.flags & slot::booked) != 0) return;
  if ((item.flags & slot::script) != 0) {
    item.counter->add(1);
    return;
  }
  if (item.series == nullptr) return;
  booking& into = bookings.add(stats.evidence);
  into.series = item.series;
  into.bytes = item.bytes;
  into.traits = item.traits;
  into.elements = item.elements;
  into.without_ttl = (item.flags & slot::without_ttl) != 0;
  into.for_ledger = (item.flags & slot::for_ledger) != 0;
  if (!into.for_ledger) return;
  into.pattern = item.wrote;
  into.command = item.command;
  into.source = item.owner->who.source;
}

// For what no reply will come, or none that can be told from others.
void engine::state::book_as_sent(slot& item) {
  book(item);
  capture_outcome(item, true);
  if ((item.flags & slot::script) == 0 && item.series != nullptr) stats.writes_assumed.add(1);
}

void engine::state::count_ttl(const slot& item) {
  counter_map& counts = (item.flags & slot::capped) != 0 ? stats.ttl_capped : stats.ttl_injected;
  counts.add(label_key(item.pattern, item.command));
}

void engine::state::finish_booking(slot& item, const resp::reply_framer& framer) {
  if (framer.is_error()) {
    const std::string_view text = framer.error_text();
    if (resp::tells_of_failover(text)) hint_failover();
    if ((item.flags & slot::arity_bad) != 0 || resp::refused_before_execution(resp::classify_error(text))) {
      capture_outcome(item, false);
      return;
    }
  } else if ((item.flags & (slot::injected | slot::capped)) != 0 && !framer.is_null()) {
    count_ttl(item);
  }
  book(item);
  // A blocking command that was ended without taking anything did nothing, though Redis counts it.
  const bool blocked_in_vain = (item.flags & slot::blocking) != 0 && (framer.is_null() || framer.is_error());
  capture_outcome(item, !blocked_in_vain);
}

// Its connection is gone before its reply: nobody knows whether it ran.
void engine::state::lose(slot& item) {
  capture_outcome(item, false);
  if ((item.flags & (slot::script | slot::booked)) != 0 || item.series == nullptr) return;
  stats.writes_unknown.add(1);
}

void engine::state::count_own(std::string_view commandstats_name) {
  const resp::command_spec* spec = snapshot->commands->find_name(commandstats_name);
  stats.own_commands.add(label_key(spec != nullptr ? spec->id : 0));
}

}  // namespace tidegate::session
