#include "cli/keyspace/server_link.hpp"

#include <gtest/gtest.h>

#include "cli/keyspace/server_facts.hpp"

namespace tidegate::cli {
namespace {

TEST(ServerUrl, SaysHostPortDatabaseAndAuthority) {
  const auto target = read_server_url("rediss://host.example:6390/3?ca=/etc/ca@home.crt");
  ASSERT_TRUE(target.has_value()) << target.error();
  EXPECT_EQ(target->where.host, "host.example");
  EXPECT_EQ(target->where.port, 6390);
  EXPECT_TRUE(target->where.tls);
  EXPECT_EQ(target->where.ca, "/etc/ca@home.crt");
  EXPECT_EQ(target->db, 3U);
  EXPECT_FALSE(target->where.control.has_value());
}

TEST(ServerUrl, HasAUserAndAPasswordOrEither) {
  const auto both = read_server_url("redis://ops:p%40ss%3A%2F@[::1]:6379/");
  ASSERT_TRUE(both.has_value()) << both.error();
  EXPECT_EQ(both->where.control->username, "ops");
  EXPECT_EQ(both->where.control->password, "p@ss:/");
  EXPECT_EQ(both->where.host, "::1");
  EXPECT_EQ(both->db, 0U);
  EXPECT_EQ(read_server_url("redis://:pw@h:1")->where.control->password, "pw");
  EXPECT_EQ(read_server_url("redis://ops@h:1")->where.control->password, "");
  EXPECT_EQ(read_server_url("redis://ops:a/b?c@h:1")->where.control->password, "a/b?c")
      << "as people write them, though it should be percent-encoded";
}

TEST(ServerUrl, IsRefusedWithoutRepeatingThePassword) {
  for (const char* url : {"host:6379", "http://ops:hushhush@h:1", "redis://ops:hushhush@h:x", "redis://ops:hushhush@",
                          "redis://ops:hushhush@h:1/x", "redis://ops:hushhush%4@h:1", "redis://ops:hushhush@h:1?x=1"}) {
    const auto target = read_server_url(url);
    ASSERT_FALSE(target.has_value()) << url;
    EXPECT_EQ(target.error().find("hushhush"), std::string::npos) << target.error();
    EXPECT_NE(target.error().find("write redis"), std::string::npos) << target.error();
  }
}

TEST(ServerFacts, AreReadFromInfoAndAbsentWhereItSaysNothing) {
  const server_facts facts = read_facts(
      "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nloading:0\r\nused_memory:960\r\nmaxmemory:1000\r\n"
      "maxmemory_policy:volatile-lfu\r\nrole:master\r\ncluster_enabled:1\r\nevicted_keys:7\r\n"
      "total_commands_processed:12\r\n");
  EXPECT_EQ(facts.run_id, "abc");
  EXPECT_EQ(facts.eviction_policy, "volatile-lfu");
  EXPECT_EQ(facts.role, "master");
  EXPECT_TRUE(facts.cluster);
  EXPECT_FALSE(facts.loading);
  EXPECT_DOUBLE_EQ(*facts.memory_fraction(), 0.96);
  EXPECT_EQ(facts.evicted_keys, 7U);
  EXPECT_EQ(facts.commands, 12U);
  EXPECT_FALSE(read_facts("used_memory:x\nmaxmemory:0\n::\n").memory_fraction().has_value());
}

}  // namespace
}  // namespace tidegate::cli
