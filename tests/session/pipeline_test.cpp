// Order of replies, what is answered in place, and what ends a connection.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

TEST(Pipeline, RepliesComeInTheOrderOfTheCommands) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SET a 1\r\nGET a\r\nINCR a\r\nGET none\r\n"), "+OK\r\n$1\r\n1\r\n:2\r\n$-1\r\n");
  EXPECT_EQ(world.upstreams(), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Pipeline, LocalAnswersStandInTheirPlaceBetweenForwardedOnes) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  world.hold_replies = true;
  client.send("ECHO a\r\nCLIENT SETNAME app\r\nECHO b\r\nCLIENT GETNAME\r\nCLIENT GETNAME\r\nECHO c\r\n");
  world.settle();
  EXPECT_EQ(client.take(), "");
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "$1\r\na\r\n+OK\r\n$1\r\nb\r\n$3\r\napp\r\n$3\r\napp\r\n$1\r\nc\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, TwoClientsOnOneLaneEachGetTheirOwnReplies) {
  fake_world world;
  fake_socket& a = world.connect_client();
  fake_socket& b = world.connect_client();
  for (int i = 0; i < 50; ++i) {
    a.send({"ECHO", "a" + std::to_string(i)});
    b.send({"ECHO", "b" + std::to_string(i)});
    if (i % 7 == 0) (void)world.turn();
  }
  world.settle();
  std::string of_a, of_b;
  for (int i = 0; i < 50; ++i) {
    of_a += bulk("a" + std::to_string(i));
    of_b += bulk("b" + std::to_string(i));
  }
  EXPECT_EQ(a.take(), of_a);
  EXPECT_EQ(b.take(), of_b);
  EXPECT_EQ(world.upstreams(), 1U);
  world.expect_nothing_left();
}

TEST(Pipeline, EveryByteOfARequestMayComeAlone) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const std::string request = command_line({"SET", "key", "value"}) + command_line({"GET", "key"});
  for (const char byte : request) {
    client.send(std::string_view(&byte, 1));
    (void)world.turn();
  }
  world.settle();
  EXPECT_EQ(client.take(), "+OK\r\n$5\r\nvalue\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, EveryByteOfAReplyMayComeAlone) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "RPUSH l a bb ccc\r\n");
  world.hold_replies = true;
  client.send("ECHO hello\r\nBLPOP l 0\r\nECHO x\r\n");
  std::string all;
  for (int i = 0; i < 400; ++i) {
    for (std::size_t n = 0; n < world.upstreams(); ++n) world.upstream(n).release = 1;
    (void)world.turn();
    all += client.take();
  }
  EXPECT_EQ(all, "$5\r\nhello\r\n*2\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\nx\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, EmptyRequestsGetNoReply) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "*0\r\n\r\n*-1\r\nPING\r\n*0\r\nPING\r\n*-10\r\n"), "+PONG\r\n+PONG\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, AProtocolErrorComesBehindAllEarlierRepliesAndThenTheEnd) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  world.hold_replies = true;
  client.send("ECHO a\r\n*1\r\n!bad\r\nECHO never\r\n");
  world.settle();
  EXPECT_TRUE(client.open);
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "$1\r\na\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_FALSE(client.open);
  EXPECT_EQ(client.closed_how, close_how::graceful);
  world.expect_nothing_left();
}

// The error's text lies in the session's own parser, which a request of many arguments makes too large to be kept.
TEST(Pipeline, AProtocolErrorAfterTenThousandArgumentsIsStillTold) {
  fake_world world;
  fake_socket& client = world.connect_client();
  std::string request = "*20001\r\n";
  for (int i = 0; i < 20000; ++i) request += "$1\r\nx\r\n";
  client.send(request);
  world.settle();
  EXPECT_EQ(world.ask(client, "!bad\r\n"), "-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(Pipeline, QuitIsAnsweredAndNothingBehindItRuns) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SET a 1\r\nQUIT\r\nSET a 2\r\n"), "+OK\r\n+OK\r\n");
  EXPECT_FALSE(client.open);
  EXPECT_EQ(world.redis.find(0, "a")->text, "1");
  world.expect_nothing_left();
}

