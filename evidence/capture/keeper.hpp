// The capture's thread: takes commands and their outcomes from the workers' rings, and writes those that were executed.
//
// Thread safety: start() and stop() from one thread. Ownership: owns its thread and files; the rings outlive it.
// Invariants: (1) no worker waits for it; (2) the order within a worker is that of the replies, so within a session and
// a transaction it is Redis's; (3) what waits for its outcome is bounded (waiting_bytes_max a worker): the oldest is
// dropped and counted; (4) while the disk refuses, commands are dropped and counted, and a new file is tried every few
// seconds. Cost: a look at the rings a hundred times a second; a copy of each command.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "attribution/registry.hpp"
#include "config/config.hpp"
#include "evidence/capture/digest.hpp"
#include "evidence/capture/file_writer.hpp"
#include "evidence/capture/unanswered.hpp"
#include "evidence/recorder/status.hpp"
#include "proxy/session/capture_ring.hpp"
#include "resp/command_table.hpp"

namespace tidegate::capture {

inline constexpr std::size_t waiting_bytes_max = 64UL << 20;
inline constexpr std::chrono::milliseconds poll_interval{10};
inline constexpr std::chrono::milliseconds retry_interval{5000};
inline constexpr std::chrono::milliseconds warn_interval{60'000};  // of values that are kept

struct keeper_options {
  config::capture rules;
  std::string instance;
  std::vector<session::capture_ring*> rings;  // one a worker
  std::shared_ptr<attribution::registry> registry;
  std::function<std::shared_ptr<const resp::command_table>()> commands;
  recorder::status* status = nullptr;
};

class keeper {
 public:
  explicit keeper(keeper_options how);
  ~keeper();
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;

  void start();
  // When the workers have stopped: what is in the rings is written, the last file closed.
  void stop();
  // One pass over the rings; for start()'s thread, and for tests. False: nothing was there.
  bool drain(std::int64_t now_ms);

 private:
  struct worker {
    session::capture_ring* ring = nullptr;
    unanswered waits;
    std::vector<waiting> transaction;
    bool in_transaction = false;
    std::array<std::uint64_t, 3> dropped{};
  };
  void run();
  bool take(worker& from, std::int64_t now_ms);
  void take_command(worker& from, const session::capture_message& message);
  void take_outcome(worker& from, const session::capture_message& message);
  void write(const waiting& what);
  void count_drops(worker& from);
  void flush(std::int64_t now_ms);
  void warn_of_values(std::int64_t now_ms);

  keeper_options how_;
  digest digest_;
  file_writer files_;
  std::vector<worker> workers_;
  std::shared_ptr<const resp::command_table> table_;
  std::string encoded_;
  attribution::address source_;  // the last one, and its text
  std::string source_text_;
  std::vector<resp::arg_ref> refs_;
  std::vector<resp::key_ref> keys_;
  std::vector<bool> is_key_;
  std::int64_t retry_at_ms_ = 0;
  std::int64_t warn_at_ms_ = 0;
  std::string trouble_;
  std::mutex mutex_;  // guards stopping_; no worker takes it
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tidegate::capture
