#include "evidence/report/node_prices.hpp"

#include <gtest/gtest.h>

namespace tidegate::report {
namespace {

TEST(node_prices, ReadsTheShippedTable) {
  const auto prices = parse_node_prices(shipped_node_prices(), "node-prices.yaml");
  ASSERT_TRUE(prices) << prices.error();
  ASSERT_EQ(prices->sizes.size(), 4U);
  EXPECT_EQ(prices->sizes[0].type, "cache.t4g.medium");
  EXPECT_EQ(prices->nodes, 2U);
  // The runbook's monthly figure: 0.065 x 730 x 2.
  EXPECT_NEAR(prices->sizes[0].price * prices->hours_a_month * prices->nodes, 94.90, 0.005);
}

TEST(node_prices, SaysWhatIsWrongAndWhere) {
  const auto error_of = [](const char* yaml) {
    const auto made = parse_node_prices(yaml, "p.yaml");
    return made ? std::string("nothing") : made.error();
  };
  EXPECT_EQ(error_of("nodes: 2\nsize: []\n").substr(0, 14), "p.yaml:2: size");
  EXPECT_NE(error_of("sizes:\n  - { type: a, maxmemory: 2GiB, price: -1 }\n").find("p.yaml:2: price: write a number"),
            std::string::npos);
  EXPECT_NE(error_of("sizes:\n  - { type: a, maxmemory: big, price: 1 }\n").find("p.yaml:2: maxmemory"),
            std::string::npos);
  EXPECT_NE(error_of("sizes:\n  - { type: a }\n").find("needs type, maxmemory and price"), std::string::npos);
  EXPECT_NE(error_of("sizes: [").find("p.yaml:"), std::string::npos);
  EXPECT_EQ(error_of(""), "nothing");
}

TEST(node_prices, ComeInOrderOfPrice) {
  const auto prices = parse_node_prices(
      "sizes:\n  - { type: b, maxmemory: 4GiB, price: 2 }\n  - { type: a, maxmemory: 2GiB, price: 1 }\n", "p");
  ASSERT_TRUE(prices);
  EXPECT_EQ(prices->sizes[0].type, "a");
}

}  // namespace
}  // namespace tidegate::report
