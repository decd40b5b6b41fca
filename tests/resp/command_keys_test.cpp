#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "resp/command_table.hpp"
#include "tests/resp/held_request.hpp"

namespace tidegate::resp {
namespace {

using testing::held_request;
using testing::words;

const command_table& table() {
  static const auto built = command_table::builtin();
  return *built;
}

// "2w" for a key at argument 2 that is written; blank-separated; "none" where they cannot be told.
std::string keys_of(const words& args) {
  const held_request held{args};
  const command_spec& spec = table().find(held.view());
  std::vector<key_ref> keys{{7, key_access::read}};
  if (!find_keys(spec, held.view(), keys)) {
    EXPECT_TRUE(keys.empty());
    return "none";
  }
  std::string text;
  for (const key_ref key : keys) {
    if (!text.empty()) text += ' ';
    text += std::to_string(key.index);
    text += key.access == key_access::read ? 'r' : key.access == key_access::write ? 'w' : 'x';
  }
  return text;
}

std::uint32_t elements_of(const words& args) {
  const held_request held{args};
  std::vector<key_ref> keys;
  const command_spec& spec = table().find(held.view());
  find_keys(spec, held.view(), keys);
  return count_elements(spec, held.view(), keys);
}

bool blocks(const words& args) {
  const held_request held{args};
  return may_block(table().find(held.view()), held.view());
}

TEST(CommandKeys, AreFoundWithTheirAccess) {
  EXPECT_EQ(keys_of({"GET", "k"}), "1r");
  EXPECT_EQ(keys_of({"SET", "k", "v", "EX", "10"}), "1w");
  EXPECT_EQ(keys_of({"MSET", "a", "1", "b", "2"}), "1w 3w");
  EXPECT_EQ(keys_of({"MSET", "a", "1", "b"}), "1w 3w");
  EXPECT_EQ(keys_of({"DEL", "a", "b", "a"}), "1x 2x 3x");
  EXPECT_EQ(keys_of({"RENAME", "a", "b"}), "1x 2w");
  EXPECT_EQ(keys_of({"COPY", "a", "b", "DB", "1"}), "1r 2w");
  EXPECT_EQ(keys_of({"LMOVE", "a", "b", "LEFT", "LEFT"}), "1x 2w");
  EXPECT_EQ(keys_of({"BITOP", "AND", "d", "a", "b"}), "2w 3r 4r");
  EXPECT_EQ(keys_of({"PFMERGE", "d"}), "1w");
  EXPECT_EQ(keys_of({"ZUNIONSTORE", "d", "2", "a", "b", "WEIGHTS", "1", "2"}), "1w 3r 4r");
  EXPECT_EQ(keys_of({"BLPOP", "a", "b", "0"}), "1x 2x");
  EXPECT_EQ(keys_of({"BLMPOP", "0", "2", "a", "b", "LEFT"}), "3x 4x");
  EXPECT_EQ(keys_of({"EVAL", "return 1", "2", "a", "b", "c"}), "3w 4w");
  EXPECT_EQ(keys_of({"EVALSHA_RO", "sha", "1", "a"}), "3r");
  EXPECT_EQ(keys_of({"XREADGROUP", "GROUP", "STREAMS", "c", "STREAMS", "a", "b", ">", ">"}), "5r 6r");
  EXPECT_EQ(keys_of({"SORT", "k", "BY", "STORE", "STORE", "d"}), "1r 5w");
  EXPECT_EQ(keys_of({"GEORADIUS", "k", "0", "0", "1", "m", "COUNT", "1", "STORE", "d"}), "1r 9w");
  EXPECT_EQ(keys_of({"GEORADIUSBYMEMBER", "k", "store", "1", "m", "STORE", "d"}), "1r 6w");
  EXPECT_EQ(keys_of({"MIGRATE", "h", "1", "", "0", "9", "AUTH", "KEYS", "KEYS", "a", "b"}), "9x 10x");
  EXPECT_EQ(keys_of({"MSETEX", "2", "a", "1", "b", "2", "EX", "9"}), "2w 4w");
  EXPECT_EQ(keys_of({"XGROUP", "CREATE", "k", "g", "$"}), "2w");
  EXPECT_EQ(keys_of({"OBJECT", "ENCODING", "k"}), "2r");
  EXPECT_EQ(keys_of({"WATCH", "a", "b"}), "1r 2r");
}

TEST(CommandKeys, OfACommandWithoutAnyAreNoneAndTold) {
  EXPECT_EQ(keys_of({"PING"}), "");
  EXPECT_EQ(keys_of({"FLUSHALL"}), "");
  EXPECT_EQ(keys_of({"EVAL", "return 1", "0"}), "");
  EXPECT_EQ(keys_of({"SSUBSCRIBE", "channel"}), "");
}

TEST(CommandKeys, CannotBeToldOfAMalformedRequest) {
  for (const words& args : std::vector<words>{{"NOSUCH", "k"},
                                              {"GET"},
                                              {"GET", "a", "b"},
                                              {"EVAL", "x"},
                                              {"EVAL", "x", "-1"},
                                              {"EVAL", "x", "1"},
                                              {"EVAL", "x", "", "a"},
                                              {"EVAL", "x", "many", "a"},
                                              {"EVAL", "x", "+-1", "a"},
                                              {"EVAL", "x", "18446744073709551617", "a"},
                                              {"EVAL", "x", "4294967297", "a"},
                                              {"ZUNION", "0", "a"},
                                              {"ZUNION", "2", "a"},
                                              {"ZUNIONSTORE", "d", "9223372036854775807", "a"},
                                              {"MSETEX", "2", "a", "1", "b"},
                                              {"MSETEX", "9223372036854775807", "a", "1"},
                                              {"XREAD", "COUNT", "1", "STREAMS"},
                                              {"XREAD", "BLOCK", "0", "k", "0"},
                                              {"XREAD", "COUNT", "1", "STREAMS", "k"},
                                              {"XREADGROUP", "GROUP", "STREAMS", "STREAMS", "a", "b", "c"},
                                              {"MIGRATE", "h", "1", "k", "0", "9", "KEYS", "a"},
                                              {"MIGRATE", "h", "1", "", "0", "9", "KEYS"}}) {
    EXPECT_EQ(keys_of(args), "none") << args[0] << ' ' << (args.size() > 2 ? args[2] : "");
  }
}

TEST(CommandKeys, AreOfAKnownRangeForArbitraryRequests) {
  std::mt19937 random{3};
  const std::vector<std::string> pool{"",      "0",          "1",       "2",     "3",     "19",
                                      "-1",    "2147483648", "STORE",   "store", "LIMIT", "GET",
                                      "BY",    "STOREDIST",  "STREAMS", "BLOCK", "COUNT", "GROUP",
                                      "NOACK", "KEYS",       "AUTH2",   "AUTH",  "k",     "-9223372036854775808"};
  std::vector<key_ref> keys;
  // Every row as it is, and under an upstream that tells nonsense of its arity.
  for (command_spec spec : builtin_commands()) {
    for (int round = 0; round < 400; ++round) {
      words args(random() % 21);
      for (std::string& arg : args) {
        arg = pool[random() % pool.size()];
        if (random() % 8 == 0) arg.assign(random() % 12, static_cast<char>(random()));
      }
      if (round % 2 == 1) spec.arity = -1;
      const held_request held{args};
      const bool told = find_keys(spec, held.view(), keys);
      ASSERT_TRUE(told || keys.empty()) << spec.name;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        ASSERT_GE(keys[i].index, 1U) << spec.name;
        ASSERT_LT(keys[i].index, args.size()) << spec.name;
        if (i > 0) {
          ASSERT_GT(keys[i].index, keys[i - 1].index) << spec.name;
        }
      }
      const std::uint32_t elements = count_elements(spec, held.view(), keys);
      ASSERT_GE(elements, 1U) << spec.name;
      ASSERT_LE(elements, std::max<std::size_t>(args.size(), 1)) << spec.name;
      const bool blocking = may_block(spec, held.view());
      if (spec.answers != answer::late) {
        ASSERT_FALSE(blocking) << spec.name;
      }
    }
  }
}

TEST(CommandKeys, AreFoundInTheLargestRequestsToo) {
  words args{"DEL"};
  args.resize(100'001, "k");
  const held_request held{args};
  std::vector<key_ref> keys;
  ASSERT_TRUE(find_keys(*table().find_name("del"), held.view(), keys));
  EXPECT_EQ(keys.size(), 100'000U);
  EXPECT_EQ(keys.back().index, 100'000U);
  EXPECT_EQ(count_elements(*table().find_name("del"), held.view(), keys), 100'000U);
}

TEST(CommandElements, AreMembersPairsOrKeys) {
  EXPECT_EQ(elements_of({"SET", "k", "v"}), 1U);
  EXPECT_EQ(elements_of({"SADD", "k", "a", "b", "c"}), 3U);
  EXPECT_EQ(elements_of({"RPUSHX", "k", "a", "b"}), 2U);
  EXPECT_EQ(elements_of({"PFADD", "k"}), 1U);
  EXPECT_EQ(elements_of({"PFADD", "k", "a", "b"}), 2U);
  EXPECT_EQ(elements_of({"HSET", "k", "f", "v", "g", "w"}), 2U);
  EXPECT_EQ(elements_of({"HSET", "k", "f", "v", "g"}), 1U);
  EXPECT_EQ(elements_of({"MSET", "a", "1", "b", "2", "c", "3"}), 3U);
  EXPECT_EQ(elements_of({"MSETNX", "a", "1"}), 1U);
  EXPECT_EQ(elements_of({"UNLINK", "a", "b"}), 2U);
  EXPECT_EQ(elements_of({"DEL"}), 1U);
  EXPECT_EQ(elements_of({"ZADD", "k", "1", "a", "2", "b"}), 2U);
  EXPECT_EQ(elements_of({"ZADD", "k", "nx", "CH", "1", "a", "2", "b", "3", "c"}), 3U);
  EXPECT_EQ(elements_of({"ZADD", "k", "XX", "GT", "INCR", "1", "nx"}), 1U);
  EXPECT_EQ(elements_of({"ZADD", "k", "NX", "NX", "NX"}), 1U);
  EXPECT_EQ(elements_of({"GEOADD", "k", "CH", "1", "2", "a", "3", "4", "b"}), 2U);
  EXPECT_EQ(elements_of({"GEOADD", "k", "1", "2", "a"}), 1U);
  EXPECT_EQ(elements_of({"SREM", "k", "a", "b"}), 1U);
}

TEST(CommandBlocking, IsTheCommandsOrItsOptions) {
  EXPECT_TRUE(blocks({"BLPOP", "k", "0"}));
  EXPECT_TRUE(blocks({"XREAD", "BLOCK", "0", "STREAMS", "k", "$"}));
  EXPECT_TRUE(blocks({"XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "block", "5", "STREAMS", "k", ">"}));
  EXPECT_FALSE(blocks({"XREAD", "STREAMS", "k", "$"}));
  EXPECT_FALSE(blocks({"XREAD", "STREAMS", "BLOCK", "0"}));
  EXPECT_FALSE(blocks({"XREAD", "COUNT", "BLOCK", "STREAMS", "k", "0"}));
  EXPECT_FALSE(blocks({"XREADGROUP", "GROUP", "BLOCK", "BLOCK", "STREAMS", "k", ">"}));
  EXPECT_FALSE(blocks({"XREAD"}));
  EXPECT_FALSE(blocks({"LPOP", "k"}));
}

}  // namespace
}  // namespace tidegate::resp
