#include "proxy/session/write_sketch.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tidegate::session {
namespace {

using attribution::distinct_keys;

std::map<std::size_t, std::pair<std::uint64_t, std::uint64_t>> classes_of(const write_sketch& sketch) {
  std::map<std::size_t, std::pair<std::uint64_t, std::uint64_t>> out;
  sketch.each_class([&](std::size_t which, std::uint64_t writes, std::uint64_t bytes) {
    out[which].first += writes;
    out[which].second += bytes;
  });
  return out;
}

distinct_keys keys_of(const write_sketch& sketch) {
  distinct_keys out;
  sketch.each_key([&](write_sketch::place at) { out.raise(at); });
  return out;
}

distinct_keys raise_keys(write_sketch& sketch, int from, int to) {
  distinct_keys expected;
  for (int number = from; number < to; ++number) {
    const std::string key = "contact:" + std::to_string(number);
    sketch.raise(distinct_keys::place_of(distinct_keys::hash_key(key)));
    expected.add(key);
  }
  return expected;
}

TEST(write_sketch, IsEmptyAtFirst) {
  const write_sketch sketch;
  EXPECT_FALSE(sketch.used());
  EXPECT_TRUE(classes_of(sketch).empty());
  EXPECT_TRUE(keys_of(sketch).empty());
}

TEST(write_sketch, CountsEachClassWhicheverCameFirst) {
  write_sketch sketch;
  for (int round = 0; round < 3; ++round) {
    sketch.add(7, 100);
    sketch.add(attribution::ttl_class_none, 10);
    sketch.add(0, 1);
  }
  const std::map<std::size_t, std::pair<std::uint64_t, std::uint64_t>> expected{
      {0, {3, 3}}, {7, {3, 300}}, {attribution::ttl_class_none, {3, 30}}};
  EXPECT_EQ(classes_of(sketch), expected);
}

TEST(write_sketch, KnowsTheSameKeysAsASketchOfAllAtOnceHoweverManyThereAre) {
  for (const int count : {1, 7, 8, 9, 10, 100, 5000}) {
    write_sketch sketch;
    const distinct_keys expected = raise_keys(sketch, 0, count);
    EXPECT_EQ(raise_keys(sketch, 0, count), expected);  // again: no key counts twice
    EXPECT_EQ(keys_of(sketch), expected) << count;
  }
}

TEST(write_sketch, KeepsShortestAndLongestTtl) {
  write_sketch sketch;
  for (const std::int64_t ttl : {5000, 100, 90000}) sketch.note_ttl(ttl);
  EXPECT_EQ(sketch.ttl_min_ms(), 100);
  EXPECT_EQ(sketch.ttl_max_ms(), 90000);
}

TEST(write_sketch, HasNothingOfTheBucketBeforeAfterItWasCleared) {
  write_sketch sketch;
  for (int round = 0; round < 2; ++round) {
    (void)raise_keys(sketch, 0, 5000);
    sketch.add(3, 1);
    sketch.add(4, 1);
    sketch.note_ttl(77);
    sketch.clear();
    EXPECT_FALSE(sketch.used());
    EXPECT_TRUE(classes_of(sketch).empty());
    EXPECT_EQ(sketch.ttl_max_ms(), 0);
    const distinct_keys few = raise_keys(sketch, 9000, 9004);
    EXPECT_EQ(keys_of(sketch), few);
    const distinct_keys many = raise_keys(sketch, 9000, 9100);
    EXPECT_EQ(keys_of(sketch), many);
    sketch.clear();
  }
}

}  // namespace
}  // namespace tidegate::session
