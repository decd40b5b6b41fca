// What a command costs under the rules that match it, and whether it may go.
#include <algorithm>
#include <array>

#include "limiter/rule_set.hpp"
#include "limiter/rule_set_state.hpp"

namespace tidegate::limiter {
namespace {

using config::limit_action;
using config::limit_cost;

constexpr int attempts_max = 3;

std::uint64_t bytes_of(const resp::request& request, std::size_t first, std::size_t end) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = first; i < std::min(end, request.size()); ++i) sum += request.refs[i].length;
  return sum;
}

std::uint64_t cost_of_all(limit_cost cost, const resp::command_spec& spec, const resp::request& request,
                          std::span<const resp::key_ref> keys) noexcept {
  switch (cost) {
    case limit_cost::command:
      return 1;
    case limit_cost::element:
      return resp::count_elements(spec, request, keys);
    case limit_cost::byte:
      return bytes_of(request, 1, request.size());
  }
  return 1;
}

// In tokens, at least 1; 0 = the rule does not match.
std::uint64_t cost_of(const rule& rule, const resp::command_spec& spec, const resp::request& request,
                      std::span<const resp::key_ref> keys) noexcept {
  const limit_cost cost = rule.cost;
  if (!rule.has_key) return std::max<std::uint64_t>(cost_of_all(cost, spec, request, keys), 1);
  // Commands of which each key is an element (MSET, DEL) are charged for their matching keys alone.
  const bool by_key = spec.elements == resp::element_count::keys && cost != limit_cost::command;
  const auto step = static_cast<std::size_t>(std::max<std::int16_t>(spec.key_step, 1));
  std::uint64_t sum = 0;
  for (const resp::key_ref& key : keys) {
    // Of a write, the keys that it only reads (SUNIONSTORE's sources) grow by nothing.
    if (spec.write && key.access == resp::key_access::read) continue;
    if (!rule.key.matches(request[key.index])) continue;
    if (!by_key) return std::max<std::uint64_t>(cost_of_all(cost, spec, request, keys), 1);
    sum += cost == limit_cost::element ? 1 : std::max<std::uint64_t>(bytes_of(request, key.index, key.index + step), 1);
  }
  return sum;
}

bool in_force(const charge& item, steady_ns now) noexcept {
  return now < item.which->expires;
}

bool enforces(const charge& item, steady_ns now) noexcept {
  return !item.which->observes && in_force(item, now);
}

bool blocks(const charge& item) noexcept {
  return item.which->config.action == limit_action::block;
}

bool stands_in(const waiter* who, const charge& item) noexcept {
  return who != nullptr && who->where != nullptr && who->where == item.from;
}

bool passes_lines(const waiter* who) noexcept {
  return who != nullptr && who->where != nullptr && who->lines > 1;
}

bool would_admit(const charge& item, const waiter* who, steady_ns now) noexcept {
  if (blocks(item)) return false;
  if (stands_in(who, item)) return item.from->is_first(*who) && item.from->covers(item.cost, now);
  return (passes_lines(who) || !item.from->anybody_waits()) && item.from->covers(item.cost, now);
}

bool take(const charge& item, const waiter* who, steady_ns now) noexcept {
  if (blocks(item)) return false;
  if (stands_in(who, item)) return item.from->try_debit_first(*who, item.cost, now);
  return passes_lines(who) ? item.from->try_debit_past_line(item.cost, now) : item.from->try_debit(item.cost, now);
}

// Debits all or none; on failure `failed` is the charge that could not be debited.
bool take_all(std::span<const charge> items, const waiter* who, steady_ns now, std::uint32_t& failed) noexcept {
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (!enforces(items[i], now) || take(items[i], who, now)) continue;
    failed = i;
    while (i-- > 0) {
      if (enforces(items[i], now)) items[i].from->refund(items[i].cost);
    }
    return false;
  }
  return true;
}

struct hold {
  bool any = false;
  bool rejects = false;
  std::uint32_t by = 0;
  steady_ns wait = 0;

  // A rule that rejects never waits for one that delays; among equals the longest wait.
  void add(std::uint32_t index, bool reject, steady_ns estimate) noexcept {
    if (any && (rejects != reject ? rejects : estimate <= wait)) return;
    *this = {true, reject, index, estimate};
  }
};

hold held_by(const charge& item, std::uint32_t index, const waiter* who, steady_ns now) noexcept {
  const config::limit_rule& rule = item.which->config;
  const auto max_delay = std::chrono::nanoseconds(rule.max_delay).count();
  const steady_ns waited = who != nullptr && who->since != 0 ? std::max<steady_ns>(now - who->since, 0) : 0;
  hold result;
  if (blocks(item)) {
    result.add(index, true, item.which->expires - std::min(now, item.which->expires));
    return result;
  }
  if (stands_in(who, item)) {
    // Its estimate may have grown (a lower rate, others' costs); it is what it has waited that counts then.
    const bool too_long = who->since != 0 && waited >= max_delay;
    result.add(index, rule.action == limit_action::reject || too_long, item.from->wait_of(*who, now));
    return result;
  }
  const steady_ns wait = item.from->wait_for(item.cost, now);
  result.add(index, rule.action == limit_action::reject || wait > max_delay - std::min(waited, max_delay), wait);
  return result;
}

hold longest_hold(std::span<const charge> items, const waiter* who, steady_ns now) noexcept {
  hold longest;
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (!enforces(items[i], now) || would_admit(items[i], who, now)) continue;
    if (blocks(items[i])) return held_by(items[i], i, who, now);
    const hold one = held_by(items[i], i, who, now);
    // Before its turn a waiter keeps its place, whatever else may hold it later.
    if (stands_in(who, items[i])) return one;
    longest.add(one.by, one.rejects, one.wait);
  }
  return longest;
}

}  // namespace

void rule_set::match(const binding& session, const resp::command_spec& spec, const resp::request& request,
                     std::span<const resp::key_ref> keys, attribution::pattern_number pattern, charges& out) noexcept {
  out.size = 0;
  if (by_command_.empty()) return;
  // A command that joined the table after this set was made counts as unknown until the next one.
  std::bitset<rules_max> named = by_command_[spec.id < by_command_.size() ? spec.id : std::size_t{0}];
  if (state_->indexed) {
    std::bitset<rules_max> possible = state_->by_key.keyless();
    for (const resp::key_ref& key : keys) possible |= state_->by_key.rules_of(request[key.index]);
    named &= possible;
    if (named.none()) return;
  }
  for (const client_rules::bound& held : session.rules()) {
    if (held.rule >= rules_.size()) break;  // the binding is a former set's
    if (!named[held.rule]) continue;
    const rule& one = rules_[held.rule];
    const bool is_one = !one.has_key && one.cost == limit_cost::command;
    const std::uint64_t cost = is_one ? 1 : cost_of(one, spec, request, keys);
    if (cost == 0) continue;
    if (out.size == rules_at_once_max) {
      state_->overmatched.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    bucket* from = held.from;
    if (from == nullptr) {
      from = one.per == config::limit_per::connection ? own_bucket(session, one) : pattern_bucket(held.rule, pattern);
    }
    if (from == nullptr) continue;
    out.items[out.size++] = {&one, from, cost == 1 ? one.one_token : one.clock->to_units(cost)};
  }
}

namespace {

// Whether nobody waits anywhere and every bucket had the tokens; they are debited then, all or none.
bool admit_at_once(std::span<const charge> items, steady_ns now, clock_readings& readings) noexcept {
  if (items.size() > rules_at_once_max) return false;
  std::array<units, rules_at_once_max> minted;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const charge& item = items[i];
    if (!item.which->by_tokens) return false;
    if (!in_force(item, now)) continue;
    minted[i] = readings.minted(*item.which, now);
    if (!item.from->would_debit_at(item.cost, minted[i])) return false;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!in_force(items[i], now) || items[i].from->try_debit_at(items[i].cost, minted[i])) continue;
    // Another worker's debit came in between.
    while (i-- > 0) {
      if (in_force(items[i], now)) items[i].from->refund(items[i].cost);
    }
    return false;
  }
  return true;
}

}  // namespace

verdict rule_set::admit(std::span<const charge> items, steady_ns now, clock_readings& readings) noexcept {
  if (admit_at_once(items, now, readings)) return {};
  return admit(items, nullptr, now);
}

verdict rule_set::admit(std::span<const charge> items, const waiter* who, steady_ns now) noexcept {
  verdict result;
  const auto enforcing = std::ranges::count_if(items, [&](const charge& item) { return enforces(item, now); });
  for (int attempt = 0; enforcing > 0; ++attempt) {
    // With several buckets, look before taking: what is taken and given back could hold somebody else for nothing.
    hold held = enforcing > 1 ? longest_hold(items, who, now) : hold{};
    std::uint32_t failed = 0;
    if (!held.any) {
      if (take_all(items, who, now, failed)) break;
      held = longest_hold(items, who, now);
      // Somebody else's debit, taken back in between.
      if (!held.any && attempt + 1 < attempts_max) continue;
      if (!held.any) held = held_by(items[failed], failed, who, now);
    }
    result.what = held.rejects ? admission::rejected : admission::wait;
    result.held_by = held.by;
    result.wait = held.wait;
    break;
  }
  if (who != nullptr || result.what == admission::rejected) return result;
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    const charge& item = items[i];
    if (!item.which->observes || !in_force(item, now)) continue;
    if (!item.from->try_debit(item.cost, now)) result.observed |= i < 64 ? std::uint64_t{1} << i : 0;
  }
  return result;
}

}  // namespace tidegate::limiter
