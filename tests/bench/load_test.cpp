#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bench/load/latencies.hpp"
#include "bench/load/script.hpp"

namespace tidegate::load {
namespace {

TEST(Script, SaysASetAndThenAGetOfTheSameKey) {
  const script words({.keys = 3, .patterns = 2, .value_bytes = 4, .pipeline = 1, .family = "f"});
  const std::string both(words.commands(0, 2));
  const std::size_t key = both.find("f0000");
  ASSERT_NE(key, std::string::npos);
  const std::string name = both.substr(key, 15);
  EXPECT_EQ(both, "*3\r\n$3\r\nSET\r\n$15\r\n" + name + "\r\n$4\r\nvvvv\r\n*2\r\n$3\r\nGET\r\n$15\r\n" + name + "\r\n");
  EXPECT_EQ(words.replies(), "+OK\r\n$4\r\nvvvv\r\n");
}

TEST(Script, EndsOnABatchAndOnAGetWhateverThePipeline) {
  for (const std::size_t pipeline : {1U, 2U, 3U, 16U, 511U, 512U}) {
    const script words({.keys = 30, .value_bytes = 65536, .pipeline = pipeline});
    EXPECT_GE(words.size(), 2 * pipeline);
    EXPECT_EQ(words.size() % (2 * pipeline), 0U) << pipeline;
  }
}

TEST(Script, GivesEachClientAPlaceThatBeginsABatchWithASet) {
  const script words({.pipeline = 3});
  std::set<std::size_t> places;
  for (std::size_t client = 0; client < 50; ++client) {
    const std::size_t place = words.place_of(client, 50);
    places.insert(place);
    EXPECT_EQ(place % 6, 0U);
    EXPECT_LE(place + 3, words.size());
    EXPECT_EQ(words.commands(place, 1).substr(0, 4), "*3\r\n");
  }
  EXPECT_EQ(places.size(), 50U);
}

TEST(Script, SpreadsItsKeysEvenlyOverTheFamilies) {
  std::map<std::string, int> families;
  for (std::size_t number = 0; number < 300; ++number) ++families[key_of("family", number, 30).substr(0, 11)];
  EXPECT_EQ(families.size(), 30U);
  for (const auto& [family, count] : families) EXPECT_EQ(count, 10) << family;
}

TEST(Script, CountsRepliesWhereTheyEnd) {
  const script words({.value_bytes = 4});
  const std::size_t pair = words.replies().size();
  EXPECT_EQ(words.replies_within(4), 0U);
  EXPECT_EQ(words.replies_within(5), 1U);
  EXPECT_EQ(words.replies_within(pair - 1), 1U);
  EXPECT_EQ(words.replies_within(pair), 2U);
  EXPECT_EQ(words.replies_within(10 * pair + 5), 21U);
}

TEST(Latencies, AreRightWithinAStep) {
  latencies all;
  for (std::uint64_t value = 1; value <= 100'000; ++value) all.add(value);
  for (const double share : {0.5, 0.99, 0.999}) {
    const double exact = share * 100'000;
    EXPECT_GE(static_cast<double>(all.quantile(share)), exact);
    EXPECT_LE(static_cast<double>(all.quantile(share)), exact * 1.017 + 1) << share;
  }
  EXPECT_EQ(all.max(), 100'000U);
  EXPECT_EQ(all.quantile(1.0), 100'000U);
}

TEST(Latencies, TakeAnyNumber) {
  latencies all;
  all.add(0);
  all.add(~std::uint64_t{0});
  EXPECT_EQ(all.count(), 2U);
  EXPECT_EQ(all.quantile(0.9), ~std::uint64_t{0});
  EXPECT_EQ(latencies().quantile(0.5), 0U);
}

}  // namespace
}  // namespace tidegate::load
