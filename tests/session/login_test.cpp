// Who may do what: AUTH verified by the upstream, lanes by user, secrets that went bad, and logins of the proxy's own.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

const std::string wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const std::string noauth = "-NOAUTH Authentication required.\r\n";

void require_logins(fake_world& world) {
  world.redis.passwords = {{"default", "pw"}, {"bob", "b"}, {"eve", "e"}};
}

TEST(Login, BeforeAuthRedisItselfRefuses) {
  fake_world world;
  require_logins(world);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "GET a\r\nPING\r\nHELLO 3\r\n").substr(0, 2 * noauth.size()), noauth + noauth);
  EXPECT_TRUE(world.ask(client, "SET a 1\r\n").starts_with("-NOAUTH"));
  EXPECT_EQ(world.booked("set"), 0U);
  EXPECT_EQ(world.ask(client, "AUTH pw\r\nSET a 1\r\nGET a\r\n"), "+OK\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  world.expect_nothing_left();
}

TEST(Login, AFailedAuthInAPipelineLeavesTheSessionAsItWas) {
  fake_world world;
  require_logins(world);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "AUTH bob b\r\nSET a 1\r\nAUTH eve nope\r\nSET a 2\r\nGET a\r\n"),
            "+OK\r\n+OK\r\n" + wrong + "+OK\r\n$1\r\n2\r\n");
  EXPECT_EQ(world.booked("set", "bob"), 2U);
  world.expect_nothing_left();
}

// The connection on which a login failed may have been somebody's before: what follows must not run as that somebody.
TEST(Login, AFailedAuthDoesNotLendAnotherUsersConnection) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  (void)world.ask(bob, "AUTH bob b\r\nEVAL x 0 y\r\n");
  ASSERT_GE(world.engine->inventory_now().idle, 1U);
  fake_socket& thief = world.connect_client();
  EXPECT_EQ(world.ask(thief, "AUTH bob wrong\r\nEVAL x 0 stolen\r\nMULTI\r\n"), wrong + noauth + noauth);
  EXPECT_EQ(world.ask(thief, "GET a\r\nEVAL x 0 stolen\r\n"), noauth + noauth);
  world.expect_nothing_left();
}

TEST(Login, ASlowReaderWhoseLoginFailedDoesNotKeepAnotherUsersConnection) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  (void)world.ask(bob, "AUTH bob b\r\nEVAL x 0 y\r\n");
  (void)world.ask(bob, {"SET", "k", std::string(400'000, 'x')});
  fake_socket& eve = world.connect_client();
  (void)world.ask(eve, "AUTH eve e\r\n");
  eve.room = 0;
  eve.send("GET k\r\n");
  world.settle();
  eve.send("AUTH bob wrong\r\nEVAL x 0 stolen\r\n");
  world.settle();
  eve.room = SIZE_MAX;
  world.give_room(eve, SIZE_MAX);
  world.settle();
  EXPECT_TRUE(eve.take().ends_with(wrong + "$6\r\nstolen\r\n"));
  std::size_t evals_as_bob = 0;
  for (const auto& [where, name] : world.redis.dialogue) {
    if (name == "eval" && world.redis.at(where).user == "bob") ++evals_as_bob;
  }
  EXPECT_EQ(evals_as_bob, 1U) << "bob's own";
  world.expect_nothing_left();
}

TEST(Login, NobodyNamesHimselfBeforeALoginThatIsRequired) {
  for (const std::string command : {"CLIENT SETNAME x\r\n", "CLIENT GETNAME\r\n", "CLIENT SETINFO LIB-NAME x\r\n",
                                    "TIDEGATE WHOAMI\r\n", "TIDEGATE QUOTA\r\n"}) {
    fake_world world;
    require_logins(world);
    fake_socket& client = world.connect_client();
    EXPECT_EQ(world.ask(client, command + command), noauth + noauth) << command;
    EXPECT_EQ(world.ask(client, "AUTH bob b\r\nCLIENT GETNAME\r\nSET a 1\r\n"), "+OK\r\n$-1\r\n+OK\r\n") << command;
    EXPECT_EQ(world.booked("set", "bob"), 1U) << command;
    world.expect_nothing_left();
  }
}

TEST(Login, WhereNoLoginIsRequiredTheFirstCommandMayBeAName) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT SETNAME x\r\nCLIENT GETNAME\r\nSET a 1\r\n"), "+OK\r\n$1\r\nx\r\n+OK\r\n");
  EXPECT_EQ(world.booked("set", "x"), 1U);
  world.expect_nothing_left();
}

TEST(Login, LanesAreOfOneUserEach) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  fake_socket& eve = world.connect_client();
  fake_socket& bob2 = world.connect_client();
  (void)world.ask(bob, "AUTH bob b\r\nGET a\r\n");
  (void)world.ask(eve, "AUTH eve e\r\nGET a\r\n");
  (void)world.ask(bob2, "AUTH bob b\r\nGET a\r\n");
  EXPECT_EQ(world.engine->inventory_now().lanes, 2U);
  world.expect_nothing_left();
}

