#include "policy/snapshot.hpp"

namespace tidegate::policy {
namespace {

std::vector<attribution::pattern_number> intern_all(attribution::registry& registry,
                                                    const std::vector<std::string>& patterns) {
  std::vector<attribution::pattern_number> numbers;
  numbers.reserve(patterns.size());
  for (const std::string& pattern : patterns) numbers.push_back(registry.intern_pattern(pattern));
  return numbers;
}

}  // namespace

std::shared_ptr<const snapshot> make_snapshot(std::shared_ptr<const config::config> config, const foundations& base,
                                              std::uint64_t generation, limiter::steady_ns now,
                                              std::vector<config::limit_rule> caps) {
  auto next = std::make_shared<snapshot>();
  next->generation = generation;
  next->commands = base.commands;
  next->expire_options = base.expire_options;
  std::vector<config::limit_rule> rules = std::move(caps);
  rules.insert(rules.end(), config->limits.begin(), config->limits.end());
  next->limits = std::make_shared<limiter::rule_set>(rules, base.buckets, base.commands, config->workers, now);
  next->ttl = std::make_shared<const ttl::rule_set>(config->ttl);
  next->ladder = std::make_shared<const attribution::ladder>(config->attribution);
  next->patterns = std::make_shared<const attribution::pattern_set>(config->attribution.patterns);
  // The configured patterns are interned first of all: what clients write later can only overflow behind them.
  next->pattern_numbers = intern_all(*base.registry, config->attribution.patterns);
  std::vector<std::string> ttl_patterns;
  ttl_patterns.reserve(config->ttl.size());
  for (const config::ttl_rule& rule : config->ttl) ttl_patterns.push_back(rule.pattern);
  next->ttl_pattern_numbers = intern_all(*base.registry, ttl_patterns);
  next->config = std::move(config);
  return next;
}

}  // namespace tidegate::policy
