#include "evidence/simulate/simulator.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <queue>
#include <string>
#include <tuple>
#include <vector>

#include "attribution/identity.hpp"
#include "evidence/simulate/books.hpp"
#include "evidence/simulate/key_model.hpp"
#include "policy/evaluator.hpp"
#include "resp/keyword.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::simulate {
namespace {

using limiter::steady_ns;
using std::chrono::milliseconds;

constexpr steady_ns ms = 1'000'000;
constexpr steady_ns second = 1000 * ms;
constexpr steady_ns first_instant = 3600 * second;  // of the virtual clock: away from 0, which stands for "never"
// The first in a bucket's line looks again this often. In virtual time nobody else's debit can come between: only a
// rate that memory pressure changes makes an estimate wrong.
constexpr steady_ns poll = 250 * ms;

struct session;
struct limit_place : limiter::waiter {
  session* whose = nullptr;
};

// A command, or a transaction from MULTI to EXEC, as it came.
struct pending {
  std::string raw;
  std::uint32_t commands = 1;
  steady_ns came = 0;  // on the virtual clock
  std::string client, source;
  std::uint32_t db = 0;
};

struct session {
  std::string client;  // as bound
  limiter::binding limits;
  limit_place place;
  std::deque<pending> waiting;
  pending gathering;  // a transaction that has begun
  bool in_transaction = false;
  steady_ns wake = 0;  // 0 = nothing is due
  steady_ns delayed_at = 0, delay_until = 0;
  std::string held_by;
  steady_ns last_came = 0, last_done = 0;
};

struct due {
  steady_ns at;
  std::uint64_t order;  // who was first is first
  session* whose;
  bool operator>(const due& other) const noexcept { return std::tie(at, order) > std::tie(other.at, other.order); }
};

enum class ruling : std::uint8_t { done, held };

}  // namespace

struct simulator::state {
  std::shared_ptr<const config::config> config;
  memory_facts memory;
  policy::foundations base;
  std::shared_ptr<const policy::snapshot> snapshot;
  std::unique_ptr<policy::evaluator> evaluator;
  std::map<std::string, std::unique_ptr<session>, std::less<>> sessions;
  std::priority_queue<due, std::vector<due>, std::greater<>> agenda;
  std::uint64_t order = 0;
  steady_ns now = first_instant, next_tick = first_instant;
  std::int64_t origin_ms = 0;  // Unix time at first_instant
  bool begun = false;
  key_model before, after;
  books count;
  resp::request_parser parser;
  std::vector<limiter::charge> charges;
  std::vector<resp::key_ref> keys;

  void begin(std::int64_t wall_ms);
  [[nodiscard]] std::int64_t wall_ms() const noexcept { return origin_ms + (now - first_instant) / ms; }
  [[nodiscard]] double used(const key_model& by) const noexcept {
    return memory.used_before + memory.stored_per_counted * static_cast<double>(by.bytes());
  }

  session& session_of(const capture::record& one);
  void take(session& s, const capture::record& one);
  void run_until(steady_ns until);
  void tick();
  void wake_at(session& s, steady_ns at);
  void run(session& s);
  ruling attempt(session& s, const pending& what);
  void bind(session& s, const pending& what);
  void leave_line(session& s);
  ruling admit(session& s, const pending& what, bool& refused);
  void execute(const pending& what);
  void give_ttl(const resp::request& request, const ttl::plan& plan, const resp::command_spec& spec, std::uint32_t db);
  template <class Visit>
  void each_command(const pending& what, Visit visit);
};

simulator::simulator(std::shared_ptr<const config::config> config, memory_facts memory)
    : state_(std::make_unique<state>()) {
  state_->config = std::move(config);
  state_->memory = memory;
}
simulator::~simulator() = default;

void simulator::state::begin(std::int64_t wall) {
  begun = true;
  origin_ms = wall;
  base = {.registry = std::make_shared<attribution::registry>(),
          .buckets = limiter::make_bucket_store(),
          .commands = resp::command_table::builtin(),
          .expire_options = true};
  const auto made = policy::make_snapshot(config, base, 1, now);
  // The rules' `until` is compared with the time of the traffic, not with today.
  auto then = std::make_shared<policy::snapshot>(*made);
  then->limits = std::make_shared<limiter::rule_set>(config->limits, base.buckets, base.commands, 1U, now,
                                                     std::chrono::system_clock::time_point(milliseconds(wall)));
  snapshot = then;
  evaluator = std::make_unique<policy::evaluator>(*base.registry);
  evaluator->use(*snapshot);
}

session& simulator::state::session_of(const capture::record& one) {
  std::string key;
  key.reserve(128);
  key.append(one.instance).append("\n");
  if (one.session.empty()) {
    key.append(one.client).append("\n").append(one.source);
  } else {
    key.append(one.session);
  }
  auto& found = sessions[key];
  if (!found) {
    found = std::make_unique<session>();
    found->place.whose = found.get();
  }
  return *found;
}

