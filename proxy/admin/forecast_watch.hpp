// Keeps the forecast of a running proxy: an observation for each INFO that the control thread published.
//
// Thread safety: now() from any thread; start() and stop() from one. Ownership: owns its thread; borrows what it looks
// at, which outlives stop(). Invariants: (1) no worker and no client ever waits for it; (2) without a recent INFO the
// forecast is not known, and says so. Cost: looks four times a second, computes once an INFO.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "evidence/forecast/forecaster.hpp"
#include "proxy/session/engine.hpp"

namespace tidegate::admin {

class forecast_watch {
 public:
  static constexpr std::chrono::milliseconds look_every{250};
  static constexpr std::chrono::seconds info_stale_after{5};

  // written: everything written since the start, by TTL class; may be empty.
  forecast_watch(std::shared_ptr<session::upstream_state> upstream, std::function<forecast::traffic()> written);
  ~forecast_watch();
  forecast_watch(const forecast_watch&) = delete;
  forecast_watch& operator=(const forecast_watch&) = delete;

  void start();
  void stop();

  [[nodiscard]] forecast::forecast now() const;
  // What the thread does each time: takes an INFO that is new at `steady_now`.
  void look(std::int64_t steady_now, std::int64_t unix_ms);

 private:
  std::shared_ptr<session::upstream_state> upstream_;
  std::function<forecast::traffic()> written_;
  forecast::forecaster forecaster_;  // the thread's
  forecast::traffic total_;
  std::int64_t taken_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stopping_ = false;
  forecast::forecast said_;
  std::thread thread_;
};

}  // namespace tidegate::admin
