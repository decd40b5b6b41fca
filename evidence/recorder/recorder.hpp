// The recording thread: closes a bucket by the clock, asks for the upstream's INFO, writes the ledger.
//
// Thread safety: take_info() and note() from any thread; start() and stop() from one. Ownership: owns its
// thread and files; borrows the counters, which must outlive stop(). Invariants: (1) no worker and no client ever
// waits for it; (2) what cannot be written waits, within waiting_rows_max, and is then dropped oldest first and
// counted; (3) stop(), called when the workers have stopped, writes what is left, so the ledger then equals the
// counters. Cost: a pass over the counters a bucket, a look at the clock ten times a second.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/config.hpp"
#include "evidence/ledger/writer.hpp"
#include "evidence/recorder/collector.hpp"
#include "evidence/recorder/status.hpp"

namespace tidegate::recorder {

inline constexpr std::size_t waiting_rows_max = 200'000;
inline constexpr std::size_t waiting_changes_max = 10'000;
inline constexpr std::chrono::milliseconds retry_full{5000}, retry_busy{1000};
inline constexpr std::chrono::milliseconds info_patience{1500};  // for the INFO at a bucket's end
inline constexpr std::chrono::milliseconds epoch_patience{200};  // for the workers to follow

struct recorder_options {
  config::ledger ledger;
  std::string instance, version;
  counted from;
  std::function<void()> wake_workers;
  status* what = nullptr;  // outlives the recorder
};

class recorder {
 public:
  explicit recorder(recorder_options how);
  ~recorder();
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

  // Before the workers start, so that their first write counts.
  void start();
  void stop();

  // Control's INFO. write_calls in it: it answers upstream_state::stats_wanted; this fills in our own totals.
  void take_info(ledger::upstream_row seen);
  void note(std::string who, std::string what, std::string detail);
  // Why the ledger is down; empty while it is up.
  [[nodiscard]] std::string ledger_trouble() const;

 private:
  using steady = std::chrono::steady_clock;
  void run();
  [[nodiscard]] ledger::unix_ms next_boundary(ledger::unix_ms now) const noexcept;
  [[nodiscard]] ledger::bucket close_bucket(ledger::unix_ms at, ledger::unix_ms until, bool stopped);
  void follow_epoch();
  [[nodiscard]] std::optional<ledger::upstream_row> ask_info();
  void write_out(ledger::unix_ms now, bool last);
  [[nodiscard]] bool open_ledger(ledger::unix_ms now);
  void fail(const ledger::failure& why);
  void keep_within_bounds(bool last);

  recorder_options how_;
  collector collector_;
  status& status_;
  std::unique_ptr<ledger::writer> ledger_;
  std::deque<ledger::bucket> waiting_;
  std::size_t waiting_rows_ = 0;
  steady::time_point retry_at_{};
  ledger::trouble last_trouble_ = ledger::trouble::other;
  bool suspect_ = false;

  mutable std::mutex mutex_;  // guards what follows; no worker takes it
  std::condition_variable changed_;
  bool stopping_ = false;
  std::optional<ledger::upstream_row> info_;
  std::uint64_t answers_ = 0;  // INFO with write_calls
  std::deque<ledger::change_row> changes_;
  std::string trouble_;
  std::thread thread_;
};

}  // namespace tidegate::recorder
