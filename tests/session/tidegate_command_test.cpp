// TIDEGATE WHOAMI | QUOTA | HELP: answered here, in their place, and never sent upstream.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

config::limit_rule rule(std::string name, double rate, double burst) {
  config::limit_rule one;
  one.name = std::move(name);
  one.rate = rate;
  one.burst = burst;
  return one;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// RESP2: a name and its value behind it.
std::string pair(std::string_view name, std::string_view value) {
  return "$" + std::to_string(name.size()) + "\r\n" + std::string(name) + "\r\n$" + std::to_string(value.size()) +
         "\r\n" + std::string(value) + "\r\n";
}

std::string pair(std::string_view name, int value) {
  return "$" + std::to_string(name.size()) + "\r\n" + std::string(name) + "\r\n:" + std::to_string(value) + "\r\n";
}

TEST(TidegateWhoami, SaysTheNameAndWhichClaimGaveIt) {
  fake_world world;
  fake_socket& client = world.connect_client("10.0.0.7");
  const std::string unnamed = world.ask(client, "TIDEGATE WHOAMI\r\n");
  EXPECT_TRUE(unnamed.starts_with("*18\r\n")) << unnamed;
  EXPECT_TRUE(holds(unnamed, pair("client", "unnamed@10.0.0.7"))) << unnamed;
  EXPECT_TRUE(holds(unnamed, pair("identified_by", "unnamed"))) << unnamed;
  EXPECT_TRUE(holds(unnamed, pair("address", "10.0.0.7"))) << unnamed;
  (void)world.ask(client, "CLIENT SETNAME app\r\n");
  const std::string named = world.ask(client, "tidegate whoami\r\n");
  EXPECT_TRUE(holds(named, pair("client", "app"))) << named;
  EXPECT_TRUE(holds(named, pair("identified_by", "client_name"))) << named;
  world.expect_nothing_left();
}

TEST(TidegateWhoami, IsAMapInResp3) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "HELLO 3 SETNAME app\r\n");
  const std::string got = world.ask(client, "TIDEGATE WHOAMI\r\n");
  EXPECT_TRUE(got.starts_with("%9\r\n$6\r\nclient\r\n$3\r\napp\r\n")) << got;
  world.expect_nothing_left();
}

TEST(TidegateQuota, TellsWhatIsLeftAndTheNextTurn) {
  fake_world world([](config::config& c) {
    c.limits.push_back(rule("batch", 10, 5));
    c.limits.back().match_client = "app";
  });
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "CLIENT SETNAME app\r\n");
  const std::string full = world.ask(client, "TIDEGATE QUOTA\r\n");
  EXPECT_TRUE(full.starts_with("*8\r\n$6\r\nclient\r\n$3\r\napp\r\n")) << full;
  EXPECT_TRUE(holds(full, pair("rule", "batch"))) << full;
  EXPECT_TRUE(holds(full, pair("action", "delay"))) << full;
  EXPECT_TRUE(holds(full, pair("rate", "10"))) << full;
  EXPECT_TRUE(holds(full, pair("memory_share", "1"))) << full;
  EXPECT_TRUE(holds(full, pair("burst", 5))) << full;
  EXPECT_TRUE(holds(full, pair("tokens", 5))) << full;
  EXPECT_TRUE(holds(full, pair("wait_ms", 0))) << full;
  for (int i = 0; i < 5; ++i) (void)world.ask(client, "SET a 1\r\n");
  const std::string empty = world.ask(client, "TIDEGATE QUOTA\r\n");
  EXPECT_TRUE(holds(empty, pair("tokens", 0))) << empty;
  EXPECT_TRUE(holds(empty, pair("wait_ms", 100)) || holds(empty, pair("wait_ms", 101))) << empty;
  EXPECT_EQ(world.ask(client, "TIDEGATE QUOTA\r\n"), empty) << "asking costs nothing";
  world.advance(250 * millisecond);
  EXPECT_TRUE(holds(world.ask(client, "TIDEGATE QUOTA\r\n"), pair("tokens", 2)));
  world.expect_nothing_left();
}

TEST(TidegateQuota, ListsOnlyWhatHoldsThisClientAndTheKeyAskedFor) {
  fake_world world([](config::config& c) {
    c.limits.push_back(rule("others", 10, 5));
    c.limits.back().match_client = "somebody-else";
    c.limits.push_back(rule("contacts", 10, 5));
    c.limits.back().match_key = "contact:*";
    c.limits.push_back(rule("a-pattern", 10, 5));
    c.limits.back().per = config::limit_per::pattern;
  });
  fake_socket& client = world.connect_client();
  const std::string all = world.ask(client, "TIDEGATE QUOTA\r\n");
  EXPECT_FALSE(holds(all, "others\r\n$6")) << all;
  EXPECT_TRUE(holds(all, pair("rule", "contacts"))) << all;
  EXPECT_TRUE(holds(all, "$6\r\ntokens\r\n$-1\r\n")) << "without a key no pattern has a bucket: " << all;
  (void)world.ask(client, "SET contact:1 1\r\n");
  const std::string contact = world.ask(client, "TIDEGATE QUOTA contact:2\r\n");
  EXPECT_TRUE(holds(contact, pair("rule", "contacts"))) << contact;
  EXPECT_FALSE(holds(contact, "$-1\r\n")) << contact;
  EXPECT_TRUE(holds(contact, pair("tokens", 4))) << contact;
  const std::string other = world.ask(client, "TIDEGATE QUOTA other:1\r\n");
  EXPECT_FALSE(holds(other, pair("rule", "contacts"))) << other;
  EXPECT_TRUE(holds(other, pair("tokens", 5))) << other;
  world.expect_nothing_left();
}

