// Which rules a command falls under, from which bucket it is paid, and what it costs there.
#include <gtest/gtest.h>

#include <limits>

#include "limiter/rule_set_state.hpp"
#include "rule_set_fixture.hpp"

namespace tidegate::limiter {
namespace {

using config::limit_cost;
using config::limit_per;
using testing_support::command;
using testing_support::make_rule;
using testing_support::second;
using testing_support::world;

config::limit_rule rule_for(std::vector<std::string> commands, std::string key = "",
                            limit_cost cost = limit_cost::command) {
  config::limit_rule rule = make_rule("r");
  rule.match_commands = std::move(commands);
  rule.match_key = std::move(key);
  rule.cost = cost;
  return rule;
}

TEST(matching, without_commands_a_rule_is_for_what_grows_and_for_scripts_that_may_write) {
  world w;
  w.use({make_rule("r")});
  EXPECT_TRUE(w.cost({"SET", "k", "v"}));
  EXPECT_TRUE(w.cost({"sadd", "k", "v"}));
  EXPECT_TRUE(w.cost({"EVAL", "return 1", "0"}));
  EXPECT_TRUE(w.cost({"XGROUP", "CREATE", "k", "g", "$"}));
  EXPECT_FALSE(w.cost({"EVAL_RO", "return 1", "0"}));
  EXPECT_FALSE(w.cost({"DEL", "k"}));
  EXPECT_FALSE(w.cost({"EXPIRE", "k", "1"}));
  EXPECT_FALSE(w.cost({"GET", "k"}));
  EXPECT_FALSE(w.cost({"PING"}));
  EXPECT_FALSE(w.cost({"NOSUCHCOMMAND", "k"}));
}

TEST(matching, write_is_every_write_and_every_script_that_may) {
  world w;
  w.use({rule_for({"write"})});
  for (const char* name : {"SET", "DEL", "EXPIRE", "SREM"}) EXPECT_TRUE(w.cost({name, "k", "1"})) << name;
  EXPECT_TRUE(w.cost({"FCALL", "f", "0"}));
  EXPECT_FALSE(w.cost({"GET", "k"}));
  EXPECT_FALSE(w.cost({"PING"}));
}

TEST(matching, names_are_case_insensitive_and_a_family_is_all_of_it) {
  world w;
  w.use({rule_for({"XGroup", "Get"})});
  EXPECT_TRUE(w.cost({"xgroup", "create", "k", "g", "$"}));
  EXPECT_TRUE(w.cost({"XGROUP", "DESTROY", "k", "g"}));
  EXPECT_TRUE(w.cost({"gEt", "k"}));
  EXPECT_FALSE(w.cost({"GETEX", "k"}));
  EXPECT_FALSE(w.cost({"XADD", "k", "*", "f", "v"}));
  w.use({rule_for({"xgroup|create"})});
  EXPECT_TRUE(w.cost({"xgroup", "create", "k", "g", "$"}));
  EXPECT_FALSE(w.cost({"XGROUP", "DESTROY", "k", "g"}));
}

TEST(matching, a_client_glob_decides_at_the_binding) {
  world w;
  config::limit_rule rule = make_rule("r");
  rule.match_client = "isales-*";
  w.use({rule});
  EXPECT_TRUE(w.cost({"SET", "k", "v"}));
  w.set->bind(w.session, "billing", "10.0.3.7", 0);
  EXPECT_FALSE(w.cost({"SET", "k", "v"}));
  w.set->bind(w.session, "isales-", "10.0.3.7", 0);
  EXPECT_TRUE(w.cost({"SET", "k", "v"}));
}

TEST(matching, a_key_glob_wants_a_key_that_is_written_or_removed) {
  world w;
  w.use({rule_for({"write"}, "contact:*")});
  EXPECT_TRUE(w.cost({"SET", "contact:1", "v"}));
  EXPECT_FALSE(w.cost({"SET", "other", "contact:1"}));
  EXPECT_TRUE(w.cost({"DEL", "other", "contact:1"}));
  EXPECT_FALSE(w.cost({"SUNIONSTORE", "other", "contact:1"})) << "a source is only read";
  EXPECT_TRUE(w.cost({"SUNIONSTORE", "contact:1", "other"}));
  EXPECT_TRUE(w.cost({"RENAME", "contact:1", "other"}));
  EXPECT_FALSE(w.cost({"COPY", "contact:1", "other"}));
  EXPECT_TRUE(w.cost({"EVAL", "return 1", "1", "contact:1"}));
  EXPECT_FALSE(w.cost({"EVAL", "return 1", "0", "contact:1"}));
  EXPECT_FALSE(w.cost({"FLUSHALL"}));
}

TEST(matching, of_many_rules_with_keys_the_same_hold_as_if_each_were_tried) {
  // Nested, equal, empty and infixed texts, on both sides of the number from which they are looked up.
  const std::vector<std::string> globs = {"a*",  "a:*", "a:b*", "a:b", "*",   "*:b", "b?*", "",    "a:b:*", "zz*",
                                          "a:*", "?*",  "b",    "c:*", "cc:", "a",   "ab*", "a:c", "a:bb*", "\xff*"};
  const std::vector<std::string> keys = {"",
                                         "a",
                                         "a:",
                                         "a:b",
                                         "a:bc",
                                         "a:b:1",
                                         "a:c",
                                         "ab",
                                         "b",
                                         "b1",
                                         "c:1",
                                         "cc:",
                                         "c",
                                         "zz",
                                         "zzz",
                                         "y",
                                         "~",
                                         "\xff"
                                         "1",
                                         "x:b",
                                         "a:a"};
  for (const std::size_t count : {std::size_t{3}, indexed_rules_min, globs.size()}) {
    std::vector<config::limit_rule> rules;
    for (std::size_t i = 0; i < count; ++i) {
      rules.push_back(rule_for({"write"}, globs[i]));
      rules.back().name = "r" + std::to_string(i);
    }
    world w;
    w.use(rules);
    for (const std::string& key : keys) {
      for (const std::string& other : {std::string("a:b"), std::string("none")}) {
        std::vector<std::string> expected;
        for (std::size_t i = 0; i < count && expected.size() < rules_at_once_max; ++i) {
          const attribution::glob glob(globs[i]);
          if (globs[i].empty() || glob.matches(key) || glob.matches(other)) expected.push_back(rules[i].name);
        }
        std::vector<std::string> found;
        for (const charge& one : w.match({"DEL", key, other}).all()) found.push_back(one.which->name);
        EXPECT_EQ(found, expected) << count << " rules, key " << key << " and " << other;
      }
    }
  }
}

TEST(matching, a_read_that_a_rule_names_is_matched_by_the_keys_it_reads) {
  world w;
  w.use({rule_for({"get", "mget"}, "contact:*")});
  EXPECT_TRUE(w.cost({"GET", "contact:1"}));
  EXPECT_TRUE(w.cost({"MGET", "a", "contact:1"}));
  EXPECT_FALSE(w.cost({"MGET", "a", "b"}));
}

TEST(matching, a_command_costs_1_however_many_keys_it_has) {
  world w;
  w.use({rule_for({"write"}, "c:*")});
  EXPECT_EQ(w.cost({"MSET", "c:1", "v", "c:2", "v"}), 1);
  EXPECT_EQ(w.cost({"DEL", "c:1", "c:2"}), 1);
}

TEST(matching, elements_are_members_pairs_and_matching_keys) {
  world w;
  w.use({rule_for({"write"}, "", limit_cost::element)});
  EXPECT_EQ(w.cost({"SADD", "k", "a", "b", "c"}), 3);
  EXPECT_EQ(w.cost({"HSET", "k", "f", "v", "g", "w"}), 2);
  EXPECT_EQ(w.cost({"ZADD", "k", "NX", "1", "a", "2", "b"}), 2);
  EXPECT_EQ(w.cost({"MSET", "a", "1", "b", "2", "c", "3"}), 3);
  EXPECT_EQ(w.cost({"DEL", "a", "b"}), 2);
  EXPECT_EQ(w.cost({"SET", "a", "b"}), 1);
  w.use({rule_for({"write"}, "c:*", limit_cost::element)});
  EXPECT_EQ(w.cost({"SADD", "c:1", "a", "b", "c"}), 3);
  EXPECT_FALSE(w.cost({"SADD", "k", "c:1", "c:2"}));
  EXPECT_EQ(w.cost({"MSET", "c:1", "1", "b", "c:3", "c:2", "3"}), 2);
  EXPECT_EQ(w.cost({"UNLINK", "a", "c:1", "b"}), 1);
}

TEST(matching, bytes_are_all_arguments_behind_the_name_or_those_of_the_matching_keys) {
  world w;
  w.use({rule_for({"write"}, "", limit_cost::byte)});
  EXPECT_EQ(w.cost({"SET", "key", "value"}), 8);
  EXPECT_EQ(w.cost({"MSET", "a", "11", "b", "222"}), 7);
  EXPECT_EQ(w.cost({"FLUSHALL"}), 1) << "nothing is free";
  w.use({rule_for({"write"}, "c:*", limit_cost::byte)});
  EXPECT_EQ(w.cost({"SET", "c:1", "value"}), 8);
  EXPECT_EQ(w.cost({"MSET", "c:1", "11", "b", "222222", "c:2", "3"}), 3 + 2 + 3 + 1);
  EXPECT_EQ(w.cost({"DEL", "b", "c:123"}), 5);
  EXPECT_EQ(w.cost({"SET", "c:1", ""}), 3);
}

TEST(matching, a_malformed_command_is_matched_without_reading_past_its_end) {
  world w;
  w.use({rule_for({"write"}, "", limit_cost::element), [] {
           config::limit_rule rule = rule_for({"write"}, "*", limit_cost::byte);
           rule.name = "s";
           return rule;
         }()});
  EXPECT_EQ(w.match({"MSET", "a", "1", "b"}).size, 2U);
  EXPECT_EQ(w.match({"SET"}).items[0].which->name, "r");
  EXPECT_GE(w.match({"SADD", "k"}).size, 1U);
  EXPECT_GE(w.match({"ZADD", "k", "NX"}).size, 1U);
  (void)w.match({"EVAL", "x", "999999999999"});
  (void)w.match({"ZUNIONSTORE", "d", "-1", "k"});
}

TEST(matching, per_client_and_per_rule_share_their_bucket_as_they_say) {
  world w;
  config::limit_rule per_rule = make_rule("everybody");
  per_rule.per = limit_per::rule;
  w.use({make_rule("each"), per_rule});
  binding same, other;
  w.set->bind(same, "isales-campaign", "10.0.3.8", 0);
  w.set->bind(other, "billing", "10.0.3.7", 0);
  EXPECT_EQ(w.set->bucket_of(w.session, 0), w.set->bucket_of(same, 0));
  EXPECT_NE(w.set->bucket_of(w.session, 0), w.set->bucket_of(other, 0));
  EXPECT_EQ(w.set->bucket_of(w.session, 1), w.set->bucket_of(other, 1));
}

TEST(matching, clients_that_overflowed_are_told_apart_by_their_address) {
  world w;
  w.use({make_rule("each")});
  binding a, b, again;
  w.set->bind(a, "other", "10.0.0.1", 0);
  w.set->bind(b, "other", "10.0.0.2", 0);
  w.set->bind(again, "other", "10.0.0.1", 0);
  EXPECT_NE(w.set->bucket_of(a, 0), w.set->bucket_of(b, 0));
  EXPECT_EQ(w.set->bucket_of(a, 0), w.set->bucket_of(again, 0));
  binding named;
  w.set->bind(named, "10.0.0.1", "10.0.0.9", 0);
  EXPECT_NE(w.set->bucket_of(named, 0), w.set->bucket_of(a, 0)) << "a name that looks like an address is a name";
}

TEST(matching, per_connection_is_a_bucket_that_no_renaming_refills) {
  world w;
  config::limit_rule rule = make_rule("r");
  rule.per = limit_per::connection;
  rule.match_client = "isales*";
  w.use({rule});
  binding another;
  w.set->bind(another, "isales-campaign", "10.0.3.7", 0);
  EXPECT_NE(w.set->bucket_of(another, 0), w.set->bucket_of(w.session, 0));
  bucket* const mine = w.set->bucket_of(w.session, 0);
  ASSERT_TRUE(mine->try_debit(mine->clock().to_units(5), 0));
  w.set->bind(w.session, "billing", "10.0.3.7", 0);
  EXPECT_EQ(w.set->bucket_of(w.session, 0), nullptr);
  w.set->bind(w.session, "isales-2", "10.0.3.7", 0);
  EXPECT_EQ(w.set->bucket_of(w.session, 0), mine);
  EXPECT_LT(mine->tokens(0), 1);
}

TEST(matching, per_pattern_is_a_bucket_for_each_pattern_shared_by_all_sessions) {
  world w;
  config::limit_rule rule = make_rule("r");
  rule.per = limit_per::pattern;
  w.use({rule});
  binding other;
  w.set->bind(other, "billing", "10.0.3.8", 0);
  bucket* const first = w.match({"SET", "k", "v"}, 1).items[0].from;
  EXPECT_EQ(w.match(other, {"SET", "k", "v"}, 1).items[0].from, first);
  EXPECT_NE(w.match({"SET", "k", "v"}, 2).items[0].from, first);
  EXPECT_NE(w.match({"SET", "k", "v"}, attribution::patterns_max - 1).items[0].from, first);
  bucket* const none = w.match({"SET", "k", "v"}, attribution::other_pattern).items[0].from;
  EXPECT_EQ(w.match({"SET", "k", "v"}, 4'000'000).items[0].from, none);
}

TEST(matching, at_most_sixteen_rules_hold_one_command_and_the_rest_is_counted) {
  world w;
  std::vector<config::limit_rule> rules;
  for (int i = 0; i < 16; ++i) rules.push_back(make_rule("r" + std::to_string(i)));
  w.use(rules);
  EXPECT_EQ(w.match({"SET", "k", "v"}).size, 16U);
  EXPECT_EQ(w.set->overmatched(), 0U);
  rules.push_back(make_rule("one more"));
  w.use(rules);
  EXPECT_EQ(w.match({"SET", "k", "v"}).size, 16U);
  EXPECT_EQ(w.set->overmatched(), 1U);
}

TEST(matching, rules_beyond_the_most_are_not_in_force) {
  world w;
  for (const std::size_t count : {rules_max - 1, rules_max, rules_max + 1}) {
    std::vector<config::limit_rule> rules;
    for (std::size_t i = 0; i < count; ++i) {
      rules.push_back(make_rule("r" + std::to_string(i)));
      rules.back().match_commands = {"get"};
    }
    rules[std::min(count, rules_max) - 1].match_commands = {"set"};
    w.use(rules);
    EXPECT_EQ(w.set->rules().size(), std::min(count, rules_max));
    ASSERT_EQ(w.match({"SET", "k", "v"}).size, 1U);
    EXPECT_EQ(w.found.items[0].which->index, std::min(count, rules_max) - 1);
  }
}

TEST(matching, without_rules_nothing_matches) {
  world w;
  w.use({});
  EXPECT_TRUE(w.set->empty());
  EXPECT_EQ(w.match({"SET", "k", "v"}).size, 0U);
}

TEST(matching, a_binding_of_a_former_rule_set_does_no_harm) {
  world w;
  w.use({make_rule("a"), make_rule("b"), make_rule("c")});
  binding stale;
  w.set->bind(stale, "isales-campaign", "", 0);
  w.use({make_rule("a")});
  EXPECT_LE(w.match(stale, {"SET", "k", "v"}).size, 1U);
}

TEST(matching, a_rule_past_its_day_is_over) {
  using namespace std::chrono;
  world w;
  config::limit_rule rule = make_rule("r");
  rule.until = sys_seconds{seconds{1'000'000}};
  const auto at = [&](seconds wall) {
    w.set = std::make_unique<rule_set>(std::vector{rule}, w.store, w.table, 1, 50 * second, sys_seconds{wall});
    w.set->bind(w.session, "x", "", 50 * second);
    return w.match({"SET", "k", "v"}).size;
  };
  EXPECT_EQ(at(seconds{1'000'000}), 0U);
  EXPECT_EQ(at(seconds{1'000'001}), 0U);
  EXPECT_EQ(at(seconds{999'990}), 1U);
  EXPECT_EQ(w.set->rules()[0].expires, 60 * second);
  rule.until = sys_seconds{seconds{253'402'300'799}};  // the end of 9999
  EXPECT_EQ(at(seconds{0}), 1U);
  EXPECT_EQ(w.set->rules()[0].expires, never);
}

}  // namespace
}  // namespace tidegate::limiter
