#include "cli/abort_stack.hpp"

#include <execinfo.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string_view>

namespace tidegate::cli {
namespace {

constexpr int frames_max = 64;

void write_text(std::string_view text) {
  // Nothing can be done about a stderr that takes nothing.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

void on_abort(int number) {
  std::array<void*, frames_max> frames{};
  write_text("tidegate aborts; the stack of the thread that does (addr2line -Cfe tidegate ADDRESS names its lines):\n");
  ::backtrace_symbols_fd(frames.data(), ::backtrace(frames.data(), frames_max), STDERR_FILENO);
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  ::sigaction(number, &plain, nullptr);
  ::raise(number);
}

}  // namespace

void print_stack_on_abort() {
  // backtrace(3) loads libgcc when it is first called, which a signal handler may not do.
  std::array<void*, 1> once{};
  (void)::backtrace(once.data(), 1);
  struct sigaction ours{};
  ours.sa_handler = on_abort;
  ::sigaction(SIGABRT, &ours, nullptr);
}

}  // namespace tidegate::cli
