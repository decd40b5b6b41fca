#include "evidence/report/footprint.hpp"

#include <gtest/gtest.h>

namespace tidegate::report {
namespace {

TEST(footprint, ExpiresEvenlyBetweenShortestAndLongest) {
  const parcel one{.at = 0, .bytes = 100, .lives = {.least_ms = 1000, .most_ms = 3000}};
  EXPECT_DOUBLE_EQ(one.live_at(-1), 0);
  EXPECT_DOUBLE_EQ(one.live_at(1000), 100);
  EXPECT_DOUBLE_EQ(one.live_at(2000), 50);
  EXPECT_DOUBLE_EQ(one.live_at(3000), 0);
}

TEST(footprint, KeepsWhatHasNoTtl) {
  footprint all;
  all.add({.at = 0, .bytes = 10, .stays = true});
  all.add({.at = 0, .bytes = 90, .lives = {.least_ms = 1, .most_ms = 2}});
  EXPECT_DOUBLE_EQ(all.live_at(1'000'000'000), 10);
  EXPECT_DOUBLE_EQ(all.timed_at(0), 90);
}

TEST(footprint, NarrowsAClassByWhatWasSeen) {
  const auto open = span_of_class(11, {}, {});  // (1,024, 2,048] seconds
  EXPECT_DOUBLE_EQ(open.least_ms, 1'024'000 * late);
  EXPECT_DOUBLE_EQ(open.most_ms, 2'048'000 * late);
  const auto narrow = span_of_class(11, 1'200'000, 1'500'000);
  EXPECT_DOUBLE_EQ(narrow.least_ms, 1'200'000 * late);
  EXPECT_DOUBLE_EQ(narrow.most_ms, 1'500'000 * late);
}

}  // namespace
}  // namespace tidegate::report
