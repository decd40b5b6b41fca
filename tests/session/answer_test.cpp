// What breaks "one request, one reply", where the machines once got out of step with it or kept what nobody waited for.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

TEST(Answer, AReplyOfOursSpendsClientReplySkipUpstreamToo) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nCLIENT GETNAME\r\nECHO x\r\n"), "$1\r\nx\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nTIDEGATE WHOAMI\r\nECHO y\r\n"), "$1\r\ny\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Answer, ARefusalOfOursSpendsClientReplySkipUpstreamToo) {
  const auto require = [](config::config& c) {
    config::ttl_rule rule;
    rule.pattern = "t:*";
    rule.require = true;
    c.ttl.push_back(rule);
  };
  fake_world world(require);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nSET t:1 v\r\nECHO x\r\n"), "$1\r\nx\r\n");
  EXPECT_EQ(world.booked("set"), 0U);
  world.expect_nothing_left();
}

TEST(Answer, AnEmptyRequestSpendsClientReplySkip) {
  for (const std::string empty : {"*0\r\n", "*-1\r\n", "\r\n", " \t\r\n", "*0\r\n\r\n*-1\r\n"}) {
    fake_world world;
    fake_socket& client = world.connect_client();
    EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\n" + empty + "ECHO x\r\nECHO y\r\n"), "$1\r\nx\r\n$1\r\ny\r\n");
    world.expect_nothing_left();
  }
}

TEST(Answer, EmptyRequestsToAnUpstreamThatTakesNothingAreNotGathered) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT NO-EVICT ON\r\nECHO x\r\n"),
            "-ERR unknown subcommand 'NO-EVICT'. Try CLIENT HELP.\r\n$1\r\nx\r\n");
  for (std::size_t i = 0; i < world.upstreams(); ++i) world.give_room(world.upstream(i), 0);
  std::string empty;
  for (int i = 0; i < 100'000; ++i) empty += "*0\r\n";
  for (int i = 0; i < 100; ++i) {
    client.send(empty);
    world.settle();
  }
  EXPECT_LT(world.engine->inventory_now().buffer_bytes, 8U << 20);
  for (std::size_t i = 0; i < world.upstreams(); ++i) world.give_room(world.upstream(i), 64U << 20);
  world.settle();
  world.expect_nothing_left();
}

TEST(Answer, WhoWaitsForReplicasWithoutAnEndAndGoesIsNotKept) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "WAIT 1 0\r\n"), ":1\r\n");
  world.redis.silent = true;
  EXPECT_EQ(world.ask(client, "WAIT 1 0\r\n"), "");
  client.half_close();
  world.settle();
  EXPECT_FALSE(client.open);
  EXPECT_EQ(world.engine->inventory_now().dedicated, 0U);
  world.redis.silent = false;
  world.expect_nothing_left();
}

TEST(Answer, WhoWaitsForReplicasForAWhileAndSendsFinHearsOfIt) {
  fake_world world;
  fake_socket& client = world.connect_client();
  client.send("SET a 1\r\nWAIT 1 100\r\nWAIT 0 0\r\n");
  client.half_close();
  world.settle();
  EXPECT_EQ(client.take(), "+OK\r\n:1\r\n:1\r\n");
  world.expect_nothing_left();
}

// RESET ends CLIENT REPLY OFF and is answered; behind SKIP it is the request that is not.
TEST(Answer, ResetBehindClientReplySkipIsNotAnswered) {
  const auto ours = [](config::config& c) {
    c.upstream.auth = config::credentials{"proxy", "secret"};
    c.users = {{"app", "token"}};
  };
  for (const bool logins_are_ours : {false, true}) {
    fake_world world(logins_are_ours ? fake_world::adjust(ours) : fake_world::adjust());
    if (logins_are_ours) world.redis.passwords = {{"default", "pw"}, {"proxy", "secret"}};
    fake_socket& client = world.connect_client();
    const std::string login = logins_are_ours ? "AUTH app token\r\n" : "PING x\r\n";
    (void)world.ask(client, login);
    EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nRESET\r\nPING a\r\n"),
              logins_are_ours ? "-NOAUTH Authentication required.\r\n" : "$1\r\na\r\n");
    (void)world.ask(client, login);
    EXPECT_EQ(world.ask(client, "ECHO b\r\nQUIT\r\n"), "$1\r\nb\r\n+OK\r\n");
    EXPECT_FALSE(client.open) << "nothing is waited for that does not come";
    world.expect_nothing_left();
  }
}

