// What the tests of rule_set share: the rules of the tables, one call of decide, and a plan as one line of text.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/ttl/built_request.hpp"
#include "ttl/rule_set.hpp"

namespace tidegate::ttl {

using std::chrono::milliseconds;

inline constexpr milliseconds wall{1'700'000'000'250};

inline config::ttl_rule make_rule(std::string pattern, std::optional<milliseconds> default_ttl,
                                  std::optional<milliseconds> max_ttl, bool require = false,
                                  config::ttl_mode mode = config::ttl_mode::enforce) {
  config::ttl_rule rule;
  rule.pattern = std::move(pattern);
  rule.default_ttl = default_ttl;
  rule.max_ttl = max_ttl;
  rule.require = require;
  rule.mode = mode;
  return rule;
}

// d: default, m: max, b: both, e: both and equal, r: require, and so on.
inline std::vector<config::ttl_rule> table_rules() {
  constexpr auto none = std::nullopt;
  constexpr milliseconds minute{60'000};
  constexpr milliseconds most{100'000};
  using enum config::ttl_mode;
  return {make_rule("d:*", minute, none),
          make_rule("m:*", none, most),
          make_rule("b:*", minute, most),
          make_rule("e:*", minute, minute),
          make_rule("r:*", none, none, true),
          make_rule("rd:*", minute, none, true),
          make_rule("rm:*", none, most, true),
          make_rule("ob:*", minute, most, false, observe),
          make_rule("or:*", none, none, true, observe),
          make_rule("of:*", minute, most, true, off),
          make_rule("d:of:*", milliseconds{1}, none, false, off),
          make_rule("p:*", milliseconds{1500}, none),
          make_rule("s:*", none, milliseconds{500}),
          make_rule("s5:*", none, milliseconds{5000}),
          make_rule("b:long:*", milliseconds{90'000}, none),
          make_rule("x:*", none, none)};
}

// One line for a plan, so that a table row shows all of it: what differs from "nothing to do" and no more.
inline std::string text_of(const plan& plan, const resp::request& request) {
  std::string text;
  const auto add = [&](const std::string& piece) { text += (text.empty() ? "" : "; ") + piece; };
  if (plan.refused) add("refuse");
  if (plan.rewrite.kind == rewrite::what::append) {
    add((plan.rewrite.option == 0 ? "+EX " : "+PX ") + std::to_string(plan.rewrite.value));
  }
  if (plan.rewrite.kind == rewrite::what::replace) {
    add("[" + std::to_string(plan.rewrite.index) + "]=" + std::to_string(plan.rewrite.value));
  }
  if (plan.rewrite_caps) add("caps");
  for (const follow_up& next : plan.follow_ups) {
    add(std::string(request[next.key_index]) + (next.kind == follow_up::what::default_nx ? " nx " : " lt ") +
        std::to_string(next.ttl_ms));
  }
  for (const plan::observed& would : plan.would) add(would.caps ? "would cap" : "would inject");
  if (plan.without_ttl) add("without");
  if (plan.sets_ttl_ms != 0) add("sets " + std::to_string(plan.sets_ttl_ms));
  return text;
}

class decider {
 public:
  explicit decider(const std::vector<config::ttl_rule>& rules) : rules_(rules) {}

  const plan& decide(const resp::request& request, std::uint64_t random = 7) {
    const resp::command_spec& spec = commands_->find(request);
    resp::find_keys(spec, request, keys_);
    rules_.decide(spec, request, keys_, wall, random, plan_);
    return plan_;
  }
  std::string decide_text(const std::vector<std::string>& arguments) {
    const built_request request(arguments);
    return text_of(decide(request.view()), request.view());
  }

 private:
  rule_set rules_;
  std::shared_ptr<const resp::command_table> commands_ = resp::command_table::builtin();
  std::vector<resp::key_ref> keys_;
  plan plan_;
};

}  // namespace tidegate::ttl
