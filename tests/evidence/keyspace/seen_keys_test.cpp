#include "evidence/keyspace/seen_keys.hpp"

#include <gtest/gtest.h>

#include <string>

#include "evidence/keyspace/mending.hpp"

namespace tidegate::keyspace {
namespace {

std::uint64_t hash_of(int i) {
  return key_hash("key:" + std::to_string(i));
}

TEST(SeenKeys, KnowsEachKeyThatComesTwice) {
  seen_keys seen;
  for (int i = 0; i < 50'000; ++i) EXPECT_TRUE(seen.insert(hash_of(i)));
  for (int i = 0; i < 50'000; i += 7) EXPECT_FALSE(seen.insert(hash_of(i)));
  EXPECT_TRUE(seen.exact());
  EXPECT_EQ(seen.distinct(), 50'000U);
  EXPECT_EQ(seen.distinct_share(), 1.0);
}

TEST(SeenKeys, TakesTheHashThatMarksAnEmptyPlace) {
  seen_keys seen;
  EXPECT_TRUE(seen.insert(0));
  EXPECT_FALSE(seen.insert(0));
}

TEST(SeenKeys, StaysExactUpToItsBound) {
  seen_keys seen(1000);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(hash_of(i)));
  EXPECT_TRUE(seen.exact());
  EXPECT_TRUE(seen.insert(hash_of(1000)));
  EXPECT_FALSE(seen.exact());
}

TEST(SeenKeys, EstimatesTheRepeatsOfMoreThanItHolds) {
  seen_keys seen(4096);
  constexpr int keys = 200'000;
  for (int i = 0; i < keys; ++i) {
    seen.insert(hash_of(i));
    if (i % 4 == 0) seen.insert(hash_of(i));
  }
  EXPECT_FALSE(seen.exact());
  EXPECT_NEAR(static_cast<double>(seen.distinct()), keys, keys * 0.03);
  EXPECT_LT(seen.distinct_share(), 0.85);
}

}  // namespace
}  // namespace tidegate::keyspace
