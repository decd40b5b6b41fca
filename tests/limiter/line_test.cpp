// The line of those who wait, driven from one thread as several workers would.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "limiter/bucket.hpp"

namespace tidegate::limiter {
namespace {

constexpr steady_ns second = 1'000'000'000;
constexpr steady_ns poll = 1'000'000;

class line : public testing::Test {
 protected:
  rate_clock clock{10, 0};
  bucket b{clock, 5, 8};
  units token = clock.to_units(1);

  void SetUp() override { ASSERT_TRUE(b.try_debit(clock.to_units(5), 0)); }
};

TEST_F(line, lets_nobody_pass_who_comes_later_though_the_tokens_are_there) {
  waiter first;
  b.join(first, 5 * token, 3);
  EXPECT_TRUE(b.anybody_waits());
  EXPECT_FALSE(b.try_debit(token, 10 * second));
  EXPECT_TRUE(b.try_debit_first(first, 5 * token, 10 * second));
  EXPECT_FALSE(b.try_debit(token, 20 * second)) << "it has not left yet";
  b.leave(first, 3);
  EXPECT_FALSE(b.anybody_waits());
  EXPECT_TRUE(b.try_debit(token, 20 * second));
}

TEST_F(line, is_one_over_all_workers) {
  waiter a, c, d;
  b.join(a, token, 7);
  b.join(c, token, 0);
  b.join(d, token, 7);
  EXPECT_TRUE(b.is_first(a));
  EXPECT_FALSE(b.try_debit_first(c, token, 10 * second));
  EXPECT_FALSE(b.try_debit_first(d, token, 10 * second));
  b.leave(a, 7);
  EXPECT_FALSE(b.try_debit_first(d, token, 10 * second));
  EXPECT_TRUE(b.try_debit_first(c, token, 10 * second));
  b.leave(c, 0);
  EXPECT_TRUE(b.try_debit_first(d, token, 10 * second));
  b.leave(d, 7);
}

TEST_F(line, gives_the_place_of_a_dead_waiter_back_wherever_it_stood) {
  std::array<waiter, 5> who;
  for (const std::size_t dead : {0U, 2U, 4U}) {
    for (waiter& w : who) b.join(w, token, 1);
    b.leave(who[dead], 1);
    for (std::size_t i = 0; i < who.size(); ++i) {
      if (i == dead) continue;
      EXPECT_TRUE(b.is_first(who[i])) << dead << " " << i;
      b.leave(who[i], 1);
    }
    EXPECT_FALSE(b.anybody_waits());
  }
}

TEST_F(line, refuses_one_that_is_not_in_it) {
  waiter in, out;
  b.join(in, token, 0);
  EXPECT_FALSE(b.is_first(out));
  EXPECT_FALSE(b.try_debit_first(out, token, 10 * second));
  b.leave(in, 0);
  EXPECT_FALSE(b.try_debit_first(in, token, 10 * second));
}

TEST_F(line, estimates_count_what_stands_ahead) {
  EXPECT_NEAR(static_cast<double>(b.wait_for(token, 0)), 1e8, 10);
  waiter a, c;
  b.join(a, 2 * token, 0);
  b.join(c, 3 * token, 1);
  EXPECT_NEAR(static_cast<double>(b.wait_for(token, 0)), 6e8, 10);
  EXPECT_NEAR(static_cast<double>(b.wait_of(a, 0)), 2e8, 10);
  EXPECT_NEAR(static_cast<double>(b.wait_of(c, 0)), 5e8, 10);
  ASSERT_TRUE(b.try_debit_first(a, 2 * token, 200'000'010));
  b.leave(a, 0);
  EXPECT_NEAR(static_cast<double>(b.wait_of(c, 200'000'010)), 3e8, 10);
  b.leave(c, 1);
  EXPECT_NEAR(static_cast<double>(b.wait_for(token, 200'000'010)), 1e8, 10);
}

TEST_F(line, tells_a_waiter_to_look_again_at_its_turn_and_the_first_of_a_part_by_the_poll_at_the_latest) {
  waiter a, c, d;
  b.join(a, token, 0);
  b.join(c, token, 0);
  b.join(d, token, 1);
  const steady_ns now = 50'000'000;
  EXPECT_EQ(b.look_again(a, 0, now, poll), now + poll);
  EXPECT_NEAR(static_cast<double>(b.look_again(a, 0, now, second)), 1e8, 10);
  EXPECT_NEAR(static_cast<double>(b.look_again(c, 0, now, poll)), 2e8, 10);
  EXPECT_EQ(b.look_again(d, 1, now, poll), now + poll);
  // Overdue: the first at once, the others never at once, or they would spin until the first has been here.
  EXPECT_EQ(b.look_again(a, 0, 10 * second, poll), 10 * second);
  EXPECT_GT(b.look_again(c, 0, 10 * second, poll), 10 * second);
  EXPECT_GT(b.look_again(d, 1, 10 * second, poll), 10 * second);
  EXPECT_LE(b.look_again(d, 1, 10 * second, poll), 10 * second + poll);
  b.leave(a, 0);
  b.leave(c, 0);
  b.leave(d, 1);
}

TEST_F(line, of_a_blocked_rule_is_looked_at_by_the_poll_alone) {
  clock.set_rate(0, 0);
  waiter a, c;
  b.join(a, token, 0);
  b.join(c, token, 0);
  EXPECT_EQ(b.look_again(a, 0, second, poll), second + poll);
  EXPECT_EQ(b.look_again(c, 0, second, poll), never);
  clock.set_rate(10, 2 * second);
  EXPECT_TRUE(b.try_debit_first(a, token, 3 * second));
  b.leave(a, 0);
  b.leave(c, 0);
}

TEST_F(line, stays_sane_with_costs_that_saturate) {
  std::array<waiter, 64> who;
  for (waiter& w : who) b.join(w, units_max, 2);
  EXPECT_GT(b.wait_for(units_max, 0), 0);
  EXPECT_GT(b.wait_of(who.back(), 0), b.wait_of(who.front(), 0));
  for (waiter& w : who) b.leave(w, 2);
  EXPECT_NEAR(static_cast<double>(b.wait_for(token, 0)), 1e8, 10);
}

TEST_F(line, counts_the_lines_that_a_command_stood_in) {
  bucket other(clock, 5, 8);
  waiter w;
  b.join(w, token, 0);
  EXPECT_EQ(w.lines, 1U);
  b.leave(w, 0);
  other.join(w, token, 0);
  EXPECT_EQ(w.lines, 2U);
  EXPECT_FALSE(b.is_first(w));
  other.leave(w, 0);
}

TEST_F(line, aborts_on_what_cannot_be) {
  waiter w;
  EXPECT_DEATH(b.leave(w, 0), "");
  EXPECT_DEATH(b.join(w, token, 8), "");
  b.join(w, token, 0);
  EXPECT_DEATH(b.join(w, token, 0), "");
  b.leave(w, 0);
}

// Joins, deaths, newcomers and looks in any order against one plain queue.
TEST(line_model, serves_in_the_order_of_arrival_whatever_happens) {
  struct session {
    waiter place;
    std::uint32_t worker = 0;
    units cost = 0;
  };
  std::mt19937_64 random(7);
  const rate_clock clock(1000, 0);
  bucket b(clock, 20, 8);
  std::deque<session*> expected;
  std::vector<std::unique_ptr<session>> alive;
  steady_ns now = 0;
  int served = 0, died = 0, passed = 0;
  const auto end = [&](session* s) {
    b.leave(s->place, s->worker);
    std::erase(expected, s);
    std::erase_if(alive, [&](const auto& one) { return one.get() == s; });
  };
  for (int i = 0; i < 200'000; ++i) {
    now += static_cast<steady_ns>(random() % 5'000'000);
    const std::uint64_t dice = random() % 100;
    if (dice < 30) {
      const units cost = clock.to_units(random() % 20 == 0 ? 30 : 1 + random() % 3);
      const bool may = expected.empty() && b.covers(cost, now);
      ASSERT_EQ(b.try_debit(cost, now), may);
      passed += may ? 1 : 0;
      if (!may && alive.size() < 200) {
        session& s = *alive.emplace_back(std::make_unique<session>());
        s.worker = static_cast<std::uint32_t>(random() % 8);
        s.cost = cost;
        b.join(s.place, cost, s.worker);
        expected.push_back(&s);
      }
    } else if (dice < 35 && !alive.empty()) {
      end(alive[random() % alive.size()].get());
      ++died;
    } else if (!alive.empty()) {
      session* const s = dice < 60 ? expected.front() : alive[random() % alive.size()].get();
      const bool may = s == expected.front() && b.covers(s->cost, now);
      ASSERT_EQ(b.try_debit_first(s->place, s->cost, now), may);
      if (may) {
        end(s);
        ++served;
      }
    }
    ASSERT_EQ(b.anybody_waits(), !expected.empty());
  }
  EXPECT_GT(served, 10'000);
  EXPECT_GT(died, 1'000);
  EXPECT_GT(passed, 1'000);
  while (!alive.empty()) end(alive.back().get());
  EXPECT_EQ(b.wait_for(1, now + 1000 * second), 0);
}

}  // namespace
}  // namespace tidegate::limiter
