#include "attribution/distinct_keys.hpp"

#include <gtest/gtest.h>

#include <string>

#include "attribution/ttl_class.hpp"

namespace tidegate::attribution {
namespace {

distinct_keys of(int from, int to) {
  distinct_keys out;
  for (int n = from; n < to; ++n) out.add("contact:userGroupLabel:set:" + std::to_string(n));
  return out;
}

TEST(distinct_keys, IsZeroWithoutKeysAndOneForOneKeyHoweverOftenItComes) {
  distinct_keys keys;
  EXPECT_TRUE(keys.empty());
  EXPECT_EQ(keys.estimate(), 0.0);
  for (int n = 0; n < 1000; ++n) keys.add("the same");
  EXPECT_NEAR(keys.estimate(), 1.0, 0.01);
}

TEST(distinct_keys, StaysWithinFourStandardErrorsFromTenToAMillion) {
  for (const int many : {10, 100, 1000, 2500, 5000, 20'000, 343'000, 1'000'000}) {
    EXPECT_NEAR(of(0, many).estimate() / many, 1.0, 4 * 0.0325) << many;
  }
}

TEST(distinct_keys, MergesToTheSketchOfTheUnion) {
  distinct_keys left = of(0, 6000);
  left.merge(of(4000, 10'000));
  EXPECT_EQ(left, of(0, 10'000));
}

TEST(distinct_keys, TellsKeysApartThatDifferInOneByteAnywhere) {
  const std::string key = "0123456789abcdefghij";
  const std::uint64_t hash = distinct_keys::hash_key(key);
  for (std::size_t at = 0; at < key.size(); ++at) {
    std::string other = key;
    other[at] = '#';
    EXPECT_NE(distinct_keys::hash_key(other), hash) << at;
  }
  EXPECT_NE(distinct_keys::hash_key(std::string_view("a\0", 2)), distinct_keys::hash_key("a"));
}

TEST(distinct_keys, ComesBackFromDiskInBothForms) {
  for (const int many : {0, 1, 50, 300, 5000, 100'000}) {
    const distinct_keys keys = of(0, many);
    const std::string stored = keys.encode();
    EXPECT_LE(stored.size(), 769U);
    EXPECT_EQ(distinct_keys::decode(stored), keys) << many;
  }
  EXPECT_EQ(of(0, 1).encode().size(), 3U);
  // Merged with those of years ago: a hash that changes would count every key twice.
  EXPECT_EQ(distinct_keys::hash_key("contact:1"), distinct_keys::hash_key(std::string("contact:") + "1"));
}

TEST(distinct_keys, RefusesWhatItDidNotWrite) {
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("x"), std::string_view("s1"), std::string_view("d"),
        std::string_view("s\0\0", 3), std::string_view("s\xff\xff", 3)}) {
    EXPECT_FALSE(distinct_keys::decode(bad)) << bad;
  }
  EXPECT_FALSE(distinct_keys::decode("d" + std::string(768, '\xff')));
}

TEST(ttl_class, EndsAtPowersOfTwoSeconds) {
  EXPECT_EQ(ttl_class_of(1), 0U);
  EXPECT_EQ(ttl_class_of(1000), 0U);
  EXPECT_EQ(ttl_class_of(1001), 1U);
  EXPECT_EQ(ttl_class_of(2000), 1U);
  EXPECT_EQ(ttl_class_of(2001), 2U);
  EXPECT_EQ(ttl_class_of(4000), 2U);
  EXPECT_EQ(ttl_class_of(1024'000), 10U);
  EXPECT_EQ(ttl_class_of(1025'000), 11U);
  EXPECT_EQ(ttl_class_of(std::int64_t{1} << 60), 26U);
  for (std::size_t which = 0; which + 1 < ttl_classes_timed; ++which) {
    EXPECT_EQ(ttl_class_of(ttl_class_upper_seconds(which) * 1000), which);
    EXPECT_EQ(ttl_class_of(ttl_class_upper_seconds(which) * 1000 + 1), which + 1);
  }
}

}  // namespace
}  // namespace tidegate::attribution
