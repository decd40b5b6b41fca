#include "cli/log_lines.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::cli {
namespace {

template <class Lines>
std::string format(std::string_view text, spdlog::level::level_enum level = spdlog::level::warn) {
  spdlog::memory_buf_t out;
  spdlog::details::log_msg message("tidegate", level, spdlog::string_view_t(text.data(), text.size()));
  message.time = spdlog::log_clock::time_point(std::chrono::milliseconds(1'700'000'000'042));
  Lines().format(message, out);
  return {out.data(), out.size()};
}

TEST(TextLines, CannotBeForgedByAMessage) {
  EXPECT_EQ(format<text_lines>(std::string_view("a\nb\r\x1b[2J\0z\x7f", 11)),
            "2023-11-14T22:13:20.042Z warn  a\\x0ab\\x0d\\x1b[2J\\x00z\\x7f\n");
}

TEST(TextLines, HoldNothingThatATerminalObeys) {
  EXPECT_EQ(format<text_lines>("\xc2\x9b[2J \xe2\x80\xae \xe2\x80\xa8 \xe2\x81\xa6"),
            "2023-11-14T22:13:20.042Z warn  \\xc2\\x9b[2J \\xe2\\x80\\xae \\xe2\\x80\\xa8 \\xe2\\x81\\xa6\n");
  EXPECT_EQ(format<text_lines>("\x9b[2J \xff \xc3( \xed\xa0\x80"),
            "2023-11-14T22:13:20.042Z warn  \\x9b[2J \\xff \\xc3( \\xed\\xa0\\x80\n");
}

TEST(TextLines, LeaveWritingAsItIs) {
  EXPECT_EQ(format<text_lines>("\u8425\u9500 caf\u00e9 \u2026 \U0001f600"),
            "2023-11-14T22:13:20.042Z warn  \u8425\u9500 caf\u00e9 \u2026 \U0001f600\n");
}

TEST(JsonLines, HoldNothingThatATerminalObeys) {
  const std::string line = format<json_lines>("\xc2\x9b[2J \xe2\x80\xae");
  for (const char c : line) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << line;
}

TEST(JsonLines, AreWellFormedWhateverTheMessageHolds) {
  const std::string line = format<json_lines>(std::string_view("q\" b\\ \n\0 \xff\xc3(", 12), spdlog::level::err);
  ASSERT_TRUE(line.ends_with('\n'));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const nlohmann::json document = nlohmann::json::parse(line);
  EXPECT_EQ(document["level"], "error");
  EXPECT_EQ(document["time"], "2023-11-14T22:13:20.042Z");
  EXPECT_EQ(document["message"].get<std::string>().substr(0, 9), std::string("q\" b\\ \n\0 ", 9));
}

}  // namespace
}  // namespace tidegate::cli
