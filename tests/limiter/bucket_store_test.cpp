#include "limiter/bucket_store.hpp"

#include <gtest/gtest.h>

#include "rule_set_fixture.hpp"

namespace tidegate::limiter {
namespace {

using testing_support::make_rule;
using testing_support::second;
using testing_support::world;

TEST(bucket_store, keeps_levels_over_a_reload_with_the_new_rate_and_burst) {
  world w;
  config::limit_rule rule = make_rule("r");
  w.use({rule});
  bucket* const before = w.set->bucket_of(w.session, 0);
  ASSERT_TRUE(before->try_debit(before->clock().to_units(4), 0));
  rule.rate = 20;
  rule.burst = 50;
  w.use({rule}, second / 10);
  bucket* const after = w.set->bucket_of(w.session, 0);
  EXPECT_EQ(after, before);
  EXPECT_NEAR(after->tokens(second / 10), 2, 1e-6);
  EXPECT_NEAR(after->tokens(second * 6 / 10), 12, 1e-6);
  EXPECT_DOUBLE_EQ(after->tokens(100 * second), 50);
}

TEST(bucket_store, keeps_the_level_of_a_rule_that_was_gone_for_a_reload) {
  world w;
  w.use({make_rule("r")});
  bucket* const before = w.set->bucket_of(w.session, 0);
  ASSERT_TRUE(before->try_debit(before->clock().to_units(5), 0));
  w.use({});
  w.use({make_rule("r")}, second / 10);
  EXPECT_NEAR(w.set->bucket_of(w.session, 0)->tokens(second / 10), 1, 1e-6);
}

TEST(bucket_store, keeps_what_a_connection_spent_over_a_reload) {
  world w;
  config::limit_rule rule = make_rule("r");
  rule.per = config::limit_per::connection;
  w.use({rule});
  ASSERT_TRUE(w.set->bucket_of(w.session, 0)->try_debit(w.set->bucket_of(w.session, 0)->clock().to_units(5), 0));
  rule.burst = 500;
  w.use({rule}, second / 10);
  EXPECT_NEAR(w.set->bucket_of(w.session, 0)->tokens(second / 10), 1, 1e-6);
  EXPECT_EQ(w.set->bucket_of(w.session, 0)->burst_tokens(), 500U);
  w.use({make_rule("another")}, second);
  EXPECT_TRUE(w.session.own.empty());
}

TEST(bucket_store, a_rule_that_counts_in_other_units_begins_without_a_burst_even_for_those_who_come_later) {
  for (const int change : {0, 1, 2}) {
    world w;
    config::limit_rule rule = make_rule("r");
    w.use({rule});
    if (change == 0) rule.cost = config::limit_cost::byte;
    if (change == 1) rule.per = config::limit_per::connection;
    if (change == 2) rule.rate = 1e7;
    rule.burst = rule.rate * 10;
    w.use({rule}, 100 * second);
    EXPECT_LE(w.set->bucket_of(w.session, 0)->tokens(100 * second), 0) << change;
    binding later;
    w.set->bind(later, "new", "", 103 * second);
    EXPECT_NEAR(w.set->bucket_of(later, 0)->tokens(103 * second), 3 * rule.rate, 1e-2) << change;
  }
}

TEST(bucket_store, that_takes_over_gives_the_first_rules_no_burst_and_later_ones_theirs) {
  world w;
  w.store = make_bucket_store(first_buckets::empty);
  w.use({make_rule("r")}, 10 * second);
  EXPECT_LE(w.set->bucket_of(w.session, 0)->tokens(10 * second), 0);
  w.use({make_rule("r"), make_rule("s")}, 10 * second);
  EXPECT_LE(w.set->bucket_of(w.session, 0)->tokens(10 * second), 0);
  EXPECT_EQ(w.set->bucket_of(w.session, 1)->tokens(10 * second), 5);
}

TEST(bucket_store, memory_pressure_sets_the_rates_of_rules_that_ask_for_it_and_outlives_a_reload) {
  world w;
  config::limit_rule pressed = make_rule("pressed");
  pressed.memory = config::memory_pressure{0.6, 0.8, 0.1};
  const std::vector rules{pressed, make_rule("plain")};
  w.use(rules);
  const auto rate = [&](std::size_t i) { return w.set->rules()[i].clock->tokens_per_second(); };
  w.set->set_memory(0.7, second);
  EXPECT_NEAR(rate(0), 5.5, 1e-9);
  EXPECT_EQ(rate(1), 10);
  w.use(rules, 2 * second);
  EXPECT_NEAR(rate(0), 5.5, 1e-9) << "a reload in the middle of it is no gift";
  w.set->set_memory(0.9, 3 * second);
  EXPECT_NEAR(rate(0), 1, 1e-9);
  for (int i = 0; i < 2; ++i) w.set->set_memory(0.5, 4 * second);
  EXPECT_NEAR(rate(0), 1, 1e-9);
  w.set->set_memory(0.5, 5 * second);
  EXPECT_EQ(rate(0), 10);
  w.set->set_memory(0.9, 6 * second);
  w.set->set_memory(-1, 7 * second);
  EXPECT_EQ(rate(0), 10);
}

TEST(bucket_store, is_bounded_and_gives_what_has_no_room_to_the_address_and_then_to_the_rule) {
  world w;
  w.use({make_rule("r")});
  std::vector<std::shared_ptr<bucket>> held;
  rule_state* const state = w.store->adopt({make_rule("r")}, 0)[0];
  binding known;
  w.set->bind(known, "other", "10.9.9.9", 0);
  while (w.store->size() < buckets_max) {
    held.push_back(w.store->find(*state, bucket_kind::client, "c" + std::to_string(held.size()), 4, 0));
    ASSERT_TRUE(held.back());
  }
  EXPECT_FALSE(w.store->find(*state, bucket_kind::client, "one more", 4, 0));
  EXPECT_TRUE(w.store->find(*state, bucket_kind::client, "c0", 4, 0));
  binding by_address, by_rule, too;
  w.set->bind(by_address, "new-1", "10.9.9.9", 0);
  EXPECT_EQ(w.set->bucket_of(by_address, 0), w.set->bucket_of(known, 0));
  w.set->bind(by_rule, "new-2", "10.8.8.8", 0);
  w.set->bind(too, "new-3", "10.7.7.7", 0);
  EXPECT_EQ(w.set->bucket_of(by_rule, 0), w.set->bucket_of(too, 0));
  ASSERT_NE(w.set->bucket_of(by_rule, 0), nullptr);
  EXPECT_EQ(w.store->size(), buckets_max);

  // Of three that nobody uses, the one that is not full again keeps its memory; the look is taken once a second.
  ASSERT_TRUE(held[7]->try_debit(held[7]->clock().to_units(100), second));
  held.erase(held.begin() + 5, held.begin() + 8);
  EXPECT_FALSE(w.store->find(*state, bucket_kind::client, "one more", 4, second / 2));
  EXPECT_TRUE(w.store->find(*state, bucket_kind::client, "one more", 4, 2 * second));
  EXPECT_EQ(w.store->size(), buckets_max - 1);
  const std::shared_ptr<bucket> seventh = w.store->find(*state, bucket_kind::client, "c7", 4, 2 * second);
  ASSERT_TRUE(seventh);
  EXPECT_LT(seventh->tokens(2 * second), 0);
}

TEST(bucket_store, renaming_back_and_forth_finds_the_same_bucket) {
  world w;
  w.use({make_rule("r")});
  bucket* const mine = w.set->bucket_of(w.session, 0);
  ASSERT_TRUE(mine->try_debit(mine->clock().to_units(5), 0));
  w.set->bind(w.session, "somebody", "", 0);
  w.set->bind(w.session, "isales-campaign", "", 0);
  EXPECT_EQ(w.set->bucket_of(w.session, 0), mine);
  EXPECT_LE(mine->tokens(0), 1e-6);
}

TEST(bucket_store, reads_bursts_of_any_size) {
  config::limit_rule rule = make_rule("r");
  rule.burst = 0.5;
  EXPECT_EQ(burst_of(rule), 0U);
  rule.burst = -3;
  EXPECT_EQ(burst_of(rule), 0U);
  rule.burst = 1e300;
  EXPECT_EQ(burst_of(rule), std::uint64_t{1} << 63);
}

}  // namespace
}  // namespace tidegate::limiter
