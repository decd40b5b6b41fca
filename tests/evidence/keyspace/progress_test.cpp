#include "evidence/keyspace/progress.hpp"

#include <gtest/gtest.h>

namespace tidegate::keyspace {
namespace {

constexpr std::int64_t second = 1'000'000'000;

// dictScan()'s step: the cursor of the bucket behind, in a table of 2^bits buckets.
std::uint64_t next_cursor(std::uint64_t cursor, int bits) {
  const auto reversed = [](std::uint64_t v) {
    std::uint64_t out = 0;
    for (int i = 0; i < 64; ++i, v >>= 1U) out = (out << 1U) | (v & 1U);
    return out;
  };
  cursor |= ~((std::uint64_t{1} << bits) - 1);
  return reversed(reversed(cursor) + 1);
}

TEST(Progress, ReadsTheShareOfTheTableFromTheCursor) {
  std::uint64_t cursor = 0;
  for (int bucket = 0; bucket < 1024; ++bucket) {
    EXPECT_DOUBLE_EQ(cursor_fraction(cursor), bucket / 1024.0);
    cursor = next_cursor(cursor, 10);
  }
  EXPECT_EQ(cursor, 0U);
}

TEST(Progress, IsNotMisledByATableThatGrows) {
  std::uint64_t cursor = 0;
  for (int bucket = 0; bucket < 512; ++bucket) cursor = next_cursor(cursor, 10);
  progress at(1000, 0);
  at.page(cursor, 500, second);
  EXPECT_DOUBLE_EQ(at.fraction(), 0.5);
  for (int bucket = 0; bucket < 1024; ++bucket) cursor = next_cursor(cursor, 12);
  at.total(4000);
  at.page(cursor, 1500, 2 * second);
  EXPECT_DOUBLE_EQ(at.fraction(), 0.75);
}

TEST(Progress, CountsKeysWhereTheCursorIsOfAnotherKind) {
  progress at(1000, 0);
  at.page(~0ULL, 1, second);  // nearly 1
  const double before = at.fraction();
  at.page(1ULL << 40U, 500, 2 * second);
  EXPECT_GE(at.fraction(), before) << "it never falls";
  EXPECT_LT(at.fraction(), 1);
}

TEST(Progress, EstimatesTheRestFromThePace) {
  progress at(1000, 0);
  EXPECT_FALSE(at.seconds_left().has_value());
  std::uint64_t cursor = 0;
  for (int bucket = 0; bucket < 256; ++bucket) cursor = next_cursor(cursor, 10);
  at.page(cursor, 250, 10 * second);
  ASSERT_TRUE(at.seconds_left().has_value());
  EXPECT_EQ(*at.seconds_left(), 30);
}

TEST(Progress, GoesOnWhereAnInterruptedScanStood) {
  progress at(1000, 0, 0.5);
  EXPECT_DOUBLE_EQ(at.fraction(), 0.5);
  std::uint64_t cursor = 0;
  for (int bucket = 0; bucket < 768; ++bucket) cursor = next_cursor(cursor, 10);
  at.page(cursor, 250, 10 * second);
  EXPECT_EQ(*at.seconds_left(), 10) << "the pace is of this run alone";
}

TEST(Progress, IsReadable) {
  EXPECT_EQ(bar_text(0.5, 10), "[#####.....]  50 %");
  EXPECT_EQ(bar_text(1, 10), "[##########] 100 %");
  EXPECT_EQ(duration_text(8), "8 s");
  EXPECT_EQ(duration_text(190), "3 min 10 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
}

}  // namespace
}  // namespace tidegate::keyspace
