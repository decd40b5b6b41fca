#include "proxy/net/upstream_facts.hpp"

#include <gtest/gtest.h>

namespace tidegate::net {
namespace {

reply read(std::string_view bytes) {
  reply_reader reader;
  EXPECT_TRUE(reader.feed(bytes));
  auto got = reader.next();
  EXPECT_TRUE(got && *got);
  return got && *got ? std::move(**got) : reply();
}

TEST(ReplyReader, GivesTheSameTreeWhateverTheSplit) {
  const std::string_view bytes = "*4\r\n$3\r\na\r\n\r\n:-7\r\n*2\r\n+OK\r\n$-1\r\n-ERR no\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    reply_reader reader;
    ASSERT_TRUE(reader.feed(bytes.substr(0, cut)));
    auto early = reader.next();
    ASSERT_TRUE(early);
    ASSERT_EQ(early->has_value(), cut == bytes.size());
    if (!*early) {
      ASSERT_TRUE(reader.feed(bytes.substr(cut)));
      early = reader.next();
    }
    ASSERT_TRUE(early && *early) << cut;
    const reply& got = **early;
    ASSERT_EQ(got.items.size(), 4U);
    EXPECT_EQ(got.items[0].text, "a\r\n");
    EXPECT_EQ(got.items[1].integer, -7);
    EXPECT_EQ(got.items[2].items[0].what, reply::kind::status);
    EXPECT_EQ(got.items[2].items[1].what, reply::kind::nil);
    EXPECT_TRUE(got.items[3].is_error());
    EXPECT_EQ(got.items[3].text, "ERR no");
  }
}

TEST(ReplyReader, RefusesAnArrayThatAnnouncesMoreThanItsBound) {
  reply_reader reader;
  ASSERT_TRUE(reader.feed("*1048577\r\n"));
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next()) << "a reader that failed stays failed";
}

TEST(ReplyReader, CountsTheElementsOfNestedArraysTogether) {
  reply_reader reader;
  ASSERT_TRUE(reader.feed("*2\r\n*1048574\r\n"));
  EXPECT_TRUE(reader.next());
  reply_reader other;
  ASSERT_TRUE(other.feed("*2\r\n*1048575\r\n"));
  EXPECT_FALSE(other.next());
}

TEST(ReplyReader, RefusesBytesBeyondItsBoundUntilTheNextAnswer) {
  reply_reader reader;
  const std::string chunk(answer_bytes_max, 'x');
  ASSERT_TRUE(reader.feed(chunk));
  EXPECT_FALSE(reader.feed("x"));
}

