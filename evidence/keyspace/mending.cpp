#include "evidence/keyspace/mending.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace tidegate::keyspace {
namespace {

std::vector<std::string> globs_of(const std::vector<mending_rule>& rules) {
  std::vector<std::string> globs;
  for (const mending_rule& rule : rules) globs.push_back(rule.pattern);
  return globs;
}

std::int64_t seconds_of(std::chrono::milliseconds ttl, double jitter, std::uint64_t hash) {
  // The upper half: the lower bits choose what seen_keys samples, and must not choose the TTL too.
  const double share = static_cast<double>(hash >> 32U) / 4294967296.0;
  const double shortened = static_cast<double>(ttl.count()) * (1.0 - jitter * share);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(shortened / 1000.0)));
}

}  // namespace

std::string wrong_with(const std::vector<mending_rule>& rules) {
  if (rules.empty()) return "there is no rule: give --pattern with --default or --max, or `ttl:` rules in the file";
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const mending_rule& rule = rules[i];
    const std::string about = "pattern " + rule.pattern + ": ";
    if (rule.pattern.empty()) return "an empty pattern matches nothing; \"*\" is every key";
    if (!rule.default_ttl && !rule.max_ttl) return about + "neither a default nor a max: nothing would be done";
    for (const auto& ttl : {rule.default_ttl, rule.max_ttl}) {
      if (ttl && *ttl < std::chrono::seconds(1)) return about + "a TTL below one second would delete the keys";
    }
    if (rule.default_ttl && rule.max_ttl && *rule.default_ttl > *rule.max_ttl) {
      return about + "the default is above the max; write a default of at most the max";
    }
    if (!(rule.jitter >= 0 && rule.jitter <= 1)) return about + "jitter is a share from 0% to 100%";
    const auto same = [&rule](const mending_rule& other) { return other.pattern == rule.pattern; };
    if (std::any_of(rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(i), same)) return about + "given twice";
  }
  return {};
}

mending::mending(std::vector<mending_rule> rules) : rules_(std::move(rules)), globs_(globs_of(rules_)) {}

verdict mending::decide(std::string_view key, std::int64_t ttl_ms) const noexcept {
  const std::uint32_t index = globs_.longest(key);
  verdict what{.rule = index};
  if (index == attribution::pattern_set::npos) return what;
  const mending_rule& rule = rules_[index];
  if (ttl_ms == ttl_none) {
    what.what = mend::give;
    what.seconds = seconds_of(rule.default_ttl ? *rule.default_ttl : *rule.max_ttl, rule.jitter, key_hash(key));
  } else if (rule.max_ttl && ttl_ms > rule.max_ttl->count()) {
    what.what = mend::cut;
    what.seconds = seconds_of(*rule.max_ttl, rule.jitter, key_hash(key));
  }
  return what;
}

bool mending::covers(std::string_view key) const noexcept {
  return globs_.longest(key) != attribution::pattern_set::npos;
}

std::string mending::scan_match() const {
  if (rules_.size() == 1) {
    std::string match = redis_glob(rules_.front().pattern);
    return match == "*" ? std::string() : match;
  }
  std::string_view shared = rules_.empty() ? std::string_view() : std::string_view(rules_.front().pattern);
  for (const mending_rule& rule : rules_) {
    const auto end = std::mismatch(shared.begin(), shared.end(), rule.pattern.begin(), rule.pattern.end()).first;
    shared = shared.substr(0, static_cast<std::size_t>(end - shared.begin()));
  }
  shared = shared.substr(0, std::min(shared.find_first_of("*?"), shared.size()));
  return shared.empty() ? std::string() : redis_glob(shared) + "*";
}

std::string redis_glob(std::string_view glob) {
  std::string out;
  for (const char c : glob) {
    if (c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::uint64_t key_hash(std::string_view key) noexcept {
  // libstdc++'s is MurmurHash64A; one round of splitmix64 makes up for its weak low bits on short keys.
  std::uint64_t hash = std::hash<std::string_view>{}(key) + 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31U);
}

}  // namespace tidegate::keyspace
