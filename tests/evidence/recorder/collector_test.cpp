#include "evidence/recorder/collector.hpp"

#include <gtest/gtest.h>

namespace tidegate::recorder {
namespace {

class collecting : public ::testing::Test {
 protected:
  collecting() {
    from_.registry = std::make_shared<attribution::registry>();
    from_.upstream = std::make_shared<session::upstream_state>();
    from_.upstream->evidence_epoch = 1;
    for (auto& worker : workers_) from_.workers.push_back(&worker);
    from_.commands = [] { return resp::command_table::builtin(); };
    client_ = from_.registry->acquire_client("campaign", true, 0);
    pattern_ = from_.registry->intern_pattern("contact:*");
    set_ = resp::command_table::builtin()->find_name("set")->id;
    follow();
  }
  void follow() {
    for (auto& worker : workers_) worker.evidence.use_epoch(from_.upstream->evidence_epoch.load());
  }
  void write(std::size_t worker, std::string_view key, std::int64_t ttl_ms) {
    session::evidence_cells& into = workers_[worker].evidence;
    const std::uint32_t cell =
        into.cell_for({.client = client_, .pattern = pattern_, .command = set_, .has_source = true, .source = {}}, 0);
    const auto at = attribution::distinct_keys::place_of(attribution::distinct_keys::hash_key(key));
    into.book(cell, 2, 100, ttl_ms == 0,
              {.ttl_ms = ttl_ms,
               .key_index = at.index,
               .key_rank = at.rank,
               .ttl_class = static_cast<std::uint8_t>(ttl_ms == 0 ? attribution::ttl_class_none
                                                                  : attribution::ttl_class_of(ttl_ms))});
  }
  ledger::bucket take(collector& by, bool stopped = false) {
    ledger::bucket out;
    by.take(out, stopped);
    return out;
  }

  std::array<session::worker_stats, 2> workers_{session::worker_stats(2), session::worker_stats(2)};
  counted from_;
  attribution::client_number client_ = 0;
  attribution::pattern_number pattern_ = 0;
  std::uint16_t set_ = 0;
};

TEST_F(collecting, MakesOneRowOfWhatTwoWorkersCounted) {
  collector by(from_);
  write(0, "a", 60'000);
  write(1, "b", 5'000);
  by.begin_epoch();
  follow();
  const ledger::bucket found = take(by);
  ASSERT_EQ(found.writes.size(), 1U);
  const ledger::write_row& row = found.writes[0];
  EXPECT_EQ(row.client, "campaign");
  EXPECT_EQ(row.source, "0.0.0.0");
  EXPECT_EQ(row.command, "set");
  EXPECT_EQ(row.pattern, "contact:*");
  EXPECT_EQ(row.sums.commands, 2U);
  EXPECT_EQ(row.sums.elements, 4U);
  EXPECT_EQ(row.sums.bytes, 200U);
  EXPECT_EQ(row.sums.without_ttl, 0U);
  EXPECT_EQ(row.sums.ttl_min_ms, 5'000);
  EXPECT_EQ(row.sums.ttl_max_ms, 60'000);
  EXPECT_EQ(row.sums.distinct(), 2U);
}

TEST_F(collecting, TakesEachWriteOnce) {
  collector by(from_);
  write(0, "a", 0);
  by.begin_epoch();
  follow();
  EXPECT_EQ(take(by).writes.size(), 1U);
  by.begin_epoch();
  follow();
  EXPECT_TRUE(take(by).writes.empty());
  write(0, "a", 0);
  EXPECT_EQ(take(by, true).writes.at(0).sums.commands, 1U);
}

TEST_F(collecting, LeavesTheHalfOfAWorkerThatDidNotFollowForLater) {
  collector by(from_);
  write(0, "a", 60'000);
  write(1, "b", 60'000);
  by.begin_epoch();
  workers_[0].evidence.use_epoch(from_.upstream->evidence_epoch.load());  // the second sleeps
  const ledger::bucket first = take(by);
  EXPECT_EQ(first.writes.at(0).sums.commands, 2U);
  EXPECT_TRUE(first.writes.at(0).sums.ttl.empty());
  const std::uint32_t asked = from_.upstream->evidence_epoch.load();
  by.begin_epoch();
  EXPECT_EQ(from_.upstream->evidence_epoch.load(), asked) << "an epoch nobody has finished reading must not be reused";
  follow();
  by.begin_epoch();
  follow();
  const ledger::bucket second = take(by, true);
  EXPECT_EQ(second.writes.at(0).sums.commands, 0U);
  EXPECT_EQ(second.writes.at(0).sums.ttl.cells[6].writes, 2U);
}

TEST_F(collecting, HasEveryTtlClassOfEveryWriteOnceTheWorkersHaveStopped) {
  collector by(from_);
  std::uint64_t writes = 0;
  ledger::write_sums sums;
  for (int bucket = 0; bucket < 5; ++bucket) {
    for (int n = 0; n < 100; ++n, ++writes) write(n % 2 == 0 ? 0 : 1, "k" + std::to_string(n), n % 3 * 1000);
    by.begin_epoch();
    if (bucket != 2) follow();
    for (const ledger::write_row& row : take(by).writes) sums.merge(row.sums);
  }
  for (const ledger::write_row& row : take(by, true).writes) sums.merge(row.sums);
  EXPECT_EQ(sums.commands, writes);
  std::uint64_t in_classes = 0;
  for (const auto& cell : sums.ttl.cells) in_classes += cell.writes;
  EXPECT_EQ(in_classes, writes);
}

TEST_F(collecting, TellsWhatAClientDidFromWhere) {
  write(0, "a", 0);
  write(1, "b", 0);
  const auto found = sources_of(from_, "campaign");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].address, "0.0.0.0");
  EXPECT_EQ(found[0].writes, 2U);
  EXPECT_EQ(found[0].bytes, 200U);
  EXPECT_TRUE(sources_of(from_, "somebody else").empty());
}

TEST_F(collecting, CountsConnectionsOpenedAndOpen) {
  collector by(from_);
  session::evidence_cells& into = workers_[0].evidence;
  const session::cell_key who{.client = client_, .pattern = 0, .command = 0, .has_source = true, .source = {}};
  const std::uint32_t first = into.connect(who);
  into.count_opened(first);
  const std::uint32_t second = into.connect(who);
  into.count_opened(second);
  into.disconnect(second);
  const ledger::bucket found = take(by);
  ASSERT_EQ(found.connections.size(), 1U);
  EXPECT_EQ(found.connections[0].opened, 2U);
  EXPECT_EQ(found.connections[0].open, 1U);
}

}  // namespace
}  // namespace tidegate::recorder
