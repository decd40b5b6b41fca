#include "resp/encoder.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "resp/request_parser.hpp"

namespace tidegate::resp {
namespace {

TEST(encoder, writes_numbers_of_every_size) {
  std::string out;
  append_number_line(out, ':', 0);
  append_number_line(out, ':', std::numeric_limits<std::int64_t>::min());
  append_number_line(out, '$', std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(out, ":0\r\n:-9223372036854775808\r\n$9223372036854775807\r\n");
}

TEST(encoder, writes_commands_that_the_parser_reads_back) {
  std::string out;
  const std::string key("a\r\n\0b", 5);
  append_command(out, "EXPIRE", key, "60", "");
  EXPECT_EQ(out, std::string("*4\r\n$6\r\nEXPIRE\r\n$5\r\na\r\n\0b\r\n$2\r\n60\r\n$0\r\n\r\n", 41));
  request_parser parser;
  ASSERT_EQ(parser.parse(out), parse_status::complete);
  ASSERT_EQ(parser.request().size(), 4U);
  EXPECT_EQ(parser.request()[1], key);
  EXPECT_EQ(parser.request().raw.size(), out.size());
}

TEST(encoder, lets_only_printable_bytes_other_than_the_blank_through) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    std::string out;
    append_sanitized(out, {&c, 1});
    const bool plain = byte > 32 && byte < 127;
    EXPECT_EQ(out, plain ? std::string(1, c) : "_") << byte;
  }
}

TEST(encoder, sanitizes_behind_what_is_there_already) {
  std::string out = "client=";
  append_sanitized(out, "a b\r\n-ERR \xc3\xa9");
  EXPECT_EQ(out, "client=a_b__-ERR___");
}

TEST(encoder, cuts_sanitized_text_at_its_limit) {
  for (const std::size_t size : {127U, 128U, 129U, 100'000U}) {
    std::string out;
    append_sanitized(out, std::string(size, 'a'));
    EXPECT_EQ(out.size(), std::min<std::size_t>(size, 128));
  }
  std::string out;
  append_sanitized(out, "abc", 0);
  EXPECT_EQ(out, "");
  append_sanitized(out, "abc", 2);
  EXPECT_EQ(out, "ab");
}

}  // namespace
}  // namespace tidegate::resp
