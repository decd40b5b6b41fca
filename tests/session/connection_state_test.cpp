// Commands that give a connection state: blocking, publish/subscribe, CLIENT REPLY, HELLO, RESET, MONITOR, WAIT, MOVE.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

void with_ttl(config::config& c) {
  config::ttl_rule rule;
  rule.pattern = "t:*";
  rule.default_ttl = std::chrono::milliseconds(60'000);
  c.ttl.push_back(rule);
}

std::string confirmed(std::string_view kind, std::string_view channel, int count, char head = '*') {
  return std::string(1, head) + "3\r\n" + bulk(kind) + bulk(channel) + ":" + std::to_string(count) + "\r\n";
}

TEST(ConnectionState, ABlockedClientHoldsNobodyElseUp) {
  fake_world world;
  fake_socket& blocked = world.connect_client();
  fake_socket& other = world.connect_client();
  EXPECT_EQ(world.ask(blocked, "BLPOP q 0\r\nECHO behind\r\n"), "");
  EXPECT_EQ(world.ask(other, "RPUSH q item\r\n"), ":1\r\n");
  EXPECT_EQ(blocked.take(), "*2\r\n$1\r\nq\r\n$4\r\nitem\r\n$6\r\nbehind\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  EXPECT_EQ(world.engine->inventory_now().dedicated, 0U);
  world.expect_nothing_left();
}

TEST(ConnectionState, ADeadBlockedClientTakesNoItem) {
  for (const bool by_reset : {false, true}) {
    fake_world world;
    fake_socket& blocked = world.connect_client();
    fake_socket& other = world.connect_client();
    (void)world.ask(blocked, "BLPOP q 0\r\n");
    by_reset ? blocked.abort() : blocked.half_close();
    world.settle();
    (void)world.ask(other, "RPUSH q item\r\n");
    EXPECT_EQ(world.ask(other, "LLEN q\r\n"), ":1\r\n");
    EXPECT_FALSE(blocked.open);
    world.expect_nothing_left();
  }
}

// The FIN may be read together with the request, long before the connection for it is open.
TEST(ConnectionState, ABlockingCommandOfAClientThatSentFinDoesNotStayBlocked) {
  fake_world world;
  fake_socket& blocked = world.connect_client();
  fake_socket& other = world.connect_client();
  blocked.send("BLPOP q 0\r\n");
  blocked.half_close();
  world.settle();
  (void)world.ask(other, "RPUSH q item\r\n");
  EXPECT_EQ(world.ask(other, "LLEN q\r\n"), ":1\r\n");
  EXPECT_FALSE(blocked.open);
  world.expect_nothing_left();
}

TEST(ConnectionState, ABlockingWriteIsBookedThoughItNeverAnswers) {
  fake_world world;
  fake_socket& blocked = world.connect_client();
  (void)world.ask(blocked, "BLPOP q 0\r\n");
  world.advance(second);
  EXPECT_EQ(world.booked("blpop"), 1U);
  blocked.abort();
  world.settle();
  EXPECT_EQ(world.booked("blpop"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(ConnectionState, SubscribeToManyAnswersForEachAndUnsubscribeFromAllToo) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SUBSCRIBE a b c\r\nPSUBSCRIBE p*\r\n"),
            confirmed("subscribe", "a", 1) + confirmed("subscribe", "b", 2) + confirmed("subscribe", "c", 3) +
                confirmed("psubscribe", "p*", 4));
  EXPECT_EQ(world.ask(client, "UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nECHO x\r\n"),
            confirmed("unsubscribe", "a", 3) + confirmed("unsubscribe", "b", 2) + confirmed("unsubscribe", "c", 1) +
                confirmed("punsubscribe", "p*", 0) + "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n" + "$1\r\nx\r\n");
  world.expect_nothing_left();
}

// In one read: whether the name may be asked for is open while the subscriptions are.
TEST(ConnectionState, ASubscribersNameIsAskedForAsItsSubscriptionsStandThen) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const std::string left = world.ask(client, "SUBSCRIBE a\r\nUNSUBSCRIBE a\r\nCLIENT GETNAME\r\n");
  EXPECT_EQ(left, confirmed("subscribe", "a", 1) + confirmed("unsubscribe", "a", 0) + "$-1\r\n");
  const std::string subscribed = world.ask(client, "SUBSCRIBE a\r\nCLIENT GETNAME\r\n");
  EXPECT_TRUE(subscribed.starts_with(confirmed("subscribe", "a", 1) + "-ERR Can't execute 'client'")) << subscribed;
  world.expect_nothing_left();
}

// The error to the first, which changes nothing, must not be taken for the answer to the second.
TEST(ConnectionState, AnExchangeBehindOneWithAWrongArityIsNotForgotten) {
  for (const std::string wrong : {"SELECT\r\n", "AUTH\r\n", "RESET now\r\n"}) {
    fake_world world;
    fake_socket& client = world.connect_client();
    fake_socket& other = world.connect_client();
    (void)world.ask(client, wrong + "SELECT 2\r\nSET k v\r\n");
    EXPECT_EQ(world.ask(other, "SELECT 2\r\nGET k\r\n"), "+OK\r\n$1\r\nv\r\n") << wrong;
    (void)world.ask(client, wrong + "HELLO 3\r\n");
    EXPECT_EQ(world.ask(client, "SUBSCRIBE a\r\n"), confirmed("subscribe", "a", 1, '>')) << wrong;
    world.expect_nothing_left();
  }
}

// What Redis tells of a key right behind the answer to the command that wrote it comes before whatever comes next.
TEST(ConnectionState, AnAnswerOfTheProxysOwnStandsBehindThePushThatTheAnswerBeforeItSetOff) {
  const std::string push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "HELLO 3\r\nCLIENT NO-EVICT ON\r\n");
  world.hold_replies = true;
  (void)world.ask(client, "GET k\r\n*1\r\n@\r\n");
  for (std::size_t index = 0; index < world.upstreams(); ++index) {
    fake_socket& upstream = world.upstream(index);
    if (upstream.open && !world.redis.at(upstream.link).out.empty()) world.redis.at(upstream.link).out += push;
  }
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "_\r\n" + push + "-ERR Protocol error: expected '$', got '@'\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, AnAnswerOfTheProxysOwnStandsBeforeTheConfirmationsOfTheSubscriptionBehindIt) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "HELLO 3\r\nCLIENT NO-EVICT ON\r\n");
  EXPECT_EQ(world.ask(client, "GET k\r\nCLIENT GETNAME\r\nSUBSCRIBE a\r\n"),
            "_\r\n_\r\n" + confirmed("subscribe", "a", 1, '>'));
  world.expect_nothing_left();
}

// Redis refuses it there, with an error that must not be taken for the answer to what comes next.
TEST(ConnectionState, ASubscriberOfResp2DoesNotSwitchItsRepliesOff) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const std::string got = world.ask(client, "SUBSCRIBE a\r\nCLIENT REPLY OFF\r\nPING x\r\nUNSUBSCRIBE a\r\nECHO y\r\n");
  EXPECT_TRUE(got.starts_with(confirmed("subscribe", "a", 1) + "-ERR Can't execute")) << got;
  EXPECT_TRUE(got.ends_with("*2\r\n$4\r\npong\r\n$1\r\nx\r\n" + confirmed("unsubscribe", "a", 0) + "$1\r\ny\r\n"))
      << got;
  world.expect_nothing_left();
}

