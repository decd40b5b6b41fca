#include "evidence/report/analysis.hpp"

#include <gtest/gtest.h>

#include "evidence/report/bursts.hpp"

namespace tidegate::report {
namespace {

constexpr std::int64_t step = 10'000;
constexpr unix_ms start = 1'770'904'800'000;
constexpr std::uint64_t maxmemory = 1000 << 20;
constexpr std::uint64_t culprit = 0, service = 1, heavy = 2;

// Half an hour of quiet, ten minutes of burst by `batch`, half an hour of quiet: 10 MiB a step, which live an hour.
class observed : public testing::Test {
 protected:
  observed() {
    seen.since = seen.from = seen.first = start;
    seen.until = seen.last = start + 420 * step;
    seen.step_ms = step;
    seen.names = {.clients = {"batch", "shop", "log"},
                  .sources = {"10.0.0.1", "10.0.0.2"},
                  .commands = {"set"},
                  .patterns = {"a:*", "b:*"}};
    seen.runs.push_back({.id = 1,
                         .instance = "p",
                         .version = "1",
                         .started_at = start,
                         .written_until = seen.last,
                         .ended_at = seen.last,
                         .bucket_ms = step});
    std::uint64_t used = 500 << 20, calls = 0;
    for (int at = 0; at < 420; ++at) {
      const unix_ms time = start + at * step;
      write(time, service, 100, 100 * 1000, 0);
      write(time, heavy, 200, 4 << 20, 0);
      calls += 300;
      if (at >= 180 && at < 240) {
        write(time, culprit, 5000, 10 << 20, 500);
        calls += 5000;
        used += 5 << 20;
      }
      reading one{.at = time + step, .run = 1};
      one.used_memory = used;
      one.maxmemory = maxmemory;
      one.write_calls = 7'000 + calls;
      one.booked_calls = calls - 10;
      one.own_calls = 10;
      seen.readings.push_back(one);
    }
  }

  void write(unix_ms at, std::uint64_t client, std::uint64_t commands, std::uint64_t bytes, std::uint64_t untimed) {
    write_row row{.at = at, .client = static_cast<std::uint32_t>(client)};
    row.commands = row.elements = commands;
    row.bytes = bytes;
    row.without_ttl = untimed;
    row.ttl_min_ms = row.ttl_max_ms = 3'600'000;
    row.ttl.push_back({.ttl_class = 12, .writes = commands - untimed, .bytes = bytes});
    seen.writes.push_back(row);
  }

  [[nodiscard]] incident analysed() const {
    return analyse(seen, {.upstream = "u:6379", .made_at = seen.last}, {{"batch", 4000.0}, {"shop", 1000.0}});
  }

