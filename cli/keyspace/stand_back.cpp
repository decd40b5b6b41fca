#include "cli/keyspace/stand_back.hpp"

#include <sched.h>
#include <sys/resource.h>

namespace tidegate::cli {

void stand_back() noexcept {
  constexpr int politest = 19;
  (void)::setpriority(PRIO_PROCESS, 0, politest);
  // sched(7): whoever is not SCHED_IDLE preempts it at once when it wakes, and a processor that runs nothing else
  // counts as free; niceness alone would let it finish its slice first.
  const sched_param none{};
  (void)::sched_setscheduler(0, SCHED_IDLE, &none);
}

}  // namespace tidegate::cli
