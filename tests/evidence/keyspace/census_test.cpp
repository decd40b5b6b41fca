#include "evidence/keyspace/census.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tidegate::keyspace {
namespace {

const pattern_row* find(const std::vector<const pattern_row*>& rows, std::string_view pattern) {
  for (const pattern_row* row : rows) {
    if (row->pattern == pattern) return row;
  }
  return nullptr;
}

TEST(Census, CountsUnderTheNamedPatternAndElseUnderAnInferredOne) {
  census all({"contact:last:*", "contact:last:*"});
  for (int i = 0; i < 20; ++i) all.count("contact:last:" + std::to_string(i), 5000);
  for (int i = 0; i < 30; ++i) all.count("session:" + std::to_string(i), ttl_class_seconds(0) * -1);
  all.fold();
  const auto rows = all.rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]->pattern, "contact:last:*");
  EXPECT_TRUE(rows[0]->named);
  EXPECT_EQ(rows[0]->with_ttl.keys(), 20U);
  const pattern_row* sessions = find(rows, "session:*");
  ASSERT_NE(sessions, nullptr);
  EXPECT_EQ(sessions->without_ttl.keys(), 30U);
  EXPECT_EQ(all.keys(), 50U);
}

TEST(Census, FoldsSiblingsThatAreNamesAndKeepsFamilies) {
  census all({});
  const std::string names = "abcdefghijklmnopqrst";
  for (const char a : names) {
    for (const char b : names) all.count(std::string("user:m") + a + "ri" + b + "a", -1);
  }
  for (int i = 0; i < 5000; ++i) all.count("user:cart:" + std::to_string(i), 1000);
  all.fold();
  const auto rows = all.rows();
  EXPECT_EQ(rows.size(), 2U);
  const pattern_row* names_row = find(rows, "user:*");
  ASSERT_NE(names_row, nullptr);
  EXPECT_EQ(names_row->without_ttl.keys(), 400U);
  ASSERT_NE(find(rows, "user:cart:*"), nullptr);
}

TEST(Census, FoldsNamesInTheMiddle) {
  census all({});
  const std::string names = "abcdefghijklmnopqrst";
  for (const char a : names) all.count(std::string("user:m") + a + "rina:cart", -1);
  for (int i = 0; i < 5000; ++i) all.count("session:" + std::to_string(i), 1000);
  all.fold();
  EXPECT_NE(find(all.rows(), "user:*:cart"), nullptr);
}

TEST(Census, HoldsABoundWhateverKeysAreCalled) {
  census all({});
  std::mt19937_64 random(1);
  constexpr std::uint64_t keys = 30'000;
  for (std::uint64_t i = 0; i < keys; ++i) {
    std::string key;
    for (int word = 0; word < 3; ++word) {
      for (int n = 0; n < 2; ++n) key += {static_cast<char>('a' + random() % 26), "aeiou"[random() % 5]};
      key += word < 2 ? ":" : "";
    }
    all.count(key, -1);
    if (i % 1000 == 0) {
      ASSERT_LE(all.rows().size(), census::rows_max + 1);
    }
  }
  all.fold();
  EXPECT_LE(all.rows().size(), census::rows_final_max);
  std::uint64_t sum = 0;
  for (const pattern_row* row : all.rows()) sum += row->keys();
  EXPECT_EQ(sum, keys) << "folded, never lost";
}

TEST(Census, PutsTheMostKeysWithoutTtlFirst) {
  census all({"named:*"});
  for (int i = 0; i < 50; ++i) all.count("few:" + std::to_string(i), -1);
  for (int i = 0; i < 500; ++i) all.count("covered:" + std::to_string(i), 10);
  for (int i = 0; i < 90; ++i) all.count("many:" + std::to_string(i), -1);
  const auto rows = all.rows();
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0]->pattern, "named:*") << "asked for, so shown though it is empty";
  EXPECT_EQ(rows[1]->pattern, "many:*");
  EXPECT_EQ(rows[2]->pattern, "few:*");
  EXPECT_EQ(rows[3]->pattern, "covered:*");
}

TEST(ParentPattern, EndsAtTheStar) {
  EXPECT_EQ(parent_pattern("user:alice"), "user:*");
  EXPECT_EQ(parent_pattern("a:*:b"), "a:*:*");
  EXPECT_EQ(parent_pattern("a:*:*"), "a:*");
  EXPECT_EQ(parent_pattern("a:*"), "*");
  EXPECT_EQ(parent_pattern("session*"), "*");
  EXPECT_EQ(parent_pattern("*"), "*");
}

TEST(Estimate, IsExactWhenEveryKeyWasMeasured) {
  stratum keys;
  for (int i = 1; i <= 10; ++i) {
    keys.count();
    keys.measure(i);
  }
  EXPECT_DOUBLE_EQ(keys.total().value, 55);
  EXPECT_EQ(keys.total().margin, 0.0);
}

TEST(Estimate, HasNoMarginFromOneMeasureOfMany) {
  stratum keys;
  for (int i = 0; i < 10; ++i) keys.count();
  keys.measure(7);
  EXPECT_DOUBLE_EQ(keys.total().value, 70);
  EXPECT_FALSE(keys.total().margin.has_value());
}

TEST(Estimate, HoldsTheTruthAboutAsOftenAsItSays) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> size(0.01);
  int held = 0;
  constexpr int rounds = 400;
  for (int round = 0; round < rounds; ++round) {
    stratum keys;
    double truth = 0;
    for (int i = 0; i < 5000; ++i) {
      const double bytes = 50 + size(random);
      truth += bytes;
      const bool measured = keys.wants_measure(50);
      keys.count();
      if (measured) keys.measure(bytes);
    }
    if (std::abs(keys.total().value - truth) <= *keys.total().margin) ++held;
  }
  EXPECT_GE(held, rounds * 90 / 100);
  EXPECT_LE(held, rounds * 99 / 100) << "a margin that always holds says nothing";
}

TEST(Estimate, WeighsWhatWasMeasuredAtDifferentRates) {
  stratum many, few;
  for (int i = 0; i < 1000; ++i) many.count();
  for (int i = 0; i < 10; ++i) many.measure(100 + i % 2);
  for (int i = 0; i < 10; ++i) {
    few.count();
    few.measure(10'000);
  }
  const double apart = many.total().value + few.total().value;
  many.merge(few);
  EXPECT_NEAR(many.total().value, apart, 0.01);
  EXPECT_EQ(many.total().measured, 20U);
}

TEST(TtlHistogram, HasClassesOfPowersOfTwo) {
  EXPECT_EQ(ttl_class_of(1), 0U);
  EXPECT_EQ(ttl_class_of(1000), 0U);
  EXPECT_EQ(ttl_class_of(1001), 1U);
  EXPECT_EQ(ttl_class_of(2000), 1U);
  EXPECT_EQ(ttl_class_of(2001), 2U);
  EXPECT_EQ(ttl_class_of(4000), 2U);
  EXPECT_EQ(ttl_class_of(86'400'000LL * 364), 25U);
  EXPECT_EQ(ttl_class_of(86'400'000LL * 365'000), ttl_classes - 1);
  ttl_histogram keys;
  EXPECT_FALSE(keys.quantile(0.5).has_value());
  for (int i = 0; i < 9; ++i) keys.count(3000);
  keys.count(60'000);
  EXPECT_EQ(keys.quantile(0.5), 2U);
  EXPECT_EQ(keys.quantile(1.0), 6U);
  EXPECT_EQ(keys.shortest_ms, 3000);
  EXPECT_EQ(keys.longest_ms, 60'000);
}

}  // namespace
}  // namespace tidegate::keyspace