TEST(ConnectionState, AMalformedFrameBehindAMonitorIsAnsweredInItsPlace) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MONITOR\r\n");
  world.hold_replies = true;
  (void)world.ask(client, "RESET\r\n*1\r\n@\r\nECHO never\r\n");
  (void)world.ask(client, "ECHO never\r\n");
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(client.take(), "+RESET\r\n-ERR Protocol error: expected '$', got '@'\r\n");
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(ConnectionState, WhatNobodyAnswersIsExecutedThoughItsClientEndsInTheSameBreath) {
  for (const std::string begin : {"CLIENT REPLY OFF\r\n", "PSUBSCRIBE x*\r\nPUNSUBSCRIBE\r\nCLIENT REPLY SKIP\r\n"}) {
    for (const std::string end : {"*2\r\n$3\r\nGET\r\n$x\r\n", "QUIT\r\n"}) {
      fake_world world(with_ttl);
      fake_socket& client = world.connect_client();
      (void)world.ask(client, "PING\r\n");
      client.send(begin + "SADD t:a 1\r\n" + end);
      world.settle();
      ASSERT_NE(world.redis.find(0, "t:a"), nullptr) << begin << end;
      EXPECT_EQ(world.redis.find(0, "t:a")->ttl_ms, 60'000) << begin << end;
      EXPECT_FALSE(client.open);
      EXPECT_EQ(world.booking_difference(), "");
      world.expect_nothing_left();
    }
  }
}

TEST(ConnectionState, ASelectInATransactionUnderReplyOffIsNotTurnedBackByAFollowUp) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client,
                      "SELECT 1\r\nCLIENT REPLY OFF\r\nMULTI\r\nSELECT 2\r\nEXEC\r\nCLIENT REPLY ON\r\n"
                      "SET t:moved x\r\nMOVE t:moved 0\r\nSADD here x\r\n"),
            "+OK\r\n+OK\r\n+OK\r\n:1\r\n:1\r\n");
  EXPECT_NE(world.redis.find(2, "here"), nullptr);
  EXPECT_EQ(world.redis.find(1, "here"), nullptr);
  EXPECT_EQ(world.booking_difference(), "");
}

