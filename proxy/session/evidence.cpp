// What the ledger keeps of a write besides its count: whose, from where, which key, and which TTL it left.
#include <algorithm>

#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

namespace {

// As the upstream will see it, so with what our own rules add and cut; that a follow-up finds a TTL already there, or
// that jitter shortens one a little, is not looked at. 0: none, or not known.
std::int64_t ttl_left(const ttl::plan& plan, const ttl::rule_set& rules) noexcept {
  std::int64_t left = plan.sets_ttl_ms;
  if (plan.rewrite.kind == ttl::rewrite::what::append) {
    left = plan.rewrite.option == 0 ? plan.rewrite.value * 1000 : plan.rewrite.value;
  } else if (plan.rewrite_caps && plan.rule < rules.size() && rules.rule(plan.rule).max_ttl) {
    left = std::min<std::int64_t>(left, rules.rule(plan.rule).max_ttl->count());
  }
  for (const ttl::follow_up& behind : plan.follow_ups) {
    if (left == 0 || behind.kind == ttl::follow_up::what::max_lt) {
      left = left == 0 ? behind.ttl_ms : std::min(left, behind.ttl_ms);
    }
  }
  return left;
}

}  // namespace

void engine::state::prepare_evidence(session& s, const resp::request& request, const policy::command& what,
                                     const ttl::plan& plan, slot& out) {
  using attribution::distinct_keys;
  out.flags |= slot::for_ledger;
  out.wrote = what.pattern;
  const std::int64_t left = ttl_left(plan, *snapshot->ttl);
  out.traits.ttl_ms = left;
  out.traits.ttl_class = static_cast<std::uint8_t>(left > 0           ? attribution::ttl_class_of(left)
                                                   : plan.without_ttl ? attribution::ttl_class_none
                                                                      : attribution::ttl_class_keep);
  if (what.keys.empty()) return;
  const distinct_keys::place first = distinct_keys::place_of(distinct_keys::hash_key(request[what.keys[0].index]));
  out.traits.key_index = first.index;
  out.traits.key_rank = first.rank;
  if (what.keys.size() == 1) return;
  // A slot has room for one: the others count when they are sent.
  const cell_key key{out.series->client, what.pattern, out.command, true, s.who.source};
  const std::uint32_t cell = out.series->note = stats.evidence.cell_for(key, out.series->note);
  for (const resp::key_ref& other : what.keys.subspan(1)) stats.evidence.note_key(cell, request[other.index]);
}

void engine::state::note_connected(session& s) {
  const std::uint32_t before = s.connection_cell;
  s.connection_cell = stats.evidence.connect({s.client, 0, 0, true, s.who.source});
  stats.evidence.disconnect(before);
}

}  // namespace tidegate::session
