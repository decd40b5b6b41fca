#include "ttl/rule_set.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <new>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/ttl/built_request.hpp"

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

using std::chrono::milliseconds;

constexpr milliseconds wall{1'700'000'000'250};

config::ttl_rule make_rule(std::string pattern, std::optional<milliseconds> default_ttl,
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
std::vector<config::ttl_rule> table_rules() {
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
std::string text_of(const plan& plan, const resp::request& request) {
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

struct row {
  const char* command;
  const char* plan;
};

// ctest makes a name of it, and takes some characters for its own.
void PrintTo(const row& row, std::ostream* out) {
  for (const char* c = row.command; *c != '\0'; ++c) *out << (*c == '*' || *c == '$' ? '_' : *c);
}

class plans : public testing::TestWithParam<row> {};

TEST_P(plans, are_as_the_table_says) {
  decider rules(table_rules());
  EXPECT_EQ(rules.decide_text(words(GetParam().command)), GetParam().plan) << GetParam().command;
}

// wall is 1700000000.250
INSTANTIATE_TEST_SUITE_P(of_set, plans,
                         testing::ValuesIn<row>({
                             {"SET free v", "without"},
                             {"SET free v EX 5", "sets 5000"},
                             {"SET d:1 v", "+EX 60; without"},
                             {"set d:1 v nx GET", "+EX 60; without"},
                             {"SET p:1 v", "+PX 1500; without"},
                             {"SET m:1 v", "+EX 100; without"},
                             {"SET b:1 v", "+EX 60; without"},
                             {"SET b:long:1 v", "+EX 90; without"},
                             {"SET s:1 v", "+PX 500; without"},
                             {"SET x:1 v", "without"},
                             {"SET d:1 v EX 999999", "sets 999999000"},
                             {"SET m:1 v EX 100", "sets 100000"},
                             {"SET m:1 v EX 101", "[4]=100; caps; sets 101000"},
                             {"SET m:1 v PX 100000", "sets 100000"},
                             {"SET m:1 v NX px 100001 GET", "[5]=100000; caps; sets 100001"},
                             {"SET m:1 v EXAT 1700000100", "sets 99750"},
                             {"SET m:1 v EXAT 1700000101", "[4]=1700000100; caps; sets 100750"},
                             {"SET m:1 v PXAT 1700000100250", "sets 100000"},
                             {"SET m:1 v PXAT 1700000100251", "[4]=1700000100250; caps; sets 100001"},
                             {"SET m:1 v EXAT 1699999999", ""},
                             {"SET m:1 v EX 5 EX 500", "[6]=100; caps; sets 500000"},
                             {"SET m:1 v EX 500 EX 5", "sets 5000"},
                             {"SET m:1 v EX 0", ""},
                             {"SET m:1 v EX -9", ""},
                             {"SET b:1 v EX 9223372036854775807", "b:1 nx 60000; b:1 lt 100000"},
                             {"SET b:1 v EX 1e9", "b:1 nx 60000; b:1 lt 100000"},
                             {"SET b:1 v KEEPTTL", "b:1 nx 60000; b:1 lt 100000; without"},
                             {"SET d:1 v XX KEEPTTL", "d:1 nx 60000; without"},
                             {"SET m:1 v KEEPTTL GET", "m:1 lt 100000; without"},
                             {"SET e:1 v KEEPTTL", "e:1 lt 60000; without"},
                             {"SET b:1 v NOVEL", "b:1 nx 60000; b:1 lt 100000; without"},
                             {"SET b:1 v EX", "b:1 nx 60000; b:1 lt 100000"},
                             {"SET b:1 v EX 500 NOVEL", "b:1 nx 60000; b:1 lt 100000"},
                             {"SET d:1 v NX XX", "d:1 nx 60000; without"},
                             {"SET s:1 v EX 9", "[4]=1; caps; s:1 lt 500; sets 9000"},
                             {"SET s:1 v EX 1", "s:1 lt 500; sets 1000"},
                             {"SET s:1 v EXAT 1700000001", "s:1 lt 500; sets 750"},
                             {"SET s:1 v EXAT 1700000009", "[4]=1700000001; caps; s:1 lt 500; sets 8750"},
                             {"SET s5:1 v EXAT 1700000009", "[4]=1700000006; caps; s5:1 lt 5000; sets 8750"},
                             {"SET s5:1 v EX 6", "[4]=5; caps; sets 6000"},
                             {"SET of:1 v", "without"},
                             {"SET d:of:1 v", "+EX 60; without"},
                             {"SET ob:1 v", "would inject; without"},
                             {"SET ob:1 v EX 101", "would cap; sets 101000"},
                             {"SET or:1 v", "would inject; without"},
                             {"SET d:1", ""},
                         }));

INSTANTIATE_TEST_SUITE_P(of_other_commands_with_times, plans,
                         testing::ValuesIn<row>({
                             {"SETEX m:1 101 v", "[2]=100; caps; sets 101000"},
                             {"SETEX m:1 100 v", "sets 100000"},
                             {"SETEX r:1 100 v", "sets 100000"},
                             {"SETEX m:1 0 v", ""},
                             {"SETEX m:1 0x10 v", "m:1 lt 100000"},
                             {"SETEX free 7 v", "sets 7000"},
                             {"SETEX ob:1 500 v", "would cap; sets 500000"},
                             {"SETEX m:1 101", ""},
                             {"PSETEX m:1 100001 v", "[2]=100000; caps; sets 100001"},
                             {"PSETEX s:1 501 v", "[2]=500; caps; sets 501"},
                             {"GETEX b:1", ""},
                             {"GETEX b:1 EX 500", "[3]=100; caps; sets 500000"},
                             {"GETEX b:1 pxat 1700000500000", "[3]=1700000100250; caps; sets 499750"},
                             {"GETEX b:1 PERSIST", "b:1 nx 60000; without"},
                             {"GETEX m:1 PERSIST", "m:1 lt 100000; without"},
                             {"GETEX r:1 PERSIST", "refuse; without"},
                             {"GETEX b:1 NOVEL", "b:1 nx 60000; b:1 lt 100000"},
                             {"EXPIRE m:1 101", "[2]=100; caps; sets 101000"},
                             {"EXPIRE m:1 100", "sets 100000"},
                             {"EXPIRE d:1 5", "sets 5000"},
                             {"EXPIRE r:1 5", "sets 5000"},
                             {"EXPIRE m:1 0", ""},
                             {"EXPIRE m:1 -1", ""},
                             {"EXPIRE b:1 tomorrow", "b:1 lt 100000"},
                             {"EXPIRE m:1 500 NX", "m:1 lt 100000; sets 500000"},
                             {"EXPIRE b:1 500 gt", "b:1 lt 100000; sets 500000"},
                             {"EXPIRE d:1 500 XX", "sets 500000"},
                             {"EXPIRE ob:1 500 LT", "would cap; sets 500000"},
                             {"EXPIRE m:1 -1 LT", ""},
                             {"PEXPIRE m:1 100001", "[2]=100000; caps; sets 100001"},
                             {"PEXPIRE s5:1 5001", "[2]=5000; caps; sets 5001"},
                             {"EXPIREAT m:1 1700000200", "[2]=1700000100; caps; sets 199750"},
                             {"EXPIREAT m:1 1", ""},
                             {"PEXPIREAT m:1 1700000200000", "[2]=1700000100250; caps; sets 199750"},
                             {"PEXPIREAT m:1 1700000200000 GT", "m:1 lt 100000; sets 199750"},
                             {"PERSIST d:1", "d:1 nx 60000; without"},
                             {"PERSIST m:1", "m:1 lt 100000; without"},
                             {"PERSIST b:1", "b:1 nx 60000; without"},
                             {"PERSIST r:1", "refuse; without"},
                             {"PERSIST rd:1", "rd:1 nx 60000; without"},
                             {"PERSIST free", "without"},
                             {"RESTORE b:1 0 x", "b:1 nx 60000; b:1 lt 100000; without"},
                             {"RESTORE r:1 0 x", "refuse; without"},
                             {"RESTORE m:1 100000 x", "sets 100000"},
                             {"RESTORE b:1 100001 x REPLACE", "b:1 lt 100000; sets 100001"},
                             {"RESTORE b:1 1700000200000 x ABSTTL", "b:1 lt 100000; sets 199750"},
                             {"RESTORE b:1 1700000050000 x absttl IDLETIME 3", "sets 49750"},
                             {"RESTORE b:1 -1 x", ""},
                             {"RESTORE b:1 1 x NOVEL", "b:1 nx 60000; b:1 lt 100000"},
                         }));

INSTANTIATE_TEST_SUITE_P(of_commands_that_cannot_carry_a_ttl, plans,
                         testing::ValuesIn<row>({
                             {"SADD free a", "without"},
                             {"SADD d:1 a b", "d:1 nx 60000; without"},
                             {"SADD m:1 a", "m:1 lt 100000; without"},
                             {"SADD b:1 a", "b:1 nx 60000; b:1 lt 100000; without"},
                             {"SADD e:1 a", "e:1 lt 60000; without"},
                             {"SADD r:1 a", "refuse; without"},
                             {"SADD rd:1 a", "rd:1 nx 60000; without"},
                             {"SADD rm:1 a", "refuse; without"},
                             {"SADD ob:1 a", "would inject; without"},
                             {"SADD of:1 a", "without"},
                             {"HSET p:1 f v", "p:1 nx 1500; without"},
                             {"LPUSH d:1 a", "d:1 nx 60000; without"},
                             {"RPUSHX d:1 a", "d:1 nx 60000; without"},
                             {"ZADD d:1 1 a", "d:1 nx 60000; without"},
                             {"ZINCRBY d:1 1 a", "d:1 nx 60000; without"},
                             {"INCR d:1", "d:1 nx 60000; without"},
                             {"INCRBYFLOAT d:1 1", "d:1 nx 60000; without"},
                             {"HINCRBY d:1 f 1", "d:1 nx 60000; without"},
                             {"APPEND d:1 x", "d:1 nx 60000; without"},
                             {"SETRANGE d:1 1 x", "d:1 nx 60000; without"},
                             {"SETBIT d:1 1 1", "d:1 nx 60000; without"},
                             {"BITFIELD d:1 SET u8 0 1", "d:1 nx 60000; without"},
                             {"XADD d:1 * f v", "d:1 nx 60000; without"},
                             {"XGROUP CREATE d:1 g $ MKSTREAM", "d:1 nx 60000; without"},
                             {"PFADD d:1 a", "d:1 nx 60000; without"},
                             {"PFMERGE d:1 src", "d:1 nx 60000; without"},
                             {"GEOADD d:1 1 1 a", "d:1 nx 60000; without"},
                             {"SETNX d:1 v", "d:1 nx 60000; without"},
                             {"SETNX r:1 v", "refuse; without"},
                             {"GETSET b:1 v", "b:1 nx 60000; b:1 lt 100000; without"},
                             {"GETSET r:1 v", "refuse; without"},
                             {"MSET d:1 v free v m:1 v", "d:1 nx 60000; m:1 lt 100000; without"},
                             {"MSET d:1 v d:1 w", "d:1 nx 60000; without"},
                             {"MSET b:2 v b:1 w b:2 x",
                              "b:2 nx 60000; b:2 lt 100000; b:1 nx 60000; b:1 lt 100000; without"},
                             {"MSET d:1 v r:1 v ob:1 v", "refuse; without"},
                             {"MSET ob:1 v or:1 v d:1 v", "d:1 nx 60000; would inject; would inject; without"},
                             {"MSETNX d:1 v d:2 v", "d:1 nx 60000; d:2 nx 60000; without"},
                             {"BITOP AND d:1 d:2 d:3", "d:1 nx 60000; without"},
                             {"SINTERSTORE d:1 d:2 d:3", "d:1 nx 60000; without"},
                             {"SUNIONSTORE d:1 free", "d:1 nx 60000; without"},
                             {"SDIFFSTORE free d:1", "without"},
                             {"ZUNIONSTORE d:1 2 d:2 d:3", "d:1 nx 60000; without"},
                             {"ZRANGESTORE d:1 z 0 -1", "d:1 nx 60000; without"},
                             {"GEOSEARCHSTORE d:1 g FROMLONLAT 1 1 BYRADIUS 1 km", "d:1 nx 60000; without"},
                             {"GEORADIUS g 1 1 1 km STORE d:1", "d:1 nx 60000; without"},
                             {"GEORADIUS d:1 1 1 1 km", ""},
                             {"SORT d:1 STORE d:2", "d:2 nx 60000; without"},
                             {"SORT d:1", ""},
                             {"SMOVE d:1 d:2 a", "d:2 nx 60000; without"},
                             {"LMOVE free d:2 LEFT LEFT", "d:2 nx 60000; without"},
                             {"RPOPLPUSH d:1 free", "without"},
                             {"BLMOVE d:1 d:2 LEFT LEFT 0", "d:2 nx 60000; without"},
                             {"RENAME free b:1", "b:1 nx 60000; b:1 lt 100000"},
                             {"RENAME b:1 free", ""},
                             {"RENAMENX free r:1", "refuse"},
                             {"COPY free m:1", "m:1 lt 100000"},
                             {"COPY free d:1 DB 3 REPLACE", "d:1 nx 60000"},
                             {"MOVE d:1 3", "d:1 nx 60000"},
                             {"MOVE r:1 3", "refuse"},
                         }));

INSTANTIATE_TEST_SUITE_P(of_what_needs_nothing, plans,
                         testing::ValuesIn<row>({
                             {"GET d:1", ""},
                             {"DEL d:1 r:1", ""},
                             {"UNLINK r:1", ""},
                             {"HDEL r:1 f", ""},
                             {"SREM r:1 a", ""},
                             {"LPOP r:1", ""},
                             {"ZREM r:1 a", ""},
                             {"SPOP r:1", ""},
                             {"LTRIM r:1 0 1", ""},
                             {"GETDEL r:1", ""},
                             {"XDEL r:1 1-1", ""},
                             {"TTL r:1", ""},
                             {"PING", ""},
                             {"NOVELCOMMAND d:1 x", ""},
                             {"EVAL return 1 d:1", ""},
                             {"MSET", ""},
                             {"SET", ""},
                             {"ZUNIONSTORE d:1 x y", ""},
                             {"SADD d:1", ""},
                             {"EXPIRE m:1", ""},
                             {"RESTORE d:1 0", ""},
                         }));

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
