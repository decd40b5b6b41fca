// How long this thread stood ready to run while others had the processors.
//
// Who stands back waits for its turn; taken off a measured time, that wait is not mistaken for the server's.
//
// Thread safety: of the thread that made it. Ownership: none. Invariants: never more than passed; 0 where the kernel
// does not count it (CONFIG_SCHED_INFO). Cost: a file of /proc read at the beginning and at each question.
#pragma once

#include <cstdint>

namespace tidegate::cli {

class run_delay {
 public:
  run_delay() noexcept;
  // Nanoseconds.
  [[nodiscard]] std::int64_t since() const noexcept;

 private:
  std::int64_t before_;
};

}  // namespace tidegate::cli
