// Limits: a command passes all rules that match it at the instant of its hand-over to a live connection, waits in the
// line of the bucket that holds it longest, or is rejected in its place.
#include <algorithm>

#include "proxy/session/engine_state.hpp"
#include "resp/encoder.hpp"

namespace tidegate::session {

void engine::state::leave_line(session& s) {
  if (!s.place || s.place->where == nullptr) return;
  limiter::bucket& bucket = *s.place->where;
  limiter::waiter* const behind = s.place->next;
  bucket.leave(*s.place, opts.worker);
  if (behind == nullptr) return;
  // It is nearer to its turn than it thought.
  session& next = *static_cast<limit_place*>(behind)->whose;
  if (next.hold != hold_reason::limit) return;
  next.look_again_at =
      std::min(next.look_again_at, bucket.look_again(*next.place, opts.worker, now, bounds::limit_poll));
  rearm(next);
}

void engine::state::end_delay(session& s) {
  leave_line(s);
  s.delayed_at = 0;
}

void engine::state::count_rule(counter_map& where, const limiter::rule& rule, const session& s) {
  where.add(label_key(rule_numbers[rule.index], s.client));
}

void engine::state::throttled_line(std::string& out, const limiter::rule& rule, const session& s, steady_ns wait,
                                   bool exec) {
  out = exec ? "-EXECABORT Transaction discarded because of: THROTTLED rule=" : "-THROTTLED rule=";
  resp::append_sanitized(out, rule.name);
  out += " client=";
  resp::append_sanitized(out, opts.registry->client_name(s.client));
  out += " retry_after_ms=";
  const steady_ns milliseconds = wait / 1'000'000 + 1;
  out += std::to_string(std::clamp<steady_ns>(milliseconds, 1, 86'400'000));
  out += "\r\n";
}

// A reload took the rules away that an open transaction was charged by: what it queued before is free.
void engine::state::forget_stale_charges(transaction& tx) {
  if (tx.charged_generation == snapshot->generation) return;
  tx.charges.clear();
  tx.charged_generation = snapshot->generation;
}

// taken + hold none = admitted; taken with `scratch` filled = rejected (the caller answers); held = delayed.
step engine::state::admit(session& s, std::span<const limiter::charge> charges, bool transaction) {
  scratch.clear();
  // It may have lost its place meanwhile (a reload, a lane that went): it is no newcomer for that.
  const bool waits = s.delayed_at != 0;
  const limiter::verdict verdict = waits ? snapshot->limits->admit(charges, s.place.get(), now)
                                         : snapshot->limits->admit(charges, now, evaluator.readings());
  if (!waits && verdict.observed != 0) {
    for (std::uint32_t index = 0; index < std::min<std::size_t>(charges.size(), 64); ++index) {
      if ((verdict.observed >> index & 1U) != 0) count_rule(stats.observed, *charges[index].which, s);
    }
  }
  if (verdict.what == limiter::admission::admitted) {
    for (const limiter::charge& item : charges) {
      if (item.from->is_oversized(item.cost)) stats.oversized_costs.add(1);
    }
    if (waits) {
      stats.delay.observe(now - s.delayed_at);
      end_delay(s);
    }
    return step::taken;
  }
  const limiter::charge& holder = charges[verdict.held_by];
  if (verdict.what == limiter::admission::rejected || (waits && now >= s.delay_until)) {
    count_rule(stats.rejected, *holder.which, s);
    throttled_line(scratch, *holder.which, s, verdict.wait, transaction);
    end_delay(s);
    return step::taken;
  }
  if (!waits) {
    if (!s.place) s.place = std::make_unique<limit_place>();
    *s.place = {};
    s.place->whose = &s;
    s.place->since = s.delayed_at = now;
    s.delay_until = now + std::chrono::nanoseconds(holder.which->config.max_delay).count();
    count_rule(stats.delayed, *holder.which, s);
  }
  if (s.place->where != holder.from) {
    leave_line(s);
    holder.from->join(*s.place, holder.cost, opts.worker);
  }
  s.look_again_at = s.place->where->look_again(*s.place, opts.worker, now, bounds::limit_poll);
  hold_session(s, hold_reason::limit);
  rearm(s);
  return step::held;
}

}  // namespace tidegate::session
