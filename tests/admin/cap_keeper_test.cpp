#include "proxy/net/cap_keeper.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <thread>

namespace tidegate::net {
namespace {

using namespace std::chrono_literals;

// A control thread, and workers that take a generation up when the test says so.
class CapKeeper : public testing::Test {
 protected:
  ~CapKeeper() override {
    context_.stop();
    if (control_.joinable()) control_.join();
  }
  void start(std::chrono::milliseconds patience = 10s) {
    keeper_.emplace(context_, cap_keeper::options{.state_path = {},
                                                  .audit_path = {},
                                                  .book = {},
                                                  .publish =
                                                      [this] {
                                                        const std::uint64_t next = ++published_;
                                                        if (take_up_) in_use_ = next;
                                                        return next;
                                                      },
                                                  .in_use = [this] { return in_use_.load(); },
                                                  .patience = patience});
  }
  void run() {
    control_ = std::thread([this] { context_.run(); });
  }
  static policy::cap block(const std::string& client) {
    return policy::read_wish({.client = client,
                              .action = "block",
                              .rate = {},
                              .bytes = {},
                              .key = {},
                              .lasts = "30m",
                              .who = "olga",
                              .why = {}},
                             std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()))
        .value();
  }

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::atomic<std::uint64_t> published_{1}, in_use_{1};
  std::atomic<bool> take_up_{true};
  std::optional<cap_keeper> keeper_;
  std::thread control_;
};

TEST_F(CapKeeper, AnswersWhenEveryWorkerHasTakenItUp) {
  start();
  run();
  take_up_ = false;
  std::atomic<bool> answered{false};
  policy::cap_change change;
  std::thread asks([&] {
    change = keeper_->set(block("a"));
    answered = true;
  });
  while (published_ < 2) std::this_thread::yield();
  EXPECT_FALSE(answered);
  in_use_ = 2;
  asks.join();
  ASSERT_TRUE(change.what);
  EXPECT_TRUE(change.in_force);
  EXPECT_EQ(change.trouble, "");
  ASSERT_EQ(keeper_->all().size(), 1U);
  EXPECT_EQ(keeper_->rules().front().name, "block:a");
}

TEST_F(CapKeeper, SaysWhenAWorkerDoesNotTakeItUp) {
  start(20ms);
  run();
  take_up_ = false;
  const auto change = keeper_->set(block("a"));
  ASSERT_TRUE(change.what);
  EXPECT_FALSE(change.in_force);
  EXPECT_NE(change.trouble, "");
}

TEST_F(CapKeeper, SaysThatItDoesNotKnowWhenTheControlThreadIsGone) {
  start(20ms);
  const auto change = keeper_->set(block("a"));
  EXPECT_FALSE(change.what);
  EXPECT_TRUE(change.unknown);
}

TEST_F(CapKeeper, PublishesNothingWhereNothingChanged) {
  start();
  run();
  const auto change = keeper_->lift("nobody", "olga");
  EXPECT_FALSE(change.what);
  EXPECT_FALSE(change.unknown);
  EXPECT_EQ(published_, 1U);
}

TEST_F(CapKeeper, TellsOfAFileThatCannotBeWrittenButHoldsTheCap) {
  keeper_.emplace(context_, cap_keeper::options{.state_path = "/nowhere/a.caps.json",
                                                .audit_path = "/nowhere/a.audit.jsonl",
                                                .book = {},
                                                .publish = [this] { return in_use_ = ++published_; },
                                                .in_use = [this] { return in_use_.load(); }});
  run();
  const auto change = keeper_->set(block("a"));
  ASSERT_TRUE(change.what);
  EXPECT_TRUE(change.in_force);
  EXPECT_NE(change.trouble.find("/nowhere/a.caps.json"), std::string::npos) << change.trouble;
  EXPECT_NE(change.trouble.find("/nowhere/a.audit.jsonl"), std::string::npos) << change.trouble;
}

TEST_F(CapKeeper, EndsAtItsTimeWhatARestartTookUp) {
  policy::cap_book book;
  auto past = block("past");
  past.since -= 1h;
  past.until = past.since + 1s;
  ASSERT_TRUE(book.set(past));
  ASSERT_TRUE(book.set(block("present")));
  keeper_.emplace(context_, cap_keeper::options{.state_path = {},
                                                .audit_path = {},
                                                .book = book,
                                                .publish = [this] { return in_use_ = ++published_; },
                                                .in_use = [this] { return in_use_.load(); }});
  keeper_->start();
  ASSERT_EQ(keeper_->all().size(), 1U);
  EXPECT_EQ(keeper_->all().front().client, "present");
  EXPECT_EQ(published_, 2U);
}

}  // namespace
}  // namespace tidegate::net
