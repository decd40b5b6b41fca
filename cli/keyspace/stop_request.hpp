// SIGINT and SIGTERM as something that is asked for between two steps, so that a step is never cut in half.
//
// Thread safety: one thread. Ownership: the two signals are blocked while it lives, in threads made meanwhile too.
// Invariants: once asked, it stays asked. Cost: one system call a question.
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>

namespace tidegate::cli {

class stop_request {
 public:
  stop_request() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~stop_request() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  stop_request(const stop_request&) = delete;
  stop_request& operator=(const stop_request&) = delete;

  [[nodiscard]] bool asked() { return sleep(0); }
  // True as soon as it is asked, at most `nanoseconds` later; sleeps all the same once it is, so that who must finish
  // a step keeps to its pace.
  bool sleep(std::int64_t nanoseconds) {
    constexpr std::int64_t second = 1'000'000'000;
    const timespec most{.tv_sec = nanoseconds / second, .tv_nsec = nanoseconds % second};
    if (asked_) {
      nanosleep(&most, nullptr);
    } else if (sigtimedwait(&signals_, nullptr, &most) > 0) {
      asked_ = true;
    }
    return asked_;
  }

 private:
  sigset_t signals_{}, before_{};
  bool asked_ = false;
};

}  // namespace tidegate::cli
