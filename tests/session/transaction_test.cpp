// MULTI, EXEC, WATCH: booking by element, follow-ups behind EXEC, refusals.
#include <gtest/gtest.h>

#include <algorithm>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

using std::chrono::milliseconds;

config::ttl_rule ttl_default(std::string pattern) {
  config::ttl_rule rule;
  rule.pattern = std::move(pattern);
  rule.default_ttl = milliseconds(60'000);
  return rule;
}

void with_ttl(config::config& c) {
  c.ttl.push_back(ttl_default("t:*"));
  config::ttl_rule require;
  require.pattern = "must:*";
  require.require = true;
  c.ttl.push_back(require);
}

TEST(Transaction, AnElementThatFailedInsideIsBookedAndOneThatWasRefusedIsNot) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SADD s x\r\n");
  EXPECT_EQ(
      world.ask(client, "MULTI\r\nINCR s\r\nSET a 1\r\nGET a\r\nEXEC\r\n"),
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n-WRONGTYPE Operation against a key holding the wrong kind of "
      "value\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.booked("incr"), 1U);
  EXPECT_EQ(world.booked("set"), 1U);
  world.redis.failures["set"] = "-OOM command not allowed\r\n";
  (void)world.ask(client, "MULTI\r\nSET a 1\r\nEXEC\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  world.expect_nothing_left();
}

// It never runs, so the session's replies can be told apart as before: a refused frame is answered in its place.
TEST(Transaction, AMonitorWithAWrongArityChangesNothingForTheSession) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nMONITOR x\r\nEXEC\r\n");
  EXPECT_EQ(world.ask(client, "ECHO a\r\n*1\r\n@\r\n"), "$1\r\na\r\n-ERR Protocol error: expected '$', got '@'\r\n");
  EXPECT_EQ(world.engine->inventory_now().dedicated, 0U);
  world.expect_nothing_left();
}

TEST(Transaction, ACommandRefusedAtQueueTimeAbortsAllAndBooksNothing) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\nSET a 1\r\nSET b\r\nEXEC\r\nGET a\r\n"),
            "+OK\r\n+QUEUED\r\n-ERR wrong number of arguments for 'set' command\r\n"
            "-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, WhatIsPipelinedBehindItGoesWhereItsFollowUpsAreDue) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "GET before\r\n");  // opens the lane, which could overtake
  EXPECT_EQ(world.ask(client, "MULTI\r\nSADD t:1 x\r\nEXEC\r\nSET t:seen 1 KEEPTTL\r\n"),
            "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n+OK\r\n");
  const std::vector<words>& ran = world.redis.log;
  const auto given = std::find(ran.begin(), ran.end(), words{"EXPIRE", "t:1", "60", "NX"});
  const auto next = std::find(ran.begin(), ran.end(), words{"SET", "t:seen", "1", "KEEPTTL"});
  ASSERT_NE(given, ran.end());
  ASSERT_NE(next, ran.end());
  EXPECT_LT(given - ran.begin(), next - ran.begin());
  world.expect_nothing_left();
}

