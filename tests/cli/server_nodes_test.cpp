#include "cli/keyspace/server_nodes.hpp"

#include <gtest/gtest.h>

namespace tidegate::cli {
namespace {

using net::reply;

reply number(std::int64_t value) {
  return {.what = reply::kind::integer, .integer = value, .text = {}, .items = {}};
}
reply text(std::string value) {
  return {.what = reply::kind::text, .integer = 0, .text = std::move(value), .items = {}};
}
reply list(std::vector<reply> items) {
  return {.what = reply::kind::array, .integer = 0, .text = {}, .items = std::move(items)};
}
reply range(std::int64_t first, std::int64_t last, const std::string& host, std::int64_t port) {
  return list({number(first), number(last), list({text(host), number(port), text("id"), list({})}),
               list({text("replica"), number(1), text("id2")})});
}

server_target seed() {
  server_target target = read_server_url("redis://ops:pw@seed:7000").value();
  target.name = "seed:7000/0";
  return target;
}

TEST(ServerNodes, AreTheMastersInTheOrderOfTheirSlots) {
  const auto found = read_slots(list({range(8192, 16383, "10.0.0.2", 7001), range(0, 4095, "10.0.0.1", 7000),
                                      range(4096, 8191, "10.0.0.2", 7001)}),
                                seed());
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found->all.size(), 2U);
  EXPECT_EQ(found->all[0].name, "10.0.0.1:7000/0");
  EXPECT_EQ(found->all[1].name, "10.0.0.2:7001/0");
  EXPECT_TRUE(found->all[1].cluster_node);
  EXPECT_EQ(found->all[1].where.control->password, "pw") << "the same login everywhere";
  EXPECT_TRUE(found->is_cluster());
}

TEST(ServerNodes, TakeTheHostThatWasAskedWhereANodeDoesNotNameItsOwn) {
  const auto found = read_slots(list({range(0, 16383, "", 7005)}), seed());
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(found->all[0].where.host, "seed");
  EXPECT_EQ(found->all[0].where.port, 7005);
}

TEST(ServerNodes, ChangeTheirTextWhenASlotMoves) {
  const auto before = read_slots(list({range(0, 99, "a", 1), range(100, 16383, "b", 2)}), seed());
  const auto same = read_slots(list({range(100, 16383, "b", 2), range(0, 99, "a", 1)}), seed());
  const auto after = read_slots(list({range(0, 100, "a", 1), range(101, 16383, "b", 2)}), seed());
  EXPECT_EQ(before->slots, same->slots);
  EXPECT_NE(before->slots, after->slots);
}

TEST(ServerNodes, RefuseAClusterWithAHoleAndAnAnswerThatIsNone) {
  const auto hole = read_slots(list({range(0, 16000, "a", 1)}), seed());
  ASSERT_FALSE(hole);
  EXPECT_NE(hole.error().find("383 of its 16,384 slots"), std::string::npos) << hole.error();
  for (const reply& answer :
       {list({range(0, 16383, "?", 1)}), list({range(0, 16384, "a", 1)}), list({range(0, 16383, "a", 0)}),
        list({range(9, 3, "a", 1)}), list({list({number(0)})}), list({text("x")})}) {
    EXPECT_FALSE(read_slots(answer, seed()));
  }
  const auto denied = read_slots({.what = reply::kind::error, .integer = 0, .text = "NOPERM no", .items = {}}, seed());
  ASSERT_FALSE(denied);
  EXPECT_NE(denied.error().find("+cluster|slots"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli
