#include "proxy/net/cap_keeper.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <thread>

#include "evidence/audit/cap_file.hpp"

namespace tidegate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr milliseconds sweep_interval{1000};
constexpr std::chrono::microseconds look_interval{200};

std::string describe(const policy::cap& one) {
  std::string text = policy::to_string(one.action);
  for (const std::string& rate : {one.rate_text, one.bytes_text}) {
    if (!rate.empty()) text += " " + rate;
  }
  if (!one.key.empty()) text += " on " + one.key;
  return text + " until " + audit::utc_text(one.until);
}

void add(std::string* to, const std::string& text) {
  if (to == nullptr) return;
  *to += (to->empty() ? "" : "; ") + text;
}

}  // namespace

cap_keeper::cap_keeper(boost::asio::io_context& context, options opts)
    : context_(context), given_(std::move(opts)), log_(given_.audit_path), timer_(context) {}

void cap_keeper::start() {
  for (const policy::cap& one : given_.book.all()) {
    spdlog::warn("caps: {} is still under a {} ({})", one.client, describe(one), one.who);
    write_down("kept", "restart", one, nullptr);
  }
  sweep();
}

std::vector<policy::cap> cap_keeper::all() const {
  const std::scoped_lock lock(mutex_);
  return given_.book.all();
}

policy::cap_change cap_keeper::set(const policy::cap& one) {
  return ask({.set = one, .client = one.client, .who = one.who});
}

policy::cap_change cap_keeper::lift(const std::string& client, const std::string& who) {
  return ask({.set = std::nullopt, .client = client, .who = who});
}

// What the control thread answers, and where to look for it.
struct cap_keeper::pending {
  std::promise<policy::cap_change> promise;
  std::uint64_t generation = 0;
};

policy::cap_change cap_keeper::ask(wanted change) {
  // Shared: whoever asks may have gone when the control thread comes to it.
  const auto one = std::make_shared<pending>();
  std::future<policy::cap_change> answer = one->promise.get_future();
  boost::asio::post(context_,
                    [this, one, change = std::move(change)] { one->promise.set_value(run(change, one->generation)); });
  if (answer.wait_for(given_.patience) != std::future_status::ready) {
    policy::cap_change none;
    none.unknown = true;
    none.trouble = "the proxy is shutting down, or too busy to say whether anything was changed";
    return none;
  }
  policy::cap_change made = answer.get();
  if (!made.what) return made;
  const auto until = steady_clock::now() + given_.patience;
  while (given_.in_use() < one->generation && steady_clock::now() < until) std::this_thread::sleep_for(look_interval);
  made.in_force = given_.in_use() >= one->generation;
  if (!made.in_force) add(&made.trouble, "not every worker has taken it up yet; it will at its next turn");
  return made;
}

policy::cap_change cap_keeper::run(const wanted& change, std::uint64_t& generation) {
  policy::cap_change made = change_book(change);
  if (!made.what) return made;
  // First in force, then on the disk, which may be slow.
  generation = given_.publish();
  save(&made.trouble);
  const policy::cap& one = *made.what;
  if (change.set) {
    spdlog::warn("caps: {} under a {} by {}{}{}", one.client, describe(one), one.who, one.why.empty() ? "" : ": ",
                 one.why);
    write_down(policy::to_string(one.action), change.who, one, &made.trouble);
  } else {
    spdlog::warn("caps: {} no longer under a {}; lifted by {}", one.client, describe(one), change.who);
    write_down("uncap", change.who, one, &made.trouble);
  }
  return made;
}

policy::cap_change cap_keeper::change_book(const wanted& change) {
  const std::scoped_lock lock(mutex_);
  policy::cap_change made;
  if (!change.set) {
    made.what = given_.book.lift(change.client);
  } else if (const auto done = given_.book.set(*change.set)) {
    made.what = change.set;
  } else {
    made.trouble = done.error();
  }
  return made;
}

void cap_keeper::write_down(const char* what, const std::string& who, const policy::cap& one, std::string* trouble) {
  if (given_.noted) {
    given_.noted(who, what, one.client + ": " + describe(one) + (one.why.empty() ? "" : ", " + one.why));
  }
  if (given_.audit_path.empty()) return;
  const auto now = std::chrono::floor<milliseconds>(system_clock::now());
  if (const auto done = log_.append(audit::entry{.at = now, .what = what, .who = who, .cap = one}); !done) {
    spdlog::error("audit log: {}", done.error());
    add(trouble, "the audit log cannot be written: " + done.error());
  }
}

void cap_keeper::save(std::string* trouble) {
  if (given_.state_path.empty()) return;
  if (const auto done = audit::save_caps(given_.state_path, given_.book.all()); !done) {
    spdlog::error("caps: {}", done.error());
    add(trouble, "a restart will not remember it: " + done.error());
  }
}

void cap_keeper::sweep() {
  std::vector<policy::cap> ended;
  {
    const std::scoped_lock lock(mutex_);
    ended = given_.book.end(std::chrono::floor<std::chrono::seconds>(system_clock::now()));
  }
  for (const policy::cap& one : ended) {
    spdlog::warn("caps: the {} of {} has ended", describe(one), one.client);
    write_down("ended", "time", one, nullptr);
  }
  if (!ended.empty()) {
    (void)given_.publish();
    save(nullptr);
  }
  milliseconds next = sweep_interval;
  if (const auto end = given_.book.next_end()) {
    const auto left = std::chrono::ceil<milliseconds>(*end - system_clock::now());
    next = std::clamp(left, milliseconds(1), sweep_interval);
  }
  timer_.expires_after(next);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) sweep();
  });
}

}  // namespace tidegate::net
