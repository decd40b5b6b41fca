#include "evidence/ledger/writer.hpp"

#include "tests/evidence/ledger/scratch_ledger.hpp"

namespace tidegate::ledger {
namespace {

using writer_of = scratch_ledger;

TEST_F(writer_of, KeepsEveryKindOfRow) {
  auto into = opened();
  bucket all = bucket_at(10'000, {row("campaign", "10.0.3.17", "set", "contact:*", 4)});
  all.writes[0].sums.ttl_min_ms = 60'000;
  all.writes[0].sums.ttl_max_ms = 120'000;
  all.writes[0].sums.ttl.add(attribution::ttl_class_of(60'000), 4, 400);
  all.limits = {{"campaign", "batch", 1, 2, 3}};
  all.connections = {{"campaign", "10.0.3.17", 5, 4}};
  all.ttl = {{"contact:*", "set", 7, 8, 9}};
  upstream_row info;
  info.used_memory = 1'000'000;
  info.keys = 4;
  info.write_calls = 40;
  info.eviction_policy = "volatile-lru";
  info.complete = true;
  all.upstream = info;
  ASSERT_TRUE(into->append(all));
  ASSERT_TRUE(into->note({11'000, "ops", "cap", "campaign 500/s"}));

  reader from = read();
  const auto writes = from.writes({});
  ASSERT_EQ(writes->size(), 1U);
  EXPECT_EQ(writes->front().client, "campaign");
  EXPECT_EQ(writes->front().source, "10.0.3.17");
  EXPECT_EQ(writes->front().command, "set");
  EXPECT_EQ(writes->front().pattern, "contact:*");
  EXPECT_EQ(writes->front().sums.commands, 4U);
  EXPECT_EQ(writes->front().sums.elements, 8U);
  EXPECT_EQ(writes->front().sums.bytes, 400U);
  EXPECT_EQ(writes->front().sums.without_ttl, 2U);
  EXPECT_EQ(writes->front().sums.ttl_min_ms, 60'000);
  EXPECT_EQ(writes->front().sums.ttl_max_ms, 120'000);
  EXPECT_EQ(writes->front().sums.distinct(), 4U);
  EXPECT_EQ(writes->front().sums.ttl, all.writes[0].sums.ttl);
  const auto limits = from.limits({});
  ASSERT_EQ(limits->size(), 1U);
  EXPECT_EQ(limits->front().row.rejected, 2U);
  const auto connections = from.connections({});
  ASSERT_EQ(connections->size(), 1U);
  EXPECT_EQ(connections->front().row.opened, 5U);
  EXPECT_EQ(connections->front().row.open, 4U);
  const auto ttl = from.ttl({});
  ASSERT_EQ(ttl->size(), 1U);
  EXPECT_EQ(ttl->front().row.capped, 8U);
  const auto upstream = from.upstream({});
  ASSERT_EQ(upstream->size(), 1U);
  EXPECT_EQ(upstream->front().row.used_memory, 1'000'000U);
  EXPECT_EQ(upstream->front().row.maxmemory, std::nullopt);
  EXPECT_EQ(upstream->front().row.write_calls, 40U);
  EXPECT_EQ(upstream->front().row.eviction_policy, "volatile-lru");
  EXPECT_TRUE(upstream->front().row.complete);
  const auto changes = from.changes({});
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->front().detail, "campaign 500/s");
}

TEST_F(writer_of, SaysOfARunWhetherItEndedAndHowFarItsBucketsReach) {
  {
    auto killed = opened(1'000);
    ASSERT_TRUE(killed->append(bucket_at(10'000, {})));
  }
  auto ended = opened(50'000);
  ASSERT_TRUE(ended->append(bucket_at(60'000, {})));
  ASSERT_TRUE(ended->close(71'000));
  const auto runs = read().runs({});
  ASSERT_EQ(runs->size(), 2U);
  EXPECT_EQ((*runs)[0].ended_at, std::nullopt);
  EXPECT_EQ((*runs)[0].written_until, 20'000);
  EXPECT_EQ((*runs)[1].ended_at, 71'000);
  EXPECT_EQ((*runs)[1].written_until, 70'000);
  EXPECT_EQ((*runs)[1].instance, "proxy-a");
}

TEST_F(writer_of, LetsNoSecondProcessIntoTheFile) {
  auto first = opened();
  const auto second = writer::open(options(), 2'000);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, trouble::busy);
  ASSERT_TRUE(first->close(3'000));
  EXPECT_TRUE(writer::open(options(), 4'000));
}

TEST_F(writer_of, MovesACorruptFileAsideAndBeginsANewOne) {
  std::ofstream(path()) << std::string(100'000, 'x');
  auto into = opened(1'770'681'600'000);
  EXPECT_EQ(into->moved_aside(), path() + ".corrupt-20260210T000000Z");
  EXPECT_EQ(std::filesystem::file_size(into->moved_aside()), 100'000U);
  EXPECT_TRUE(into->append(bucket_at(10'000, {row("a", "b", "set", "k:*", 1)})));
}

TEST_F(writer_of, MovesAFileWithABrokenPageAside) {
  {
    auto into = opened();
    std::vector<write_row> many;
    for (int n = 0; n < 2000; ++n) many.push_back(row("c" + std::to_string(n), "s", "set", "k:*", 1));
    ASSERT_TRUE(into->append(bucket_at(10'000, std::move(many))));
    ASSERT_TRUE(into->close(20'000));
  }
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    for (int page = 10; page < 60; ++page) {
      file.seekp(page * 4096);
      file << std::string(64, '\xff');
    }
  }
  EXPECT_FALSE(opened(30'000)->moved_aside().empty());
}

TEST_F(writer_of, LeavesAFileOfANewerVersionAlone) {
  ASSERT_TRUE(opened()->close(2'000));
  {
    auto file = database::open(path(), access::read_write);
    ASSERT_TRUE(file->execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'"));
  }
  const auto refused = writer::open(options(), 3'000);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("version 99"), std::string::npos) << refused.error().text;
  EXPECT_NE(refused.error().text.find("another ledger.path"), std::string::npos);
  const auto unread = reader::open(path());
  ASSERT_FALSE(unread);
  EXPECT_NE(unread.error().find("version 99"), std::string::npos);
}

TEST_F(writer_of, LeavesAnotherProgramsDatabaseAlone) {
  {
    auto file = database::open(path(), access::read_write);
    ASSERT_TRUE(file->execute("CREATE TABLE theirs (x)"));
  }
  const auto refused = writer::open(options(), 3'000);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("another program's"), std::string::npos);
}

TEST_F(writer_of, DropsWhatIsOlderThanItIsKept) {
  writer_options how = options();
  how.keep = std::chrono::seconds(60);
  auto into = writer::open(how, 1'000);
  for (unix_ms at = 10'000; at <= 200'000; at += 10'000) {
    ASSERT_TRUE((*into)->append(bucket_at(at, {row("a", "b", "set", "k:*", 1)})));
  }
  ASSERT_TRUE((*into)->retain(210'000));
  const auto left = read().extent();
  EXPECT_EQ(left->since, 150'000);
  EXPECT_EQ(left->until, 200'000);
}

TEST_F(writer_of, StaysBelowItsSizeAndKeepsTheNewest) {
  writer_options how = options();
  how.max_size = 1U << 20;
  auto into = writer::open(how, 1'000);
  unix_ms at = 10'000;
  for (int n = 0; n < 300; ++n, at += 10'000) {
    std::vector<write_row> rows;
    for (int c = 0; c < 20; ++c)
      rows.push_back(row("client" + std::to_string(n) + "-" + std::to_string(c), "s", "set", "k", 300));
    ASSERT_TRUE((*into)->append(bucket_at(at, std::move(rows))));
  }
  ASSERT_TRUE((*into)->retain(at));
  EXPECT_LE((*into)->bytes(), (1U << 20) + 4096U * 8);
  const auto left = read().extent();
  EXPECT_GT(left->since, 10'000);
  EXPECT_EQ(left->until, at - 10'000);
}

TEST_F(writer_of, DoesNotFollowAClockThatWasSetBack) {
  auto into = opened();
  ASSERT_TRUE(into->append(bucket_at(50'000, {row("a", "b", "set", "k:*", 1)})));
  ASSERT_TRUE(into->append(bucket_at(50'000, {row("a", "b", "set", "k:*", 1)})));
  ASSERT_TRUE(into->append(bucket_at(20'000, {row("a", "b", "set", "k:*", 1)})));
  const auto writes = read().writes({.by = by_client});
  ASSERT_EQ(writes->size(), 1U);
  EXPECT_EQ(writes->front().sums.commands, 3U);
}

TEST_F(writer_of, CanTakeABucketAgainThatFailed) {
  auto into = opened();
  const bucket what = bucket_at(10'000, {row("a", "b", "set", "k:*", 1)});
  {
    auto other = database::open(path(), access::read_write);
    ASSERT_TRUE(
        other->execute("CREATE TRIGGER no_room BEFORE INSERT ON write_bucket BEGIN SELECT RAISE(ABORT, 'full'); END"));
    EXPECT_FALSE(into->append(what));
    ASSERT_TRUE(other->execute("DROP TRIGGER no_room"));
  }
  EXPECT_TRUE(into->append(what));
  const auto writes = read().writes({});
  ASSERT_EQ(writes->size(), 1U);
  EXPECT_EQ(writes->front().client, "a");
}

}  // namespace
}  // namespace tidegate::ledger
