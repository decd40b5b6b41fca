// What the table says of TTLs and classes, proved by running the commands on a live redis-server.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "resp/command_table.hpp"
#include "tests/resp/held_request.hpp"
#include "tests/resp/redis_server.hpp"

namespace tidegate::resp {
namespace {

using testing::answer;
using testing::held_request;
using testing::redis_server;
using testing::words;

words split(std::string_view text) {
  std::istringstream in{std::string{text}};
  words parts;
  for (std::string part; in >> part;) parts.push_back(part);
  return parts;
}

// `setup` makes the key that `command` writes (`k`), unless it needs none to be there.
struct effect {
  std::string_view setup;  // commands between semicolons
  std::string_view command;
};

constexpr effect effects[] = {
    // strings, bits, HyperLogLog
    {"SET k v", "APPEND k v"},
    {"SET k 1", "DECR k"},
    {"SET k 1", "DECRBY k 1"},
    {"SET k v", "GETSET k w"},
    {"SET k 1", "INCR k"},
    {"SET k 1", "INCRBY k 1"},
    {"SET k 1", "INCRBYFLOAT k 1.5"},
    {"SET k v", "MSET k w"},
    {"", "MSETNX k w"},
    {"", "SETNX k w"},
    {"SET k v", "SETRANGE k 1 w"},
    {"SET k v", "BITFIELD k SET u8 0 1"},
    {"SET k v;SET s w", "BITOP OR k s"},
    {"SET k v", "SETBIT k 1 1"},
    {"PFADD k a", "PFADD k b"},
    {"PFADD k a;PFADD s b", "PFMERGE k s"},
    {"PFADD k a", "PFDEBUG TODENSE k"},
    // geo
    {"GEOADD k 1 1 m", "GEOADD k 2 2 n"},
    {"SET k v;GEOADD s 1 1 m", "GEORADIUS s 1 1 9 km STORE k"},
    {"SET k v;GEOADD s 1 1 m", "GEORADIUSBYMEMBER s m 9 km STOREDIST k"},
    {"SET k v;GEOADD s 1 1 m", "GEOSEARCHSTORE k s FROMMEMBER m BYRADIUS 9 km"},
    {"SET k v;RPUSH s 2 1", "SORT s STORE k"},
    // lists
    {"RPUSH k a;RPUSH s b", "BLMOVE s k LEFT LEFT 0"},
    {"RPUSH k a;RPUSH s b", "BRPOPLPUSH s k 0"},
    {"RPUSH k a", "LINSERT k BEFORE a b"},
    {"RPUSH k a;RPUSH s b", "LMOVE s k LEFT LEFT"},
    {"RPUSH k a", "LPUSH k b"},
    {"RPUSH k a", "LPUSHX k b"},
    {"RPUSH k a", "LSET k 0 b"},
    {"RPUSH k a;RPUSH s b", "RPOPLPUSH s k"},
    {"RPUSH k a", "RPUSH k b"},
    {"RPUSH k a", "RPUSHX k b"},
    // sets, sorted sets
    {"SADD k a", "SADD k b"},
    {"SET k v;SADD s a", "SDIFFSTORE k s"},
    {"SET k v;SADD s a", "SINTERSTORE k s"},
    {"SADD k a;SADD s b", "SMOVE s k b"},
    {"SET k v;SADD s a", "SUNIONSTORE k s"},
    {"ZADD k 1 a", "ZADD k 2 b"},
    {"SET k v;ZADD s 1 a", "ZDIFFSTORE k 1 s"},
    {"ZADD k 1 a", "ZINCRBY k 1 a"},
    {"SET k v;ZADD s 1 a", "ZINTERSTORE k 1 s"},
    {"SET k v;ZADD s 1 a", "ZRANGESTORE k s 0 -1"},
    {"SET k v;ZADD s 1 a", "ZUNIONSTORE k 1 s"},
    // hashes, streams
    {"HSET k f 1", "HINCRBY k f 1"},
    {"HSET k f 1", "HINCRBYFLOAT k f 1"},
    {"HSET k f 1", "HMSET k g 1"},
    {"HSET k f 1", "HSET k g 1"},
    {"HSET k f 1", "HSETNX k g 1"},
    {"XADD k 1-1 f v", "XADD k 2-1 f v"},
    {"XADD k 1-1 f v;XGROUP CREATE k g 0", "XAUTOCLAIM k g c 0 0"},
    {"XADD k 1-1 f v;XGROUP CREATE k g 0", "XCLAIM k g c 0 1-1 FORCE"},
    {"XADD k 1-1 f v", "XGROUP CREATE k g 0"},
    {"XADD k 1-1 f v;XGROUP CREATE k g 0", "XGROUP CREATECONSUMER k g c"},
    {"XADD k 1-1 f v;XGROUP CREATE k g 0", "XGROUP SETID k g 0"},
    {"XADD k 1-1 f v", "XSETID k 9-1"},
    // a TTL that comes with the value: the source has it
    {"SET s v", "COPY s k"},
    {"SET s v", "RENAME s k"},
    {"SET s v", "RENAMENX s k"},
};

class CommandEffects : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<redis_server>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_EQ(server_->call({"FLUSHALL"}).text, "OK"); }

