// Messages and pushes of which a part has come: nothing else fits into them.
#include <gtest/gtest.h>

#include <string>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

struct subscriber {
  explicit subscriber(bool resp3, const fake_world::adjust& configure = {})
      : world(configure), client(world.connect_client()) {
    message = resp3 ? ">" : "*";
    message += "3\r\n$7\r\nmessage\r\n$1\r\na\r\n$10\r\n0123456789\r\n";
    (void)world.ask(client, std::string(resp3 ? "HELLO 3\r\n" : "") + "SUBSCRIBE a\r\n");
    world.hold_replies = true;
    world.redis.publish("a", "0123456789");
    for (std::size_t index = 0; index < world.upstreams(); ++index) {
      fake_socket& upstream = world.upstream(index);
      if (upstream.open && !world.redis.at(upstream.link).out.empty()) upstream.release = begins().size();
    }
    world.settle();
  }
  [[nodiscard]] std::string begins() const { return message.substr(0, message.size() - 5); }
  [[nodiscard]] std::string ends() const { return message.substr(message.size() - 5); }

  fake_world world;
  fake_socket& client;
  std::string message;
};

TEST(Message, LetsAnAnswerOfTheProxysOwnWaitForTheRestOfIt) {
  for (const bool resp3 : {true, false}) {
    subscriber one(resp3);
    EXPECT_EQ(one.client.take(), one.begins());
    one.client.send("*1\r\n@\r\n");
    one.world.settle();
    EXPECT_EQ(one.client.take(), "") << "not in the middle of it";
    one.world.hold_replies = false;
    one.world.settle();
    EXPECT_EQ(one.client.take(), one.ends() + "-ERR Protocol error: expected '$', got '@'\r\n");
    one.world.expect_nothing_left();
  }
}

// The error for what was lost went into the middle of a message, and was read as a part of it.
TEST(Message, IsTheLastOfItsClientWhereItIsCutOffWithTheConnection) {
  for (const char* const behind : {"", "PING x\r\n", "PING x\r\nPING y\r\n", "*1\r\n@\r\n"}) {
    for (const bool resp3 : {true, false}) {
      subscriber one(resp3);
      one.client.send(behind);
      one.world.settle();
      one.world.lose_all_upstreams();
      one.world.settle();
      EXPECT_EQ(one.client.take(), one.begins()) << behind;
      EXPECT_FALSE(one.client.open);
      one.world.expect_nothing_left();
    }
  }
}

TEST(Message, IsTheLastOfItsClientWhereTheProxyEndsInItsMiddle) {
  subscriber one(true, [](config::config& c) {
    config::limit_rule rule;
    rule.name = "one";
    rule.rate = rule.burst = 1;
    rule.max_delay = std::chrono::hours(1);
    c.limits.push_back(rule);
  });
  fake_socket& other = one.world.connect_client();
  (void)one.world.ask(other, "SET a 1\r\n");
  one.client.send("SET a 2\r\n");  // delayed: it would be told that the proxy ends
  one.world.settle();
  EXPECT_EQ(one.client.take(), one.begins());
  one.world.engine->post_stop();
  one.world.settle();
  EXPECT_EQ(one.client.take(), "");
  EXPECT_FALSE(one.client.open);
}

}  // namespace
}  // namespace tidegate::session::testing_support
