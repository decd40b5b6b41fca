#include "evidence/report/series.hpp"

#include <gtest/gtest.h>

namespace tidegate::report {
namespace {

std::vector<double> quiet_then(std::size_t quiet, std::vector<double> more, double level = 100) {
  std::vector<double> steps(quiet, level);
  steps.insert(steps.end(), more.begin(), more.end());
  return steps;
}

TEST(find_bursts, FindsNoneInOrdinaryTraffic) {
  std::vector<double> steps;
  for (int each = 0; each < 500; ++each) steps.push_back(170 + each % 110);  // the report's 170 to 280
  EXPECT_TRUE(find_bursts(steps, {}).empty());
}

TEST(find_bursts, FindsWhereItBeganAndEnded) {
  auto steps = quiet_then(50, std::vector<double>(10, 1000));
  steps.insert(steps.end(), 30, 100);
  const auto found = find_bursts(steps, {});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].begin, 50U);
  EXPECT_EQ(found[0].end, 60U);
  EXPECT_DOUBLE_EQ(found[0].peak, 1000);
  EXPECT_DOUBLE_EQ(found[0].excess, 9000);
}

TEST(find_bursts, JoinsOverAPauseAndSplitsOverALongerOne) {
  const burst_options options{.gap_steps = 6};
  auto steps = quiet_then(50, std::vector<double>(5, 1000));
  steps.insert(steps.end(), 6, 100);
  steps.insert(steps.end(), 5, 1000);
  steps.insert(steps.end(), 7, 100);
  steps.insert(steps.end(), 5, 1000);
  const auto found = find_bursts(steps, options);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].end, 66U);
  EXPECT_EQ(found[1].begin, 73U);
}

TEST(find_bursts, MeasuresTheSecondAgainstQuietStepsNotAgainstTheFirst) {
  auto steps = quiet_then(20, std::vector<double>(200, 1000));
  steps.insert(steps.end(), 20, 100);
  steps.insert(steps.end(), 10, 600);
  const auto found = find_bursts(steps, {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_DOUBLE_EQ(found[1].ordinary, 100);
}

TEST(find_bursts, TakesALevelThatStaysForTheNewOrdinary) {
  const burst_options options{.lookback_steps = 50, .longest_steps = 100};
  auto steps = quiet_then(50, std::vector<double>(400, 1000));
  const auto found = find_bursts(steps, options);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].end - found[0].begin, 100U);
}

TEST(find_bursts, LeavesOutWhatIsTooSmallToMatter) {
  EXPECT_TRUE(find_bursts(quiet_then(50, {300, 300, 300}), {.significant_sum = 10'000}).empty());
  EXPECT_TRUE(find_bursts(quiet_then(50, {3, 3, 3}, 0), {.floor = 5}).empty());
}

TEST(find_bursts, NeedsSomethingToCompareWith) {
  EXPECT_TRUE(find_bursts({}, {}).empty());
  EXPECT_TRUE(find_bursts({5000}, {}).empty());
}

TEST(find_bursts, DoesNotTakeOneStepForWhatIsOrdinary) {
  auto steps = std::vector<double>{0, 50, 55, 45, 50, 52, 48, 50, 50, 50};
  EXPECT_EQ(find_bursts(steps, {.floor = 30}).size(), 1U);
  EXPECT_TRUE(find_bursts(steps, {.floor = 30, .quiet_steps_min = 6}).empty());
  steps.insert(steps.end(), 5, 500);
  const auto found = find_bursts(steps, {.floor = 30, .quiet_steps_min = 6});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].begin, 10U);
  EXPECT_DOUBLE_EQ(found[0].ordinary, 50);
}

TEST(quantile, IsTheValueThatTheShareDoesNotExceed) {
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile({}, 0.5), 0);
}

}  // namespace
}  // namespace tidegate::report