template <class Visit>
void simulator::state::each_command(const pending& what, Visit visit) {
  std::string_view rest = what.raw;
  while (!rest.empty() && parser.parse(rest) == resp::parse_status::complete) {
    const resp::request& request = parser.request();
    visit(evaluator->identify(request), request);
    rest.remove_prefix(request.raw.size());
  }
  parser.reset();
}

void simulator::state::take(session& s, const capture::record& one) {
  const resp::request& request = one.request;
  const bool ends = s.in_transaction && resp::is_keyword(request[0], "exec");
  const bool begins = !s.in_transaction && resp::is_keyword(request[0], "multi");
  if (begins) {
    s.in_transaction = true;
    s.gathering = {};
    s.gathering.commands = 0;
    return;
  }
  if (!ends) {
    const resp::command_spec& spec = evaluator->identify(request);
    const policy::command& read = evaluator->read(spec, request);
    count.came(one.client, read.bytes, wall_ms());
    if (read.keys.empty() && spec.keys != resp::key_layout::none) count.unreadable();
    before.apply(spec, request, read.keys, one.db, wall_ms());
  }
  pending& into = s.in_transaction ? s.gathering : s.waiting.emplace_back();
  if (!ends) into.raw += request.raw;
  into.came = now;
  into.client = one.client;
  into.source = one.source;
  into.db = one.db;
  if (s.in_transaction) {
    into.commands += ends ? 0U : 1U;
    if (!ends) return;
    s.in_transaction = false;
    if (into.commands == 0) return;
    s.waiting.push_back(std::move(s.gathering));
  }
  if (s.waiting.size() == 1) run(s);
}

void simulator::state::wake_at(session& s, steady_ns at) {
  s.wake = at;
  if (at != limiter::never) agenda.push({at, order++, &s});
}

void simulator::state::run(session& s) {
  s.wake = 0;
  while (!s.waiting.empty()) {
    const pending& what = s.waiting.front();
    steady_ns ready = what.came;
    if (s.last_done > s.last_came) {
      const steady_ns gap = std::min(what.came - s.last_came, std::chrono::nanoseconds(think_max).count());
      ready = std::max(ready, s.last_done + gap);
    }
    if (ready > now) return wake_at(s, ready);
    if (attempt(s, what) == ruling::held) return;
    s.last_came = what.came;
    s.last_done = now;
    if (now > what.came) count.ended(what.client, static_cast<double>(now - what.came) / second);
    s.waiting.pop_front();
  }
}

void simulator::state::leave_line(session& s) {
  if (s.place.where == nullptr) return;
  limiter::bucket& bucket = *s.place.where;
  limiter::waiter* const behind = s.place.next;
  bucket.leave(s.place, 0);
  if (behind == nullptr) return;
  // It is nearer to its turn than it thought.
  session& next = *static_cast<limit_place*>(behind)->whose;
  const steady_ns at = bucket.look_again(next.place, 0, now, poll);
  if (next.wake == 0 || at < next.wake) wake_at(next, at);
}

void simulator::state::bind(session& s, const pending& what) {
  if (s.client == what.client && !s.client.empty()) return;
  leave_line(s);
  s.client = what.client;
  snapshot->limits->bind(s.limits, what.client, what.source.empty() ? what.client : what.source, now);
}

// All that the rules say of it: taken with nothing to wait for, held, or answered (`refused`).
ruling simulator::state::admit(session& s, const pending& what, bool& refused) {
  charges.clear();
  each_command(what, [&](const resp::command_spec& spec, const resp::request& request) {
    const bool judged = spec.write || spec.cls == resp::command_class::script || evaluator->named_by_a_rule(spec.id);
    if (!judged || refused) return;
    static_cast<void>(evaluator->read(spec, request));
    if (spec.write) {
      const ttl::plan& plan = evaluator->plan_ttl(request, milliseconds(wall_ms()));
      if (plan.refused) {
        count.timed(snapshot->ttl->rule(plan.rule).pattern, spec.name, books::ttl_word::refused);
        refused = true;
        return;
      }
    }
    for (const limiter::charge& item : evaluator->limits(s.limits, request).all()) {
      const auto known = std::ranges::find_if(
          charges, [&](const limiter::charge& one) { return one.which == item.which && one.from == item.from; });
      if (known == charges.end()) {
        charges.push_back(item);
      } else {
        known->cost = limiter::saturating_sum(known->cost, item.cost);
      }
    }
  });
  if (refused || charges.empty()) return ruling::done;

  const bool waits = s.delayed_at != 0;
  const limiter::verdict verdict = snapshot->limits->admit(charges, waits ? &s.place : nullptr, now);
  if (!waits) {
    for (std::uint32_t i = 0; i < std::min<std::size_t>(charges.size(), 64); ++i) {
      if ((verdict.observed >> i & 1U) != 0) {
        count.limited(what.client, charges[i].which->name, books::limit_word::observed);
      }
    }
  }
  if (verdict.what == limiter::admission::admitted) return ruling::done;
  const limiter::charge& holder = charges[verdict.held_by];
  if (verdict.what == limiter::admission::rejected || (waits && now >= s.delay_until)) {
    count.limited(what.client, holder.which->name, books::limit_word::rejected);
    refused = true;
    return ruling::done;
  }
  if (!waits) {
    static_cast<limiter::waiter&>(s.place) = {};
    s.place.since = s.delayed_at = now;
    s.delay_until = now + std::chrono::nanoseconds(holder.which->config.max_delay).count();
    s.held_by = holder.which->name;
    count.limited(what.client, s.held_by, books::limit_word::delayed);
  }
  if (s.place.where != holder.from) {
    leave_line(s);
    holder.from->join(s.place, holder.cost, 0);
  }
  // Never the same instant again, or virtual time would stand still.
  wake_at(s, std::max(now + 1, s.place.where->look_again(s.place, 0, now, poll)));
  return ruling::held;
}

