#include "attribution/identity.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tidegate::attribution {
namespace {

using config::identity_source;

config::source_name source(std::string_view network, int prefix, std::string as) {
  config::source_name rule;
  const address base = address::from_string(network);
  rule.v6 = base.v6;
  std::copy(base.bytes.begin(), base.bytes.end(), std::begin(rule.bytes));
  rule.prefix = static_cast<std::uint8_t>(prefix);
  rule.as = std::move(as);
  return rule;
}

claims from(std::string_view text) {
  claims who;
  who.source = address::from_string(text);
  return who;
}

claims named(std::string name) {
  claims who = from("10.0.0.1");
  who.client_name = std::move(name);
  return who;
}

resolved resolve(const claims& who) {
  return ladder(config::attribution{}).resolve(who);
}

TEST(address, reads_and_writes_both_families) {
  for (const std::string_view text :
       {"0.0.0.0", "10.0.3.77", "255.255.255.255", "::", "::1", "1::", "2001:db8::1", "fe80::1:0:0:2",
        "1:2:3:4:5:6:7:8", "1:0:3:4:5:6:7:8", "0:0:1::", "1::4:5:0:0:8", "ffff::ffff"}) {
    EXPECT_EQ(address::from_string(text).to_string(), text);
  }
}

TEST(address, writes_ipv6_in_its_one_canonical_form) {
  EXPECT_EQ(address::from_string("2001:0DB8:0000:0000:0000:0000:0000:0001").to_string(), "2001:db8::1");
  EXPECT_EQ(address::from_string("1:0:0:4:5:0:0:8").to_string(), "1::4:5:0:0:8") << "the first of equal runs";
  EXPECT_EQ(address::from_string("0:0:1:0:0:0:0:0").to_string(), "0:0:1::") << "the longest run";
  EXPECT_EQ(address::from_string("64:ff9b::10.0.0.1").to_string(), "64:ff9b::a00:1");
  EXPECT_EQ(address::from_string("fe80::1%eth0").to_string(), "fe80::1");
}

TEST(address, takes_mapped_ipv6_for_the_ipv4_that_it_is) {
  const address mapped = address::from_string("::ffff:10.0.3.77");
  EXPECT_FALSE(mapped.v6);
  EXPECT_EQ(mapped.to_string(), "10.0.3.77");
  EXPECT_EQ(address::from_string("::FFFF:a00:34d").to_string(), "10.0.3.77");
  address raw;
  raw.v6 = true;
  raw.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 3, 77};
  EXPECT_EQ(raw.to_string(), "10.0.3.77");
  raw.bytes[9] = 1;
  EXPECT_EQ(raw.to_string(), "::1:ffff:a00:34d");
}

TEST(address, is_all_zero_where_the_text_is_none) {
  for (const std::string_view text : {"",
                                      "x",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "256.1.1.1",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "1..2.3",
                                      "-1.2.3.4",
                                      "+1.2.3.4",
                                      ":",
                                      ":::",
                                      "1::2::3",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7::8:9",
                                      "12345::",
                                      "g::",
                                      "1:",
                                      ":1",
                                      "::1.2.3",
                                      "1.2.3.4::",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "::-1",
                                      "%eth0",
                                      "1.2.3.4%eth0",
                                      "999999999999.1.1.1"}) {
    EXPECT_EQ(address::from_string(text).to_string(), "0.0.0.0") << text;
  }
}

TEST(ladder, takes_the_first_source_that_yields_a_name) {
  claims who = from("10.0.3.7");
  config::attribution rules;
  rules.identify_by = {identity_source::client_name, identity_source::username, identity_source::tls_subject,
                       identity_source::source, identity_source::library};
  rules.sources = {source("10.0.3.0", 24, "batch-subnet")};
  const ladder l(rules);
  who.library = "redis-py";
  EXPECT_EQ(l.resolve(who).name, "batch-subnet");
  EXPECT_EQ(l.resolve(who).from, "source");
  who.tls_subject = "campaign.example.com";
  EXPECT_EQ(l.resolve(who).name, "campaign.example.com");
  EXPECT_EQ(l.resolve(who).from, "tls_subject");
  who.username = "isales-campaign";
  EXPECT_EQ(l.resolve(who).name, "isales-campaign");
  EXPECT_EQ(l.resolve(who).from, "username");
  who.client_name = "worker-1";
  EXPECT_EQ(l.resolve(who).name, "worker-1");
  EXPECT_EQ(l.resolve(who).from, "client_name");
  who.source = address::from_string("10.0.4.7");
  who.client_name = who.username = who.tls_subject = "";
  EXPECT_EQ(l.resolve(who).name, "redis-py");
  EXPECT_EQ(l.resolve(who).from, "library");
}

