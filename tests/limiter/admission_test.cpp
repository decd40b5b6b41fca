// All matching rules at one instant, or none.
#include <gtest/gtest.h>

#include <deque>

#include "rule_set_fixture.hpp"

namespace tidegate::limiter {
namespace {

using config::limit_action;
using std::chrono::milliseconds;
using testing_support::make_rule;
using testing_support::second;
using testing_support::world;

config::limit_rule rule_of(std::string name, double rate, double burst, limit_action action = limit_action::delay) {
  config::limit_rule rule = make_rule(std::move(name));
  rule.rate = rate;
  rule.burst = burst;
  rule.action = action;
  return rule;
}

double tokens(const world& w, std::size_t rule, steady_ns now) {
  return w.set->bucket_of(w.session, rule)->tokens(now);
}

TEST(admit, lets_a_command_without_rules_pass) {
  world w;
  w.use({});
  charges none;
  EXPECT_EQ(w.set->admit(none, nullptr, 0).what, admission::admitted);
}

TEST(admit, debits_every_rule_or_none) {
  world w;
  w.use({rule_of("a", 10, 5), rule_of("b", 10, 2), rule_of("c", 10, 9)});
  charges& of = w.match({"SET", "k", "v"});
  EXPECT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  EXPECT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  const verdict held = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(held.what, admission::wait);
  EXPECT_EQ(held.held_by, 1U);
  EXPECT_NEAR(static_cast<double>(held.wait), 1e8, 10);
  EXPECT_NEAR(tokens(w, 0, 0), 3, 1e-6);
  EXPECT_NEAR(tokens(w, 1, 0), 0, 1e-6);
  EXPECT_NEAR(tokens(w, 2, 0), 7, 1e-6);
}

// Looking first finds room for each alone; taking finds that there is none for both.
TEST(admit, gives_back_what_it_took_when_a_later_rule_fails_after_all) {
  world w;
  w.use({rule_of("a", 10, 9), rule_of("b", 10, 5)});
  charges& of = w.match({"SET", "k", "v"});
  of.items[1].cost *= 3;
  of.items[of.size++] = of.items[1];
  const verdict held = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(held.what, admission::wait);
  EXPECT_EQ(held.held_by, 2U);
  EXPECT_DOUBLE_EQ(tokens(w, 0, 0), 9);
  EXPECT_DOUBLE_EQ(tokens(w, 1, 0), 5);
}

TEST(admit, waits_where_it_is_held_longest) {
  world w;
  w.use({rule_of("a", 10, 1), rule_of("b", 2, 1), rule_of("c", 5, 1)});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  const verdict held = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(held.what, admission::wait);
  EXPECT_EQ(held.held_by, 1U);
  EXPECT_NEAR(static_cast<double>(held.wait), 5e8, 10);
}

TEST(admit, rejects_under_a_rejecting_rule_even_if_another_would_delay_longer) {
  world w;
  w.use({rule_of("slow", 1, 1), rule_of("strict", 10, 1, limit_action::reject)});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  const verdict refused = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(refused.what, admission::rejected);
  EXPECT_EQ(refused.held_by, 1U);
  EXPECT_NEAR(static_cast<double>(refused.wait), 1e8, 10);
  EXPECT_EQ(w.set->admit(of, nullptr, second / 5).what, admission::wait);  // now only the slow one holds it
}

TEST(admit, rejects_what_would_wait_longer_than_max_delay) {
  world w;
  config::limit_rule rule = rule_of("r", 10, 1);
  rule.max_delay = milliseconds(250);
  w.use({rule});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  waiter first, next;
  EXPECT_EQ(w.set->admit(of, nullptr, 0).what, admission::wait);  // 100 ms
  of.items[0].from->join(first, of.items[0].cost, 0);
  EXPECT_EQ(w.set->admit(of, nullptr, 0).what, admission::wait);  // 200 ms
  of.items[0].from->join(next, of.items[0].cost, 1);
  const verdict refused = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(refused.what, admission::rejected);
  EXPECT_NEAR(static_cast<double>(refused.wait), 3e8, 10);
  of.items[0].from->leave(first, 0);
  of.items[0].from->leave(next, 1);
}

TEST(admit, a_rate_of_0_rejects_for_ever) {
  world w;
  w.use({rule_of("block", 0, 0)});
  charges& of = w.match({"SET", "k", "v"});
  (void)w.set->admit(of, nullptr, 0);  // a full bucket lets one pass, also of size 0
  const verdict refused = w.set->admit(of, nullptr, 1000 * second);
  EXPECT_EQ(refused.what, admission::rejected);
  EXPECT_EQ(refused.wait, never);
}

TEST(admit, an_observing_rule_holds_nothing_and_says_once_what_it_would_have_held) {
  world w;
  w.use({rule_of("watch", 10, 1, limit_action::observe), rule_of("hold", 10, 2)});
  charges& of = w.match({"SET", "k", "v"});
  EXPECT_EQ(w.set->admit(of, nullptr, 0).observed, 0U);
  const verdict second_one = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(second_one.what, admission::admitted);
  EXPECT_EQ(second_one.observed, 1U);
  const verdict held = w.set->admit(of, nullptr, 0);
  EXPECT_EQ(held.what, admission::wait);
  EXPECT_EQ(held.held_by, 1U);
  EXPECT_EQ(held.observed, 1U);
  waiter w1;
  of.items[1].from->join(w1, of.items[1].cost, 0);
  const verdict at_turn = w.set->admit(of, &w1, second / 10 + 10);
  EXPECT_EQ(at_turn.what, admission::admitted);
  EXPECT_EQ(at_turn.observed, 0U);
  of.items[1].from->leave(w1, 0);
  EXPECT_NEAR(tokens(w, 0, second / 10 + 10), 1, 1e-6) << "it was debited for newcomers alone";
}

TEST(admit, what_is_rejected_is_not_debited_from_observing_rules) {
  world w;
  w.use({rule_of("watch", 10, 5, limit_action::observe), rule_of("strict", 10, 1, limit_action::reject)});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::rejected);
  EXPECT_NEAR(tokens(w, 0, 0), 4, 1e-6);
}

TEST(admit, a_waiter_passes_at_its_turn_and_not_before) {
  world w;
  w.use({rule_of("r", 10, 1)});
  charges& of = w.match({"SET", "k", "v"});
  bucket& b = *of.items[0].from;
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  waiter first, next;
  b.join(first, of.items[0].cost, 2);
  b.join(next, of.items[0].cost, 0);
  EXPECT_EQ(w.set->admit(of, &first, second / 20).what, admission::wait);
  EXPECT_EQ(w.set->admit(of, &next, second).what, admission::wait);
  EXPECT_EQ(w.set->admit(of, nullptr, second).what, admission::wait);
  EXPECT_EQ(w.set->admit(of, &first, second).what, admission::admitted);
  b.leave(first, 2);
  EXPECT_EQ(w.set->admit(of, &next, second + second / 10 + 10).what, admission::admitted);
  b.leave(next, 0);
  EXPECT_EQ(w.set->admit(of, nullptr, 2 * second).what, admission::admitted);
}

TEST(admit, a_waiter_before_its_turn_stays_where_it_is_though_another_rule_holds_longer) {
  world w;
  w.use({rule_of("slow", 1, 1), rule_of("here", 10, 1)});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  waiter who;
  of.items[1].from->join(who, of.items[1].cost, 0);
  EXPECT_EQ(w.set->admit(of, &who, second / 20).held_by, 1U);
  const verdict moved = w.set->admit(of, &who, second / 5);
  EXPECT_EQ(moved.what, admission::wait);
  EXPECT_EQ(moved.held_by, 0U);
  EXPECT_NEAR(tokens(w, 1, second / 5), 1, 1e-6) << "nothing was kept of the bucket that let it pass";
  of.items[1].from->leave(who, 0);
}

TEST(admit, a_waiter_is_rejected_once_it_waited_for_max_delay_and_not_by_an_estimate_of_its_own_line) {
  world w;
  config::limit_rule rule = rule_of("r", 10, 1);
  rule.max_delay = milliseconds(150);
  w.use({rule});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  waiter who;
  who.since = 1;
  of.items[0].from->join(who, of.items[0].cost, 0);
  w.set->rules()[0].clock->set_rate(0.1, 1);
  EXPECT_EQ(w.set->admit(of, &who, 149'000'000).what, admission::wait);
  EXPECT_EQ(w.set->admit(of, &who, 150'000'001).what, admission::rejected);
  of.items[0].from->leave(who, 0);
}

TEST(admit, a_waiter_that_moves_on_has_waited_already) {
  world w;
  config::limit_rule slow = rule_of("slow", 1, 1);
  slow.max_delay = milliseconds(1200);
  w.use({rule_of("here", 5, 1), slow});
  charges& of = w.match({"SET", "k", "v"});
  waiter who;
  who.since = 1;
  of.items[0].from->join(who, of.items[0].cost, 0);
  ASSERT_TRUE(of.items[1].from->try_debit(of.items[1].cost, second / 2));
  const verdict refused = w.set->admit(of, &who, second / 2);  // half a second waited, a whole one to come
  EXPECT_EQ(refused.what, admission::rejected);
  EXPECT_EQ(refused.held_by, 1U);
  who.since = second / 2;
  EXPECT_EQ(w.set->admit(of, &who, second / 2).what, admission::wait);
  of.items[0].from->leave(who, 0);
}

TEST(admit, a_rule_past_its_day_lets_go_of_who_waits_under_it) {
  using namespace std::chrono;
  world w;
  config::limit_rule rule = rule_of("r", 0, 0);
  rule.until = sys_seconds{seconds{100}};
  w.set = std::make_unique<rule_set>(std::vector{rule}, w.store, w.table, 4, 0, sys_seconds{seconds{95}});
  w.set->bind(w.session, "x", "", 0);
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  EXPECT_EQ(w.set->admit(of, nullptr, 5 * second - 1).what, admission::rejected);
  EXPECT_EQ(w.set->admit(of, nullptr, 5 * second).what, admission::admitted);
}

// Commands that match the same two rules, half of them in one line and half in the other: each line is never empty, and
// who came to the front of one must not be sent to the end of the other for ever.
TEST(admit, two_lines_under_the_same_two_rules_do_not_send_one_another_back_and_forth) {
  world w;
  w.use({rule_of("a", 1000, 1), rule_of("b", 1000, 1)});
  charges& of = w.match({"SET", "k", "v"});
  ASSERT_EQ(w.set->admit(of, nullptr, 0).what, admission::admitted);
  std::deque<waiter> waiters(40);
  for (std::size_t i = 0; i < waiters.size(); ++i) of.items[i % 2].from->join(waiters[i], of.items[i % 2].cost, 0);
  steady_ns now = 0;
  std::size_t admitted = 0;
  for (int round = 0; round < 500 && admitted < waiters.size(); ++round) {
    now += second / 1000 + 10;
    for (waiter& who : waiters) {
      if (who.where == nullptr) continue;
      const verdict is = w.set->admit(of, &who, now);
      bucket* const wanted = of.items[is.held_by].from;
      if (is.what == admission::admitted) {
        who.where->leave(who, 0);
        ++admitted;
      } else if (wanted != who.where) {
        who.where->leave(who, 0);
        wanted->join(who, of.items[is.held_by].cost, 0);
      }
    }
  }
  EXPECT_EQ(admitted, waiters.size());
  EXPECT_LE(now, second / 1000 * 45) << "a token a millisecond for forty, and little lost";
}

TEST(admit, lets_nothing_pass_a_block_though_its_bucket_is_full) {
  world w;
  w.use({rule_of("block", 1, 1, limit_action::block)});
  for (int i = 0; i < 3; ++i) {
    charges& of = w.match({"SET", "k", "v"});
    EXPECT_EQ(w.set->admit(of, nullptr, i * second).what, admission::rejected);
  }
  EXPECT_NEAR(tokens(w, 0, 0), 1, 1e-6) << "what is refused costs nothing";
  EXPECT_EQ(w.match({"DEL", "k"}).size, 0U);
  EXPECT_EQ(w.match({"GET", "k"}).size, 0U);
}

TEST(admit, is_refused_by_a_block_whatever_else_would_hold_it) {
  world w;
  w.use({rule_of("delays", 1, 1), rule_of("block", 1, 1, limit_action::block),
         rule_of("rejects", 1, 1, limit_action::reject)});
  for (int i = 0; i < 3; ++i) {
    charges& of = w.match({"SET", "k", "v"});
    const verdict refused = w.set->admit(of, nullptr, 0);
    EXPECT_EQ(refused.what, admission::rejected);
    EXPECT_EQ(refused.held_by, 1U);
  }
  EXPECT_NEAR(tokens(w, 0, 0), 1, 1e-6);
}

// Who waited in another rule's line when the block came does not pass at its turn.
TEST(admit, refuses_a_waiter_when_a_block_comes) {
  world w;
  const auto delays = rule_of("delays", 1, 1);
  w.use({delays});
  EXPECT_EQ(w.set->admit(w.match({"SET", "k", "v"}), nullptr, 0).what, admission::admitted);
  w.use({rule_of("block", 1, 1, limit_action::block), delays});
  waiter who;
  charges& of = w.match({"SET", "k", "v"});
  of.items[1].from->join(who, of.items[1].cost, 0);
  EXPECT_EQ(w.set->admit(of, &who, 5 * second).what, admission::rejected);
  of.items[1].from->leave(who, 0);
}

TEST(admit, tells_a_blocked_client_when_the_block_ends_and_lets_it_pass_then) {
  world w;
  auto block = rule_of("block", 1, 1, limit_action::block);
  const auto wall = std::chrono::system_clock::now();
  block.until = std::chrono::ceil<std::chrono::seconds>(wall + std::chrono::seconds(60));
  w.use({block});
  charges& of = w.match({"SET", "k", "v"});
  const verdict refused = w.set->admit(of, nullptr, 0);
  EXPECT_GT(refused.wait, 58 * second);
  EXPECT_LT(refused.wait, 62 * second);
  EXPECT_EQ(w.set->admit(of, nullptr, 62 * second).what, admission::admitted);
}

TEST(admit, gives_no_burst_where_a_new_rule_begins_empty) {
  world w;
  auto cap = rule_of("cap", 10, 5);
  cap.begins_empty = true;
  w.use({cap});
  EXPECT_EQ(w.set->admit(w.match({"SET", "k", "v"}), nullptr, 0).what, admission::wait);
  EXPECT_EQ(w.set->admit(w.match({"SET", "k", "v"}), nullptr, second / 10 + 1).what, admission::admitted);
}

}  // namespace
}  // namespace tidegate::limiter
