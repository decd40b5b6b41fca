#include "ttl/rule_set.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "tests/ttl/decider.hpp"

namespace {
std::size_t allocations = 0;
}

// The whole program's: what decide allocates, wherever it does, is counted.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace tidegate::ttl {
namespace {

TEST(rule_set, counts_without_any_rule_what_a_write_leaves) {
  decider rules({});
  EXPECT_EQ(rules.decide_text(words("SET k v")), "without");
  EXPECT_EQ(rules.decide_text(words("MSET a 1 b 2")), "without");
  EXPECT_EQ(rules.decide_text(words("SET k v PX 1500")), "sets 1500");
  EXPECT_EQ(rules.decide_text(words("RENAME a b")), "");
}

TEST(rule_set, keeps_the_indexes_of_the_configuration_beside_rules_that_are_off) {
  using enum config::ttl_mode;
  const rule_set rules({make_rule("a:*", milliseconds{1000}, {}, false, off), make_rule("*", milliseconds{2000}, {}),
                        make_rule("a:b:*", milliseconds{3000}, {}, false, observe)});
  EXPECT_EQ(rules.size(), 3U);
  EXPECT_EQ(rules.rule_for("a:1"), 1U);
  EXPECT_EQ(rules.rule_for("a:b:1"), 2U);
  EXPECT_EQ(rules.rule(rules.rule_for("a:b:1")).default_ttl, milliseconds{3000});
  EXPECT_EQ(rule_set({make_rule("a:*", milliseconds{1000}, {}, false, off)}).rule_for("a:1"),
            attribution::pattern_set::npos);
}

TEST(rule_set, names_the_rule_that_rewrites_refuses_or_follows) {
  decider rules(table_rules());
  EXPECT_EQ(rules.decide(built_request(words("SET b:1 v")).view()).rule, 2U);
  EXPECT_EQ(rules.decide(built_request(words("SETEX m:1 500 v")).view()).rule, 1U);
  EXPECT_EQ(rules.decide(built_request(words("MSET d:1 v r:1 v")).view()).rule, 4U);
  EXPECT_EQ(rules.decide(built_request(words("MSET d:1 v p:1 v")).view()).follow_ups.at(1).rule, 11U);
  EXPECT_EQ(rules.decide(built_request(words("GET d:1")).view()).rule, attribution::pattern_set::npos);
}

TEST(rule_set, says_yes_to_every_beginning_of_a_key_that_a_rule_matches) {
  const rule_set rules({make_rule("user:*:cart", milliseconds{1000}, {}), make_rule("exact", milliseconds{1000}, {}),
                        make_rule("off:*", milliseconds{1000}, {}, false, config::ttl_mode::off)});
  const std::string key = "user:12:cart";
  for (std::size_t size = 0; size <= key.size(); ++size) EXPECT_TRUE(rules.may_act_on(key.substr(0, size))) << size;
  EXPECT_TRUE(rules.may_act_on("ex"));
  EXPECT_FALSE(rules.may_act_on("off:1"));
  EXPECT_FALSE(rules.may_act_on("uses"));
  EXPECT_FALSE(rule_set({}).may_act_on(""));
}

std::set<std::int64_t> drawn(milliseconds default_ttl, double jitter, std::string_view command) {
  config::ttl_rule rule = make_rule("*", default_ttl, {});
  rule.jitter = jitter;
  decider rules({rule});
  const built_request request(words(command));
  std::set<std::int64_t> values;
  for (std::uint64_t random = 0; random < 2000; ++random) {
    const plan& plan = rules.decide(request.view(), random);
    values.insert(plan.follow_ups.empty() ? plan.rewrite.value * (plan.rewrite.option == 0 ? 1000 : 1)
                                          : plan.follow_ups[0].ttl_ms);
  }
  return values;
}

TEST(rule_set, jitter_only_shortens_and_uses_its_whole_range) {
  for (const char* command : {"SET k v", "SADD k v"}) {
    const auto minute = drawn(milliseconds{60'000}, 0.1, command);
    EXPECT_EQ(minute, (std::set<std::int64_t>{54'000, 55'000, 56'000, 57'000, 58'000, 59'000, 60'000}));
    EXPECT_EQ(drawn(milliseconds{10}, 0.5, command), (std::set<std::int64_t>{5, 6, 7, 8, 9, 10}));
    const auto short_one = drawn(milliseconds{5'000}, 0.1, command);  // below a second of choice: milliseconds
    EXPECT_GE(*short_one.begin(), 4'500);
    EXPECT_LE(*short_one.rbegin(), 5'000);
    EXPECT_GT(short_one.size(), 400U);
    EXPECT_EQ(drawn(milliseconds{60'000}, 0, command), (std::set<std::int64_t>{60'000}));
  }
}

TEST(rule_set, full_jitter_never_draws_zero) {
  EXPECT_EQ(drawn(milliseconds{3'000}, 1, "SET k v"), (std::set<std::int64_t>{1'000, 2'000, 3'000}));
  EXPECT_EQ(drawn(milliseconds{3}, 1, "SET k v"), (std::set<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(drawn(milliseconds{1}, 1, "SET k v"), (std::set<std::int64_t>{1}));
  for (const std::int64_t ttl : drawn(milliseconds{9'000'000'000'000'000'000}, 1, "SET k v")) EXPECT_GT(ttl, 0);
}

TEST(rule_set, keys_of_one_command_do_not_expire_together) {
  config::ttl_rule rule = make_rule("*", milliseconds{3'600'000}, {});
  rule.jitter = 0.5;
  decider rules({rule});
  std::vector<std::string> arguments{"MSET"};
  for (int i = 0; i < 100; ++i) arguments.insert(arguments.end(), {"k" + std::to_string(i), "v"});
  std::set<std::int64_t> ttls;
  for (const follow_up& next : rules.decide(built_request(arguments).view()).follow_ups) ttls.insert(next.ttl_ms);
  EXPECT_GT(ttls.size(), 50U);
}

TEST(rule_set, a_maximum_is_not_jittered) {
  config::ttl_rule rule = make_rule("*", {}, milliseconds{100'000});
  rule.jitter = 0.5;
  decider rules({rule});
  for (std::uint64_t random = 0; random < 100; ++random) {
    EXPECT_EQ(rules.decide(built_request(words("SET k v EX 500")).view(), random).rewrite.value, 100);
    EXPECT_EQ(rules.decide(built_request(words("SADD k v")).view(), random).follow_ups.at(0).ttl_ms, 100'000);
  }
}

TEST(rule_set, a_default_above_the_maximum_is_held_to_it) {
  decider rules({make_rule("*", milliseconds{500'000}, milliseconds{100'000})});
  EXPECT_EQ(rules.decide_text(words("SET k v")), "+EX 100; without");
  EXPECT_EQ(rules.decide_text(words("SADD k v")), "k lt 100000; without");
}

TEST(rule_set, follows_each_distinct_key_of_a_huge_mset_once) {
  decider rules({make_rule("*", milliseconds{60'000}, {})});
  std::vector<std::string> arguments{"MSET"};
  // A quadratic search would need 10^10 comparisons of 1 KB that differ at their ends.
  const std::string prefix(1000, 'k');
  for (int i = 0; i < 100'000; ++i) arguments.insert(arguments.end(), {prefix + std::to_string(i % 50'000), "v"});
  const built_request request(arguments);
  const plan& plan = rules.decide(request.view());
  ASSERT_EQ(plan.follow_ups.size(), 50'000U);
  for (std::size_t i = 0; i < plan.follow_ups.size(); ++i) ASSERT_EQ(plan.follow_ups[i].key_index, 1 + 2 * i);
}

TEST(rule_set, a_plan_gives_the_memory_of_a_huge_command_back) {
  plan plan;
  plan.follow_ups.resize(100'000);
  plan.seen.resize(1'000'000);
  plan.clear();
  EXPECT_EQ(plan.follow_ups.capacity(), 0U);
  EXPECT_EQ(plan.seen.capacity(), 0U);
  plan.follow_ups.resize(1000);
  plan.clear();
  EXPECT_GE(plan.follow_ups.capacity(), 1000U);
}

TEST(rule_set, allocates_nothing_once_its_plan_has_grown) {
  decider rules(table_rules());
  const built_request requests[] = {built_request(words("MSET b:1 v b:2 v b:1 w ob:1 v p:1 v")),
                                    built_request(words("SET b:1 v")),
                                    built_request(words("SET b:1 v EX 500")),
                                    built_request(words("SADD b:1 a")),
                                    built_request(words("SADD r:1 a")),
                                    built_request(words("RENAME free b:1")),
                                    built_request(words("GET b:1"))};
  for (const built_request& request : requests) rules.decide(request.view());
  const std::size_t before = allocations;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    for (const built_request& request : requests) rules.decide(request.view(), i);
  }
  EXPECT_EQ(allocations, before);
  ::operator delete(::operator new(1));
  EXPECT_EQ(allocations, before + 1) << "the counter does not count";
}

TEST(rule_set, every_command_that_may_leave_no_ttl_is_followed_rewritten_or_refused) {
  // Over the whole table: whoever adds a row with an effect on TTLs gets it handled, or hears of it here.
  decider rules({make_rule("*", milliseconds{60'000}, {})});
  const std::map<std::string_view, std::vector<std::string>> special{
      {"sort", words("SORT k STORE d")},
      {"georadius", words("GEORADIUS k 1 1 1 km STORE d")},
      {"georadiusbymember", words("GEORADIUSBYMEMBER k m 1 km STORE d")},
      {"xreadgroup", words("XREADGROUP GROUP g c STREAMS k >")}};
  std::vector<resp::key_ref> keys;
  for (const resp::command_spec& spec : resp::builtin_commands()) {
    using resp::ttl_effect;
    if (spec.ttl != ttl_effect::clears && spec.ttl != ttl_effect::keeps && spec.ttl != ttl_effect::moves) continue;
    std::vector<std::string> arguments;
    if (const auto found = special.find(spec.name); found != special.end()) {
      arguments = found->second;
    } else {
      const auto least = static_cast<std::size_t>(spec.arity < 0 ? -spec.arity : spec.arity);
      const std::size_t bar = spec.name.find('|');
      arguments.emplace_back(spec.name.substr(0, bar));
      if (bar != std::string_view::npos) arguments.emplace_back(spec.name.substr(bar + 1));
      while (arguments.size() < least || arguments.size() < 6) {
        if (spec.arity > 0 && arguments.size() == least) break;
        arguments.emplace_back("1");
      }
      if (spec.key_step == 2 && arguments.size() % 2 == 0) arguments.emplace_back("1");
    }
    const built_request request(arguments);
    const plan& plan = rules.decide(request.view());
    EXPECT_FALSE(plan.follow_ups.empty()) << spec.name;
  }
}

}  // namespace
}  // namespace tidegate::ttl
