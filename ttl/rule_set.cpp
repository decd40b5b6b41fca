#include "ttl/rule_set.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "ttl/time_argument.hpp"

namespace tidegate::ttl {
namespace {

constexpr std::uint32_t npos = attribution::pattern_set::npos;

// A plan that served one huge MSET gives its memory back; below this it keeps what it has.
constexpr std::size_t follow_ups_kept_max = 65536;

// Rounding a moment down to a whole second takes up to a second from a TTL: from a maximum below this, too large a
// part.
constexpr std::int64_t rounded_down_ms_min = 10'000;

// SplitMix64: whatever bits the caller has become evenly spread ones.
std::uint64_t mix(std::uint64_t bits) noexcept {
  bits += 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31);
}

// In [ttl x (1 - jitter), ttl]. Whole seconds stay whole seconds as long as that leaves a choice: EX reads better than
// PX.
std::int64_t jittered(std::int64_t ttl_ms, double jitter, std::uint64_t random) noexcept {
  const double wanted = static_cast<double>(ttl_ms) * std::clamp(jitter, 0.0, 1.0);
  // A double above 2^53 may round past the TTL itself.
  const std::int64_t span =
      wanted >= static_cast<double>(ttl_ms) ? ttl_ms : std::min(static_cast<std::int64_t>(wanted), ttl_ms);
  const std::int64_t unit = ttl_ms % 1000 == 0 && span >= 1000 ? 1000 : 1;
  const auto choices = static_cast<std::uint64_t>(span / unit) + 1;
  const auto less = static_cast<std::int64_t>(mix(random) % choices) * unit;
  return std::max(ttl_ms - less, unit);
}

// Seeded, so that a client cannot choose keys that meet in one place of the table.
std::uint64_t hash_key(std::string_view key, std::uint64_t seed) noexcept {
  std::uint64_t hash = seed ^ (key.size() * 0x9e3779b97f4a7c15U);
  while (!key.empty()) {
    std::uint64_t piece = 0;
    const std::size_t size = std::min(key.size(), sizeof piece);
    std::memcpy(&piece, key.data(), size);
    hash = mix(hash ^ piece);
    key.remove_prefix(size);
  }
  return hash;
}

bool writes(const resp::key_ref& key) noexcept {
  return (std::to_underlying(key.access) & std::to_underlying(resp::key_access::write)) != 0;
}

// One call of rule_set::decide.
class decision {
 public:
  decision(const rule_set& rules, const resp::request& request, std::span<const resp::key_ref> keys,
           std::chrono::milliseconds wall, std::uint64_t random, plan& out) noexcept
      : rules_(rules), request_(request), keys_(keys), wall_(wall), random_(random), out_(out) {}

  void run(resp::ttl_effect effect) noexcept;

 private:
  struct target {
    std::uint32_t key_index = 0;
    std::uint32_t rule = npos;
    const config::ttl_rule* how = nullptr;  // nullptr: no rule
  };
  // What the key may be like behind the command, and so which follow-ups it needs.
  enum class state : std::uint8_t {
    anything,    // no TTL, or a long one
    without,     // no TTL, if the command did anything
    maybe_long,  // a TTL, perhaps a long one; or what it was before
  };

  [[nodiscard]] target target_of(std::uint32_t key_index) const noexcept {
    const std::uint32_t rule = rules_.rule_for(request_[key_index]);
    return {key_index, rule, rule == npos ? nullptr : &rules_.rule(rule)};
  }
  // The key of the commands that have only one.
  [[nodiscard]] target only_key() const noexcept { return target_of(keys_.front().index); }

  void set() noexcept;
  void getex() noexcept;
  void restore() noexcept;
  void expire(time_argument time) noexcept;
  void every_written(bool without_ttl) noexcept;

