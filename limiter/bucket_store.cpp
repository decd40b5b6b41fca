#include "limiter/bucket_store.hpp"

#include <utility>

namespace tidegate::limiter {
namespace {

constexpr steady_ns room_interval = 1'000'000'000;

}  // namespace

std::uint64_t burst_of(const config::limit_rule& rule) noexcept {
  if (!(rule.burst > 0)) return 0;
  return rule.burst >= 0x1p63 ? std::uint64_t{1} << 63 : static_cast<std::uint64_t>(rule.burst);
}

rule_state::rule_state(const config::limit_rule& rule, steady_ns now, bool without_burst)
    : clock(rule.rate, now), per_(rule.per), cost_(rule.cost), burst_(burst_of(rule)) {
  if (without_burst) empty_at = clock.minted(now);
}

std::vector<rule_state*> bucket_store::adopt(const std::vector<config::limit_rule>& rules, steady_ns now) {
  const std::lock_guard lock(mutex_);
  const bool without_burst = first_ == first_buckets::empty && !std::exchange(used_, true);
  std::vector<rule_state*> out;
  out.reserve(rules.size());
  for (const config::limit_rule& rule : rules) out.push_back(&adopt(rule, now, without_burst));
  return out;
}

rule_state& bucket_store::adopt(const config::limit_rule& rule, steady_ns now, bool without_burst) {
  std::unique_ptr<rule_state>& place = rules_[rule.name];
  if (!place) {
    place = std::make_unique<rule_state>(rule, now, without_burst || rule.begins_empty);
  } else if (place->per_ != rule.per || place->cost_ != rule.cost || !place->clock.suits(rule.rate)) {
    former_.push_back(std::exchange(place, std::make_unique<rule_state>(rule, now, true)));
  } else if (place->burst_ != burst_of(rule)) {
    place->burst_ = burst_of(rule);
    for (const auto& [key, one] : place->buckets_) one->set_burst(place->burst_, now);
    if (place->own_) place->own_->set_burst(place->burst_, now);
  }
  set_rate(rule, *place, now);
  return *place;
}

void bucket_store::set_rate(const config::limit_rule& rule, rule_state& state, steady_ns now) {
  const double share = rule.memory ? rate_share(*rule.memory, pressure_.in_force()) : 1;
  const double rate = rule.rate * share;
  // Each change rounds the clock down by less than a unit; none is made without need.
  if (rate < state.clock.tokens_per_second() || rate > state.clock.tokens_per_second()) state.clock.set_rate(rate, now);
}

std::unique_ptr<bucket> bucket_store::make(const rule_state& rule, std::uint32_t workers) {
  auto made = std::make_unique<bucket>(rule.clock, rule.burst_, workers);
  if (rule.empty_at) made->start_empty(*rule.empty_at);
  return made;
}

std::shared_ptr<bucket> bucket_store::find(rule_state& rule, bucket_kind kind, std::string_view key,
                                           std::uint32_t workers, steady_ns now) {
  std::string name(1, static_cast<char>(kind));
  name += key;
  const std::lock_guard lock(mutex_);
  if (const auto known = rule.buckets_.find(name); known != rule.buckets_.end()) return known->second;
  if (size_ >= buckets_max) make_room(now);
  if (size_ >= buckets_max) return nullptr;
  ++size_;
  return rule.buckets_.emplace(std::move(name), make(rule, workers)).first->second;
}

std::shared_ptr<bucket> bucket_store::own(rule_state& rule, std::uint32_t workers, steady_ns) {
  const std::lock_guard lock(mutex_);
  if (!rule.own_) rule.own_ = make(rule, workers);
  return rule.own_;
}

void bucket_store::make_room(steady_ns now) {
  // Otherwise a client that invents names would buy a look through all buckets with each of them.
  if (looked_for_room_ && now - *looked_for_room_ < room_interval) return;
  looked_for_room_ = now;
  const auto forget = [&](rule_state& rule) {
    // New users come through find() alone, which is locked out here; a use count of 1 stays 1.
    size_ -= std::erase_if(rule.buckets_, [&](const auto& item) {
      const std::shared_ptr<bucket>& one = item.second;
      return one.use_count() == 1 && !one->anybody_waits() && one->full(now);
    });
  };
  for (const auto& [name, rule] : rules_) forget(*rule);
  for (const auto& rule : former_) forget(*rule);
}

void bucket_store::set_memory(double used_fraction, const std::vector<config::limit_rule>& rules,
                              const std::vector<rule_state*>& states, steady_ns now) {
  const std::lock_guard lock(mutex_);
  pressure_.read(used_fraction);
  for (std::size_t i = 0; i < states.size(); ++i) set_rate(rules[i], *states[i], now);
}

std::size_t bucket_store::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

std::shared_ptr<bucket_store> make_bucket_store(first_buckets first) {
  return std::make_shared<bucket_store>(first);
}

}  // namespace tidegate::limiter
