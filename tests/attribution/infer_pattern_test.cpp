#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "attribution/pattern_set.hpp"

namespace tidegate::attribution {
namespace {

std::string infer(std::string_view key, std::size_t capacity = inferred_size_max) {
  std::string out(capacity, '!');
  out.resize(infer_pattern(key, out.data(), capacity));
  return out;
}

std::string random_token(std::mt19937& random, std::string_view alphabet, std::size_t size) {
  std::string text(size, ' ');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

constexpr std::string_view hexadecimal = "0123456789abcdef";
constexpr std::string_view base36 = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view base62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view base64url = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

struct example {
  std::string_view key, pattern;
};

TEST(infer_pattern, cuts_out_ids_and_keeps_words_and_separators) {
  const std::vector<example> examples{
      {"user:12345:cart", "user:*:cart"},
      {"contact:userGroupLabel:set:8812", "contact:userGroupLabel:set:*"},
      {"MARKETING:COUPON:UNREAD:77", "MARKETING:COUPON:UNREAD:*"},
      {"contact:last:activity:1f9", "contact:last:activity:*"},
      {"exchange:coupon:high:commodity:price:31", "exchange:coupon:high:commodity:price:*"},
      {"key:000000000012", "key:*"},
      {"{user:42}:cart", "{user:*}:cart"},
      {"logs/2026/02/10/app", "logs/*/*/*/app"},
      {"order_item_991", "order_item_*"},
      {"spring:session:sessions:expires:5f0c7d9e-55aa-4b6e-9c1d-0123456789ab", "spring:session:sessions:expires:*"},
      {"config", "config"},
      {"rate|limit#global", "rate|limit#global"},
      {"a::b", "a::b"},
      {":", ":"},
      {"lock:", "lock:"},
  };
  for (const auto& [key, pattern] : examples) EXPECT_EQ(infer(key), pattern) << key;
}

TEST(infer_pattern, keeps_words_that_applications_really_use) {
  for (const std::string_view word :
       {"session",     "inventory", "productDetail", "wechat",         "weixin",       "dingdan",     "xiaoxi",
        "zhongxin",    "qianbao",   "isales",        "redisson",       "oauth",        "jwt",         "sms",
        "https",       "mgmt",      "feed",          "cafe",           "facade",       "added",       "lock",
        "queue",       "bull",      "sidekiq",       "kombu",          "celery",       "resque",      "shiro",
        "dubbo",       "nacos",     "mybatis",       "springSecurity", "XMLParser",    "userId",      "isVIP",
        "HTTPSession", "checkout",  "throttle",      "workflow",       "subscription", "cacheManager"}) {
    EXPECT_EQ(infer(std::string(word) + ":1"), std::string(word) + ":*");
  }
}

TEST(infer_pattern, cuts_the_number_behind_the_only_word) {
  EXPECT_EQ(infer("session12345"), "session*");
  EXPECT_EQ(infer("session7"), "session*");
  EXPECT_EQ(infer("userGroup99"), "userGroup*");
  EXPECT_EQ(infer("session12x"), "*");
  EXPECT_EQ(infer("deadbeef12"), "*") << "hexadecimal, not a word";
  EXPECT_EQ(infer("xqzjvkw12"), "*") << "letters, not a word";
  EXPECT_EQ(infer("12345"), "*");
  EXPECT_EQ(infer("a8f3c09d"), "*");
}

TEST(infer_pattern, never_shows_a_part_of_a_mail_address) {
  EXPECT_EQ(infer("user:john.doe@example.com:cart"), "user:*:cart");
  EXPECT_EQ(infer("user:john.doe%40example.com:cart"), "user:*:cart");
  EXPECT_EQ(infer("login_john_doe@example.com"), "*");
  EXPECT_EQ(infer("john-doe@mail.example.com/inbox"), "*/inbox");
  EXPECT_EQ(infer("@"), "*");
}

TEST(infer_pattern, takes_a_uuid_or_a_date_or_an_address_for_one_segment) {
  EXPECT_EQ(infer("user:550e8400-e29b-41d4-a716-446655440000:cart"), "user:*:cart");
  EXPECT_EQ(infer("user:deadcafe-feed-face-dead-decadefacade:cart"), "user:*:cart") << "every group could be a word";
  EXPECT_EQ(infer("USER:550E8400-E29B-41D4-A716-446655440000"), "USER:*");
  EXPECT_EQ(infer("session-550e8400-e29b-41d4-a716-446655440000.json"), "session-*.json");
  EXPECT_EQ(infer("report:2026-02-10"), "report:*");
  EXPECT_EQ(infer("ban:10.0.3.77"), "ban:*");
}

TEST(infer_pattern, cuts_out_whatever_is_not_plain_letters) {
  EXPECT_EQ(infer("user:\xe5\xbc\xa0\xe4\xb8\x89:cart"), "user:*:cart");
  EXPECT_EQ(infer(std::string("user:a\0b:cart", 13)), "user:*:cart");
  EXPECT_EQ(infer("say:hello world"), "say:*");
  EXPECT_EQ(infer("a\"b:c\\d:e\nf:x"), "*:*:*:x");
  EXPECT_EQ(infer("what:*:is?"), "what:*:*") << "a wildcard in a key must not become one in its pattern";
  EXPECT_EQ(infer("cache::SimpleKey [42,7]"), "cache::*");
  EXPECT_EQ(infer("\xff\xfe"), "*");
}

TEST(infer_pattern, calls_an_empty_key_by_a_name_that_can_be_read) {
  EXPECT_EQ(infer(""), "*");
}

TEST(infer_pattern, keeps_to_eight_segments) {
  EXPECT_EQ(infer("a:b:c:d:e:f:g:h"), "a:b:c:d:e:f:g:h");
  EXPECT_EQ(infer("a:b:c:d:e:f:g:h:i"), "a:b:c:d:e:f:g:h:*");
  EXPECT_EQ(infer("a:b:c:d:e:f:g:h:1"), "a:b:c:d:e:f:g:h:*");
  EXPECT_EQ(infer("a:b:c:d:e:f:g:1:2:3"), "a:b:c:d:e:f:g:*:*");
  EXPECT_EQ(infer(std::string(1000, ':')), "::::::::*");
  EXPECT_EQ(infer("a:b:c:d:e:f:g:1-2-3-4-5"), "a:b:c:d:e:f:g:*") << "what is joined counts once";
}

TEST(infer_pattern, takes_a_segment_for_an_id_beyond_thirty_two_characters) {
  const std::string word = "thestationthestationthestationth";
  ASSERT_EQ(word.size(), segment_size_max);
  EXPECT_EQ(infer("x:" + word), "x:" + word);
  EXPECT_EQ(infer("x:" + word + "e"), "x:*");
}

TEST(infer_pattern, ends_the_pattern_at_a_section_beyond_its_bound) {
  const std::string longest = std::string(section_size_max - 2, 'e') + "_1";
  EXPECT_EQ(infer("x:" + longest + ":cart"), "x:*:cart");
  EXPECT_EQ(infer("x:" + longest + "1:cart"), "x:*");
  EXPECT_EQ(infer(std::string(1 << 20, 'x')), "*");
}

TEST(infer_pattern, keeps_to_its_size_and_says_that_more_follows) {
  const std::string twenty = "stationstationsation";
  ASSERT_EQ(twenty.size(), 20U);
  const std::string three = twenty + ":" + twenty + ":" + twenty;  // 62
  EXPECT_EQ(infer(three), three);
  EXPECT_EQ(infer(three + ":"), three + ":");  // 63
  EXPECT_EQ(infer(three + ":a"), three + ":*") << "64 would be full, with no room to say that more may follow";
  EXPECT_EQ(infer(three + ":1"), three + ":*");
  EXPECT_EQ(infer("user:12:cart", 0), "");
  EXPECT_EQ(infer("user:12:cart", 1), "*");
  EXPECT_EQ(infer("user:12:cart", 5), "user*");
  EXPECT_EQ(infer("user:12:cart", 7), "user:*");
}

TEST(infer_pattern, writes_nothing_beyond_the_capacity) {
  for (std::size_t capacity = 0; capacity <= 70; ++capacity) {
    std::string out(80, '!');
    const std::size_t size = infer_pattern("station:station:1:station:station:station:a-1-b:x", out.data(), capacity);
    ASSERT_LE(size, capacity);
    ASSERT_EQ(out.substr(capacity), std::string(80 - capacity, '!'));
  }
}

// Invariants over keys made of everything that has a meaning here.
TEST(infer_pattern, matches_its_key_and_is_printable_whatever_the_key) {
  std::mt19937 random(7);
  const std::vector<std::string> parts{":",
                                       "/",
                                       ".",
                                       "|",
                                       "-",
                                       "_",
                                       "{",
                                       "}",
                                       "#",
                                       "user",
                                       "cart",
                                       "12",
                                       "a1",
                                       "@",
                                       "*",
                                       "?",
                                       "\xff",
                                       " ",
                                       "feed",
                                       "deadbeef",
                                       "%40",
                                       std::string(1, '\0'),
                                       "xqzjvkw",
                                       "Ab3-d_E5",
                                       "550e8400-e29b-41d4-a716-446655440000",
                                       std::string(33, 'e'),
                                       "\"",
                                       "AbC"};
  for (int round = 0; round < 20000; ++round) {
    std::string key;
    for (std::size_t n = random() % 20; n > 0; --n) key += parts[random() % parts.size()];
    const std::size_t capacity = random() % 4 == 0 ? 1 + random() % 64 : 64;
    const std::string pattern = infer(key, capacity);
    ASSERT_TRUE(glob(pattern).matches(key)) << pattern << " on " << key;
    ASSERT_LE(pattern.size(), capacity);
    ASSERT_EQ(pattern.find("**"), std::string::npos) << pattern;
    ASSERT_EQ(pattern.find_first_of("0123456789@\"?%\xff "), std::string::npos) << pattern;
    ASSERT_EQ(infer(key, capacity), pattern);
  }
}

std::size_t patterns_of_family(std::string_view prefix, std::string_view suffix, std::string_view alphabet,
                               std::size_t size, int keys) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(size));
  std::set<std::string> patterns;
  for (int i = 0; i < keys; ++i) {
    patterns.insert(infer(std::string(prefix) + random_token(random, alphabet, size) + std::string(suffix)));
  }
  return patterns.size();
}

TEST(infer_pattern, maps_a_family_of_hexadecimal_ids_to_one_pattern) {
  for (const std::size_t size : {8U, 12U, 16U, 24U, 32U, 40U, 64U}) {
    EXPECT_EQ(patterns_of_family("user:", ":cart", hexadecimal, size, 20000), 1U) << size;
    EXPECT_EQ(patterns_of_family("job_", "", hexadecimal, size, 20000), 1U) << size;
  }
  // The few hexadecimal words are kept for the sake of keys that mean them.
  EXPECT_LE(patterns_of_family("user:", ":cart", hexadecimal, 4, 20000), 1U + 4U);
}

TEST(infer_pattern, maps_a_family_of_uuids_to_one_pattern) {
  std::mt19937 random(5);
  std::set<std::string> patterns;
  for (int i = 0; i < 20000; ++i) {
    std::string uuid = random_token(random, hexadecimal, 36);
    for (const std::size_t at : {8U, 13U, 18U, 23U}) uuid[at] = '-';
    patterns.insert(infer("user:" + uuid + ":cart"));
  }
  EXPECT_EQ(patterns, std::set<std::string>{"user:*:cart"});
}

// Without a digit, random letters can look like a word. That is the exception: few of many keys, however random.
TEST(infer_pattern, leaves_few_random_tokens_as_they_are) {
  constexpr int keys = 20000;
  EXPECT_LE(patterns_of_family("user:", "", base36, 8, keys), keys * 15U / 1000);
  EXPECT_LE(patterns_of_family("user:", "", base36, 16, keys), keys / 1000U);
  EXPECT_LE(patterns_of_family("user:", "", base62, 10, keys), keys * 15U / 1000);
  EXPECT_LE(patterns_of_family("user:", "", base62, 22, keys), keys / 1000U);
  EXPECT_LE(patterns_of_family("user:", "", base64url, 22, keys), keys * 15U / 1000);
  EXPECT_LE(patterns_of_family("session_", "", base64url, 43, keys), keys * 15U / 1000);
}

}  // namespace
}  // namespace tidegate::attribution
