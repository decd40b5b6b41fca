#include "policy/evaluator.hpp"

#include <array>
#include <string_view>

namespace tidegate::policy {

namespace {

constexpr std::size_t inferred_bytes_max = 64;

// FNV-1a: short texts, no dependency, and the numbers behind it are compared in full.
std::size_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return static_cast<std::size_t>(hash ^ (hash >> 29));
}

}  // namespace

evaluator::evaluator(attribution::registry& registry)
    : registry_(registry), inferred_(cache_places, attribution::other_pattern) {}

void evaluator::use(const snapshot& now) noexcept {
  snapshot_ = &now;
  readings_.clear();
  named_.assign(now.commands->size(), false);
  for (const limiter::rule& rule : now.limits->rules()) {
    for (std::size_t id = 0; id < rule.commands.size() && id < named_.size(); ++id) {
      if (rule.commands[id]) named_[id] = true;
    }
  }
}

attribution::pattern_number evaluator::pattern_of(std::string_view key) noexcept {
  const std::uint32_t configured = snapshot_->patterns->longest(key);
  if (configured != attribution::pattern_set::npos) return snapshot_->pattern_numbers[configured];

  std::array<char, inferred_bytes_max> text;
  const std::string_view inferred{text.data(), attribution::infer_pattern(key, text.data(), text.size())};
  std::size_t place = hash_of(inferred) % cache_places;
  // The table is never more than half full: the registry gives at most patterns_max numbers.
  for (std::size_t step = 0; step < cache_places; ++step, place = (place + 1) % cache_places) {
    const attribution::pattern_number number = inferred_[place];
    if (number == attribution::other_pattern) break;
    if (registry_.pattern_name(number) == inferred) return number;
  }
  const attribution::pattern_number number = registry_.intern_pattern(inferred);
  if (number != attribution::other_pattern) inferred_[place] = number;
  return number;
}

const command& evaluator::read(const resp::command_spec& spec, const resp::request& request) noexcept {
  command_.spec = &spec;
  command_.pattern = attribution::other_pattern;
  command_.bytes = 0;
  for (std::size_t index = 1; index < request.size(); ++index) command_.bytes += request.refs[index].length;
  if (spec.keys != resp::key_layout::none && resp::find_keys(spec, request, keys_)) {
    command_.keys = keys_;
    if (!keys_.empty()) command_.pattern = pattern_of(request[keys_.front().index]);
  } else {
    keys_.clear();
    command_.keys = {};
  }
  command_.elements = resp::count_elements(spec, request, command_.keys);
  return command_;
}

const ttl::plan& evaluator::plan_ttl(const resp::request& request, std::chrono::milliseconds wall) noexcept {
  // xorshift64: jitter spreads expiry, it guards nothing.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  plan_.clear();
  snapshot_->ttl->decide(*command_.spec, request, command_.keys, wall, random_, plan_);
  return plan_;
}

limiter::charges& evaluator::limits(const limiter::binding& session, const resp::request& request) noexcept {
  charges_.size = 0;
  if (!snapshot_->limits->empty()) {
    snapshot_->limits->match(session, *command_.spec, request, command_.keys, command_.pattern, charges_);
  }
  return charges_;
}

}  // namespace tidegate::policy
