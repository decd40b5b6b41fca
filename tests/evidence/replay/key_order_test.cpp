#include "evidence/replay/key_order.hpp"

#include <gtest/gtest.h>

#include "resp/encoder.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::replay {
namespace {

using waits = std::vector<std::pair<std::uint32_t, std::uint64_t>>;

class key_orders : public testing::Test {
 protected:
  template <class... Words>
  const key_order::wait& take(std::uint32_t connection, std::uint64_t number, Words... words) {
    bytes_.clear();
    resp::append_command(bytes_, words...);
    EXPECT_EQ(parser_.parse(bytes_), resp::parse_status::complete);
    return order_.take(parser_.request(), connection, number);
  }

 private:
  key_order order_;
  std::string bytes_;
  resp::request_parser parser_;
};

TEST_F(key_orders, makes_a_command_wait_for_another_connections_last_one_on_its_key) {
  EXPECT_EQ(take(1, 1, "SET", "k", "v").before, waits{});
  EXPECT_EQ(take(1, 2, "APPEND", "k", "v").before, waits{});
  EXPECT_EQ(take(2, 1, "SET", "other", "v").before, waits{});
  EXPECT_EQ(take(2, 2, "APPEND", "k", "v").before, (waits{{1, 2}}));
  EXPECT_EQ(take(2, 3, "APPEND", "k", "v").before, waits{});
  EXPECT_EQ(take(1, 3, "MSET", "other", "v", "new", "v", "k", "v").before, (waits{{2, 1}, {2, 3}}));
}

TEST_F(key_orders, makes_a_command_wait_for_everybody_whose_keys_nobody_knows) {
  EXPECT_TRUE(take(1, 1, "FLUSHALL").everybody);
  EXPECT_TRUE(take(1, 2, "NO.SUCH", "k").everybody);
  EXPECT_FALSE(take(1, 3, "MULTI").everybody);
  EXPECT_FALSE(take(1, 4, "SET", "k", "v").everybody);
  EXPECT_FALSE(take(1, 5, "EXEC").everybody);
}

}  // namespace
}  // namespace tidegate::replay