ruling simulator::state::attempt(session& s, const pending& what) {
  bind(s, what);
  bool refused = false;
  if (admit(s, what, refused) == ruling::held) return ruling::held;
  if (s.delayed_at != 0) {
    count.waited(what.client, s.held_by, static_cast<double>(now - s.delayed_at) / second);
    leave_line(s);
    s.delayed_at = 0;
  }
  if (!refused) execute(what);
  return ruling::done;
}

void simulator::state::execute(const pending& what) {
  each_command(what, [&](const resp::command_spec& spec, const resp::request& request) {
    const policy::command& read = evaluator->read(spec, request);
    keys.assign(read.keys.begin(), read.keys.end());
    after.apply(spec, request, keys, what.db, wall_ms());
    if (spec.write) give_ttl(request, evaluator->plan_ttl(request, milliseconds(wall_ms())), spec, what.db);
  });
}

void simulator::state::give_ttl(const resp::request& request, const ttl::plan& plan, const resp::command_spec& spec,
                                std::uint32_t db) {
  const auto pattern = [&](std::uint32_t rule) -> std::string_view { return snapshot->ttl->rule(rule).pattern; };
  for (const auto& would : plan.would) count.timed(pattern(would.rule), spec.name, books::ttl_word::observed);
  if (plan.rewrite.kind != ttl::rewrite::what::none) {
    count.timed(pattern(plan.rule), spec.name, plan.rewrite_caps ? books::ttl_word::capped : books::ttl_word::injected);
    const config::ttl_rule& rule = snapshot->ttl->rule(plan.rule);
    const std::string_view key = request[keys.empty() ? 1 : keys.front().index];
    if (plan.rewrite.kind == ttl::rewrite::what::append) {
      const std::int64_t ttl_ms = plan.rewrite.option == 0 ? plan.rewrite.value * 1000 : plan.rewrite.value;
      after.expire_if_less(db, key, ttl_ms, wall_ms());
    } else if (rule.max_ttl) {
      after.expire_if_less(db, key, rule.max_ttl->count(), wall_ms());
    }
  }
  for (const ttl::follow_up& one : plan.follow_ups) {
    const std::string_view key = request[one.key_index];
    if (one.kind == ttl::follow_up::what::default_nx) {
      if (after.expire_if_none(db, key, one.ttl_ms, wall_ms())) {
        count.timed(pattern(one.rule), spec.name, books::ttl_word::injected);
      }
    } else if (after.expire_if_less(db, key, one.ttl_ms, wall_ms())) {
      count.timed(pattern(one.rule), spec.name, books::ttl_word::capped);
    }
  }
}

// What happens once a second: INFO, and a point of the curve.
void simulator::state::tick() {
  before.expire_until(wall_ms());
  after.expire_until(wall_ms());
  count.remember(wall_ms(), used(before), used(after));
  if (memory.maxmemory != 0 && memory.used_before > 0) {
    snapshot->limits->set_memory(used(after) / static_cast<double>(memory.maxmemory), now);
  }
}

void simulator::state::run_until(steady_ns until) {
  for (;;) {
    const steady_ns next = agenda.empty() ? limiter::never : agenda.top().at;
    const steady_ns at = std::min(next, next_tick);
    if (at > until) break;
    now = std::max(now, at);
    if (next_tick <= next) {
      tick();
      next_tick += second;
      continue;
    }
    const due one = agenda.top();
    agenda.pop();
    if (one.whose->wake == one.at) run(*one.whose);
  }
  now = std::max(now, until);
}

void simulator::play(const capture::record& one) {
  state& s = *state_;
  if (!s.begun) s.begin(one.wall_ms);
  s.run_until(std::max(s.now, first_instant + (one.wall_ms - s.origin_ms) * ms));
  s.take(s.session_of(one), one);
}

outcome simulator::finish() {
  state& s = *state_;
  if (!s.begun) return {};
  while (!s.agenda.empty()) s.run_until(s.agenda.top().at);
  // On until what has a TTL is gone.
  const steady_ns end = s.now + std::chrono::nanoseconds(tail_max).count();
  while (s.now < end && s.before.mortal_bytes() + s.after.mortal_bytes() > 0) s.run_until(s.next_tick);
  s.tick();
  outcome told = s.count.close();
  told.maxmemory = s.memory.maxmemory;
  told.memory_is_absolute = s.memory.used_before > 0;
  told.stored_per_counted = s.memory.stored_per_counted;
  return told;
}

}  // namespace tidegate::simulate
