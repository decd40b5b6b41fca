// Every key of a database once, page by page, at a pace that the server's other clients do not feel.
//
// SCAN gives every key that stays from the walk's beginning to its end, some twice, and goes on from any cursor it has
// returned, as long as it is the same server process. So the cursor behind a page whose keys were all dealt with is the
// place to go on from; where the process changed (a failover, a restart), the walk begins again.
//
// Thread safety: none. Ownership: the link and what the callbacks refer to outlive run().
// Invariants: (1) `done` is told a page's cursor only after `visit` took all of it; (2) a page that failed on the way
// is asked for again, at most retries_max times in a row; (3) no batch has more than batch_max commands, no wait is
// without an end. Cost: two or three round trips a page.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/keyspace/progress_line.hpp"
#include "cli/keyspace/server_facts.hpp"
#include "cli/keyspace/server_link.hpp"
#include "cli/keyspace/stop_request.hpp"
#include "evidence/keyspace/pacing.hpp"
#include "evidence/keyspace/progress.hpp"

namespace tidegate::cli {

struct walked_key {
  std::string name;
  std::int64_t ttl_ms = 0;  // PTTL's answer; never ttl_gone
};

struct walk_request {
  std::string client_name = {};
  std::string match = {};  // of SCAN; empty = all
  double rate = 0;         // commands a second at most
  bool quiet = false;
  std::uint64_t cursor = 0;  // of a run that is resumed
  std::string run_id = {};   // of the server process that gave it
};

enum class walk_end : std::uint8_t { finished, stopped, failed };

class walk {
 public:
  // Commands that the server runs without looking at anybody else, and what a SCAN asks for: both some twenty
  // microseconds of its time. Larger ones cost it less in all, and those who wait behind them more.
  static constexpr std::size_t batch_max = 8;
  static constexpr std::uint64_t count_min = 10, count_max = 30;
  static constexpr int retries_max = 8;

  struct callbacks {
    // Whether the walk cares about this key at all.
    std::function<bool(const std::string&)> wanted;
    // A page's keys; may ask(). An error text makes the page be asked for again.
    std::function<std::string(const std::vector<walked_key>&)> visit;
    // All of the page has been dealt with.
    std::function<void(std::uint64_t cursor)> done;
    // The server is another process now: the walk begins anew.
    std::function<void()> restarted;
    // What the progress line says beside the keys seen.
    std::function<std::string()> more;
  };

  // Stands back on this machine unless the target says otherwise, and connects. The error says why the server cannot be
  // walked.
  [[nodiscard]] static std::expected<std::unique_ptr<walk>, std::string> open(const server_target& target,
                                                                              walk_request request, stop_request& stop);
  walk(const walk&) = delete;
  walk& operator=(const walk&) = delete;

  [[nodiscard]] walk_end run(const callbacks& call);
  // Waits for its turn, then asks.
  [[nodiscard]] net::answers ask(const net::question& what);
  // An error that goes away by itself: a throttle, a server that is starting. `visit` answers with its text.
  [[nodiscard]] static bool passing(const net::reply& answer);
  // A cluster's node that has given the key's slot to another one.
  [[nodiscard]] static bool lies_elsewhere(const net::reply& answer);
  void note_slots_moved() noexcept { slots_moved_ = true; }
  [[nodiscard]] bool slots_moved() const noexcept { return slots_moved_; }
  // Something was done, though the page is not: what fails next is a new trouble, not the same again.
  void note_success() noexcept { failures_ = 0; }
  [[nodiscard]] const server_facts& facts() const noexcept { return facts_; }
  [[nodiscard]] const keyspace::pacing& pace() const noexcept { return pace_; }
  [[nodiscard]] std::uint64_t keys_seen() const noexcept { return keys_seen_; }
  [[nodiscard]] std::uint64_t keys_in_db() const noexcept { return progress_.keys_total(); }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  // What `visit` says next is no passing trouble.
  void give_up() noexcept { fatal_ = true; }
  // What is to be said above the bar.
  void say(const std::string& text) { line_.say(text); }

 private:
  walk(server_target target, walk_request request, stop_request& stop, server_link link);
  [[nodiscard]] net::answers exchange(const net::question& what);
  [[nodiscard]] std::string look(bool first);
  [[nodiscard]] std::string measure_baseline();
  [[nodiscard]] std::string page(const callbacks& call, std::uint64_t& cursor);
  [[nodiscard]] std::expected<std::vector<walked_key>, std::string> ttls_of(std::vector<std::string> names);
  [[nodiscard]] std::string watch();
  [[nodiscard]] bool recover(const std::string& why, const callbacks& call, std::uint64_t& cursor);
  [[nodiscard]] std::string ping();

  server_target target_;
  walk_request request_;
  stop_request& stop_;
  server_link link_;
  server_facts facts_;
  keyspace::pacing pace_;
  keyspace::progress progress_;
  progress_line line_;
  std::uint64_t count_ = count_max, keys_seen_ = 0;
  std::uint64_t commands_before_ = 0, own_before_ = 0, own_of_old_links_ = 0;
  std::int64_t pinged_at_ = 0, looked_at_ = 0;
  int failures_ = 0;
  std::string failure_;
  bool fatal_ = false;
  bool link_lost_ = false;
  bool slots_moved_ = false;
  bool known_ = true;  // the link's server is the process that facts_ tell of
};

[[nodiscard]] std::int64_t steady_now();

}  // namespace tidegate::cli
