// Memory bounds, deadlines, draining and stopping.
#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace tidegate::session::testing_support {
namespace {

TEST(Lifetime, ASlowReaderBeyondItsMemoryIsClosedAndTheLaneGoesOn) {
  fake_world world([](config::config& c) { c.memory.session = 100'000; });
  fake_socket& slow = world.connect_client();
  fake_socket& other = world.connect_client();
  (void)world.ask(slow, {"SET", "k", std::string(60'000, 'x')});
  slow.room = 0;
  slow.send("GET k\r\nGET k\r\nGET k\r\n");
  world.settle();
  EXPECT_FALSE(slow.open);
  EXPECT_EQ(world.ask(other, "PING\r\n"), "+PONG\r\n");
  EXPECT_TRUE(world.upstream(0).open);
  EXPECT_EQ(fake_world::total(world.engine->stats().client_errors), 1U);
  world.expect_nothing_left();
}

TEST(Lifetime, ASlowReaderOnItsOwnConnectionHoldsThatConnectionBack) {
  fake_world world([](config::config& c) { c.memory.session = 4'000'000; });
  fake_socket& slow = world.connect_client();
  (void)world.ask(slow, {"SET", "k", std::string(300'000, 'x')});
  slow.room = 0;
  for (int i = 0; i < 6; ++i) {
    slow.send("GET k\r\n");
    world.settle();
  }
  EXPECT_TRUE(slow.open);
  std::uint64_t got = 0;
  for (int i = 0; i < 100; ++i) {
    world.give_room(slow, 100'000);
    world.settle();
    got += slow.take().size();
  }
  EXPECT_EQ(got, 6 * (std::string("$300000\r\n").size() + 300'002));
  world.expect_nothing_left();
}

TEST(Lifetime, MemoryThatWasGivenBackDoesNotCountAgainstTheTotal) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, {"SET", "k", std::string(100'000, 'x')});
  EXPECT_EQ(world.ask(client, "GET k\r\n").size(), 100'011U);
  EXPECT_EQ(world.held.total(), 0U);
  world.expect_nothing_left();
}

TEST(Lifetime, OverTheTotalTheGreediestSessionGoes) {
  fake_world world([](config::config& c) { c.memory.total = 500'000; });
  fake_socket& setup = world.connect_client();
  (void)world.ask(setup, {"SET", "big", std::string(300'000, 'x')});
  (void)world.ask(setup, {"SET", "small", std::string(150'000, 'x')});
  fake_socket& modest = world.connect_client();
  fake_socket& greedy = world.connect_client();
  modest.room = greedy.room = 0;
  modest.send("GET small\r\n");
  world.settle();
  greedy.send("GET big\r\n");
  world.settle();
  EXPECT_TRUE(modest.open);
  greedy.send("GET big\r\n");
  world.settle();
  EXPECT_FALSE(greedy.open);
  EXPECT_TRUE(modest.open);
  world.expect_nothing_left();
}

TEST(Lifetime, OverTheTotalNobodyIsClosedWhereAnotherWorkersSessionHoldsMore) {
  fake_world world([](config::config& c) { c.memory.total = 500'000; });
  fake_socket& modest = world.connect_client();
  modest.send("*3\r\n$3\r\nSET\r\n$20000\r\n" + std::string(10'000, 'k'));
  world.settle();
  ASSERT_GE(world.held.total(), 10'000U);
  world.held.change(1, 0, 600'000);
  (void)world.turn();
  EXPECT_TRUE(modest.open);
  world.held.change(1, 600'000, 0);
  world.held.lower_to(1, 0);
  EXPECT_EQ(world.ask(modest, std::string(10'000, 'k') + "\r\n$1\r\nv\r\n"), "+OK\r\n");
  world.expect_nothing_left();
}

TEST(Lifetime, WhatItsOwnConnectionHasNotTakenCountsAgainstTheTotal) {
  fake_world world([](config::config& c) {
    c.memory.session = 100'000;
    c.memory.total = 500'000;
  });
  fake_socket& modest = world.connect_client();
  fake_socket& greedy = world.connect_client();
  (void)world.ask(modest, "SET k v\r\n");
  const std::size_t before = world.upstreams();
  greedy.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2000000\r\n");
  world.settle();
  ASSERT_GT(world.upstreams(), before);
  world.upstream(world.upstreams() - 1).room = 0;
  for (int i = 0; i < 8 && greedy.open; ++i) {
    greedy.send(std::string(100'000, 'v'));
    world.settle();
  }
  EXPECT_FALSE(greedy.open) << "600,000 bytes wait for an upstream that takes none";
  EXPECT_TRUE(modest.open);
  world.expect_nothing_left();
}

TEST(Lifetime, ARequestThatIsTooLargeToHoldIsRefused) {
  fake_world world([](config::config& c) { c.memory.session = 100'000; });
  fake_socket& client = world.connect_client();
  client.send("*3\r\n$3\r\nSET\r\n$1000000\r\n" + std::string(200'000, 'k'));
  world.settle();
  EXPECT_TRUE(client.take().starts_with("-ERR a request of more than 100000 bytes"));
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(Lifetime, AValueTooLargeToHoldPassesThroughInPieces) {
  fake_world world([](config::config& c) {
    c.memory.session = 1'000'000;
    config::ttl_rule rule;
    rule.pattern = "t:*";
    rule.default_ttl = std::chrono::milliseconds(60'000);
    c.ttl.push_back(rule);
  });
  fake_socket& client = world.connect_client();
  for (const std::string key : {"plain", "t:1"}) {
    const std::string value(2'000'000, 'v');
    const std::string request = command_line({"SET", key, value}) + command_line({"ECHO", key});
    for (std::size_t at = 0; at < request.size(); at += 30'000) {
      client.send(std::string_view(request).substr(at, 30'000));
      (void)world.turn();
      EXPECT_LT(world.engine->inventory_now().buffer_bytes, 2'200'000U);
    }
    world.settle();
    EXPECT_EQ(client.take(), "+OK\r\n" + bulk(key));
    ASSERT_NE(world.redis.find(0, key), nullptr);
    EXPECT_EQ(world.redis.find(0, key)->text, value);
  }
  EXPECT_EQ(world.redis.find(0, "t:1")->ttl_ms, 60'000);
  EXPECT_EQ(world.booked("set"), 2U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Lifetime, AClientThatDiesInTheMiddleOfAStreamedValueTakesItsConnectionWithIt) {
  for (const bool by_reset : {false, true}) {
    fake_world world([](config::config& c) { c.memory.session = 1'000'000; });
    fake_socket& client = world.connect_client();
    fake_socket& other = world.connect_client();
    const std::string request = command_line({"SET", "k", std::string(2'000'000, 'v')});
    client.send(request.substr(0, 900'000));
    world.settle();
    by_reset ? client.abort() : client.half_close();
    world.settle();
    EXPECT_FALSE(client.open);
    EXPECT_EQ(world.redis.find(0, "k"), nullptr);
    EXPECT_EQ(world.ask(other, "MULTI\r\nINCR n\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n")
        << "nobody may get a connection in the middle of a request";
    world.expect_nothing_left();
  }
}

TEST(Lifetime, AStreamedValueThatARuleRefusesIsReadAndThrownAway) {
  fake_world world([](config::config& c) {
    c.memory.session = 1'000'000;
    config::limit_rule rule;
    rule.name = "cap";
    rule.rate = 1;
    rule.burst = 1;
    rule.action = config::limit_action::reject;
    c.limits.push_back(rule);
  });
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SET k small\r\n");
  client.send(command_line({"SET", "k", std::string(2'000'000, 'v')}) + command_line({"GET", "k"}));
  world.settle();
  const std::string got = client.take();
  EXPECT_TRUE(got.starts_with("-THROTTLED")) << got.substr(0, 100);
  EXPECT_TRUE(got.ends_with("\r\n$5\r\nsmall\r\n")) << got.substr(0, 200);
  world.expect_nothing_left();
}

TEST(Lifetime, ALostUpstreamInTheMiddleOfAStreamedValueClosesItsClient) {
  fake_world world([](config::config& c) { c.memory.session = 1'000'000; });
  fake_socket& client = world.connect_client();
  const std::string request = command_line({"SET", "k", std::string(2'000'000, 'v')});
  client.send(request.substr(0, 900'000));
  world.settle();
  world.lose_all_upstreams();
  world.settle();
  EXPECT_EQ(client.take(), "-ERR upstream connection lost; the command may have been applied\r\n");
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(Lifetime, ARequestThatStallsIsEnded) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  client.send("*1\r\n$4\r\nPI");
  world.advance(14 * second);
  EXPECT_TRUE(client.open);
  world.advance(2 * second);
  EXPECT_FALSE(client.open);
  world.expect_nothing_left();
}

TEST(Lifetime, AnIdleClientIsLeftAlone) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  world.advance(3'600 * second);
  EXPECT_TRUE(client.open);
  EXPECT_EQ(world.ask(client, "PING\r\n"), "+PONG\r\n");
  world.expect_nothing_left();
}

TEST(Lifetime, ALaneThatNobodyUsesIsClosedAfterAWhile) {
  fake_world world;
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "PING\r\n");
  client.abort();
  world.advance(90 * second);
  EXPECT_EQ(world.upstreams_open(), 0U);
  EXPECT_EQ(world.engine->stats().lanes.load(), 0);
  world.expect_nothing_left();
}

TEST(Lifetime, LanesAreCountedWhileTheyAreOpen) {
  fake_world world([](config::config& c) { c.upstream.lanes = 2; });
  fake_socket& a = world.connect_client();
  fake_socket& b = world.connect_client();
  (void)world.ask(a, "PING\r\n");
  EXPECT_EQ(world.engine->stats().lanes.load(), 1);
  (void)world.ask(b, "PING\r\n");
  EXPECT_EQ(world.engine->stats().lanes.load(), 2);
  EXPECT_EQ(world.upstreams_open(), 2U);
  world.lose_upstream(0, true);
  world.settle();
  EXPECT_EQ(world.engine->stats().lanes.load(), 1);
  world.expect_nothing_left();
}

TEST(Lifetime, DrainingAnswersWhatWasReceivedAndClosesIdleSessions) {
  fake_world world;
  fake_socket& idle = world.connect_client();
  fake_socket& busy = world.connect_client();
  (void)world.ask(busy, "PING\r\n");
  world.hold_replies = true;
  busy.send("SET a 1\r\nMULTI\r\nSET b 1\r\nEXEC\r\nGET a\r\n");
  world.settle();
  world.engine->post_drain();
  world.settle();
  EXPECT_FALSE(idle.open);
  EXPECT_TRUE(busy.open);
  EXPECT_FALSE(world.engine->is_drained());
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(busy.take(), "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_FALSE(busy.open);
  EXPECT_TRUE(world.engine->is_drained());
  fake_socket& late = world.connect_client();
  EXPECT_FALSE(late.open);
  world.settle();
  world.expect_nothing_left();
}

TEST(Lifetime, DelayedCommandsRunWhileDraining) {
  fake_world world([](config::config& c) {
    config::limit_rule rule;
    rule.name = "cap";
    rule.rate = 10;
    rule.burst = 1;
    c.limits.push_back(rule);
  });
  fake_socket& client = world.connect_client();
  (void)world.ask(client, "SET a 1\r\nSET a 2\r\n");
  world.engine->post_drain();
  world.settle();
  EXPECT_TRUE(client.open);
  world.advance(150 * millisecond);
  EXPECT_EQ(client.take(), "+OK\r\n");
  EXPECT_FALSE(client.open);
  EXPECT_TRUE(world.engine->is_drained());
  world.expect_nothing_left();
}

TEST(Lifetime, StoppingTellsThoseWhoWaitAndClosesEverything) {
  fake_world world([](config::config& c) {
    config::limit_rule rule;
    rule.name = "cap";
    rule.rate = 1;
    rule.burst = 1;
    c.limits.push_back(rule);
  });
  fake_socket& delayed = world.connect_client();
  fake_socket& in_flight = world.connect_client();
  fake_socket& dedicated = world.connect_client();
  (void)world.ask(delayed, "SET a 1\r\n");
  (void)world.ask(dedicated, "WATCH k\r\n");
  (void)world.ask(delayed, "SET a 2\r\n");
  world.hold_replies = true;
  in_flight.send("GET a\r\n");
  dedicated.send("EVAL x 0 y\r\n");
  world.settle();
  world.engine->post_stop();
  world.settle();
  EXPECT_EQ(delayed.take(), "-ERR shutting down\r\n");
  EXPECT_FALSE(delayed.open);
  EXPECT_FALSE(in_flight.open);
  EXPECT_EQ(world.upstreams_open(), 0U);
  world.expect_nothing_left();
}

TEST(Lifetime, AnEngineMayEndWithEverythingUnderWay) {
  fake_world world([](config::config& c) {
    config::limit_rule rule;
    rule.name = "cap";
    rule.rate = 1;
    rule.burst = 1;
    c.limits.push_back(rule);
  });
  fake_socket& gone = world.connect_client();
  fake_socket& here = world.connect_client();
  fake_socket& blocked = world.connect_client();
  (void)world.ask(here, "SET a 1\r\n");
  (void)world.ask(blocked, "BLPOP q 0\r\n");
  world.hold_replies = true;
  gone.send("GET a\r\nGET a\r\n");
  here.send("GET a\r\nSET a 2\r\n*3\r\n$3\r\nSE");
  world.settle();
  gone.abort();
  world.settle();
  world.engine.reset();  // the sanitizer tells what was left
}

TEST(Lifetime, AClosingClientThatDoesNotTakeItsLastRepliesIsGivenUp) {
  fake_world world;
  fake_socket& lazy = world.connect_client();
  fake_socket& slow = world.connect_client();
  (void)world.ask(lazy, {"SET", "k", std::string(100'000, 'x')});
  for (fake_socket* client : {&lazy, &slow}) {
    client->room = 0;
    client->send("GET k\r\nQUIT\r\n");
  }
  world.settle();
  for (int i = 0; i < 4; ++i) {
    world.advance(30 * second);
    EXPECT_EQ(lazy.open, i < 1);
    EXPECT_TRUE(slow.open) << "who takes some now and then is not given up";
    world.give_room(slow, 1'000);
    world.settle();
  }
  EXPECT_EQ(lazy.closed_how, close_how::reset);
  EXPECT_EQ(fake_world::total(world.engine->stats().client_errors), 1U);
  world.give_room(slow, 1'000'000);
  world.settle();
  EXPECT_TRUE(slow.take().ends_with("x\r\n+OK\r\n"));
  EXPECT_FALSE(slow.open);
  world.expect_nothing_left();
}

TEST(Lifetime, AClosingClientWaitsForASlowUpstreamAsLongAsItTakes) {
  fake_world world;
  fake_socket& quits = world.connect_client();
  fake_socket& ends = world.connect_client();
  (void)world.ask(quits, "GET a\r\n");
  world.hold_replies = true;
  quits.send("GET a\r\nQUIT\r\n");
  ends.send("GET a\r\n");
  ends.half_close();
  world.settle();
  world.advance(300 * second);
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(quits.take(), "$-1\r\n+OK\r\n");
  EXPECT_EQ(ends.take(), "$-1\r\n");
  EXPECT_FALSE(quits.open);
  EXPECT_FALSE(ends.open);
  world.expect_nothing_left();
}

TEST(Lifetime, WhoPipelinesForLargeValuesDoesNotFillTheLaneForTheOthers) {
  fake_world world;
  fake_socket& greedy = world.connect_client();
  fake_socket& other = world.connect_client();
  (void)world.ask(greedy, {"SET", "k", std::string(300'000, 'x')});
  (void)world.ask(greedy, "GET k\r\n");
  (void)world.ask(other, "ECHO x\r\n");
  greedy.room = 0;
  std::string gets;
  for (int i = 0; i < 500; ++i) gets += "GET k\r\n";
  world.hold_replies = true;
  greedy.send(gets);
  world.settle();
  other.send("ECHO mine\r\n");
  world.settle();
  world.upstream(0).release = 17 * 300'100;  // of the lane
  world.settle();
  EXPECT_EQ(other.take(), "$4\r\nmine\r\n");
  world.hold_replies = false;
  world.settle();
  EXPECT_TRUE(greedy.open) << "and its own connection waits for it";
  std::uint64_t got = 0;
  for (int i = 0; i < 2'000 && got < 500 * 300'011; ++i) {
    world.give_room(greedy, 1'000'000);
    world.settle();
    got += greedy.take().size();
  }
  EXPECT_EQ(got, 500U * 300'011U);
  world.expect_nothing_left();
}

TEST(Lifetime, ABrowserHearsNothingAndNothingOfItReachesTheUpstream) {
  for (const std::string line : {"POST / HTTP/1.1\r\n", "Host: localhost\r\n"}) {
    fake_world world;
    fake_socket& browser = world.connect_client();
    EXPECT_EQ(world.ask(browser, "ECHO before\r\n" + line + "SET a 1\r\n"), "$6\r\nbefore\r\n");
    EXPECT_FALSE(browser.open);
    EXPECT_EQ(world.redis.find(0, "a"), nullptr);
    EXPECT_EQ(world.upstreams(), 1U);
    world.expect_nothing_left();
  }
}

TEST(Lifetime, LanesOfUsersLongGoneAreForgotten) {
  fake_world world;
  fake_socket& stays = world.connect_client();
  (void)world.ask(stays, "GET a\r\n");
  for (int db = 1; db < 16; ++db) {
    fake_socket& client = world.connect_client();
    (void)world.ask(client, "SELECT " + std::to_string(db) + "\r\nGET a\r\n");
    client.half_close();
    world.settle();
  }
  EXPECT_EQ(world.engine->inventory_now().groups, 16U);
  world.advance(70 * second);
  EXPECT_EQ(world.engine->inventory_now().groups, 1U) << "that of the client who is still here";
  EXPECT_EQ(world.ask(stays, "SELECT 3\r\nGET a\r\n"), "+OK\r\n$-1\r\n");
  world.expect_nothing_left();
}

TEST(Lifetime, AStreamedValueForAnAbsentUpstreamGetsTheErrorAndIsReadToItsEnd) {
  fake_world world([](config::config& c) { c.memory.session = 1'000'000; });
  world.refuse_connects = true;
  fake_socket& client = world.connect_client();
  const std::string request = command_line({"SET", "k", std::string(2'000'000, 'v')}) + command_line({"PING"});
  client.send(request.substr(0, 300'000));
  world.advance(1'100 * millisecond);
  EXPECT_EQ(client.take(), "-ERR upstream unavailable\r\n");
  world.refuse_connects = false;
  client.send(request.substr(300'000));
  world.advance(6 * second);
  EXPECT_EQ(client.take(), "+PONG\r\n");
  EXPECT_EQ(world.redis.find(0, "k"), nullptr);
  world.expect_nothing_left();
}

TEST(Lifetime, AStreamedValueMeetsTheUpstreamsRefusalAsAnyCommandDoes) {
  fake_world world([](config::config& c) { c.memory.session = 1'000'000; });
  fake_socket& client = world.connect_client();
  EXPECT_EQ(world.ask(client, "SELECT 2\r\n"), "+OK\r\n");
  world.lose_all_upstreams();
  world.settle();
  world.redis.refusals["select"] = "-BUSY Redis is busy\r\n";
  const std::string request = command_line({"SET", "k", std::string(2'000'000, 'v')});
  client.send(request.substr(0, 300'000));
  world.advance(500 * millisecond);
  EXPECT_EQ(client.take(), "-BUSY Redis is busy\r\n");
  world.redis.refusals.clear();
  client.send(request.substr(300'000));
  world.settle();
  EXPECT_EQ(world.ask(client, "ECHO x\r\n"), "$1\r\nx\r\n");
  EXPECT_EQ(world.redis.find(2, "k"), nullptr);
  world.expect_nothing_left();
}

// Nothing can be decided of a key that is not here yet.
TEST(Lifetime, ALargeKeyIsNeverStreamed) {
  fake_world world([](config::config& c) { c.memory.session = 4'000'000; });
  fake_socket& client = world.connect_client();
  const std::string request = command_line({"INCR", std::string(2'000'000, 'k')});
  client.send(request.substr(0, 1'100'000));
  world.settle();
  EXPECT_EQ(world.upstreams(), 0U);
  client.send(request.substr(1'100'000));
  world.settle();
  EXPECT_EQ(client.take(), ":1\r\n");
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

TEST(Lifetime, AConnectionIsCountedAsOpenedByWhomItsFirstWordsName) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const auto opened = [&](std::string_view name) {
    std::uint64_t sum = 0;
    for (std::uint32_t n = 0; n < world.registry->clients_end(); ++n) {
      if (world.registry->client_name(n) == name) sum += world.registry->client_opened(n);
    }
    return sum;
  };
  (void)world.ask(client, "CLIENT SETNAME job\r\n");
  EXPECT_EQ(opened("unnamed@10.0.0.1") + opened("job"), 0U);
  (void)world.ask(client, "GET k\r\nCLIENT SETNAME later\r\nGET k\r\n");
  EXPECT_EQ(opened("job"), 1U);
  EXPECT_EQ(opened("later"), 0U);
  fake_socket& mute = world.connect_client();
  fake_socket& brief = world.connect_client();
  brief.abort();
  world.settle();
  EXPECT_EQ(opened("unnamed@10.0.0.1"), 1U);
  world.advance(2 * second);
  EXPECT_EQ(opened("unnamed@10.0.0.1"), 2U);
  (void)world.ask(mute, "CLIENT SETNAME mute\r\nGET k\r\n");
  EXPECT_EQ(opened("mute"), 0U);
  world.expect_nothing_left();
}

TEST(Lifetime, ASessionCountsAsDedicatedAsLongAsItIs) {
  fake_world world;
  fake_socket& client = world.connect_client();
  const auto dedicated = [&] { return fake_world::total(world.engine->stats().dedicated); };
  (void)world.ask(client, "GET k\r\n");
  EXPECT_EQ(dedicated(), 0U);
  (void)world.ask(client, "MULTI\r\n");
  EXPECT_EQ(dedicated(), 1U);
  (void)world.ask(client, "EXEC\r\n");
  EXPECT_EQ(dedicated(), 0U);
  (void)world.ask(client, "SUBSCRIBE c\r\n");
  EXPECT_EQ(dedicated(), 1U);
  client.abort();
  world.settle();
  EXPECT_EQ(dedicated(), 0U);
  fake_socket& other = world.connect_client();
  (void)world.ask(other, "WATCH k\r\n");
  EXPECT_EQ(dedicated(), 1U);
  world.lose_all_upstreams();
  world.settle();
  EXPECT_EQ(dedicated(), 0U);
  world.expect_nothing_left();
}

TEST(Lifetime, ADeadClientsRepliesAreThrownAwayAndItsWritesBooked) {
  fake_world world;
  fake_socket& dies = world.connect_client();
  fake_socket& other = world.connect_client();
  (void)world.ask(dies, "PING\r\n");
  world.hold_replies = true;
  dies.send("SET a 1\r\nGET a\r\n");
  world.settle();
  other.send("ECHO mine\r\n");
  world.settle();
  dies.abort();
  world.settle();
  world.hold_replies = false;
  world.settle();
  EXPECT_EQ(other.take(), "$4\r\nmine\r\n");
  EXPECT_EQ(world.booked("set"), 1U);
  EXPECT_EQ(world.booking_difference(), "");
  world.expect_nothing_left();
}

}  // namespace
}  // namespace tidegate::session::testing_support