TEST(Login, ASecretThatIsRefusedWhenALaneReopensClosesThatUsersSessionsAndNoOthers) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  fake_socket& bob_elsewhere = world.connect_client();
  fake_socket& eve = world.connect_client();
  (void)world.ask(bob, "AUTH bob b\r\nGET a\r\n");
  (void)world.ask(bob_elsewhere, "AUTH bob b\r\nSELECT 2\r\nGET a\r\n");
  (void)world.ask(eve, "AUTH eve e\r\nGET a\r\n");
  world.redis.passwords["bob"] = "changed";
  world.lose_all_upstreams();
  world.settle();
  bob.send("GET a\r\n");
  eve.send("GET a\r\n");
  world.advance(2 * second);
  EXPECT_FALSE(bob.open);
  EXPECT_FALSE(bob_elsewhere.open);
  EXPECT_TRUE(eve.open);
  EXPECT_EQ(eve.take(), "$-1\r\n");
  world.expect_nothing_left();
}

TEST(Login, AnUpstreamFullOfClientsDoesNotLogAnybodyOut) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  (void)world.ask(bob, "AUTH bob b\r\nGET a\r\n");
  world.lose_all_upstreams();
  world.settle();
  world.redis.refusals["auth"] = "-ERR max number of clients reached\r\n";
  bob.send("GET a\r\n");
  world.advance(300 * millisecond);
  EXPECT_TRUE(bob.open);
  world.redis.refusals.clear();
  world.advance(5 * second);
  EXPECT_TRUE(bob.open);
  EXPECT_EQ(world.ask(bob, "ECHO x\r\n").substr(0, 4), "$-1\r") << "the first answer is the one that waited";
  world.expect_nothing_left();
}

TEST(Login, ResetLogsOut) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  EXPECT_EQ(world.ask(bob, "AUTH bob b\r\nRESET\r\nGET a\r\nAUTH eve e\r\nGET a\r\n"),
            "+OK\r\n+RESET\r\n" + noauth + "+OK\r\n$-1\r\n");
  world.expect_nothing_left();
}

TEST(Login, HelloWithAuthLogsIn) {
  fake_world world;
  require_logins(world);
  fake_socket& bob = world.connect_client();
  const std::string got = world.ask(bob, "HELLO 3 AUTH bob b SETNAME app\r\nSET a 1\r\n");
  EXPECT_TRUE(got.starts_with("%2") && got.ends_with("+OK\r\n")) << got;
  EXPECT_EQ(world.booked("set", "app"), 1U);
  EXPECT_TRUE(world.ask(bob, "HELLO 2 AUTH bob nope\r\n").starts_with("-WRONGPASS"));
  EXPECT_EQ(world.ask(bob, "GET none\r\n"), "_\r\n") << "a failed HELLO changes nothing";
  world.expect_nothing_left();
}

void own_logins(config::config& c) {
  c.upstream.auth = config::credentials{"proxy", "secret"};
  c.users = {{"app", "token"}};
}

TEST(Login, WithCredentialsOfItsOwnTheProxyChecksClients) {
  fake_world world(own_logins);
  world.redis.passwords = {{"default", "pw"}, {"proxy", "secret"}};
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "GET a\r\nAUTH app wrong\r\nAUTH app token\r\nSET a 1\r\nAUTH nobody x\r\nGET a\r\n"),
            noauth + wrong + "+OK\r\n+OK\r\n" + wrong + "$1\r\n1\r\n");
  EXPECT_EQ(world.booked("set", "app"), 1U);
  for (std::size_t i = 0; i < world.redis.links(); ++i) {
    if (world.redis.at(i).open) {
      EXPECT_EQ(world.redis.at(i).user, "proxy");
    }
  }
  EXPECT_EQ(world.ask(client, "RESET\r\nGET a\r\n"), "+RESET\r\n" + noauth);
  world.expect_nothing_left();
}

TEST(Login, WithCredentialsOfItsOwnHelloIsGrantedByTheUpstreamInOrder) {
  fake_world world(own_logins);
  world.redis.passwords = {{"default", "pw"}, {"proxy", "secret"}};
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "AUTH app token\r\nGET a\r\n");
  world.hold_replies = true;
  client.send("SELECT 1\r\nGET a\r\nHELLO 3\r\nGET a\r\n");
  for (int i = 0; i < 400; ++i) {
    for (std::size_t n = 0; n < world.upstreams(); ++n) world.upstream(n).release = 1;
    (void)world.turn();
  }
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "+OK\r\n$-1\r\n%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n_\r\n");
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