// A SELECT that fails under CLIENT REPLY OFF tells nobody: from another db there would be no way back.
TEST(ConnectionState, AFollowUpDoesNotLeaveADbThatIsOnlyAssumed) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(
      world.ask(client,
                "SADD here x\r\nCLIENT REPLY OFF\r\nSELECT 99\r\nCLIENT REPLY ON\r\nMOVE t:none 2\r\nSCARD here\r\n"),
      ":1\r\n+OK\r\n:0\r\n:1\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, AHelloThatIsRefusedUnderReplyOffChangesNoProtocol) {
  for (const std::string words : {"HELLO 3 SETNAME", "HELLO 3 BAD"}) {
    fake_world world;
    fake_socket& client = world.connect_client();
    EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\n" + words + "\r\nCLIENT REPLY ON\r\nSUBSCRIBE a\r\n"),
              "+OK\r\n" + confirmed("subscribe", "a", 1))
        << words;
    EXPECT_TRUE(client.open) << words;
  }
}

TEST(ConnectionState, NothingRunsInAnotherSessionsDbBehindAnExchangeWithAWrongArity) {
  for (const std::string wrong : {"SELECT\r\n", "AUTH\r\n", "RESET now\r\n"}) {
    fake_world world;
    fake_socket& client = world.connect_client();
    fake_socket& other = world.connect_client();
    (void)world.ask(other, "SELECT 2\r\nWATCH x\r\nUNWATCH\r\n");
    (void)world.ask(client, wrong + "SET k v\r\n");
    EXPECT_EQ(world.ask(other, "SELECT 0\r\nGET k\r\n"), "+OK\r\n$1\r\nv\r\n") << wrong;
  }
}

TEST(ConnectionState, MessagesComeBetweenRepliesAndAnswerNothing) {
  fake_world world;
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  const auto hello = world.ask(client, "HELLO 3\r\n");
  EXPECT_TRUE(hello.starts_with("%"));
  (void)world.ask(client, "SUBSCRIBE c\r\n");
  world.hold_replies = true;
  client.send("ECHO one\r\nECHO two\r\n");
  world.settle();
  world.redis.publish("c", "m");
  world.hold_replies = false;
  world.settle();
  const std::string message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
  EXPECT_EQ(client.take(), "$3\r\none\r\n$3\r\ntwo\r\n" + message);
  EXPECT_EQ(world.ask(other, "PUBLISH c m\r\n"), ":0\r\n");
  EXPECT_EQ(world.ask(client, "LRANGE none 0 1\r\n").substr(0, message.size()), message);
  world.expect_nothing_left();
}

