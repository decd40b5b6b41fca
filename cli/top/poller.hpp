// Asks the proxy at an interval on a thread of its own, so that keys are answered however slowly the proxy is.
//
// Thread safety: take() and pause() from any thread. Ownership: its thread; the client is its own copy. Invariant: one
// request at a time, and none while paused. Cost: four requests an interval.
#pragma once

#include <chrono>
#include <condition_variable>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cli/admin_client.hpp"
#include "cli/top/model.hpp"

namespace tidegate::cli::top {

using fetched = std::expected<answers, std::string>;

// One look. What this proxy does not serve (404) stays empty.
[[nodiscard]] fetched fetch(const admin_client& client);

class poller {
 public:
  poller(admin_client client, std::chrono::milliseconds interval);
  ~poller();
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  // What came since the last call.
  [[nodiscard]] std::optional<fetched> take();
  void pause(bool on);
  // The next look at once: something was changed.
  void hurry();

 private:
  void run(const std::stop_token& stop);

  const admin_client client_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::optional<fetched> latest_;
  bool paused_ = false, hurried_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidegate::cli::top
