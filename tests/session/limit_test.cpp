// Delays and rejections: whose turn it is, who gives a place back, what a reload does.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

config::limit_rule cap(double rate, double burst, config::limit_action action = config::limit_action::delay) {
  config::limit_rule rule;
  rule.name = "cap";
  rule.rate = rate;
  rule.burst = burst;
  rule.action = action;
  rule.per = config::limit_per::rule;
  return rule;
}

fake_world::adjust with(config::limit_rule rule) {
  return [rule](config::config& c) { c.limits.push_back(rule); };
}

TEST(Limit, ATransactionIsDebitedInEachBucketHoweverManyItTouches) {
  fake_world world([](config::config& c) {
    config::limit_rule rule;
    rule.name = "one-a-pattern";
    rule.per = config::limit_per::pattern;
    rule.action = config::limit_action::reject;
    rule.rate = rule.burst = 1;
    c.limits.push_back(rule);
  });
  fake_socket& client = world.connect_client();
  constexpr int patterns = 100;
  std::string request = "MULTI\r\n";
  const auto key = [](int number) {
    return std::string(1, static_cast<char>('a' + number / 10)) + static_cast<char>('a' + number % 10) + ":x";
  };
  for (int i = 0; i < patterns; ++i) request += "SET " + key(i) + " v\r\n";
  (void)world.ask(client, request + "EXEC\r\n");
  ASSERT_EQ(world.booked("set"), static_cast<std::uint64_t>(patterns));
  for (int i = 0; i < patterns; ++i) {
    EXPECT_TRUE(world.ask(client, "SET " + key(i) + " v\r\n").starts_with("-THROTTLED rule=one-a-pattern")) << key(i);
  }
  world.expect_nothing_left();
}

// The charges of a queue point to rules that a reload takes away.
TEST(Limit, AReloadInTheMiddleOfATransactionLeavesNothingOfTheOldRulesBehind) {
  fake_world world(with(cap(1, 1, config::limit_action::reject)));
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nSET a 1\r\nSET b 1\r\n");
  world.reload({});
  EXPECT_EQ(world.ask(client, "EXEC\r\n"), "*2\r\n+OK\r\n+OK\r\n");
  (void)world.ask(client, "MULTI\r\nSET a 1\r\n");
  world.reload(with(cap(1, 1, config::limit_action::reject)));
  EXPECT_EQ(world.ask(client, "SET b 1\r\nEXEC\r\n"), "+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n");
  EXPECT_TRUE(world.ask(client, "SET c 1\r\n").starts_with("-THROTTLED rule=cap"));
  world.expect_nothing_left();
}