TEST(ConnectionState, InResp2ASubscriberGetsRedissOwnRefusals) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SUBSCRIBE c\r\n");
  EXPECT_EQ(world.ask(client, "PING\r\n"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_TRUE(world.ask(client, "GET a\r\n").starts_with("-ERR Can't execute 'get'"));
  EXPECT_EQ(world.ask(client, "RESET\r\n"), "+RESET\r\n");
  EXPECT_EQ(world.ask(client, "GET a\r\n"), "$-1\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, ASubscriptionUnderReplyOffStillSpeaks) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nSUBSCRIBE c d\r\n"),
            confirmed("subscribe", "c", 1) + confirmed("subscribe", "d", 2));
  world.redis.publish("c", "m");
  world.settle();
  EXPECT_EQ(client.take(), "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
  EXPECT_TRUE(client.open);
  EXPECT_EQ(world.ask(client, "UNSUBSCRIBE\r\n"), confirmed("unsubscribe", "c", 1) + confirmed("unsubscribe", "d", 0));
  EXPECT_EQ(world.ask(client, "CLIENT REPLY ON\r\nPING\r\n"), "+OK\r\n+PONG\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, ASubscriptionThatIsRefusedUnderReplyOffShiftsNoReply) {
  fake_world world;
  world.redis.refusals["subscribe"] = "-NOPERM this user has no permissions to access one of the channels\r\n";
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nSUBSCRIBE c\r\nCLIENT REPLY ON\r\nECHO x\r\nECHO y\r\n"),
            "+OK\r\n$1\r\nx\r\n$1\r\ny\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, ReplyOffSuppressesRepliesAndBooksWritesAsSent) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(
      world.ask(client, "CLIENT REPLY OFF\r\nSET a 1\r\nGET a\r\nCLIENT SETNAME x\r\nCLIENT REPLY ON\r\nGET a\r\n"),
      "+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  EXPECT_EQ(world.engine->stats().writes_assumed.load(), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(ConnectionState, ReplySkipSuppressesExactlyTheNextReply) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\nCLIENT REPLY SKIP\r\nGET a\r\nPING\r\n"),
            "$1\r\n1\r\n+PONG\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(ConnectionState, ExchangesUnderReplyOffDoNotStopTheSession) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nSELECT 2\r\nSET k two\r\nHELLO 2\r\nCLIENT REPLY ON\r\nGET k\r\n"),
            "+OK\r\n$3\r\ntwo\r\n");
  EXPECT_EQ(world.redis.find(2, "k")->text, "two");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nSELECT 3\r\nGET k\r\n"), "$-1\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nRESET\r\nPING\r\n"), "+RESET\r\n+PONG\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, WaitUnderReplyOffKeepsTheRepliesInStep) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nWAIT 0 0\r\nCLIENT REPLY ON\r\nECHO x\r\n"), "+OK\r\n$1\r\nx\r\n");
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nWAIT 0 0\r\nECHO x\r\n"), "$1\r\nx\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, ATransactionUnderReplyOffIsBookedAsSent) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "CLIENT REPLY OFF\r\nMULTI\r\nSET a 1\r\nINCR a\r\nEXEC\r\nCLIENT REPLY ON\r\nGET a\r\n"),
            "+OK\r\n$1\r\n2\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(ConnectionState, HelloChangesTheProtocolInMidStreamAndBack) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const std::string three = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n";
  const std::string two = "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n";
  EXPECT_EQ(
      world.ask(client, "GET n\r\nHELLO 3\r\nGET n\r\nCLIENT GETNAME\r\nHELLO 2\r\nGET n\r\nHELLO 9\r\nGET n\r\n"),
      "$-1\r\n" + three + "_\r\n_\r\n" + two + "$-1\r\n-NOPROTO unsupported protocol version\r\n$-1\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, HelloWithSetnameNamesTheSession) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "HELLO 3 SETNAME app\r\nSET a 1\r\n");
  EXPECT_EQ(world.booked("set", "app"), 1U);
  EXPECT_EQ(world.ask(client, "CLIENT GETNAME\r\n"), "$3\r\napp\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, ResetLeavesNothingOfWhatTheSessionSet) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SELECT 4\r\nCLIENT SETNAME app\r\nMULTI\r\nSET a 1\r\n");
  EXPECT_EQ(world.ask(client, "RESET\r\nCLIENT GETNAME\r\nSET b 1\r\nEXEC\r\n"),
            "+RESET\r\n$-1\r\n+OK\r\n-ERR EXEC without MULTI\r\n");
  EXPECT_NE(world.redis.find(0, "b"), nullptr);
  EXPECT_EQ(world.redis.find(4, "a"), nullptr);
  EXPECT_EQ(world.booked("set", "unnamed@10.0.0.1"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(ConnectionState, AMonitorSeesEverythingAndCanReset) {
  fake_world world;
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  EXPECT_EQ(world.ask(client, "MONITOR\r\n"), "+OK\r\n");
  (void)world.ask(other, "SET a 1\r\n");
  EXPECT_NE(client.take().find("\"set\""), std::string::npos);
  EXPECT_EQ(world.ask(client, "RESET\r\nPING\r\n"), "+RESET\r\n+PONG\r\n");
  world.expect_nothing_left();
}

TEST(ConnectionState, AMonitorIsNotShownASpareConnectionBeingMade) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MONITOR\r\n");
  world.settle();
  EXPECT_EQ(world.upstreams_open(), 1U);
}

TEST(ConnectionState, BehindAMonitorWritesAreAssumedAndScriptsAreNoWrites) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MONITOR\r\n");
  (void)world.ask(client, "SET a 1\r\nEVAL x 0 y\r\n");
  EXPECT_EQ(world.engine->stats().writes_assumed.load(), 1U);
  EXPECT_EQ(world.booked("set"), 1U);
  world.expect_nothing_left();
}

TEST(ConnectionState, WaitRunsBehindACommandOfTheProxysOwnAndKeepsItsConnection) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SET a 1\r\nWAIT 1 100\r\nSET b 1\r\n"), "+OK\r\n:1\r\n+OK\r\n");
  EXPECT_EQ(world.own("hello"), 1U) << "a PING could be refused by an ACL, and WAIT would answer for an older write";
  EXPECT_EQ(world.engine->inventory_now().dedicated, 1U);
  world.expect_nothing_left();
}