  static const command_spec& spec_of(std::string_view command) {
    static const auto table = command_table::builtin();
    return table->find(held_request{split(command)}.view());
  }
  // An error fails the test, and so does a command that does nothing because its arguments are wrong.
  static void run(std::string_view command) {
    const answer reply = server_->call(split(command));
    ASSERT_FALSE(reply.is_error()) << command << ": " << reply.text;
  }
  static void set_up(std::string_view commands) {
    run("FLUSHALL");
    std::istringstream in{std::string{commands}};
    for (std::string command; std::getline(in, command, ';');) run(command);
  }
  static std::int64_t pttl(const char* key) { return server_->call({"PTTL", key}).number; }

  static std::unique_ptr<redis_server> server_;
};
std::unique_ptr<redis_server> CommandEffects::server_;

TEST_F(CommandEffects, OnATtlAreWhatTheTableSays) {
  for (const effect& one : effects) {
    const command_spec& spec = spec_of(one.command);
    set_up(one.setup);
    server_->call({"EXPIRE", spec.ttl == ttl_effect::moves ? "s" : "k", "1000"});
    run(one.command);
    if (spec.ttl == ttl_effect::clears) {
      EXPECT_EQ(pttl("k"), -1) << one.command;
    } else {
      EXPECT_GT(pttl("k"), 0) << one.command;
    }
  }
}

TEST_F(CommandEffects, OnAKeyThatWasNotThereLeaveItWithoutATtl) {
  std::size_t created = 0;
  for (const effect& one : effects) {
    if (spec_of(one.command).ttl != ttl_effect::keeps) continue;
    set_up(one.setup);
    run("DEL k");
    server_->call(split(one.command));
    const std::int64_t left = pttl("k");
    EXPECT_TRUE(left == -1 || left == -2) << one.command;
    created += left == -1;
  }
  EXPECT_GT(created, 20U);
}

TEST_F(CommandEffects, AreTriedForEveryRowThatClaimsOne) {
  std::set<std::string_view> tried;
  for (const effect& one : effects) tried.insert(spec_of(one.command).name);
  // MOVE has a test of its own; the others are of versions after 7.0.
  for (const char* apart :
       {"move", "msetex", "hexpire", "hexpireat", "hpexpire", "hpexpireat", "hpersist", "hgetex", "hsetex"}) {
    tried.insert(apart);
  }
  for (const command_spec& spec : builtin_commands()) {
    if (spec.ttl == ttl_effect::keeps || spec.ttl == ttl_effect::clears || spec.ttl == ttl_effect::moves) {
      EXPECT_TRUE(tried.contains(spec.name)) << spec.name;
    }
  }
}

TEST_F(CommandEffects, OfMoveTakeTheTtlToTheOtherDatabase) {
  ASSERT_EQ(spec_of("MOVE k 1").ttl, ttl_effect::moves);
  run("SET k v EX 1000");
  run("MOVE k 1");
  EXPECT_EQ(pttl("k"), -2);
  run("SELECT 1");
  EXPECT_GT(pttl("k"), 0);
  run("SELECT 0");
}

// A key that a command only removes from must never come into being, or grow, by it.
TEST_F(CommandEffects, OfRemovalsNeverMakeAKey) {
  std::size_t tried = 0;
  for (const command_spec& spec : builtin_commands()) {
    const bool removal = spec.write && spec.first_access == key_access::remove &&
                         spec.other_access == key_access::remove && spec.keys == key_layout::range;
    if (!removal || spec.dedicated == dedicate::blocking) continue;
    run("FLUSHALL");
    const std::size_t bar = spec.name.find('|');
    words args{std::string{spec.name.substr(0, bar)}};
    if (bar != spec.name.npos) args.emplace_back(spec.name.substr(bar + 1));
    while (args.size() < static_cast<std::size_t>(std::abs(spec.arity))) args.emplace_back("1");
    server_->call(args);
    EXPECT_EQ(server_->call({"DBSIZE"}).number, 0) << spec.name;
    ++tried;
  }
  EXPECT_GT(tried, 20U);
}

}  // namespace
}  // namespace tidegate::resp