TEST(ladder, keeps_to_the_configured_order_and_to_what_it_lists) {
  claims who = named("worker");
  who.username = "app";
  config::attribution rules;
  rules.identify_by = {identity_source::username, identity_source::client_name};
  EXPECT_EQ(ladder(rules).resolve(who).name, "app");
  rules.identify_by = {identity_source::tls_subject};
  EXPECT_EQ(ladder(rules).resolve(who).name, "unnamed@10.0.0.1");
  rules.identify_by = {};
  EXPECT_EQ(ladder(rules).resolve(who).from, "unnamed");
}

TEST(ladder, names_nobody_after_the_default_user) {
  claims who = from("10.0.0.9");
  who.username = "default";
  EXPECT_EQ(resolve(who).name, "unnamed@10.0.0.9");
  EXPECT_EQ(resolve(who).from, "unnamed");
  who.username = "Default";
  EXPECT_EQ(resolve(who).name, "Default");
}

TEST(ladder, calls_the_unnamed_by_their_address_without_a_port) {
  EXPECT_EQ(resolve(from("2001:db8::7")).name, "unnamed@2001:db8::7");
  EXPECT_EQ(resolve(from("::ffff:10.1.2.3")).name, "unnamed@10.1.2.3");
  EXPECT_EQ(resolve(from("1111:2222:3333:4444:5555:6666:7777:8888")).name,
            "unnamed@1111:2222:3333:4444:5555:6666:7777:8888");
}

TEST(ladder, leaves_no_character_that_breaks_a_label_a_line_or_a_glob) {
  EXPECT_EQ(resolve(named("a b")).name, "a_b");
  EXPECT_EQ(resolve(named("a\"b'c`d\\e")).name, "a_b_c_d_e");
  EXPECT_EQ(resolve(named("{x},y=1")).name, "_x__y=1");
  EXPECT_EQ(resolve(named("a\r\n-ERR x")).name, "a__-ERR_x");
  EXPECT_EQ(resolve(named(std::string("a\0b", 3))).name, "a_b");
  EXPECT_EQ(resolve(named("*")).name, "_");
  EXPECT_EQ(resolve(named("job?<b>|&%s")).name, "job__b____s");
  EXPECT_EQ(resolve(named("\xe5\xbc\xa0")).name, "___");
  EXPECT_EQ(resolve(named("svc.ns:6/v1@x+y#z~_-=")).name, "svc.ns:6/v1@x+y#z~_-=");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name = resolve(named(std::string{'x', static_cast<char>(byte)})).name;
    ASSERT_EQ(name.size(), 2U);
    ASSERT_EQ(name.find_first_of(" \"'`\\,{}*?<>\n\r\t"), std::string::npos) << byte;
    ASSERT_GT(name[1], ' ');
    ASSERT_LT(name[1], 127);
  }
}

TEST(ladder, cuts_names_at_sixty_four_characters) {
  EXPECT_EQ(resolve(named(std::string(64, 'a'))).name, std::string(64, 'a'));
  EXPECT_EQ(resolve(named(std::string(65, 'a'))).name, std::string(64, 'a'));
  EXPECT_EQ(resolve(named(std::string(1 << 20, ' '))).name, std::string(64, '_'));
}