TEST(ReplyReader, SaysThatAnUnknownTypeCannotBeRead) {
  reply_reader reader;
  ASSERT_TRUE(reader.feed("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_FALSE(reader.next());
}

TEST(UpstreamInfo, SumsTheKeysOfAllDatabases) {
  const upstream_info info = read_info(
      "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1000\r\nmaxmemory:4000\r\n"
      "maxmemory_policy:volatile-lru\r\nevicted_keys:9\r\nrole:master\r\ncluster_enabled:0\r\n"
      "# Keyspace\r\ndb0:keys=10,expires=3,avg_ttl=0\r\ndb15:keys=5,expires=5,avg_ttl=0,subexpiry=1\r\n");
  EXPECT_EQ(info.version, "7.0.15");
  EXPECT_EQ(info.role, "master");
  EXPECT_EQ(info.keys, 15U);
  EXPECT_EQ(info.keys_with_ttl, 8U);
  EXPECT_EQ(info.evicted_keys, 9U);
  EXPECT_EQ(info.eviction_policy, "volatile-lru");
  EXPECT_FALSE(info.cluster);
  EXPECT_DOUBLE_EQ(memory_fraction(info, 0), 0.25);
  EXPECT_DOUBLE_EQ(memory_fraction(info, 2000), 0.5) << "the configured size wins over the upstream's";
}

TEST(UpstreamInfo, TakesNothingFromLinesThatAreNotFields) {
  const upstream_info info = read_info(
      "used_memory:12x\nmaxmemory:\nmaxmemory:-5\ndb:keys=1\ndbx:keys=1,expires=1\ndb1:keys\ndb2:=3,keys=\n::\n\r\n");
  EXPECT_FALSE(info.memory_used);
  EXPECT_FALSE(info.memory_max);
  EXPECT_EQ(info.keys, 0U);
  EXPECT_LT(memory_fraction(info, 100), 0);
}

TEST(UpstreamInfo, CallsTheFractionUnknownWithoutAMaximum) {
  EXPECT_LT(memory_fraction(read_info("used_memory:5\r\nmaxmemory:0\r\n"), 0), 0);
}

TEST(ExpireProbe, LearnsFromTheArgumentsAlone) {
  EXPECT_EQ(read_expire_probe(read(":0\r\n")), true);
  EXPECT_EQ(read_expire_probe(read("-ERR wrong number of arguments for 'expire' command\r\n")), false);
  EXPECT_EQ(read_expire_probe(read("-ERR Unsupported option NX\r\n")), false);
  EXPECT_EQ(read_expire_probe(read("-READONLY You can't write against a read only replica.\r\n")), true);
  EXPECT_EQ(read_expire_probe(read("-NOPERM this user has no permissions\r\n")), true);
  EXPECT_EQ(read_expire_probe(read("-ERR unknown command 'EXPIRE', with args beginning with: \r\n")), std::nullopt);
  EXPECT_EQ(read_expire_probe(read("-ERR something else\r\n")), std::nullopt);
  EXPECT_EQ(read_expire_probe(read("+QUEUED\r\n")), std::nullopt);
}

TEST(Role, IsTheFirstWordOfItsAnswerOrUnknown) {
  EXPECT_EQ(read_role(read("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")), "master");
  EXPECT_EQ(read_role(read("-NOPERM no\r\n")), "");
  EXPECT_EQ(read_role(read("*0\r\n")), "");
}

TEST(Commands, FlattenSubcommandsUnderTheirParent) {
  const auto commands =
      read_commands(read("*1\r\n*10\r\n$6\r\nXGROUP\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*2\r\n"
                         "*6\r\n$13\r\nxgroup|create\r\n:-5\r\n*2\r\n+write\r\n+denyoom\r\n:2\r\n:2\r\n:1\r\n"
                         "*6\r\n$7\r\ndestroy\r\n:4\r\n*1\r\n+write\r\n:2\r\n:2\r\n:1\r\n"));
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0].name, "xgroup");
  EXPECT_EQ(commands[1].name, "xgroup|create");
  EXPECT_EQ(commands[1].flags, (std::vector<std::string>{"write", "denyoom"}));
  EXPECT_EQ(commands[1].first_key, 2);
  EXPECT_EQ(commands[2].name, "xgroup|destroy");
}

TEST(Commands, LeaveOutEntriesThatAreNoCommand) {
  EXPECT_TRUE(read_commands(read("-NOAUTH Authentication required.\r\n")).empty());
  EXPECT_TRUE(read_commands(read("*3\r\n*-1\r\n*2\r\n+get\r\n:2\r\n*6\r\n$3\r\na b\r\n:1\r\n*0\r\n:0\r\n:0\r\n:0\r\n"))
                  .empty());
}

TEST(Commands, KeepTheirPlacesOverAReconnect) {
  const auto named = [](std::initializer_list<const char*> names) {
    std::vector<resp::upstream_command> list;
    for (const char* name : names) {
      list.emplace_back();
      list.back().name = name;
    }
    return list;
  };
  const auto merged =
      merge_commands(named({"get", "module.a", "module.b"}), named({"module.c", "module.b", "get", "module.b"}));
  std::vector<std::string> names;
  for (const auto& command : merged) names.push_back(command.name);
  EXPECT_EQ(names, (std::vector<std::string>{"get", "module.a", "module.b", "module.c"}));
  EXPECT_TRUE(merge_commands(named({"get"}), named({"set"})).size() == 1U) << "a known command that is gone is gone";
}

}  // namespace
}  // namespace tidegate::net
