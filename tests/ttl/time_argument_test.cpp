#include "ttl/time_argument.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/ttl/built_request.hpp"

namespace tidegate::ttl {
namespace {

using namespace std::string_literals;
using std::chrono::milliseconds;
using kind = time_reading::kind;

TEST(time_argument, takes_integers_as_strictly_as_redis) {
  EXPECT_EQ(read_integer("0"), 0);
  EXPECT_EQ(read_integer("-1"), -1);
  EXPECT_EQ(read_integer("9223372036854775807"), 9223372036854775807);
  EXPECT_EQ(read_integer("-9223372036854775808"), -9223372036854775807 - 1);
  for (const std::string& text :
       {""s, "-"s, "-0"s, "00"s, "01"s, "-01"s, "+1"s, " 1"s, "1 "s, "1.0"s, "1e3"s, "0x10"s, "9223372036854775808"s,
        "-9223372036854775809"s, "99999999999999999999999"s, "1\0"s, "\0"s, "--1"s, "ten"s}) {
    EXPECT_EQ(read_integer(text), std::nullopt) << testing::PrintToString(text);
  }
}

TEST(time_argument, overflow_of_seconds_and_of_the_sum_with_the_clock_is_unreadable) {
  const milliseconds wall{1'700'000'000'000};
  const time_argument ex{.index = 2, .milliseconds = false, .absolute = false};
  const time_argument px{.index = 2, .milliseconds = true, .absolute = false};
  const time_argument exat{.index = 2, .milliseconds = false, .absolute = true};
  const time_argument pxat{.index = 2, .milliseconds = true, .absolute = true};
  EXPECT_EQ(read_time("9223372036854775", ex, wall).what, kind::unreadable);  // seconds fit, with the clock they do not
  EXPECT_EQ(read_time("9223372036854776", ex, wall).what, kind::unreadable);
  EXPECT_EQ(read_time("9223370336854775807", px, wall).what, kind::future);
  EXPECT_EQ(read_time("9223370336854775808", px, wall).what, kind::unreadable);
  EXPECT_EQ(read_time("9223372036854775", exat, wall).ttl_ms, 9223372036854775000 - wall.count());
  EXPECT_EQ(read_time("9223372036854776", exat, wall).what, kind::unreadable);
  EXPECT_EQ(read_time("9223372036854775807", pxat, wall).ttl_ms, 9223372036854775807 - wall.count());
}

TEST(time_argument, zero_negative_and_past_times_are_no_ttl) {
  const milliseconds wall{1'700'000'000'250};
  const time_argument exat{.index = 2, .milliseconds = false, .absolute = true};
  const time_argument pxat{.index = 2, .milliseconds = true, .absolute = true};
  EXPECT_EQ(read_time("0", {}, wall).what, kind::none_or_past);
  EXPECT_EQ(read_time("-5", {}, wall).what, kind::none_or_past);
  EXPECT_EQ(read_time("-9223372036854775808", {}, wall).what, kind::none_or_past);
  EXPECT_EQ(read_time("1700000000", exat, wall).what, kind::none_or_past);
  EXPECT_EQ(read_time("1700000001", exat, wall).ttl_ms, 750);
  EXPECT_EQ(read_time("1700000000250", pxat, wall).what, kind::none_or_past);
  EXPECT_EQ(read_time("1700000000251", pxat, wall).ttl_ms, 1);
}

string_options set_options(const std::vector<std::string>& arguments) {
  return read_set_options(built_request(arguments).view());
}

TEST(time_argument, reads_set_options_in_any_order_and_case) {
  const string_options options = set_options({"SET", "k", "v", "gEt", "eXaT", "17", "Nx"});
  EXPECT_TRUE(options.understood);
  EXPECT_EQ(options.time.index, 5U);
  EXPECT_TRUE(options.time.absolute);
  EXPECT_FALSE(options.time.milliseconds);
}

TEST(time_argument, of_a_repeated_time_the_last_counts) {
  const string_options options = set_options({"SET", "k", "v", "PX", "1", "XX", "px", "2"});
  EXPECT_TRUE(options.understood);
  EXPECT_EQ(options.time.index, 7U);
}

TEST(time_argument, what_follows_a_nul_in_an_option_does_not_count) {
  EXPECT_TRUE(set_options({"SET", "k", "v", "KEEPTTL\0x"s}).keep_ttl);
  EXPECT_EQ(set_options({"SET", "k", "v", "EX\0"s, "9"}).time.index, 4U);
  EXPECT_FALSE(set_options({"SET", "k", "v", "E\0X"s, "9"}).understood);
}

TEST(time_argument, does_not_understand_what_redis_refuses) {
  for (const char* line : {"SET k v EX", "SET k v EX 1 PX 1", "SET k v EX 1 EXAT 1", "SET k v KEEPTTL EX 1",
                           "SET k v EX 1 KEEPTTL", "SET k v NX XX", "SET k v XX NX", "SET k v PERSIST", "SET k v 60",
                           "SET k v IFEQ x", "SET k v EXX 1", "SET k v EX 1 2", "SET k v GETX", "SET k v KEEPTT"}) {
    EXPECT_FALSE(set_options(words(line)).understood) << line;
  }
  EXPECT_FALSE(set_options({"SET", "k", "v", ""}).understood);
  for (const char* line :
       {"GETEX k NX", "GETEX k KEEPTTL", "GETEX k EX 1 PERSIST", "GETEX k PERSIST PX 1", "GETEX k PX", "GETEX k GET"}) {
    EXPECT_FALSE(read_getex_options(built_request(words(line)).view()).understood) << line;
  }
}

TEST(time_argument, an_option_word_as_a_number_is_a_number) {
  const string_options options = set_options(words("SET k v EX KEEPTTL"));
  EXPECT_TRUE(options.understood);
  EXPECT_FALSE(options.keep_ttl);
  EXPECT_EQ(options.time.index, 4U);
}

TEST(time_argument, reads_restore_options) {
  EXPECT_TRUE(read_restore_options(built_request(words("RESTORE k 5 x replace ABSttl IDLETIME 7")).view()).absolute);
  EXPECT_FALSE(read_restore_options(built_request(words("RESTORE k 5 x FREQ absttl")).view()).absolute);
  EXPECT_FALSE(read_restore_options(built_request(words("RESTORE k 5 x IDLETIME")).view()).understood);
  EXPECT_FALSE(read_restore_options(built_request(words("RESTORE k 5 x NOVEL")).view()).understood);
}

}  // namespace
}  // namespace tidegate::ttl