TEST(Pipeline, AHalfCloseStillGetsEveryReply) {
  fake_world world;
  fake_socket& client = world.connect_client();
  client.send("SET a 1\r\nSELECT 1\r\nSET b 2\r\nMULTI\r\nINCR b\r\nEXEC\r\nGET b\r\n");
  client.half_close();
  world.settle();
  EXPECT_EQ(client.take(), "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:3\r\n$1\r\n3\r\n");
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(Pipeline, ADeepPipelineIsHeldBackAndAnsweredWhole) {
  fake_world world;
  fake_socket& client = world.connect_client();
  std::string request, expected;
  for (int i = 0; i < 5000; ++i) {
    request += command_line({"ECHO", std::to_string(i)});
    expected += bulk(std::to_string(i));
  }
  world.hold_replies = true;
  client.send(request);
  world.settle();
  EXPECT_LE(world.redis.log.size(), 1100U);
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), expected);
  world.expect_nothing_left();
}

TEST(Pipeline, SelectIsABarrierAndHoldsForWhatFollows) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client,
                      "SET k zero\r\nSELECT 3\r\nSET k three\r\nGET k\r\nSELECT 0\r\nGET k\r\nSELECT 99\r\nGET k\r\n"),
            "+OK\r\n+OK\r\n+OK\r\n$5\r\nthree\r\n+OK\r\n$4\r\nzero\r\n-ERR DB index is out of range\r\n$4\r\nzero\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

// A connection that just served an exchange needs no prelude: its being ready at once must not lift the barrier.
TEST(Pipeline, NothingRunsBeforeTheReplyToASelectOnAnIdleConnection) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\nSELECT 1\r\n");
  world.hold_replies = true;
  const std::size_t before = world.redis.log.size();
  client.send("SELECT 2\r\nGET k\r\nGET k\r\n");
  world.settle();
  EXPECT_EQ(world.redis.log.size(), before + 1);
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "+OK\r\n$-1\r\n$-1\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, ReplyOrderHoldsWhenASessionMovesToADedicatedConnection) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  world.hold_replies = true;
  client.send("SET a 1\r\nMULTI\r\nINCR a\r\nEXEC\r\nGET a\r\n");
  world.settle();
  EXPECT_EQ(world.redis.calls["multi"], 0U) << "the write on the lane must be answered first";
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n$1\r\n2\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, EvalRunsOnAConnectionOfItsOwn) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "ECHO a\r\nEVAL x 0 b\r\nECHO c\r\n"), "$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
  EXPECT_EQ(world.upstreams(), 3U) << "a lane, its own, and one kept warm";
  EXPECT_EQ(fake_world::total(world.engine->stats().scripts), 1U);
  world.expect_nothing_left();
}

TEST(Pipeline, AClientSetnameBehindASelectDoesNotRenameALane) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "GET a\r\nSELECT 1\r\nCLIENT SETNAME app\r\nGET a\r\n"), "$-1\r\n+OK\r\n+OK\r\n$-1\r\n");
  for (std::size_t i = 0; i < world.redis.links(); ++i) {
    if (world.redis.at(i).open) {
      EXPECT_NE(world.redis.at(i).name, "app");
    }
  }
  EXPECT_EQ(world.ask(client, "CLIENT GETNAME\r\n"), "$3\r\napp\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, ASetnameIsInForceFromTheNextCommand) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  world.hold_replies = true;
  client.send("SET a 1\r\nCLIENT SETNAME second\r\nSET b 1\r\nSET c 1\r\n");
  world.settle();
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(world.booked("set", "unnamed@10.0.0.1"), 1U);
  EXPECT_EQ(world.booked("set", "second"), 2U);
  world.expect_nothing_left();
}

TEST(Pipeline, WritesThatRedisRefusesAreNotBookedAndThoseThatFailInsideAre) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SADD s x\r\nSET s\r\nINCR s\r\nNONSENSE s\r\n");
  world.redis.refusals["set"] = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  (void)world.ask(client, "SET a 1\r\n");
  EXPECT_EQ(world.booked("set"), 0U);
  EXPECT_EQ(world.booked("incr"), 1U);
  EXPECT_EQ(world.booked("sadd"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Pipeline, AnUnknownCommandReachesRedisAndKeepsNothingBehind) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "FOO a\r\nPING\r\n"),
            "-ERR unknown command 'FOO', with args beginning with: \r\n+PONG\r\n");
  world.expect_nothing_left();
}

TEST(Pipeline, AnInlineRequestReachesTheUpstreamAsMultibulk) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SET \"a b\" \"\\x41\\n\"\nGET \"a b\"\n"), "+OK\r\n$2\r\nA\n\r\n");
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
