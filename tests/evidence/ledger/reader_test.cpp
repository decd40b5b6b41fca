#include "evidence/ledger/reader.hpp"

#include "tests/evidence/ledger/scratch_ledger.hpp"

namespace tidegate::ledger {
namespace {

class reader_of : public scratch_ledger {
 protected:
  void SetUp() override {
    auto into = opened();
    ASSERT_TRUE(
        into->append(bucket_at(10'000, {row("a", "s1", "set", "x:*", 100, 0), row("b", "s1", "set", "x:*", 10, 0)})));
    ASSERT_TRUE(into->append(bucket_at(20'000, {row("a", "s2", "sadd", "y:*", 100, 50)})));
    ASSERT_TRUE(into->append(bucket_at(30'000, {row("a", "s1", "set", "x:*", 5, 500)})));
  }
};

TEST_F(reader_of, TakesBucketsThatBeginInTheSpan) {
  const auto found = read().writes({.when = {20'000, 30'000}});
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().command, "sadd");
}

TEST_F(reader_of, GroupsBySomeAndAddsUpTheRest) {
  const auto found = read().writes({.by = by_client});
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0].client, "a");
  EXPECT_EQ((*found)[0].source, "");
  EXPECT_EQ((*found)[0].sums.commands, 205U);
  EXPECT_EQ((*found)[1].sums.commands, 10U);
  const auto all = read().writes({.by = by_nothing});
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().sums.bytes, 21'500U);
}

TEST_F(reader_of, CountsAKeyOfSeveralGroupsOnce) {
  const auto found = read().writes({.by = by_client, .client = "a"});
  ASSERT_EQ(found->size(), 1U);
  EXPECT_NEAR(static_cast<double>(found->front().sums.distinct()), 155, 15);  // k0 … k149 and k500 … k504
}

TEST_F(reader_of, MakesStepsOfTimeFromTheEpoch) {
  const auto found = read().writes({.by = by_time, .step_ms = 20'000});
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0].at, 0);
  EXPECT_EQ((*found)[0].sums.commands, 110U);
  EXPECT_EQ((*found)[1].at, 20'000);
  EXPECT_EQ((*found)[1].sums.commands, 105U);
}

TEST_F(reader_of, CanBeAskedForOnePattern) {
  const auto found = read().writes({.by = by_pattern, .pattern = "y:*"});
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().pattern, "y:*");
}

TEST_F(reader_of, NamesAFileThatIsNotThereAndOneThatIsNoLedger) {
  const auto missing = reader::open(folder_ + "/none.db");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().find("no ledger yet"), std::string::npos);
  std::ofstream(folder_ + "/odd.db") << std::string(5000, 'x');
  EXPECT_FALSE(reader::open(folder_ + "/odd.db"));
}

// What people and Grafana read stands on the same rows.
TEST_F(reader_of, ShowsTheSameInItsViews) {
  auto file = database::open(path(), access::read_only);
  EXPECT_EQ(*file->number("SELECT sum(commands) FROM writes WHERE client = 'a'"), 205);
  EXPECT_EQ(*file->word("SELECT time FROM writes ORDER BY at LIMIT 1"), "1970-01-01T00:00:10Z");
  for (const char* view : {"limits", "connections", "upstream"}) {
    EXPECT_TRUE(file->number("SELECT count(*) FROM " + std::string(view))) << view;
  }
}

}  // namespace
}  // namespace tidegate::ledger
