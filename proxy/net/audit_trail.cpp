#include "proxy/net/audit_trail.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <future>
#include <memory>

namespace tidegate::net {

audit_trail::audit_trail(boost::asio::io_context& context, options opts)
    : context_(context), given_(std::move(opts)), log_(given_.path), timer_(context) {}

void audit_trail::refused(audit::refusal one) {
  {
    const std::scoped_lock lock(mutex_);
    const auto others = gate_.take(std::chrono::steady_clock::now());
    if (!others) return;
    one.not_written = *others;
  }
  boost::asio::post(context_, [this, one = std::move(one)] {
    write(one);
    await_the_rest(one);
  });
}

void audit_trail::write(const audit::refusal& one) {
  spdlog::warn("admin: {} {} was refused to {} ({})", one.method, one.path, one.who, one.status);
  if (given_.path.empty()) return;
  if (const auto done = log_.append(one); !done) spdlog::error("audit log: {}", done.error());
}

// When the minute is over, the last one that was written is followed by how many were not.
void audit_trail::await_the_rest(audit::refusal last) {
  if (waiting_) return;
  waiting_ = true;
  {
    const std::scoped_lock lock(mutex_);
    timer_.expires_at(gate_.minute_ends());
  }
  timer_.async_wait([this, last = std::move(last)](boost::system::error_code error) mutable {
    waiting_ = false;
    if (error) return;
    {
      const std::scoped_lock lock(mutex_);
      last.not_written = gate_.left_over(std::chrono::steady_clock::now());
    }
    if (last.not_written == 0) return;
    last.at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    write(last);
  });
}

std::expected<void, std::string> audit_trail::tell(audit::told one) {
  // Shared: whoever asks may have gone when the control thread comes to it.
  const auto promise = std::make_shared<std::promise<std::expected<void, std::string>>>();
  auto answer = promise->get_future();
  boost::asio::post(context_, [this, promise, one = std::move(one)] {
    spdlog::warn("{}: {} ({})", one.what, one.detail, one.who);
    if (given_.noted) given_.noted(one.who, one.what, one.detail);
    promise->set_value(given_.path.empty() ? std::expected<void, std::string>() : log_.append(one));
  });
  if (answer.wait_for(given_.patience) == std::future_status::ready) return answer.get();
  return std::unexpected(std::string("the proxy is shutting down, or too busy to say whether it was written down"));
}

}  // namespace tidegate::net