TEST(Answer, ASubscriberOfResp2CannotEndClientReplyOff) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nSUBSCRIBE a\r\n"), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY ON\r\nPING x\r\nHELLO 3\r\nSELECT 1\r\n"), "");
  EXPECT_EQ(world.ask(client, "UNSUBSCRIBE a\r\nECHO x\r\n"), "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY ON\r\nECHO y\r\nGET none\r\nSET in db\r\nQUIT\r\n"),
            "+OK\r\n$1\r\ny\r\n$-1\r\n+OK\r\n+OK\r\n");
  EXPECT_FALSE(client.open);
  EXPECT_NE(world.redis.find(0, "in"), nullptr) << "SELECT was refused";
  world.expect_nothing_left();
}

TEST(Answer, WhetherASubscriberMayEndClientReplyOffIsKnownOnceItsLeaveIsConfirmed) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "CLIENT REPLY OFF\r\nSUBSCRIBE a\r\n");
  EXPECT_EQ(world.ask(client, "UNSUBSCRIBE a\r\nCLIENT REPLY ON\r\nECHO y\r\nQUIT\r\n"),
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+OK\r\n$1\r\ny\r\n+OK\r\n");
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(Answer, HelloUnderClientReplyIsNotWaitedForWhereLoginsAreOurs) {
  fake_world world([](config::config& c) {
    c.upstream.auth = config::credentials{"proxy", "secret"};
    c.users = {{"app", "token"}};
  });
  world.redis.passwords = {{"default", "pw"}, {"proxy", "secret"}};
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "AUTH app token\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nHELLO 3\r\nGET none\r\n"), "_\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nHELLO 2\r\nCLIENT REPLY ON\r\nGET none\r\nQUIT\r\n"),
            "+OK\r\n$-1\r\n+OK\r\n");
  world.expect_nothing_left();
}

// The id that it told names this connection: somebody else on it could be killed in its place.
TEST(Answer, ClientIdInsideMultiKeepsTheConnectionAsItDoesOutside) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const std::string told = world.ask(client, "MULTI\r\nCLIENT ID\r\nEXEC\r\n");
  ASSERT_TRUE(told.starts_with("+OK\r\n+QUEUED\r\n*1\r\n:")) << told;
  world.advance(60 * second);
  EXPECT_EQ(world.engine->inventory_now().dedicated, 1U);
  EXPECT_EQ(world.ask(client, "CLIENT ID\r\n"), told.substr(told.find(':')));
  world.expect_nothing_left();
}

TEST(Answer, ShutdownThatSucceedsSaysNothingAndNothingBehindItIsAnswered) {
  fake_world world;
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  (void)world.ask(client, "CLIENT ID\r\n");
  (void)world.ask(other, "PING\r\n");
  world.redis.silent = true;
  client.send("SHUTDOWN NOSAVE\r\nECHO x\r\nCLIENT GETNAME\r\nECHO y\r\n");
  other.send("ECHO z\r\n");
  world.settle();
  world.refuse_connects = true;
  world.lose_all_upstreams();
  world.settle();
  EXPECT_EQ(client.take(), "");
  EXPECT_FALSE(client.open);
  EXPECT_EQ(other.take(), "-ERR upstream connection lost; the command may have been applied\r\n");
  EXPECT_TRUE(other.open);
  world.redis.silent = world.refuse_connects = false;
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
