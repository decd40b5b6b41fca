#include "limiter/rule_set.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "limiter/rule_set_state.hpp"

namespace tidegate::limiter {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Rules by name may name the family of a subcommand: "xgroup" is all of its subcommands.
bool names(std::string_view wanted, const resp::command_spec& spec) noexcept {
  if (equal_ignoring_case(wanted, "write")) return spec.write || spec.may_write;
  if (spec.name.empty()) return false;
  if (equal_ignoring_case(wanted, spec.name)) return true;
  return equal_ignoring_case(wanted, spec.name.substr(0, spec.name.find('|')));
}

bool matches(const config::limit_rule& rule, const resp::command_spec& spec) noexcept {
  if (rule.match_commands.empty()) return spec.cls == resp::command_class::grow || spec.may_write;
  return std::ranges::any_of(rule.match_commands, [&](const std::string& name) { return names(name, spec); });
}

steady_ns expiry(const config::limit_rule& rule, steady_ns now, std::chrono::system_clock::time_point wall) noexcept {
  if (!rule.until) return never;
  // In seconds first: a date may be further away than nanoseconds count.
  const auto second_of_wall = std::chrono::floor<seconds>(wall);
  const seconds left = *rule.until - second_of_wall;
  if (left <= seconds{0}) return std::numeric_limits<steady_ns>::min();
  if (left > duration_cast<seconds>(nanoseconds(never / 2))) return never;
  return now + duration_cast<nanoseconds>(left - (wall - second_of_wall)).count();
}

}  // namespace

rule_set::rule_set(const std::vector<config::limit_rule>& rules, std::shared_ptr<bucket_store> store,
                   std::shared_ptr<const resp::command_table> table, std::uint32_t workers, steady_ns now,
                   std::chrono::system_clock::time_point wall)
    : state_(std::make_unique<state>()) {
  state_->store = std::move(store);
  state_->workers = std::clamp(workers, 1U, workers_max);
  state_->configured.assign(rules.begin(),
                            rules.begin() + static_cast<std::ptrdiff_t>(std::min(rules.size(), rules_max)));
  state_->states = state_->store->adopt(state_->configured, now);
  state_->latest.store(now, std::memory_order_relaxed);
  by_command_.resize(table->size());
  for (const config::limit_rule& configured : state_->configured) {
    const std::size_t index = rules_.size();
    rule& made = rules_.emplace_back();
    made.name = configured.name;
    made.index = static_cast<std::uint32_t>(index);
    made.config = configured;
    made.client = attribution::glob(configured.match_client);
    made.key = attribution::glob(configured.match_key);
    made.clock = &state_->states[index]->clock;
    made.expires = expiry(configured, now, wall);
    made.one_token = made.clock->to_units(1);
    made.cost = configured.cost;
    made.observes = configured.action == config::limit_action::observe;
    made.by_tokens =
        configured.action == config::limit_action::delay || configured.action == config::limit_action::reject;
    made.per = configured.per;
    made.has_key = !configured.match_key.empty();
    made.commands.resize(table->size());
    for (std::size_t id = 0; id < table->size(); ++id) {
      made.commands[id] = matches(configured, table->by_id(static_cast<std::uint16_t>(id)));
      by_command_[id].set(index, made.commands[id]);
    }
    state_->own.push_back(state_->store->own(*state_->states[index], state_->workers, now));
    state_->patterns.push_back(configured.per == config::limit_per::pattern ? std::make_unique<pattern_buckets>()
                                                                            : nullptr);
  }
  std::bitset<rules_max> keyless;
  std::vector<std::pair<std::string, std::uint32_t>> prefixes;
  for (const rule& made : rules_) {
    if (made.has_key) {
      prefixes.emplace_back(made.key.literal_prefix(), made.index);
    } else {
      keyless.set(made.index);
    }
  }
  state_->by_key = key_index(keyless, prefixes);
  state_->indexed = prefixes.size() >= indexed_rules_min;
}

rule_set::~rule_set() = default;

bucket* rule_set::own_bucket(const binding& session, const rule& one) const noexcept {
  for (const std::unique_ptr<bucket>& mine : session.own) {
    if (&mine->clock() == one.clock) return mine.get();
  }
  return nullptr;
}

