// Signals that arrive before anybody listens to them wait until somebody does: a SIGHUP in the first milliseconds
// reloads a moment later instead of ending the process, a SIGTERM drains.
//
// Thread safety: one, on the main thread, before others are started. Ownership: the thread's signal mask. Invariant:
// the mask is as before after let_go() or the end. Cost: two system calls.
#pragma once

#include <csignal>

namespace tidegate::cli {

class held_signals {
 public:
  held_signals() noexcept {
    sigset_t held;
    ::sigemptyset(&held);
    for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPIPE}) ::sigaddset(&held, number);
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~held_signals() { let_go(); }
  held_signals(const held_signals&) = delete;
  held_signals& operator=(const held_signals&) = delete;

  void let_go() noexcept { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace tidegate::cli