  void inject(const target& key) noexcept;
  void set_time(const target& key, time_argument time, state if_unreadable) noexcept;
  void cut(const target& key, time_argument time) noexcept;
  bool refuse(const target& key) noexcept;
  void leaves(const target& key, state after) noexcept;
  void follow(const target& key, state after) noexcept;
  void push(const target& key, follow_up::what kind, std::int64_t ttl_ms) noexcept;
  [[nodiscard]] bool first_sight(std::uint32_t key_index) noexcept;
  [[nodiscard]] bool observed(const target& key, bool caps) noexcept;
  [[nodiscard]] std::int64_t injected_ms(const target& key) const noexcept;

  const rule_set& rules_;
  const resp::request& request_;
  std::span<const resp::key_ref> keys_;
  std::chrono::milliseconds wall_;
  std::uint64_t random_;
  plan& out_;
};

void decision::run(resp::ttl_effect effect) noexcept {
  using resp::ttl_effect;
  switch (effect) {
    case ttl_effect::none:
      return;
    case ttl_effect::set:
      return set();
    case ttl_effect::setex:
      return set_time(only_key(), {.index = 2, .milliseconds = false, .absolute = false}, state::anything);
    case ttl_effect::psetex:
      return set_time(only_key(), {.index = 2, .milliseconds = true, .absolute = false}, state::anything);
    case ttl_effect::clears:
    case ttl_effect::keeps:
      return every_written(true);
    case ttl_effect::moves:
      return every_written(false);
    case ttl_effect::restore:
      return restore();
    case ttl_effect::expire:
      return expire({.index = 2, .milliseconds = false, .absolute = false});
    case ttl_effect::pexpire:
      return expire({.index = 2, .milliseconds = true, .absolute = false});
    case ttl_effect::expireat:
      return expire({.index = 2, .milliseconds = false, .absolute = true});
    case ttl_effect::pexpireat:
      return expire({.index = 2, .milliseconds = true, .absolute = true});
    case ttl_effect::persist:
      out_.without_ttl = true;
      return leaves(only_key(), state::without);
    case ttl_effect::getex:
      return getex();
  }
}

void decision::set() noexcept {
  const string_options options = read_set_options(request_);
  const target key = only_key();
  out_.without_ttl = options.time.index == 0;
  // An option of a later Redis may do anything with the TTL: not ours to refuse, nor to put words behind.
  if (!options.understood) return follow(key, state::anything);
  if (options.time.index != 0) return set_time(key, options.time, state::anything);
  if (options.keep_ttl) return leaves(key, state::anything);
  inject(key);
}

void decision::getex() noexcept {
  const string_options options = read_getex_options(request_);
  if (!options.understood) return follow(only_key(), state::anything);
  if (options.time.index != 0) return set_time(only_key(), options.time, state::anything);
  if (!options.persist) return;
  out_.without_ttl = true;
  leaves(only_key(), state::without);
}

void decision::restore() noexcept {
  const target key = only_key();
  const restore_options options = read_restore_options(request_);
  if (!options.understood) return follow(key, state::anything);
  if (read_integer(request_[2]) == 0) {
    out_.without_ttl = true;
    return leaves(key, state::anything);
  }
  const time_argument time{.index = 2, .milliseconds = true, .absolute = options.absolute};
  const time_reading reading = read_time(request_[2], time, wall_);
  if (reading.what == time_reading::kind::none_or_past) return;
  out_.sets_ttl_ms = reading.ttl_ms;
  if (key.how == nullptr) return;
  if (reading.what == time_reading::kind::unreadable) return follow(key, state::anything);
  // Not cut in place: the payload may be large, and ABSTTL may stand behind it.
  if (key.how->max_ttl && reading.ttl_ms > key.how->max_ttl->count()) follow(key, state::maybe_long);
}

void decision::expire(time_argument time) noexcept {
  if (request_.size() == 3) return set_time(only_key(), time, state::maybe_long);
  // NX, XX, GT or LT compare with what the key has; with another number the answer could be another.
  const time_reading reading = read_time(request_[time.index], time, wall_);
  if (reading.what == time_reading::kind::none_or_past) return;
  out_.sets_ttl_ms = reading.ttl_ms;
  follow(only_key(), state::maybe_long);
}

void decision::every_written(bool without_ttl) noexcept {
  const auto written = std::ranges::count_if(keys_, writes);
  if (written == 0) return;
  out_.without_ttl = without_ttl;
  if (rules_.empty()) return;
  if (written > 1) out_.seen.assign(std::bit_ceil(static_cast<std::size_t>(written) * 2), 0);
  for (const resp::key_ref& ref : keys_) {
    if (!writes(ref)) continue;
    const target key = target_of(ref.index);
    if (key.how == nullptr || (written > 1 && !first_sight(ref.index))) continue;
    leaves(key, state::anything);
    if (out_.refused) return;
  }
}

// Open addressing over the argument indexes; 0, the command's name, is no key and marks a free place.
bool decision::first_sight(std::uint32_t key_index) noexcept {
  const std::string_view key = request_[key_index];
  const std::size_t mask = out_.seen.size() - 1;
  std::size_t place = hash_key(key, random_) & mask;
  while (out_.seen[place] != 0) {
    if (request_[out_.seen[place]] == key) return false;
    place = (place + 1) & mask;
  }
  out_.seen[place] = key_index;
  return true;
}

// SET without a word on TTLs: the one write that can carry ours.
void decision::inject(const target& key) noexcept {
  if (key.how == nullptr || refuse(key)) return;
  const std::int64_t ttl_ms = injected_ms(key);
  if (ttl_ms == 0 || observed(key, false)) return;
  const bool whole = ttl_ms % 1000 == 0;
  out_.rule = key.rule;
  out_.rewrite.kind = rewrite::what::append;
  out_.rewrite.option = whole ? 0 : 1;
  out_.rewrite.value = whole ? ttl_ms / 1000 : ttl_ms;
}

void decision::set_time(const target& key, time_argument time, state if_unreadable) noexcept {
  const time_reading reading = read_time(request_[time.index], time, wall_);
  if (reading.what == time_reading::kind::none_or_past) return;
  if (reading.what == time_reading::kind::unreadable) return follow(key, if_unreadable);
  out_.sets_ttl_ms = reading.ttl_ms;
  if (key.how != nullptr && key.how->max_ttl && reading.ttl_ms > key.how->max_ttl->count()) cut(key, time);
}

void decision::cut(const target& key, time_argument time) noexcept {
  if (observed(key, true)) return;
  const std::int64_t max_ms = key.how->max_ttl->count();
  // No overflow: the client's own moment lies behind this one. A moment trusts our clock, as the client's did its own;
  // a proxy whose clock is behind by more than `max` would delete the key.
  const std::int64_t limit = time.absolute ? wall_.count() + max_ms : max_ms;
  std::int64_t value = limit;
  if (!time.milliseconds) {
    value = limit / 1000;
    // Rounded up where down would be 0, which Redis refuses, or a moment that may be past and deletes the key.
    const bool up = time.absolute ? max_ms < rounded_down_ms_min : value == 0;
    if (up && limit % 1000 != 0) {
      ++value;
      follow(key, state::maybe_long);
    }
  }
  if (read_integer(request_[time.index]) == value) return;
  out_.rule = key.rule;
  out_.rewrite_caps = true;
  out_.rewrite.kind = rewrite::what::replace;
  out_.rewrite.index = time.index;
  out_.rewrite.value = value;
}

// Whether `require` says the last word on a write that may leave no TTL; in observe mode it only says it.
bool decision::refuse(const target& key) noexcept {
  if (!key.how->require || key.how->default_ttl) return false;
  if (observed(key, false)) return true;
  out_.refused = true;
  out_.rule = key.rule;
  out_.follow_ups.clear();
  out_.would.clear();
  return true;
}

void decision::leaves(const target& key, state after) noexcept {
  if (key.how == nullptr || refuse(key)) return;
  follow(key, after);
}

void decision::follow(const target& key, state after) noexcept {
  if (key.how == nullptr) return;
  const bool has_max = key.how->max_ttl.has_value();
  const std::int64_t max_ms = has_max ? key.how->max_ttl->count() : 0;
  // EXPIRE … LT takes a key without a TTL for one that lives forever: under a max alone it does for both.
  const std::int64_t default_ms = after == state::maybe_long || !key.how->default_ttl ? 0 : injected_ms(key);
  const bool injects = default_ms != 0 && (!has_max || default_ms < max_ms);
  const bool caps = has_max && (after != state::without || !injects);
  if (!injects && !caps) return;
  if (observed(key, !injects)) return;
  if (injects) push(key, follow_up::what::default_nx, default_ms);
  if (caps) push(key, follow_up::what::max_lt, max_ms);
}

void decision::push(const target& key, follow_up::what kind, std::int64_t ttl_ms) noexcept {
  out_.follow_ups.push_back({key.key_index, key.rule, kind, ttl_ms});
}

bool decision::observed(const target& key, bool caps) noexcept {
  if (key.how->mode != config::ttl_mode::observe) return false;
  out_.would.push_back({key.rule, caps});
  return true;
}

// The TTL for a key that has none; 0 when the rule knows of none. Each key of a command draws its own.
std::int64_t decision::injected_ms(const target& key) const noexcept {
  std::int64_t ttl_ms = 0;
  if (key.how->max_ttl) ttl_ms = key.how->max_ttl->count();
  if (key.how->default_ttl && (ttl_ms == 0 || key.how->default_ttl->count() < ttl_ms)) {
    ttl_ms = key.how->default_ttl->count();
  }
  return ttl_ms == 0 ? 0 : jittered(ttl_ms, key.how->jitter, random_ + key.key_index);
}

std::vector<std::string> active_patterns(const std::vector<config::ttl_rule>& rules) {
  std::vector<std::string> patterns;
  for (const config::ttl_rule& rule : rules) {
    if (rule.mode != config::ttl_mode::off) patterns.push_back(rule.pattern);
  }
  return patterns;
}

}  // namespace