TEST(ConnectionState, ConnectionsAreGivenBackAndReused) {
  fake_world world;
  for (int i = 0; i < 10; ++i) {
    fake_socket& client = world.connect_client();
    (void)world.ask(client, "MULTI\r\nSET a 1\r\nEXEC\r\n");
    client.half_close();
    world.settle();
  }
  EXPECT_LE(world.upstreams(), 3U);
  world.expect_nothing_left();
}

// A name that a session gave its dedicated connection stays on it; the next session must not be taken for it.
TEST(ConnectionState, AReusedConnectionDoesNotKeepTheNameOfItsLastSession) {
  fake_world world;
  fake_socket& first = world.connect_client();
  (void)world.ask(first, "WATCH k\r\nCLIENT SETNAME first\r\nUNWATCH\r\n");
  fake_socket& next = world.connect_client();
  (void)world.ask(next, "WATCH k\r\n");
  for (std::size_t i = 0; i < world.redis.links(); ++i) {
    if (world.redis.at(i).open) {
      EXPECT_NE(world.redis.at(i).name, "first");
    }
  }
  world.expect_nothing_left();
}

TEST(ConnectionState, ManySessionsSelectingAtOnceAllGetTheirTurn) {
  fake_world world;
  world.hold_connects = true;
  std::vector<fake_socket*> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(&world.connect_client());
    all.back()->send("SELECT " + std::to_string(i % 16) + "\r\nECHO " + std::to_string(i) + "\r\n");
  }
  world.settle();
  // Some of those in line go before their turn: their turn must not be lost with them.
  for (int i = 8; i < 20; ++i) all[static_cast<std::size_t>(i)]->abort();
  world.hold_connects = false;
  world.settle();
  for (int i = 0; i < 40; ++i) {
    if (i >= 8 && i < 20) continue;
    const std::string text = std::to_string(i);
    EXPECT_EQ(all[static_cast<std::size_t>(i)]->take(), "+OK\r\n" + bulk(text)) << i;
  }
  world.expect_nothing_left();
}

TEST(ConnectionState, AFollowUpBehindMoveGoesToTheOtherDatabase) {
  fake_world world([](config::config& c) {
    config::ttl_rule rule;
    rule.pattern = "t:*";
    rule.default_ttl = std::chrono::milliseconds(60'000);
    c.ttl.push_back(rule);
  });
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SET x 1\r\n");
  // A key that came to be without the proxy: no TTL.
  const std::size_t link = world.redis.open_link();
  world.redis.feed(link, command_line({"SADD", "t:1", "m"}));
  EXPECT_EQ(world.ask(client, "MOVE t:1 5\r\nGET x\r\n"), ":1\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.redis.find(5, "t:1")->ttl_ms, 60'000);
  EXPECT_EQ(world.ask(client, "GET x\r\n"), "$1\r\n1\r\n");
  world.redis.close_link(link);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
