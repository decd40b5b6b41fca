// The workers' counters into the rows of one bucket.
//
// Thread safety: one thread, while workers count. Ownership: borrows the counters, which outlive it; keeps what it last
// saw of each. Invariants: (1) the sums of everything collected equal the counters, to the last write, once the workers
// have stopped and take() ran with `stopped`; (2) a half is cleared only after its worker acknowledged the next epoch,
// and the next epoch comes only after that; (3) a name is asked for when its difference is taken, so a client that was
// folded into `other` meanwhile is booked there. Cost: a pass over all cells of all workers a bucket.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "attribution/registry.hpp"
#include "evidence/ledger/rows.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/worker_stats.hpp"
#include "resp/command_table.hpp"

namespace tidegate::recorder {

struct counted {
  std::shared_ptr<attribution::registry> registry;
  std::shared_ptr<session::upstream_state> upstream;
  std::vector<const session::worker_stats*> workers;
  const session::counter_map* control_commands = nullptr;
  std::function<std::shared_ptr<const resp::command_table>()> commands;  // any thread
};

// tidegate's own totals of writes since its start, for coverage.
struct own_totals {
  std::uint64_t booked = 0, own = 0;
};
[[nodiscard]] own_totals totals_of(const counted& from);

// What a client did from one address since the start, as far as its cells are still there.
struct source_totals {
  std::string address;
  std::uint64_t writes = 0, bytes = 0, connections = 0, opened = 0;
};
// Any thread; changes nothing. In the order of addresses.
[[nodiscard]] std::vector<source_totals> sources_of(const counted& from, std::string_view client);

class collector {
 public:
  explicit collector(counted from);

  // Asks the workers for the next epoch; they follow at their next turn (wake them).
  void begin_epoch();
  // Whether all have.
  [[nodiscard]] bool acknowledged() const noexcept;
  // The rows since the last call; `stopped`: no worker runs any more.
  void take(ledger::bucket& into, bool stopped);

 private:
  struct seen_write {
    std::uint32_t number = 0;
    std::uint64_t writes = 0, elements = 0, bytes = 0, without_ttl = 0;
  };
  struct seen_connection {
    std::uint32_t number = 0;
    std::uint64_t opened = 0;
  };
  struct per_worker {
    std::vector<seen_write> writes;  // by index of the cell
    std::vector<seen_connection> connections;
    std::unordered_map<std::uint64_t, std::uint64_t> delayed, rejected, observed, injected, capped, ttl_observed;
  };
  struct names;

  using write_rows = std::map<std::tuple<std::string, std::string, std::string, std::string>, ledger::write_sums>;
  void take_writes(std::size_t worker, const names& with, bool other_half, bool both, write_rows& into);
  void take_connections(const names& with, ledger::bucket& into);
  void take_limits(const names& with, ledger::bucket& into);
  void take_ttl(const names& with, ledger::bucket& into);

  counted from_;
  std::vector<per_worker> seen_;
  std::uint32_t epoch_;
};

}  // namespace tidegate::recorder
