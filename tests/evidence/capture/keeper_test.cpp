#include "evidence/capture/keeper.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <filesystem>
#include <sstream>

#include "evidence/capture/capture_set.hpp"

namespace tidegate::capture {
namespace {

using what = session::capture_message::what;

class keeping : public ::testing::Test {
 protected:
  keeping() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-capture-XXXXXX").string();
    rules_.directory = ::mkdtemp(name.data());
    rules_.values = true;
  }
  ~keeping() override { std::filesystem::remove_all(rules_.directory); }

  keeper made() {
    return keeper({.rules = rules_,
                   .instance = "it",
                   .rings = {&ring_},
                   .registry = std::make_shared<attribution::registry>(),
                   .commands = [] { return resp::command_table::builtin(); },
                   .status = &status_});
  }
  std::uint32_t send(std::vector<std::string> words) {
    bytes_.clear();
    refs_.clear();
    for (const std::string& word : words) {
      refs_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(word.size())});
      bytes_ += word;
    }
    const resp::request request{.raw = bytes_, .base = bytes_.data(), .refs = refs_, .is_inline = false};
    session::capture_command head;
    head.wall_ms = 1'770'681'600'123;
    return ring_.push_command(head, false, resp::command_table::builtin()->find(request).id, request);
  }
  std::vector<std::string> written() {
    std::vector<std::string> out;
    auto set = capture_set::open(rules_.directory, {});
    if (!set) return out;
    for (;;) {
      const auto more = set->next();
      EXPECT_TRUE(more) << more.error();
      if (!more || !*more) return out;
      std::string line;
      for (std::size_t index = 0; index < set->now().request.size(); ++index) {
        line += (index == 0 ? "" : " ") + std::string(set->now().request[index]);
      }
      out.push_back(line);
    }
  }
  [[nodiscard]] std::uint64_t dropped(recorder::drop_reason why) const {
    return status_.capture_dropped[static_cast<std::size_t>(why)].load();
  }

  config::capture rules_;
  session::capture_ring ring_;
  recorder::status status_;
  std::string bytes_;
  std::vector<resp::arg_ref> refs_;
};
using lines = std::vector<std::string>;

TEST_F(keeping, WritesWhatWasExecutedInTheOrderOfTheOutcomes) {
  keeper one = made();
  const auto waits = send({"BLPOP", "k", "0"});
  const auto first = send({"SET", "a", "1"});
  const auto refused = send({"SET", "b", "2"});
  ring_.push(what::executed, first);
  ring_.push(what::forgotten, refused);
  ring_.push(what::executed, waits);
  EXPECT_TRUE(one.drain(1));
  EXPECT_FALSE(one.drain(1));
  EXPECT_EQ(written(), (lines{"SET a 1", "BLPOP k 0"}));
  EXPECT_EQ(status_.capture_records.load(), 2U);
}

TEST_F(keeping, WritesWhatBlockedWhileManyOthersWereAnswered) {
  keeper one = made();
  const auto waits = send({"BLPOP", "k", "0"});
  const auto refused = send({"BLPOP", "l", "0"});
  const std::uint32_t others = 2 * unanswered::places + 3;
  for (std::uint32_t number = 0; number < others; ++number) {
    ring_.push(what::executed, send({"SET", "a", std::to_string(number)}));
    if (number % 1000 == 0) (void)one.drain(1);
  }
  ring_.push(what::forgotten, refused);
  ring_.push(what::executed, waits);
  ring_.push(what::executed, waits);  // once is enough
  while (one.drain(1)) {
  }
  const lines found = written();
  ASSERT_EQ(found.size(), others + 1);
  EXPECT_EQ(found[0], "SET a 0");
  EXPECT_EQ(found[others - 1], "SET a " + std::to_string(others - 1));
  EXPECT_EQ(found.back(), "BLPOP k 0");
}

TEST_F(keeping, PutsATransactionBetweenMultiAndExec) {
  keeper one = made();
  const auto first = send({"SET", "a", "1"});
  const auto second = send({"SET", "b", "2"});
  ring_.push(what::begin);
  ring_.push(what::executed, first);
  ring_.push(what::executed, second);
  ring_.push(what::end);
  ring_.push(what::begin);
  ring_.push(what::end);  // nothing of it was captured
  EXPECT_TRUE(one.drain(1));
  EXPECT_EQ(written(), (lines{"MULTI", "SET a 1", "SET b 2", "EXEC"}));
}