TEST(ladder, lets_no_claim_be_taken_for_a_name_of_ours) {
  EXPECT_EQ(resolve(named("other")).name, "_other");
  EXPECT_EQ(resolve(named("unnamed@10.9.9.9")).name, "_unnamed@10.9.9.9");
  EXPECT_EQ(resolve(named("unnamed@")).name, "_unnamed@");
  EXPECT_EQ(resolve(named("others")).name, "others");
  claims who = from("10.0.0.1");
  who.username = "other";
  EXPECT_EQ(resolve(who).name, "_other");

  config::attribution rules;
  rules.names = {{"unnamed@10.9.*", "trusted-subnet"}};
  EXPECT_EQ(ladder(rules).resolve(named("unnamed@10.9.9.9")).name, "_unnamed@10.9.9.9")
      << "not folded among the real ones";
  EXPECT_EQ(ladder(rules).resolve(from("10.9.9.9")).name, "trusted-subnet");
}

TEST(ladder, prefers_the_longest_source_prefix) {
  config::attribution rules;
  rules.sources = {source("10.0.0.0", 8, "company"), source("10.0.3.0", 24, "batch"),
                   source("10.0.3.77", 32, "host"),  source("0.0.0.0", 0, "anywhere"),
                   source("2001:db8::", 32, "six"),  source("10.0.3.128", 25, "upper")};
  const ladder l(rules);
  EXPECT_EQ(l.resolve(from("10.9.9.9")).name, "company");
  EXPECT_EQ(l.resolve(from("10.0.3.1")).name, "batch");
  EXPECT_EQ(l.resolve(from("10.0.3.127")).name, "batch");
  EXPECT_EQ(l.resolve(from("10.0.3.128")).name, "upper");
  EXPECT_EQ(l.resolve(from("10.0.3.77")).name, "host");
  EXPECT_EQ(l.resolve(from("::ffff:10.0.3.77")).name, "host");
  EXPECT_EQ(l.resolve(from("11.0.0.1")).name, "anywhere");
  EXPECT_EQ(l.resolve(from("2001:db8:1::1")).name, "six");
  EXPECT_EQ(l.resolve(from("2001:db9::1")).name, "unnamed@2001:db9::1") << "0.0.0.0/0 is IPv4 alone";
}

TEST(ladder, reads_a_mapped_network_as_the_ipv4_network_that_it_is) {
  config::source_name rule;
  rule.v6 = true;
  const std::uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 0};
  std::copy(std::begin(bytes), std::end(bytes), std::begin(rule.bytes));
  rule.prefix = 104;
  rule.as = "ten";
  config::attribution rules;
  rules.sources = {rule};
  EXPECT_EQ(ladder(rules).resolve(from("10.200.0.1")).name, "ten");
  EXPECT_EQ(ladder(rules).resolve(from("11.0.0.1")).name, "unnamed@11.0.0.1");
}

TEST(ladder, folds_the_many_names_of_one_job_most_literal_rule_first) {
  config::attribution rules;
  rules.names = {{"isales-*", "isales"}, {"isales-campaign-*", "isales-campaign"}, {"isales-campaign-?", "single"}};
  const ladder l(rules);
  EXPECT_EQ(l.resolve(named("isales-campaign-7f9c-x2")).name, "isales-campaign");
  EXPECT_EQ(l.resolve(named("isales-campaign-7")).name, "isales-campaign") << "equally literal: the first given";
  EXPECT_EQ(l.resolve(named("isales-web")).name, "isales");
  EXPECT_EQ(l.resolve(named("isales")).name, "isales");
  EXPECT_EQ(l.resolve(named("billing")).name, "billing");
  EXPECT_EQ(l.resolve(named("isales-web")).from, "client_name");
}

TEST(ladder, folds_by_the_name_as_sent_and_as_shown) {
  config::attribution rules;
  rules.names = {{"my job*", "spaced"}, {"her_job*", "shown"}, {"*-" + std::string(80, 'z'), "long name"}};
  const ladder l(rules);
  EXPECT_EQ(l.resolve(named("my job 1")).name, "spaced");
  EXPECT_EQ(l.resolve(named("her job 1")).name, "shown");
  EXPECT_EQ(l.resolve(named("x-" + std::string(80, 'z'))).name, "long_name")
      << "matched whole, and its new name cleaned too";
}

}  // namespace
}  // namespace tidegate::attribution
