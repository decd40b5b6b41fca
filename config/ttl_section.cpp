#include <map>

#include "config/sections.hpp"

namespace tidegate::config {
namespace {

constexpr std::string_view rule_example = R"({ pattern: "tmp:*", default: 60d })";

void read_times(reading& in, const section& one, ttl_rule& out) {
  const std::size_t before = in.mistakes();
  const auto default_ttl = one.find("default");
  if (default_ttl) {
    milliseconds value{};
    if (in.duration(*default_ttl, milliseconds(1), duration_max, value)) out.default_ttl = value;
  }
  if (const auto it = one.find("max")) {
    milliseconds value{};
    if (in.duration(*it, milliseconds(1), duration_max, value)) out.max_ttl = value;
  }
  if (in.mistakes() == before && out.default_ttl && out.max_ttl && *out.default_ttl > *out.max_ttl) {
    in.book(*default_ttl, "default is above max; write a default of at most max");
  }
}

void read_rule(reading& in, const section& one, ttl_rule& out) {
  const std::size_t before = in.mistakes();
  read_times(in, one, out);
  if (const auto it = one.find("require")) in.boolean(*it, out.require);
  const auto jitter = one.find("jitter");
  if (jitter) in.fraction(*jitter, out.jitter);
  if (const auto it = one.find("mode")) {
    in.choice<ttl_mode>(*it, {{"off", ttl_mode::off}, {"observe", ttl_mode::observe}, {"enforce", ttl_mode::enforce}},
                        out.mode);
  }
  if (in.mistakes() != before) return;
  const bool gives = out.default_ttl || out.max_ttl;
  if (!gives && !out.require) {
    in.book(one.where(), "an empty rule: it asks for nothing; add default: 60d, max: 90d or require: true");
  } else if (jitter && !gives) {
    in.book(*jitter, "there is no TTL to vary; add default: or max:, or remove jitter");
  }
}

}  // namespace

void read_ttl(reading& in, const place& at, std::vector<ttl_rule>& out) {
  std::map<std::string, std::uint32_t> seen;
  for (const place& item : in.list(at, rule_example, ttl_rules_max)) {
    if (item.is(node_kind::null) || (item.is(node_kind::mapping) && item.value->entries.empty())) {
      in.book(item, "an empty rule; remove it, or write " + std::string(rule_example));
      continue;
    }
    section one(in, item, {"pattern", "default", "max", "jitter", "require", "mode"}, rule_example);
    if (!one.readable()) continue;
    ttl_rule made;
    made.line = item.line;
    read_rule(in, one, made);
    const auto pattern = one.need("pattern", R"(pattern: "tmp:*")");
    if (!pattern || !in.text(*pattern, glob_example, pattern_bytes_max, made.pattern)) continue;
    const auto [first, is_new] = seen.emplace(made.pattern, pattern->line);
    if (!is_new) {
      in.book(*pattern, "the pattern has a rule already, on line " + std::to_string(first->second) + "; join the two");
    }
    if (!made.pattern.ends_with('*')) {
      in.warn(pattern->line, pattern->key,
              "does not end in *: it covers single keys, not a family; write \"prefix:*\" if "
              "that is meant");
    }
    out.push_back(std::move(made));
  }
}

}  // namespace tidegate::config