TEST(Limit, ARejectedWriteIsAnsweredInItsPlace) {
  fake_world world(with(cap(1, 1, config::limit_action::reject)));
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "CLIENT SETNAME app\r\nPING\r\n");
  world.hold_replies = true;
  client.send("SET a 1\r\nSET b 1\r\nGET a\r\n");
  world.settle();
  EXPECT_EQ(client.take(), "");
  world.hold_replies = false;
  world.settle();
  const std::string got = client.take();
  EXPECT_TRUE(got.starts_with("+OK\r\n-THROTTLED rule=cap client=app retry_after_ms=")) << got;
  EXPECT_TRUE(got.ends_with("\r\n$1\r\n1\r\n")) << got;
  EXPECT_EQ(world.booked("set"), 1U);
  EXPECT_EQ(fake_world::total(world.engine->stats().rejected), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Limit, ADelayedWriteStopsItsSessionAndNobodyElses) {
  fake_world world(with(cap(10, 1)));
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  EXPECT_EQ(world.ask(client, "SET a 1\r\nSET a 2\r\nGET a\r\n"), "+OK\r\n");
  EXPECT_EQ(world.ask(other, "GET a\r\n"), "$1\r\n1\r\n");
  world.advance(95 * millisecond);
  EXPECT_EQ(client.take(), "");
  world.advance(15 * millisecond);
  EXPECT_EQ(client.take(), "+OK\r\n$1\r\n2\r\n");
  EXPECT_EQ(fake_world::total(world.engine->stats().delayed), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Limit, ThoseWhoWaitGoFirstComeFirstServed) {
  fake_world world(with(cap(100, 1)));
  std::vector<fake_socket*> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(&world.connect_client());
    all.back()->send({"RPUSH", "order", std::to_string(i)});
    world.settle();
    world.now += millisecond / 10;
  }
  world.advance(second);
  const auto& items = world.redis.find(0, "order")->items;
  ASSERT_EQ(items.size(), 10U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(items[static_cast<std::size_t>(i)], std::to_string(i));
  world.expect_nothing_left();
}

TEST(Limit, TheRateIsNeverExceeded) {
  fake_world world(with(cap(100, 10)));
  std::vector<fake_socket*> all;
  for (int i = 0; i < 20; ++i) all.push_back(&world.connect_client());
  for (int round = 0; round < 20; ++round) {
    for (fake_socket* client : all) client->send("SET a 1\r\n");
    world.advance(100 * millisecond);
    EXPECT_LE(world.redis.calls["set"], 10U + static_cast<unsigned>(round + 1) * 10U + 1U);
  }
  EXPECT_GE(world.redis.calls["set"], 190U) << "and nearly all of it is used";
  world.expect_nothing_left();
}

TEST(Limit, OneThatWaitsAndDiesGivesItsPlaceBack) {
  fake_world world(with(cap(10, 1)));
  fake_socket& first = world.connect_client();
  fake_socket& dies = world.connect_client();
  fake_socket& next = world.connect_client();
  (void)world.ask(first, "SET a 1\r\n");
  dies.send("SET a dead\r\n");
  world.settle();
  next.send("SET a next\r\n");
  world.settle();
  dies.abort();
  world.advance(110 * millisecond);
  EXPECT_EQ(next.take(), "+OK\r\n");
  EXPECT_EQ(world.redis.calls["set"], 2U);
  world.expect_nothing_left();
}

TEST(Limit, AWaitBeyondMaxDelayIsRejected) {
  config::limit_rule rule = cap(1, 1);
  rule.max_delay = std::chrono::milliseconds(100);
  fake_world world(with(rule));
  fake_socket& client = world.connect_client();
  const std::string got = world.ask(client, "SET a 1\r\nSET a 2\r\nGET a\r\n");
  EXPECT_TRUE(got.starts_with("+OK\r\n-THROTTLED rule=cap ")) << got;
  EXPECT_TRUE(got.ends_with("$1\r\n1\r\n")) << got;
  world.expect_nothing_left();
}

TEST(Limit, AReloadThatRaisesTheRateLetsThoseWhoWaitGoInTheirOrder) {
  config::limit_rule rule = cap(1, 1);
  rule.max_delay = std::chrono::milliseconds(60'000);
  fake_world world(with(rule));
  std::vector<fake_socket*> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(&world.connect_client());
    all.back()->send({"RPUSH", "order", std::to_string(i)});
    world.settle();
    world.now += millisecond;
  }
  rule.rate = 1000;
  world.reload(with(rule));
  world.advance(200 * millisecond);
  const auto& items = world.redis.find(0, "order")->items;
  ASSERT_EQ(items.size(), 6U);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(items[static_cast<std::size_t>(i)], std::to_string(i));
  world.expect_nothing_left();
}

// Buckets of a pattern belong to the rule set: who stands in one when it goes must not be left in freed memory.
TEST(Limit, AReloadWithoutTheRuleLetsGoOfThoseWhoWaitForIt) {
  config::limit_rule rule = cap(1, 1);
  rule.max_delay = std::chrono::milliseconds(60'000);
  rule.per = config::limit_per::pattern;
  fake_world world(with(rule));
  fake_socket& a = world.connect_client();
  fake_socket& b = world.connect_client();
  (void)world.ask(a, "SET a 1\r\n");
  (void)world.ask(a, "SET a 2\r\n");
  (void)world.ask(b, "SET a 3\r\n");
  world.reload({});
  world.snapshot.reset();
  world.settle();
  world.reload({});
  world.advance(10 * millisecond);
  EXPECT_EQ(a.take(), "+OK\r\n");
  EXPECT_EQ(b.take(), "+OK\r\n");
  world.expect_nothing_left();
}

TEST(Limit, ManyReloadsDoNotExtendTheLongestDelay) {
  config::limit_rule rule = cap(0.2, 1);
  rule.max_delay = std::chrono::milliseconds(5'500);
  fake_world world(with(rule));
  fake_socket& a = world.connect_client();
  fake_socket& b = world.connect_client();
  (void)world.ask(a, "SET a 1\r\n");
  (void)world.ask(b, "SET a 2\r\n");
  for (int i = 0; i < 30; ++i) {
    config::limit_rule slower = rule;
    slower.rate = 0.1;
    world.reload(with(slower));
    world.advance(200 * millisecond);
  }
  const std::string got = b.take();
  EXPECT_TRUE(got.starts_with("-THROTTLED")) << got;
  EXPECT_EQ(fake_world::total(world.engine->stats().delayed), 1U);
  world.expect_nothing_left();
}

TEST(Limit, AnObservedRuleHoldsNothingAndCounts) {
  fake_world world(with(cap(1, 1, config::limit_action::observe)));
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SET a 1\r\nSET a 2\r\nSET a 3\r\n"), "+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(fake_world::total(world.engine->stats().observed), 2U);
  world.expect_nothing_left();
}

TEST(Limit, ADelayedCommandOfAHalfClosedClientStillRuns) {
  fake_world world(with(cap(10, 1)));
  fake_socket& client = world.connect_client();
  client.send("SET a 1\r\nSET a 2\r\nGET a\r\n");
  client.half_close();
  world.advance(200 * millisecond);
  EXPECT_EQ(client.take(), "+OK\r\n+OK\r\n$1\r\n2\r\n");
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

// Who has its turn but no connection must not keep all others waiting for a turn that it cannot take.
TEST(Limit, WhoLosesItsLaneInTheLineDoesNotBlockTheLine) {
  fake_world world(with(cap(10, 1)));
  fake_socket& a = world.connect_client();
  fake_socket& b = world.connect_client();
  (void)world.ask(a, "SET a 1\r\n");
  (void)world.ask(b, "SELECT 1\r\n");
  (void)world.ask(b, "GET x\r\n");
  a.send("SET a 2\r\n");
  world.settle();
  b.send("SET b 1\r\n");
  world.settle();
  world.hold_connects = true;
  world.lose_upstream(0, true);
  world.advance(250 * millisecond);
  EXPECT_EQ(b.take(), "+OK\r\n");
  world.hold_connects = false;
  world.advance(second);
  EXPECT_EQ(a.take(), "+OK\r\n");
  world.expect_nothing_left();
}

TEST(Limit, ACostAboveTheBurstPassesWhenTheBucketIsFullAndIsCounted) {
  config::limit_rule rule = cap(10, 2);
  rule.cost = config::limit_cost::element;
  fake_world world(with(rule));
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SADD s a b c d\r\n"), ":4\r\n");
  EXPECT_EQ(world.engine->stats().oversized_costs.load(), 1U);
  EXPECT_EQ(world.ask(client, "SADD s e\r\n"), "");
  world.advance(400 * millisecond);
  EXPECT_EQ(client.take(), ":5\r\n");
  EXPECT_EQ(world.engine->stats().oversized_costs.load(), 1U);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