void rule_set::own_bucket(binding& out, const rule& one, steady_ns now) const {
  if (bucket* const mine = own_bucket(std::as_const(out), one)) {
    if (mine->burst_tokens() != burst_of(one.config)) mine->set_burst(burst_of(one.config), now);
    return;
  }
  out.own.push_back(bucket_store::make(*state_->states[one.index], state_->workers));
}

bucket* rule_set::bucket_of(const binding& session, std::size_t index) const noexcept {
  for (const client_rules::bound& held : session.rules()) {
    if (held.rule != index || index >= rules_.size()) continue;
    return rules_[index].per == config::limit_per::connection ? own_bucket(session, rules_[index]) : held.from;
  }
  return nullptr;
}

std::shared_ptr<const client_rules> rule_set::rules_of(std::string_view client_name, std::string_view overflow_key,
                                                       steady_ns now) {
  state_->latest.store(now, std::memory_order_relaxed);
  // The number of `other` has no name of its own; a client that calls itself so is its address's too.
  const bool overflowed = client_name.empty() || client_name == "other";
  auto out = std::make_shared<client_rules>();
  out->rules_then = rules_.size();
  for (const rule& one : rules_) {
    const std::size_t i = one.index;
    if (now >= one.expires) continue;
    if (!one.config.match_client.empty() && !one.client.matches(client_name)) continue;
    std::shared_ptr<bucket> shared;
    switch (one.per) {
      case config::limit_per::pattern:
      case config::limit_per::connection:
        out->rules.push_back({one.index, nullptr});
        continue;
      case config::limit_per::client:
        if (!overflowed) {
          shared = state_->store->find(*state_->states[i], bucket_kind::client, client_name, state_->workers, now);
        }
        if (!shared) {
          shared = state_->store->find(*state_->states[i], bucket_kind::source, overflow_key, state_->workers, now);
        }
        break;
      case config::limit_per::rule:
        break;
    }
    if (!shared) shared = state_->own[i];
    out->rules.push_back({one.index, shared.get()});
    out->held.push_back(std::move(shared));
  }
  return out;
}

void rule_set::bind(binding& out, std::shared_ptr<const client_rules> of, steady_ns now) {
  // The old ones go last: what both have is at no time unused.
  const std::shared_ptr<const client_rules> former = std::exchange(out.shared, std::move(of));
  for (const client_rules::bound& held : out.rules()) {
    if (rules_[held.rule].per == config::limit_per::connection) own_bucket(out, rules_[held.rule], now);
  }
  // Buckets of rules that match no more stay for when they match again; those of rules that are gone do not.
  std::erase_if(out.own, [&](const std::unique_ptr<bucket>& mine) {
    return std::ranges::none_of(rules_, [&](const rule& one) {
      return one.per == config::limit_per::connection && one.clock == &mine->clock();
    });
  });
}

bucket* rule_set::pattern_bucket(std::size_t index, attribution::pattern_number pattern) noexcept {
  if (!state_->patterns[index]) return nullptr;
  std::atomic<bucket*>& place =
      (*state_->patterns[index])[pattern < attribution::patterns_max ? pattern : attribution::other_pattern];
  // acquire: the bucket is whole.
  if (bucket* const known = place.load(std::memory_order_acquire)) return known;
  // The number is the key: the registry never gives one to two patterns.
  std::shared_ptr<bucket> made =
      state_->store->find(*state_->states[index], bucket_kind::pattern, std::to_string(pattern), state_->workers,
                          state_->latest.load(std::memory_order_relaxed));
  if (!made) made = state_->own[index];
  const std::lock_guard lock(state_->patterns_mutex);
  if (bucket* const known = place.load(std::memory_order_acquire)) return known;
  place.store(made.get(), std::memory_order_release);
  state_->patterns_held.push_back(made);
  return made.get();
}

void rule_set::set_memory(double used_fraction, steady_ns now) noexcept {
  state_->latest.store(now, std::memory_order_relaxed);
  state_->store->set_memory(used_fraction, state_->configured, state_->states, now);
}

std::uint64_t rule_set::overmatched() const noexcept {
  return state_->overmatched.load(std::memory_order_relaxed);
}

}  // namespace tidegate::limiter
