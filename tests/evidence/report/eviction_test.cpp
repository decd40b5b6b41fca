#include "evidence/report/eviction.hpp"

#include <gtest/gtest.h>

#include "attribution/ttl_class.hpp"

namespace tidegate::report {
namespace {

using attribution::ttl_class_keep;
using attribution::ttl_class_none;

ttl_share share(std::size_t which, std::uint64_t writes, std::uint64_t bytes) {
  return {.ttl_class = static_cast<std::uint8_t>(which), .writes = writes, .bytes = bytes};
}

write_row row(unix_ms at, std::uint32_t pattern, std::vector<ttl_share> ttl) {
  return {.at = at, .client = 0, .source = 0, .command = 0, .pattern = pattern, .ttl = std::move(ttl)};
}

observation seen_between(unix_ms since, unix_ms until) {
  observation seen{.since = since, .until = until};
  seen.names.patterns = {"session:*", "profile:*"};
  seen.readings.push_back({.at = until,
                           .run = 1,
                           .used_memory = 700,
                           .maxmemory = 1000,
                           .keys = 100,
                           .keys_with_ttl = 60,
                           .evicted_keys = 3,
                           .eviction_policy = "volatile-lru"});
  return seen;
}

TEST(EvictionByLedger, SumsWhatEachWriteLeftAndForgetsWhatIsUnknown) {
  observation seen = seen_between(1000, 2000);
  seen.writes = {row(1000, 0, {share(3, 10, 100), share(ttl_class_keep, 7, 70)}),
                 row(1990, 1, {share(ttl_class_none, 4, 50)})};
  const auto view = eviction_by_ledger(seen, "h:1", {});
  ASSERT_TRUE(view);
  EXPECT_EQ(view->source, keyspace::eviction_source::writes);
  EXPECT_EQ(view->target, "h:1");
  EXPECT_EQ(view->now.keys, 60U);
  EXPECT_DOUBLE_EQ(view->now.bytes.value, 100);
  EXPECT_DOUBLE_EQ(view->bytes.value, 150) << "the 70 bytes may or may not have a TTL";
  ASSERT_EQ(view->exposed.size(), 1U);
  EXPECT_EQ(view->exposed[0].pattern, "profile:*");
  EXPECT_EQ(view->evicted_keys, 3U);
}

TEST(EvictionByLedger, LooksAtTheWindowAlone) {
  observation seen = seen_between(1000, 2000);
  seen.writes = {row(999, 0, {share(ttl_class_none, 1, 1)}), row(2000, 0, {share(ttl_class_none, 1, 1)})};
  const auto view = eviction_by_ledger(seen, "h:1", {});
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->exposed.empty());
}

TEST(EvictionByLedger, SaysNothingWhereNothingIsKnown) {
  observation seen;
  EXPECT_FALSE(eviction_by_ledger(seen, "h:1", {}));
}

TEST(EvictionByLedger, KnowsNoKeysWhereInfoDidNotTellThem) {
  observation seen = seen_between(1000, 2000);
  seen.readings.back().keys.reset();
  const auto view = eviction_by_ledger(seen, "h:1", {});
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->keys);
  EXPECT_FALSE(view->now.keys_share);
}

}  // namespace
}  // namespace tidegate::report
