#include "proxy/admin/forecast_watch.hpp"

#include <utility>

namespace tidegate::admin {
namespace {

forecast::traffic difference(const forecast::traffic& now, const forecast::traffic& before) {
  forecast::traffic since;
  // Series that are folded away may take a count with them for a moment: never below zero.
  const auto less = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
  for (std::size_t i = 0; i < since.bytes.size(); ++i) {
    since.bytes[i] = less(now.bytes[i], before.bytes[i]);
    since.writes[i] = less(now.writes[i], before.writes[i]);
  }
  return since;
}

}  // namespace

forecast_watch::forecast_watch(std::shared_ptr<session::upstream_state> upstream,
                               std::function<forecast::traffic()> written)
    : upstream_(std::move(upstream)), written_(std::move(written)) {}

forecast_watch::~forecast_watch() {
  stop();
}

void forecast_watch::start() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      look(std::chrono::steady_clock::now().time_since_epoch().count(),
           std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
               .count());
      lock.lock();
      changed_.wait_for(lock, look_every, [this] { return stopping_; });
    }
  });
}

void forecast_watch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

forecast::forecast forecast_watch::now() const {
  const std::lock_guard lock(mutex_);
  return said_;
}

void forecast_watch::look(std::int64_t steady_now, std::int64_t unix_ms) {
  const std::int64_t info_at = upstream_->info_at.load(std::memory_order_acquire);
  if (info_at == 0) return;
  const auto stale = std::chrono::nanoseconds(info_stale_after).count();
  if (info_at == taken_) {
    if (steady_now - info_at <= stale) return;
    const std::lock_guard lock(mutex_);
    said_.known = false;
    said_.why_unknown = "the upstream has not answered INFO for more than five seconds";
    return;
  }
  taken_ = info_at;
  forecast::observation seen;
  seen.at_ms = unix_ms - (steady_now - info_at) / 1'000'000;
  seen.used_memory = upstream_->memory_used.load(std::memory_order_relaxed);
  seen.maxmemory = upstream_->memory_max.load(std::memory_order_relaxed);
  seen.keys = upstream_->keys.load(std::memory_order_relaxed);
  if (written_) {
    const forecast::traffic total = written_();
    seen.written = difference(total, total_);
    total_ = total;
  }
  if (seen.used_memory == 0) return;  // INFO did not say it
  forecaster_.observe(seen);
  const std::lock_guard lock(mutex_);
  said_ = forecaster_.now();
}

}  // namespace tidegate::admin