TEST(TidegateQuota, SaysThatNothingHoldsWhereNoRuleIs) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "TIDEGATE QUOTA\r\n"), "*8\r\n" + pair("client", "unnamed@10.0.0.1") +
                                                         pair("blocked", 0) + pair("wait_ms", 0) +
                                                         "$6\r\nlimits\r\n*0\r\n");
  world.expect_nothing_left();
}

TEST(TidegateQuota, ShowsABlockAndAnObservingRuleForWhatTheyAre) {
  fake_world world([](config::config& c) {
    c.limits.push_back(rule("block:app", 1, 1));
    c.limits.back().action = config::limit_action::block;
    c.limits.push_back(rule("watch", 1, 1));
    c.limits.back().action = config::limit_action::observe;
  });
  fake_socket& client = world.connect_client();
  const std::string got = world.ask(client, "TIDEGATE QUOTA\r\n");
  EXPECT_TRUE(holds(got, pair("blocked", 1))) << got;
  EXPECT_TRUE(holds(got, pair("action", "block"))) << got;
  EXPECT_TRUE(holds(got, pair("wait_ms", 86'400'000))) << got;
  EXPECT_TRUE(holds(got, pair("action", "observe"))) << got;
  world.expect_nothing_left();
}

TEST(TidegateCommand, IsAnsweredInItsPlaceAndNeverSentUpstream) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  world.hold_replies = true;
  client.send("SET a 1\r\nTIDEGATE HELP\r\nGET a\r\n");
  world.settle();
  EXPECT_EQ(client.take(), "");
  world.hold_replies = false;
  world.settle();
  const std::string got = client.take();
  EXPECT_TRUE(got.starts_with("+OK\r\n*9\r\n+TIDEGATE <subcommand>")) << got;
  EXPECT_TRUE(got.ends_with("$1\r\n1\r\n")) << got;
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(TidegateCommand, RefusesWhatItDoesNotKnowAsRedisDoes) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "TIDEGATE\r\n"), "-ERR wrong number of arguments for 'tidegate' command\r\n");
  EXPECT_EQ(world.ask(client, words{"TIDEGATE", "a b"}), "-ERR unknown subcommand 'a_b'. Try TIDEGATE HELP.\r\n");
  EXPECT_EQ(world.ask(client, "TIDEGATE WHOAMI x\r\n"),
            "-ERR wrong number of arguments for 'tidegate|whoami' command\r\n");
  EXPECT_EQ(world.ask(client, "TIDEGATE QUOTA k x\r\n"),
            "-ERR wrong number of arguments for 'tidegate|quota' command\r\n");
  world.expect_nothing_left();
}

TEST(TidegateCommand, SpoilsATransactionAsAnUnknownCommandDoes) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\nSET a 1\r\nTIDEGATE QUOTA\r\n"),
            "+OK\r\n+QUEUED\r\n-ERR TIDEGATE is not allowed in transactions\r\n");
  EXPECT_TRUE(world.ask(client, "EXEC\r\n").starts_with("-EXECABORT"));
  EXPECT_EQ(world.ask(client, "GET a\r\n"), "$-1\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(TidegateCommand, TellsNothingToWhoHasNotLoggedIn) {
  fake_world world([](config::config& c) {
    c.upstream.auth = config::credentials{.username = {}, .password = {}};
    c.users.push_back({.name = "app", .password = "secret"});
  });
  fake_socket& client = world.connect_client();
  EXPECT_TRUE(world.ask(client, "TIDEGATE WHOAMI\r\n").starts_with("-NOAUTH"));
  EXPECT_EQ(world.ask(client, "AUTH app secret\r\n"), "+OK\r\n");
  const std::string got = world.ask(client, "TIDEGATE WHOAMI\r\n");
  EXPECT_TRUE(holds(got, pair("identified_by", "username"))) << got;
  world.expect_nothing_left();
}

// Who waits in a line when somebody is blocked is refused at once, and served at once when a rule goes.
TEST(Cap, IsFeltByThoseWhoWaitWithoutTimePassing) {
  const auto slow = [](config::config& c) { c.limits.push_back(rule("cap:app", 2, 1)); };
  fake_world world(slow);
  fake_socket& first = world.connect_client();
  fake_socket& second = world.connect_client();
  for (fake_socket* client : {&first, &second}) (void)world.ask(*client, "CLIENT SETNAME app\r\n");
  EXPECT_EQ(world.ask(first, "SET a 1\r\n"), "+OK\r\n");
  EXPECT_EQ(world.ask(first, "SET a 2\r\n"), "");
  EXPECT_EQ(world.ask(second, "SET a 3\r\n"), "");
  world.reload([](config::config& c) {
    c.limits.push_back(rule("block:app", 1, 1));
    c.limits.back().action = config::limit_action::block;
  });
  world.settle();
  for (fake_socket* client : {&first, &second})
    EXPECT_TRUE(client->take().starts_with("-THROTTLED rule=block:app client=app"));
  world.reload(slow);
  EXPECT_EQ(world.ask(first, "SET a 4\r\n"), "");
  EXPECT_EQ(world.ask(second, "SET a 5\r\n"), "");
  world.reload([](config::config&) {});
  world.settle();
  for (fake_socket* client : {&first, &second}) EXPECT_EQ(client->take(), "+OK\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
