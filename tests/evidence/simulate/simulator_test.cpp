#include "evidence/simulate/simulator.hpp"

#include <gtest/gtest.h>

#include "evidence/simulate/key_model.hpp"
#include "tests/evidence/simulate/traffic_maker.hpp"

namespace tidegate::simulate {
namespace {

TEST(simulator, does_nothing_without_rules) {
  player plays("");
  for (int i = 0; i < 1000; ++i) plays.at(i, "job", "1", {"SET", "k:" + std::to_string(i), "v", "EX", "60"});
  const outcome told = plays.finish();
  EXPECT_EQ(told.commands, 1000U);
  EXPECT_EQ(told.delayed + told.rejected + told.injected, 0U);
  EXPECT_EQ(told.peak_before, told.peak_after);
  EXPECT_GT(told.peak_before, 1000.0 * key_model::key_overhead);
  EXPECT_EQ(told.memory.back().before, 0) << "all of it expired";
}

TEST(simulator, delays_what_is_beyond_the_burst_and_pushes_the_session_back) {
  player plays("limits: [ { name: slow, rate: 100/s, burst: 100, max_delay: 60s } ]\n");
  for (int i = 0; i < 1000; ++i) plays.at(0, "job", "1", {"SET", "k:" + std::to_string(i), "v"});
  const outcome told = plays.finish();
  EXPECT_EQ(told.delayed, 900U);
  EXPECT_EQ(told.rejected, 0U);
  ASSERT_EQ(told.limits.size(), 1U);
  EXPECT_EQ(told.limits[0].rule, "slow");
  EXPECT_EQ(told.limits[0].client, "job");
  EXPECT_NEAR(told.limits[0].waited_seconds, 9, 0.1);
  EXPECT_NEAR(told.limits[0].longest_seconds, 0.01, 0.001);
  EXPECT_NEAR(told.clients[0].ends_later_seconds, 9, 0.1);
}

TEST(simulator, serves_the_sessions_of_a_client_in_turn) {
  player plays("limits: [ { name: slow, rate: 100/s, burst: 100, max_delay: 60s } ]\n");
  for (int i = 0; i < 300; ++i) plays.at(0, "job", std::to_string(i % 3), {"SET", "k:" + std::to_string(i), "v"});
  const outcome told = plays.finish();
  EXPECT_EQ(told.delayed, 200U);
  // Three wait at a time, each three turns of 10 ms.
  EXPECT_NEAR(told.limits[0].waited_seconds, 6, 0.2);
  EXPECT_NEAR(told.clients[0].ends_later_seconds, 2, 0.05);
}

TEST(simulator, rejects_what_would_wait_too_long) {
  player plays("limits: [ { name: slow, rate: 10/s, burst: 10, max_delay: 1s } ]\n");
  for (int i = 0; i < 40; ++i) plays.at(0, "job", std::to_string(i), {"SET", "k:" + std::to_string(i), "v"});
  const outcome told = plays.finish();
  // Who would wait for a second to the nanosecond is a matter of rounding.
  EXPECT_NEAR(static_cast<double>(told.delayed), 10, 1);
  EXPECT_EQ(told.delayed + told.rejected, 30U);
}

TEST(simulator, rejects_and_observes_at_the_rate_of_the_bucket) {
  for (const char* action : {"reject", "observe"}) {
    player plays(std::string("limits: [ { name: r, rate: 10/s, burst: 10, action: ") + action + " } ]\n");
    for (int i = 0; i < 200; ++i) plays.at(i * 10, "job", "1", {"SET", "k:" + std::to_string(i), "v"});
    const outcome told = plays.finish();
    // Two seconds: the burst, and ten a second.
    const std::uint64_t held = action == std::string("reject") ? told.rejected : told.observed;
    EXPECT_NEAR(static_cast<double>(held), 200 - 10 - 19, 1) << action;
    EXPECT_EQ(told.delayed, 0U);
  }
}

TEST(simulator, keeps_the_think_time_of_a_closed_loop_but_not_its_pauses) {
  player plays("limits: [ { name: slow, rate: 1/s, burst: 1, max_delay: 60s } ]\n");
  plays.at(0, "job", "1", {"SET", "a", "v"});
  plays.at(100, "job", "1", {"SET", "b", "v"});     // waits until 1000
  plays.at(200, "job", "1", {"DEL", "x"});          // comes at 1100, no limit
  plays.at(90'000, "job", "1", {"SET", "c", "v"});  // acts by the clock
  const outcome told = plays.finish();
  EXPECT_EQ(told.delayed, 1U);
  EXPECT_NEAR(told.clients[0].ends_later_seconds, 0.9, 0.02);
}

TEST(simulator, admits_a_transaction_whole) {
  player plays("limits: [ { name: slow, rate: 10/s, burst: 10, max_delay: 60s } ]\n");
  for (int t = 0; t < 4; ++t) {
    plays.at(0, "job", "1", {"MULTI"});
    for (int i = 0; i < 5; ++i) plays.at(0, "job", "1", {"INCR", "k"});
    plays.at(0, "job", "1", {"EXEC"});
  }
  const outcome told = plays.finish();
  EXPECT_EQ(told.commands, 20U);
  EXPECT_EQ(told.delayed, 2U);
  EXPECT_NEAR(told.waited_seconds, 1, 0.05);
}

TEST(simulator, gives_ttls_as_the_proxy_would_and_counts_those_that_took) {
  player plays(
      "ttl:\n  - { pattern: \"a:*\", default: 60s }\n  - { pattern: \"b:*\", max: 30s }\n"
      "  - { pattern: \"c:*\", require: true }\n  - { pattern: \"d:*\", default: 60s, mode: observe }\n");
  plays.at(0, "job", "1", {"SET", "a:1", "v"});               // rewritten
  plays.at(1, "job", "1", {"SADD", "a:2", "x"});              // followed, takes
  plays.at(2, "job", "1", {"SADD", "a:2", "y"});              // followed, has one already
  plays.at(3, "job", "1", {"SET", "b:1", "v", "EX", "600"});  // cut
  plays.at(4, "job", "1", {"SET", "b:2", "v", "EX", "10"});   // short enough
  plays.at(5, "job", "1", {"SET", "c:1", "v"});               // refused
  plays.at(6, "job", "1", {"SET", "d:1", "v"});               // observed
  const outcome told = plays.finish();
  EXPECT_EQ(told.injected, 2U);
  EXPECT_EQ(told.capped, 1U);
  EXPECT_EQ(told.refused, 1U);
  EXPECT_EQ(told.ttl_observed, 1U);
  // Of the keys without a TTL the rules leave d:1 alone.
  EXPECT_LT(told.memory.back().after, told.memory.back().before / 2);
}

TEST(simulator, tightens_with_the_memory_it_simulates) {
  const std::string rule =
      "limits: [ { name: p, rate: 1000/s, burst: 10, max_delay: 600s, memory: { from: 60%, to: 80%, floor: 10% } } ]\n";
  const auto waited = [&](double used) {
    player plays(rule, {.used_before = used, .maxmemory = 1'000'000'000, .stored_per_counted = 1});
    for (int i = 0; i < 3000; ++i) plays.at(2000, "job", "1", {"SET", "k:" + std::to_string(i), "v"});
    return plays.finish().waited_seconds;
  };
  EXPECT_NEAR(waited(500e6), 3, 0.1);
  EXPECT_NEAR(waited(900e6), 30, 1);
}

TEST(simulator, applies_an_until_by_the_time_of_the_traffic) {
  // 2026-02-02T02:40:00Z is when the traffic begins.
  const auto delayed = [](const char* until) {
    player plays(std::string("limits: [ { name: r, rate: 1/s, burst: 1, max_delay: 60s, until: ") + until + " } ]\n");
    for (int i = 0; i < 10; ++i) plays.at(0, "job", "1", {"SET", "k", "v"});
    return plays.finish().delayed;
  };
  EXPECT_EQ(delayed("2026-02-03"), 9U);
  EXPECT_EQ(delayed("2026-02-01"), 0U);
}

TEST(simulator, gives_the_same_outcome_twice) {
  const auto once = [] {
    player plays(
        "limits: [ { name: r, rate: 500/s, burst: 10 } ]\nttl: [ { pattern: \"*\", default: 60s, jitter: 50% } ]\n");
    for (int i = 0; i < 5000; ++i)
      plays.at(i / 5, "job", std::to_string(i % 7), {"SET", "k:" + std::to_string(i), "v"});
    return plays.finish();
  };
  const outcome a = once(), b = once();
  EXPECT_EQ(a.delayed, b.delayed);
  EXPECT_EQ(a.rejected, b.rejected);
  EXPECT_EQ(a.waited_seconds, b.waited_seconds);
  EXPECT_EQ(a.peak_after, b.peak_after);
}

}  // namespace
}  // namespace tidegate::simulate