void plan::clear() noexcept {
  rule = npos;
  rewrite = {};
  rewrite_caps = refused = without_ttl = false;
  sets_ttl_ms = 0;
  follow_ups.clear();
  would.clear();
  if (follow_ups.capacity() > follow_ups_kept_max) std::vector<follow_up>{}.swap(follow_ups);
  if (would.capacity() > follow_ups_kept_max) std::vector<observed>{}.swap(would);
  if (seen.capacity() > follow_ups_kept_max) std::vector<std::uint32_t>{}.swap(seen);
}

rule_set::rule_set(const std::vector<config::ttl_rule>& rules) : rules_(rules), patterns_(active_patterns(rules)) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].mode != config::ttl_mode::off) active_.push_back(i);
  }
}

void rule_set::decide(const resp::command_spec& spec, const resp::request& request, std::span<const resp::key_ref> keys,
                      std::chrono::milliseconds wall, std::uint64_t random, plan& out) const noexcept {
  out.clear();
  // With a wrong arity Redis does not run it.
  if (spec.ttl == resp::ttl_effect::none || keys.empty() || !spec.arity_ok(request.size())) return;
  decision(*this, request, keys, wall, random, out).run(spec.ttl);
}

bool rule_set::may_act_on(std::string_view key) const noexcept {
  return std::ranges::any_of(active_, [&](std::uint32_t index) {
    const std::string_view pattern = rules_[index].pattern;
    const std::string_view literal = pattern.substr(0, pattern.find_first_of("*?"));
    const std::size_t shared = std::min(literal.size(), key.size());
    return literal.substr(0, shared) == key.substr(0, shared);
  });
}

std::uint32_t rule_set::rule_for(std::string_view key) const noexcept {
  if (active_.empty()) return npos;
  const std::uint32_t pattern = patterns_.longest(key);
  return pattern == attribution::pattern_set::npos ? npos : active_[pattern];
}

}  // namespace tidegate::ttl