TEST_F(keeping, KeepsGoingRoundTheRing) {
  keeper one = made();
  const std::string value(100'000, 'v');
  for (int round = 0; round < 300; ++round) {
    ring_.push(what::executed, send({"SET", "k" + std::to_string(round), value}));
    ASSERT_TRUE(one.drain(1));
  }
  EXPECT_EQ(status_.capture_records.load(), 300U);
  EXPECT_EQ(written().size(), 300U);
}

TEST_F(keeping, DropsAndCountsWhatHasNoRoomAndKeepsRoomForOutcomes) {
  keeper one = made();
  const std::string value(100'000, 'v');
  std::vector<std::uint32_t> numbers;
  int refused = 0;
  for (int n = 0; n < 100; ++n) {
    const std::uint32_t number = send({"SET", "k", value});
    if (number == 0) {
      ++refused;
    } else {
      numbers.push_back(number);
    }
  }
  EXPECT_GT(refused, 0);
  for (const std::uint32_t number : numbers) ring_.push(what::executed, number);
  one.drain(1);
  EXPECT_EQ(dropped(recorder::drop_reason::ring), static_cast<std::uint64_t>(refused));
  EXPECT_EQ(status_.capture_records.load(), numbers.size());
  EXPECT_EQ(send({"SET", "k", std::string(session::capture_ring::message_max, 'v')}), 0U);
  one.drain(1);
  EXPECT_EQ(dropped(recorder::drop_reason::size), 1U);
}

TEST_F(keeping, ForgetsTheOldestOfThoseThatAreNeverAnswered) {
  keeper one = made();
  const std::string value(1U << 20, 'v');
  for (std::size_t n = 0; n < waiting_bytes_max / value.size() + 10; ++n) {
    ASSERT_NE(send({"SET", "k", value}), 0U);
    one.drain(1);
  }
  EXPECT_GE(dropped(recorder::drop_reason::unanswered), 10U);
  EXPECT_LE(dropped(recorder::drop_reason::unanswered), 12U);
}

TEST_F(keeping, StartsAFileAnewThatSaysEverything) {
  rules_.rotate = 64U << 10;
  keeper one = made();
  for (int n = 0; n < 5; ++n) {
    ring_.push(what::executed, send({"SET", "k", std::string(50'000, 'v')}));
    one.drain(1'770'681'600'000);
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(rules_.directory)) {
    auto file = file_reader::open(entry.path().string());
    ASSERT_TRUE(file);
    ASSERT_TRUE(*file->next());
    EXPECT_EQ(file->now().client, "other");
    EXPECT_EQ(file->now().source, "0.0.0.0");
    EXPECT_EQ(file->now().wall_ms, 1'770'681'600'123);
    ++files;
  }
  EXPECT_EQ(files, 3U);
}

class warnings_heard {
 public:
  warnings_heard() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("heard", std::make_shared<spdlog::sinks::ostream_sink_st>(text_)));
  }
  ~warnings_heard() { spdlog::set_default_logger(before_); }
  [[nodiscard]] std::size_t count(const std::string& words) const {
    std::size_t found = 0;
    const std::string all = text_.str();
    for (std::size_t at = all.find(words); at != std::string::npos; at = all.find(words, at + 1)) ++found;
    return found;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(keeping, WarnsEachMinuteWhileValuesAreKept) {
  const warnings_heard heard;
  keeper one = made();
  for (std::int64_t ms = 0; ms <= 180'000; ms += 500) (void)one.drain(1'770'681'600'000 + ms);
  EXPECT_EQ(heard.count("values are kept"), 4U);
}

TEST_F(keeping, WarnsOfNothingWhereValuesAreDigests) {
  const warnings_heard heard;
  rules_.values = false;
  keeper without = made();
  (void)without.drain(1'770'681'600'000);
  rules_.values = true;
  rules_.sample = 0.5;
  keeper sampled = made();
  (void)sampled.drain(1'770'681'600'000);
  EXPECT_EQ(heard.count("values"), 0U);
}

TEST(digest, HasTheLengthOfItsValueAndIsTheSameForTheSame) {
  const digest by(1, 2);
  std::string first, again, other, with_other_key;
  by.append(first, "a value of some length");
  by.append(again, "a value of some length");
  by.append(other, "a value of some lengtH");
  digest(1, 3).append(with_other_key, "a value of some length");
  EXPECT_EQ(first.size(), 22U);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_NE(first, with_other_key);
  std::string none;
  by.append(none, "");
  EXPECT_EQ(none, "");
}

TEST(digest, LeavesNumbersAndTheWordsOfTheSyntax) {
  for (const char* stays : {"17",   "-3",     "1.5",  "3e5", "+inf",
                            "-inf", "(5",     "(1.5", "EX",  "keepttl",
                            "NX",   "MAXLEN", "~",    "*",   "1526919030474-55",
                            "5-*",  "u8",     "i16",  "#3",  "$"}) {
    EXPECT_TRUE(digest::may_stay(stays)) << stays;
  }
  for (const char* goes : {"value", "1x", "", "13:45", "2026-02-10", "+4915112345x", "alice@example.com", "1.2.3.4"}) {
    EXPECT_FALSE(digest::may_stay(goes)) << goes;
  }
}

}  // namespace
}  // namespace tidegate::capture
