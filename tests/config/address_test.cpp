#include "config/address.hpp"

#include <gtest/gtest.h>

namespace tidegate::config {
namespace {

std::string hex_of(std::string_view text) {
  const auto ip = parse_ip(text);
  if (!ip) return "none";
  std::string out;
  for (std::size_t i = 0; i < (ip->v6 ? 16U : 4U); ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += digits[ip->bytes[i] >> 4];
    out += digits[ip->bytes[i] & 15];
  }
  return out;
}

TEST(Ip, ReadsBothFamilies) {
  EXPECT_EQ(hex_of("10.0.3.255"), "0a0003ff");
  EXPECT_EQ(hex_of("::"), "00000000000000000000000000000000");
  EXPECT_EQ(hex_of("::1"), "00000000000000000000000000000001");
  EXPECT_EQ(hex_of("2001:db8::7:0:9"), "20010db8000000000000000700000009");
  EXPECT_EQ(hex_of("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
  EXPECT_EQ(hex_of("1::"), "00010000000000000000000000000000");
  EXPECT_EQ(hex_of("1:2:3:4:5:6:7::"), "00010002000300040005000600070000");
  EXPECT_EQ(hex_of("::ffff:127.0.0.1"), "00000000000000000000ffff7f000001");
  EXPECT_EQ(hex_of("1:2:3:4:5:6:1.2.3.4"), "00010002000300040005000601020304");
}

TEST(Ip, RefusesWhatIsNone) {
  for (const char* text : {"",
                           ".",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.",
                           "01.2.3.4",
                           "1.2.3.256",
                           "1.2.3.-4",
                           "0x1.2.3.4",
                           ":",
                           ":::",
                           "1:2",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "12345::",
                           "g::",
                           "::1%eth0",
                           "1:2:3:4:5:6:7:8::",
                           "::1.2.3",
                           "1.2.3.4::",
                           "1:2:3:4:5:6:7:",
                           ":1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::-1"}) {
    EXPECT_EQ(hex_of(text), "none") << text;
  }
}

TEST(Ip, KnowsLoopbackAndWildcard) {
  for (const char* text : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(parse_ip(text)->loopback()) << text;
  for (const char* text : {"0.0.0.0", "128.0.0.1", "::", "::2", "::ffff:10.0.0.1", "1::1"}) {
    EXPECT_FALSE(parse_ip(text)->loopback()) << text;
  }
  EXPECT_TRUE(parse_ip("::")->wildcard());
  EXPECT_TRUE(parse_ip("0.0.0.0")->wildcard());
  EXPECT_FALSE(parse_ip("0.0.0.1")->wildcard());
}

TEST(Cidr, ClearsWhatStandsBehindThePrefix) {
  const auto block = parse_cidr("10.0.3.255/23");
  ASSERT_TRUE(block.has_value());
  EXPECT_TRUE(block->host_bits);
  EXPECT_EQ(block->ip, *parse_ip("10.0.2.0"));
  EXPECT_FALSE(parse_cidr("0.0.0.0/0")->host_bits);
  EXPECT_EQ(parse_cidr("10.0.0.1")->prefix, 32);
  EXPECT_EQ(parse_cidr("::1")->prefix, 128);
  for (const char* text : {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/024", "10.0.0.0/24/8", "/24", "::/0x1"}) {
    EXPECT_FALSE(parse_cidr(text).has_value()) << text;
  }
}

TEST(Url, ReadsWhatElastiCacheGives) {
  const auto url = parse_url("rediss://master.example.use1.cache.amazonaws.com:6380/0?ca=/etc/ca%2B1.pem");
  ASSERT_TRUE(url.has_value()) << url.error();
  EXPECT_EQ(url->host, "master.example.use1.cache.amazonaws.com");
  EXPECT_EQ(url->port, 6380);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->ca, "/etc/ca+1.pem");
  EXPECT_EQ(parse_url("redis://[::1]")->port, 6379);
  EXPECT_EQ(parse_url("redis://10.0.0.1:1")->host, "10.0.0.1");
}

TEST(Url, RefusesOddHosts) {
  for (const char* text :
       {"redis://-h", "redis://.h", "redis://a..b", "redis://a_b c", "redis://h\xc3\xa9", "redis://[::1",
        "redis://[]:1", "redis://[::1]1", "redis://h:1:2", "redis://h,g", "redis:///0", "redis://h#x",
        "rediss://h?ca=a&b=c", "rediss://h?ca=%00", "rediss://h?ca=a%2"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace tidegate::config
