#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "resp/request_parser.hpp"
#include "tests/ttl/built_request.hpp"
#include "ttl/rule_set.hpp"

namespace tidegate::ttl {
namespace {

using namespace std::string_literals;

rewrite appended(std::uint8_t option, std::int64_t value) {
  rewrite how;
  how.kind = rewrite::what::append;
  how.option = option;
  how.value = value;
  return how;
}

rewrite replaced(std::uint32_t index, std::int64_t value) {
  rewrite how;
  how.kind = rewrite::what::replace;
  how.index = index;
  how.value = value;
  return how;
}

std::string rewritten(const resp::request& request, const rewrite& how) {
  std::string out;
  append_rewritten(out, request, how);
  return out;
}

std::vector<std::string> parsed(const std::string& bytes) {
  resp::request_parser parser;
  EXPECT_EQ(parser.parse(bytes), resp::parse_status::complete);
  EXPECT_EQ(parser.request().raw.size(), bytes.size());
  std::vector<std::string> arguments;
  for (std::size_t i = 0; i < parser.request().size(); ++i) arguments.emplace_back(parser.request()[i]);
  return arguments;
}

TEST(append_rewritten, puts_a_ttl_behind_the_last_argument) {
  const built_request request({"SET", "k", "v"});
  EXPECT_EQ(rewritten(request.view(), appended(0, 60)),
            "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nEX\r\n$2\r\n60\r\n");
  EXPECT_EQ(rewritten(request.view(), appended(1, 1500)),
            "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nPX\r\n$4\r\n1500\r\n");
}

TEST(append_rewritten, counts_across_a_power_of_ten) {
  const built_request request(words("SET k v NX GET NX GET NX"));
  EXPECT_TRUE(rewritten(request.view(), appended(0, 60)).starts_with("*10\r\n$3\r\nSET"));
}

TEST(append_rewritten, replaces_a_number_of_another_length_anywhere) {
  const built_request request(words("A 99999 c"));
  EXPECT_EQ(rewritten(request.view(), replaced(1, 7)), "*3\r\n$1\r\nA\r\n$1\r\n7\r\n$1\r\nc\r\n");
  EXPECT_EQ(rewritten(request.view(), replaced(0, 10)), "*3\r\n$2\r\n10\r\n$5\r\n99999\r\n$1\r\nc\r\n");
  EXPECT_EQ(rewritten(request.view(), replaced(2, 1'700'000'000'000)),
            "*3\r\n$1\r\nA\r\n$5\r\n99999\r\n$13\r\n1700000000000\r\n");
}

TEST(append_rewritten, leaves_the_bytes_alone_where_nothing_changes) {
  const built_request request({"SET", "k", "\r\n$5\r\n\0"s});
  EXPECT_EQ(rewritten(request.view(), {}), request.raw());
}

TEST(append_rewritten, encodes_inline_requests_anew) {
  const built_request request({"SET", "k", "v"}, true);
  EXPECT_EQ(rewritten(request.view(), {}), "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
  EXPECT_EQ(parsed(rewritten(request.view(), appended(0, 60))), words("SET k v EX 60"));
  EXPECT_EQ(parsed(rewritten(request.view(), replaced(2, 60))), words("SET k 60"));
}

TEST(append_rewritten, takes_a_count_line_that_redis_takes) {
  // Redis skips the byte behind '\r' unseen, so this is a request to it.
  const std::string bytes = "*3\r?$3\r?SET\r\n$1\r\nk\r\n$1\r\nv\r\n";
  resp::request_parser parser;
  ASSERT_EQ(parser.parse(bytes), resp::parse_status::complete);
  EXPECT_EQ(parsed(rewritten(parser.request(), appended(0, 60))), words("SET k v EX 60"));
}

TEST(append_rewritten, parses_again_to_the_expected_command_whatever_the_options_and_sizes) {
  std::mt19937 random(20260420);
  const auto upto = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n)(random); };
  const std::vector<std::size_t> sizes{
      0,     1,     9,     10,     11,     99,     100,     101,     999,     1000,        1001,           9999,
      10000, 10001, 99999, 100000, 100001, 999999, 1000000, 1000001, 1048575, 1024 * 1024, 1024 * 1024 + 1};
  const std::vector<std::string> option_words{"NX", "xx", "GET", "KEEPTTL", "EX", "PXAT", "99999999999", "", "\r\n"};
  for (int round = 0; round < 600; ++round) {
    std::string value(sizes[upto(sizes.size() - 1)], '\0');
    for (std::size_t i = 0; i < value.size(); i += 1 + upto(999)) value[i] = "\r\n$*0"[upto(4)];
    std::vector<std::string> arguments{"SET", "key:" + std::to_string(round), std::move(value)};
    for (std::size_t left = upto(8); left > 0; --left) arguments.push_back(option_words[upto(option_words.size() - 1)]);
    const built_request built(arguments);
    resp::request_parser parser;
    ASSERT_EQ(parser.parse(built.raw()), resp::parse_status::complete);

    const auto number = static_cast<std::int64_t>(random() >> upto(31));
    const auto option = static_cast<std::uint8_t>(upto(1));
    const auto index = static_cast<std::uint32_t>(upto(arguments.size() - 1));
    std::vector<std::string> longer = arguments;
    longer.insert(longer.end(), {option == 0 ? "EX" : "PX", std::to_string(number)});
    ASSERT_TRUE(parsed(rewritten(parser.request(), appended(option, number))) == longer) << "round " << round;
    std::vector<std::string> other = arguments;
    other[index] = std::to_string(number);
    ASSERT_TRUE(parsed(rewritten(parser.request(), replaced(index, number))) == other) << "round " << round;
    ASSERT_TRUE(rewritten(parser.request(), {}) == built.raw()) << "round " << round;
  }
}

std::vector<std::string> followed(follow_up::what kind, std::int64_t ttl_ms, bool expire_options) {
  std::string out;
  append_follow_up(out, "the key\r\n", {.key_index = 1, .rule = 0, .kind = kind, .ttl_ms = ttl_ms}, expire_options);
  return parsed(out);
}

TEST(append_follow_up, uses_whole_seconds_where_it_can) {
  using enum follow_up::what;
  using list = std::vector<std::string>;
  EXPECT_EQ(followed(default_nx, 60'000, true), (list{"EXPIRE", "the key\r\n", "60", "NX"}));
  EXPECT_EQ(followed(max_lt, 60'000, true), (list{"EXPIRE", "the key\r\n", "60", "LT"}));
  EXPECT_EQ(followed(default_nx, 1'500, true), (list{"PEXPIRE", "the key\r\n", "1500", "NX"}));
  EXPECT_EQ(followed(max_lt, 999, true), (list{"PEXPIRE", "the key\r\n", "999", "LT"}));
}

TEST(append_follow_up, sends_a_constant_script_where_expire_has_no_options) {
  using enum follow_up::what;
  const auto a = followed(default_nx, 60'000, false);
  const auto b = followed(max_lt, 1'500, false);
  ASSERT_EQ(a.size(), 5U);
  ASSERT_EQ(b.size(), 5U);
  EXPECT_EQ(a[0], "EVAL");
  EXPECT_NE(a[1], b[1]);
  EXPECT_EQ(a[1], followed(default_nx, 1, false)[1]);  // one entry in the server's script cache
  EXPECT_EQ((std::vector<std::string>{a.begin() + 2, a.end()}),
            (std::vector<std::string>{"1", "the key\r\n", "60000"}));
  EXPECT_EQ(b[4], "1500");
}

}  // namespace
}  // namespace tidegate::ttl