  observation seen;
};

TEST_F(observed, NamesWhoBurstAndNotWhoAlwaysWritesMuch) {
  const incident made = analysed();
  ASSERT_TRUE(made.burst);
  EXPECT_EQ(made.burst->begin, start + 180 * step);
  EXPECT_EQ(made.burst->end, start + 240 * step);
  ASSERT_EQ(made.culprits, 1U);
  EXPECT_EQ(made.writers[0].name, "batch");
  EXPECT_NEAR(made.writers[0].commands_share, 5000.0 / 5300, 1e-9);
  EXPECT_NEAR(*made.writers[0].keys_share, 0.8, 1e-9);
  EXPECT_DOUBLE_EQ(made.writers[0].before.commands, 0);
  EXPECT_EQ(made.writers[1].name, "log");
}

// A ledger of one second a bucket, as the demo's: three seconds until the services connect, then ordinary traffic.
struct just_started : observed {
  just_started() {
    seen.step_ms = 1000;
    seen.writes.clear();
    seen.readings.clear();
    seen.until = seen.last = start + 60'000;
  }
  void traffic(int from_second, int silent_until, int burst_from) {
    for (int second = from_second; second < 60; ++second) {
      if (second < silent_until) continue;
      write(start + second * 1000, service, 50, 15'000, 0);
      if (second >= burst_from && second < 50) write(start + second * 1000, culprit, 500, 2 << 20, 0);
    }
  }
};

TEST_F(just_started, TheSilenceBeforeItsFirstClientsIsNotWhatIsOrdinary) {
  traffic(0, 3, 20);
  const auto found = bursts_of(seen);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].since, start + 20'000);
  EXPECT_EQ(found[0].until, start + 50'000);
}

TEST_F(just_started, ButALongOneIs) {
  traffic(0, 20, 20);
  const auto found = bursts_of(seen);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].since, start + 20'000);
}

TEST_F(just_started, OneEmptySecondAtTheEdgeOfTheWindowIsNotWhatIsOrdinary) {
  seen.first = start - 1000'000;
  traffic(1, 0, 20);
  const auto found = bursts_of(seen);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].since, start + 20'000);
}

TEST_F(observed, AnEarlierBurstIsNotWhatIsOrdinary) {
  for (int at = 60; at < 90; ++at) write(start + at * step, culprit, 4000, 8 << 20, 0);
  seen.since = start + 100 * step;
  const incident made = analysed();
  ASSERT_TRUE(made.burst);
  EXPECT_EQ(made.burst->begin, start + 180 * step);
  EXPECT_TRUE(made.other_bursts.empty());
  EXPECT_NEAR(made.burst->before.commands, 30, 1e-9);
  EXPECT_DOUBLE_EQ(made.writers[0].before.commands, 0);
}

TEST_F(observed, SharesOfAllWritersAreTheWhole) {
  double bytes = 0, commands = 0;
  for (const writer& each : analysed().writers) {
    bytes += each.bytes_share;
    commands += each.commands_share;
  }
  EXPECT_NEAR(bytes, 1, 1e-9);
  EXPECT_NEAR(commands, 1, 1e-9);
}

TEST_F(observed, TellsMemoryBeforeAtThePeakAndAtTheEnd) {
  const incident made = analysed();
  EXPECT_EQ(*made.before.used, 500ULL << 20);
  EXPECT_EQ(*made.peak.used, 800ULL << 20);
  EXPECT_NEAR(*made.now.share(), 0.8, 1e-9);
  EXPECT_EQ(made.state, situation::warning);
  ASSERT_TRUE(made.burst->alert_from);
  EXPECT_EQ(*made.burst->alert_from, start + 220 * step);
  EXPECT_FALSE(made.burst->alert_to);
}

TEST_F(observed, ComputesTheLimitThatWouldHaveHeldIt) {
  const incident made = analysed();
  ASSERT_TRUE(made.holding_limit);
  ASSERT_TRUE(made.holding_limit->possible);
  EXPECT_NEAR(made.holding_limit->stored_for_written, 0.5 * made.writers[0].bytes_share, 0.02);
  EXPECT_LE(made.holding_limit->peak_share, 0.70);
  EXPECT_LT(made.holding_limit->rate, 1 << 20);
  EXPECT_GT(made.holding_limit->longest_wait_s, 0);
}

TEST_F(observed, TellsWhenItDrains) {
  const incident made = analysed();
  ASSERT_TRUE(made.drain);
  ASSERT_TRUE(made.drain->under_alert_at);
  // The first keys of the burst live an hour (and a tenth) from 30 minutes on.
  EXPECT_GT(*made.drain->under_alert_at, start + 180 * step + 3'600'000);
  EXPECT_LE(*made.drain->gone_at, start + 240 * step + 3'960'000 + step);
}

TEST_F(observed, CoverageIsWholeWhereEverythingPassed) {
  const incident made = analysed();
  ASSERT_TRUE(made.coverage);
  EXPECT_DOUBLE_EQ(made.coverage->share(), 1);
  EXPECT_EQ(made.coverage->upstream, 60U * 5300);
}

TEST_F(observed, CoverageShowsWhoWritesPastTheProxy) {
  for (std::size_t at = 200; at < seen.readings.size(); ++at) *seen.readings[at].write_calls += 10'000;
  EXPECT_NEAR(analysed().coverage->share(), 318'000.0 / 328'000, 1e-9);
}

TEST_F(observed, CoverageSkipsWhereTheUpstreamBeganAnew) {
  for (std::size_t at = 200; at < seen.readings.size(); ++at) *seen.readings[at].write_calls -= 150'000;
  const incident made = analysed();
  EXPECT_TRUE(made.coverage_suspended);
  EXPECT_DOUBLE_EQ(made.coverage->share(), 1);
}

TEST_F(observed, ANewRunCountsFromZero) {
  const std::uint64_t booked = *seen.readings[199].booked_calls;
  for (std::size_t at = 200; at < seen.readings.size(); ++at) {
    seen.readings[at].run = 2;
    *seen.readings[at].booked_calls -= booked;
    *seen.readings[at].own_calls = 0;
  }
  EXPECT_DOUBLE_EQ(analysed().coverage->share(), 1);
}

TEST_F(observed, AKilledRunIsSaid) {
  seen.runs[0].written_until = start + 300 * step;
  seen.runs[0].ended_at.reset();
  seen.runs.push_back({.id = 2, .started_at = start + 310 * step, .written_until = seen.last, .ended_at = seen.last});
  const incident made = analysed();
  ASSERT_EQ(made.gaps.size(), 1U);
  EXPECT_TRUE(made.gaps[0].killed);
  EXPECT_EQ(made.gaps[0].from, start + 300 * step);
  EXPECT_EQ(made.gaps[0].to, start + 310 * step);
}

TEST_F(observed, EvictionsMakeItCritical) {
  for (auto& each : seen.readings) each.evicted_keys = each.at > start + 230 * step ? 5U : 0U;
  const incident made = analysed();
  EXPECT_EQ(made.state, situation::critical);
  EXPECT_EQ(*made.evicted, 5U);
}

TEST_F(observed, TheLeakIsMeasuredOutsideOfTheBurst) {
  write(start + 10 * step, service, 18, 18, 18);
  const incident made = analysed();
  ASSERT_EQ(made.leaks.size(), 1U);
  EXPECT_EQ(made.leaks[0].client, "shop");
  EXPECT_NEAR(made.leaked_a_day, 18 * 48, 1e-6);  // 18 in half an hour
}

TEST_F(observed, WithoutABurstNobodyIsACulprit) {
  std::erase_if(seen.writes, [](const write_row& row) { return row.client == culprit; });
  const incident made = analysed();
  EXPECT_FALSE(made.burst);
  EXPECT_EQ(made.culprits, 0U);
  EXPECT_EQ(made.state, situation::quiet);
  EXPECT_EQ(made.writers[0].name, "log");
}

TEST(analyse, SaysOfNothingThatItIsNothing) {
  observation none{.since = start, .until = start + 3'600'000};
  const incident made = analyse(none, {.made_at = start}, {});
  EXPECT_EQ(made.state, situation::empty);
  EXPECT_FALSE(made.burst);
}

TEST_F(observed, WorksWithoutTheUpstreamsFigures) {
  seen.readings.clear();
  const incident made = analysed();
  ASSERT_TRUE(made.burst);
  EXPECT_FALSE(made.now.used);
  EXPECT_FALSE(made.coverage);
  EXPECT_FALSE(made.holding_limit);
  EXPECT_EQ(made.state, situation::held);
}

TEST_F(observed, ConnectionsOpenedBeforeTheWritesBelongToTheBurst) {
  for (int at = 0; at < 420; ++at) {
    const bool early = at >= 160 && at < 200;
    seen.connections.push_back({.at = start + at * step, .client = culprit, .opened = early ? 5U : 0U, .open = 10});
  }
  const incident made = analysed();
  EXPECT_EQ(made.burst->begin, start + 160 * step);
  EXPECT_EQ(made.writers[0].opened, 200U);
}

}  // namespace
}  // namespace tidegate::report
