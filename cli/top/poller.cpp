#include "cli/top/poller.hpp"

#include <utility>

namespace tidegate::cli::top {

fetched fetch(const admin_client& client) {
  answers got;
  const auto get = [&client](const char* path, std::string& into, bool must_be) -> std::expected<void, std::string> {
    auto answer = client.get(path);
    if (answer) {
      into = std::move(answer->body);
    } else if (must_be || answer.error().status != 404) {
      return std::unexpected(answer.error().text);
    }
    return {};
  };
  if (auto done = get("/api/v1/live", got.live, true); !done) return std::unexpected(done.error());
  if (auto done = get("/api/v1/writes", got.writes, true); !done) return std::unexpected(done.error());
  if (auto done = get("/api/v1/caps", got.caps, false); !done) return std::unexpected(done.error());
  if (auto done = get("/api/v1/forecast", got.forecast, false); !done) return std::unexpected(done.error());
  return got;
}

poller::poller(admin_client client, std::chrono::milliseconds interval)
    : client_(std::move(client)), interval_(interval), thread_([this](const std::stop_token& stop) { run(stop); }) {}

poller::~poller() = default;  // the jthread asks its function to stop, and waits

void poller::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    fetched got = fetch(client_);
    std::unique_lock lock(mutex_);
    latest_ = std::move(got);
    wake_.wait_for(lock, stop, interval_, [this] { return hurried_; });
    wake_.wait(lock, stop, [this] { return !paused_ || hurried_; });
    hurried_ = false;
  }
}

std::optional<fetched> poller::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(latest_, std::nullopt);
}

void poller::pause(bool on) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = on;
  }
  wake_.notify_all();
}

void poller::hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }
  wake_.notify_all();
}

}  // namespace tidegate::cli::top