TEST(Transaction, DiscardedCommandsAreNotBooked) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\nSET a 1\r\nDISCARD\r\nMULTI\r\nSET b 1\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, PipelinedTransactionsDoNotMix) {
  fake_world world;
  fake_socket& client = world.connect_client();
  std::string request;
  for (int i = 0; i < 20; ++i) request += "MULTI\r\nSET a 1\r\nINCR a\r\nEXEC\r\nMULTI\r\nSADD a x\r\nDISCARD\r\n";
  (void)world.ask(client, request);
  EXPECT_EQ(world.booked("set"), 20U);
  EXPECT_EQ(world.booked("incr"), 20U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, AWatchThatWasBrokenBooksNothing) {
  fake_world world;
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  (void)world.ask(client, "WATCH k\r\n");
  (void)world.ask(other, "SET k other\r\n");
  EXPECT_EQ(world.ask(client, "MULTI\r\nSET k mine\r\nEXEC\r\nGET k\r\n"), "+OK\r\n+QUEUED\r\n*-1\r\n$5\r\nother\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, AClientThatDiesInsideMultiLeavesNothing) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\nMULTI\r\nSET a 1\r\n");
  client.half_close();
  world.settle();
  EXPECT_FALSE(client.open);
  EXPECT_EQ(world.redis.open_links(), 2U) << "its connection goes with it, at once; the lane and a warm one stay";
  for (std::size_t i = 0; i < world.redis.links(); ++i) EXPECT_FALSE(world.redis.at(i).open && world.redis.at(i).multi);
  world.expect_nothing_left();
}

TEST(Transaction, FollowUpsGoOutBehindExecAndBeforeTheNextCommand) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\nSADD t:1 x\r\nSET t:2 v\r\nEXEC\r\nSADD plain y\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+OK\r\n:1\r\n");
  EXPECT_EQ(world.redis.find(0, "t:1")->ttl_ms, 60'000);
  EXPECT_EQ(world.redis.find(0, "t:2")->ttl_ms, 60'000);
  std::vector<std::string> names;
  for (const words& one : world.redis.log) names.push_back(lower(one[0]));
  const auto at = [&](const std::string& name) { return std::find(names.begin(), names.end(), name) - names.begin(); };
  EXPECT_LT(at("expire"), std::find(names.rbegin(), names.rend(), "sadd").base() - names.begin() - 1);
  EXPECT_GT(at("expire"), at("exec"));
  EXPECT_EQ(world.own("expire"), 1U);
  EXPECT_EQ(fake_world::total(world.engine->stats().ttl_injected), 2U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, AFailedElementAndABrokenTransactionGetNoFollowUp) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  (void)world.ask(other, "SET t:s v\r\n");
  const std::uint64_t before = world.redis.calls["expire"];
  (void)world.ask(client, "MULTI\r\nSADD t:s x\r\nEXEC\r\n");
  (void)world.ask(client, "WATCH k\r\n");
  (void)world.ask(other, "SET k 1\r\n");
  EXPECT_EQ(world.ask(client, "MULTI\r\nSADD t:n x\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*-1\r\n");
  EXPECT_EQ(world.redis.calls["expire"], before);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

// The reply to a follow-up may come in a later read than the command's: the connection is not free before it.
TEST(Transaction, AFollowUpWhoseReplyIsLateIsStillCounted) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nSADD t:1 x\r\n");
  world.hold_replies = true;
  client.send("EXEC\r\n");
  world.settle();
  for (int i = 0; i < 200; ++i) {
    for (std::size_t n = 0; n < world.upstreams(); ++n) world.upstream(n).release = 1;
    (void)world.turn();
  }
  EXPECT_EQ(client.take(), "*1\r\n:1\r\n");
  EXPECT_EQ(world.own("expire"), 1U);
  EXPECT_EQ(fake_world::total(world.engine->stats().ttl_injected), 1U);
  EXPECT_EQ(world.engine->inventory_now().dedicated, 0U) << "and the connection is free again";
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, AClientThatGoesWhileAFollowUpIsUnderWayLeavesNothingUncounted) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nSADD t:1 x\r\n");
  world.hold_replies = true;
  client.send("EXEC\r\n");
  world.settle();
  fake_socket& connection = world.where_exec_ran();
  connection.release = std::string("*1\r\n:1\r\n").size();
  world.settle();
  EXPECT_EQ(client.take(), "*1\r\n:1\r\n");
  client.abort();
  world.settle();
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(world.own("expire"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, AClientThatDiesBehindExecStillHasItsFollowUpsSent) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nSADD t:1 x\r\n");
  world.hold_replies = true;
  client.send("EXEC\r\n");
  world.settle();
  client.abort();
  world.settle();
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(world.redis.find(0, "t:1")->ttl_ms, 60'000);
  EXPECT_EQ(world.booked("sadd"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, RequireRefusesInsideMultiAndExecSaysSo) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\nSET a 1\r\nSET must:1 v\r\nSET b 1\r\nEXEC\r\nGET a\r\n"),
            "+OK\r\n+QUEUED\r\n-TTLREQUIRED pattern=must:*\r\n+QUEUED\r\n"
            "-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n");
  EXPECT_EQ(world.redis.calls["exec"], 0U);
  EXPECT_EQ(world.own("discard"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  EXPECT_EQ(world.ask(client, "MULTI\r\nSET a 1\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  world.expect_nothing_left();
}

TEST(Transaction, ATransactionBeyondItsLimitIsDiscardedWholeAtExec) {
  fake_world world([](config::config& c) {
    config::limit_rule rule;
    rule.name = "cap";
    rule.rate = 1;
    rule.burst = 2;
    rule.action = config::limit_action::reject;
    c.limits.push_back(rule);
  });
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "CLIENT SETNAME app\r\n");
  (void)world.ask(client, "MULTI\r\nSET a 1\r\nSET b 1\r\nEXEC\r\n");
  const std::string reply = world.ask(client, "MULTI\r\nSET c 1\r\nSET d 1\r\nEXEC\r\nGET c\r\n");
  EXPECT_EQ(reply.substr(0, reply.find("retry_after_ms")),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: THROTTLED rule=cap client=app ");
  EXPECT_TRUE(reply.ends_with("\r\n$-1\r\n")) << reply;
  EXPECT_EQ(world.redis.calls["exec"], 1U);
  EXPECT_EQ(world.booked("set"), 2U);
  world.expect_nothing_left();
}

TEST(Transaction, SelectInsideMultiCountsOnlyWhenExecRanIt) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nSELECT 2\r\nSET k two\r\nDISCARD\r\nSET k zero\r\n");
  EXPECT_EQ(world.ask(client, "GET k\r\n"), "$4\r\nzero\r\n");
  EXPECT_EQ(world.ask(client, "MULTI\r\nSELECT 2\r\nSET k two\r\nEXEC\r\nGET k\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n$3\r\ntwo\r\n");
  world.expect_nothing_left();
}

TEST(Transaction, AFollowUpGoesToTheDatabaseInWhichItsCommandRan) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nSADD t:1 x\r\nSELECT 2\r\nSADD t:2 x\r\nSELECT 3\r\nEXEC\r\n");
  ASSERT_NE(world.redis.find(0, "t:1"), nullptr);
  ASSERT_NE(world.redis.find(2, "t:2"), nullptr);
  EXPECT_EQ(world.redis.find(0, "t:1")->ttl_ms, 60'000);
  EXPECT_EQ(world.redis.find(2, "t:2")->ttl_ms, 60'000);
  EXPECT_EQ(world.ask(client, "SET k three\r\nMULTI\r\nGET k\r\nEXEC\r\n"),
            "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$5\r\nthree\r\n");
  EXPECT_NE(world.redis.find(3, "k"), nullptr);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, ANestedMultiIsRedissErrorAndTheTransactionGoesOn) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\nMULTI\r\nSET a 1\r\nEXEC\r\n"),
            "+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  world.expect_nothing_left();
}

TEST(Transaction, WhenMultiItselfIsRefusedWhatFollowsIsBookedAsItRan) {
  fake_world world;
  fake_socket& client = world.connect_client();
  world.redis.refusals["multi"] = "-NOPERM this user has no permissions to run the 'multi' command\r\n";
  (void)world.ask(client, "MULTI\r\nSET a 1\r\nINCR a\r\nEXEC\r\nGET a\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  EXPECT_EQ(world.booked("incr"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, ExecWithoutMultiIsRedissError) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "EXEC\r\nDISCARD\r\nMULTI\r\nEXEC\r\n"),
            "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n+OK\r\n*0\r\n");
  world.expect_nothing_left();
}

TEST(Transaction, ADiscardThatFailsLeavesWhatIsWatched) {
  fake_world world;
  fake_socket& client = world.connect_client();
  fake_socket& other = world.connect_client();
  EXPECT_EQ(world.ask(client, "WATCH k\r\nDISCARD\r\n"), "+OK\r\n-ERR DISCARD without MULTI\r\n");
  EXPECT_EQ(world.ask(other, "MULTI\r\nSET k 1\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(world.ask(client, "MULTI\r\nGET k\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*-1\r\n");
  world.expect_nothing_left();
}

TEST(Transaction, WhatWasDiscardedUnderReplyOffIsNotTakenForTheNextOnes) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client,
                      "CLIENT REPLY OFF\r\nMULTI\r\nSET a 1\r\nSELECT 3\r\nDISCARD\r\nCLIENT REPLY ON\r\n"
                      "MULTI\r\nINCR n\r\nINCR n\r\nEXEC\r\nGET n\r\n"),
            "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n$1\r\n2\r\n");
  EXPECT_EQ(world.booked("set"), 0U);
  EXPECT_EQ(world.booked("incr"), 2U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

// A transaction that changes its connection in ways that are not followed keeps it; what the proxy sends itself must
// not be mistaken for replies there.
TEST(Transaction, AfterClientCommandsInsideMultiNoFollowUpReachesTheClient) {
  fake_world world(with_ttl);
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "MULTI\r\nCLIENT SETNAME odd\r\nEXEC\r\n");
  EXPECT_EQ(world.ask(client, "SADD t:1 x\r\nPING\r\n"), ":1\r\n+PONG\r\n");
  EXPECT_EQ(world.ask(client, "SELECT 1\r\nPING\r\n"), "+OK\r\n+PONG\r\n");
  EXPECT_EQ(world.ask(client, "WAIT 0 0\r\nPING\r\n"), ":1\r\n+PONG\r\n");
  world.expect_nothing_left();
}

// A user without +multi, or a subscriber of RESP2, that reads the refusal and goes on without it.
TEST(Transaction, IsNoneWhereMultiIsRefused) {
  fake_world world;
  world.redis.refusals["multi"] = "-NOPERM this user has no permissions to run the 'multi' command\r\n";
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "MULTI\r\n"), world.redis.refusals["multi"]);
  EXPECT_EQ(world.ask(client, "CLIENT REPLY SKIP\r\nSET a 1\r\nHELLO 3\r\n").substr(0, 1), "%");
  EXPECT_EQ(world.ask(client, "GET none\r\nQUIT\r\n"), "_\r\n+OK\r\n");
  EXPECT_FALSE(client.open);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, IsNoneForASubscriberOfResp2) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const std::string refused =
      "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n";
  EXPECT_EQ(world.ask(client, "SUBSCRIBE a\r\nMULTI\r\nSUBSCRIBE b\r\nGET k\r\nUNSUBSCRIBE a b\r\nQUIT\r\n"),
            "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n-ERR Can't execute 'multi" + refused +
                "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n-ERR Can't execute 'get" + refused +
                "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n+OK\r\n");
  world.expect_nothing_left();
}

TEST(Transaction, IsNotEndedByAnExecBeforeItsMulti) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "EXEC x\r\nMULTI\r\n"),
            "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n+OK\r\n");
  EXPECT_EQ(world.ask(client, "SET a 1\r\nCLIENT REPLY OFF\r\nDISCARD\r\nGET a\r\nQUIT\r\n"),
            "+QUEUED\r\n+QUEUED\r\n+OK\r\n$-1\r\n+OK\r\n");
  EXPECT_EQ(world.booked("set"), 0U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Transaction, AnExecWithAWrongNumberOfArgumentsEndsIt) {
  fake_world world;
  fake_socket& client = world.connect_client();
  EXPECT_EQ(
      world.ask(client, "MULTI\r\nSET a 1\r\nEXEC x\r\nCLIENT REPLY SKIP\r\nSET b 2\r\nGET b\r\nQUIT\r\n"),
      "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"
      "$1\r\n2\r\n+OK\r\n");
  EXPECT_FALSE(client.open) << "nothing is taken for queued that was answered by itself";
  EXPECT_EQ(world.booked("set"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
