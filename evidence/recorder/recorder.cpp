#include "evidence/recorder/recorder.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace tidegate::recorder {

namespace {

using ledger::unix_ms;

unix_ms wall_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

drop_reason reason_of(ledger::trouble kind) noexcept {
  switch (kind) {
    case ledger::trouble::full:
      return drop_reason::disk;
    case ledger::trouble::busy:
      return drop_reason::busy;
    default:
      return drop_reason::error;
  }
}

// An epoch of 0 switches the workers' counting off: it is on before the first client comes.
counted switched_on(counted from) {
  std::uint32_t off = 0;
  from.upstream->evidence_epoch.compare_exchange_strong(off, 1);
  return from;
}

}  // namespace

recorder::recorder(recorder_options how)
    : how_(std::move(how)), collector_(switched_on(how_.from)), status_(*how_.what) {}

recorder::~recorder() {
  stop();
}

void recorder::start() {
  note("tidegate", "start", how_.version);
  thread_ = std::thread([this] { run(); });
}

void recorder::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (!thread_.joinable()) return;
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void recorder::take_info(ledger::upstream_row seen) {
  if (seen.write_calls) {
    const own_totals ours = totals_of(how_.from);
    seen.booked_calls = ours.booked;
    seen.own_calls = ours.own;
  }
  const std::scoped_lock lock(mutex_);
  if (seen.write_calls) ++answers_;
  seen.complete = seen.write_calls.has_value();
  info_ = std::move(seen);
  changed_.notify_all();
}

void recorder::note(std::string who, std::string what, std::string detail) {
  const std::scoped_lock lock(mutex_);
  if (changes_.size() == waiting_changes_max) changes_.pop_front();
  changes_.push_back({wall_now(), std::move(who), std::move(what), std::move(detail)});
}

std::string recorder::ledger_trouble() const {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

unix_ms recorder::next_boundary(unix_ms now) const noexcept {
  const unix_ms bucket = std::chrono::milliseconds(how_.ledger.bucket).count();
  return now - now % bucket + bucket;
}

void recorder::run() {
  unix_ms at = wall_now();
  write_out(at, false);  // a file that cannot be used is said at the start, not a bucket later
  for (;;) {
    const unix_ms until = next_boundary(at);
    bool stop = false;
    {
      std::unique_lock lock(mutex_);
      // In short steps: the wall clock may be set, and a retry may be due.
      while (!stopping_ && wall_now() < until && wall_now() >= at - 1000) {
        changed_.wait_for(lock, std::chrono::milliseconds(std::clamp<unix_ms>(until - wall_now(), 1, 100)));
        if (!waiting_.empty() && steady::now() >= retry_at_) break;
      }
      stop = stopping_;
    }
    const unix_ms now = wall_now();
    if (!stop && now < until && now >= at - 1000) {
      write_out(now, false);
      continue;
    }
    waiting_.push_back(close_bucket(at, std::max(now, at + 1), stop));
    waiting_rows_ += waiting_.back().rows();
    write_out(now, stop);
    keep_within_bounds(stop);
    if (stop) return;
    at = std::max(now, until);
  }
}

// Counters first, INFO then: what is asked of the upstream must not stretch the bucket.
ledger::bucket recorder::close_bucket(unix_ms at, unix_ms until, bool stopped) {
  ledger::bucket out;
  out.at = at;
  out.until = until;
  if (!stopped) follow_epoch();
  collector_.take(out, stopped);
  if (stopped) {
    const std::scoped_lock lock(mutex_);
    out.upstream = info_;  // the last word of the upstream; nobody is left to ask it again
    if (out.upstream) out.upstream->complete = false;
  } else {
    out.upstream = ask_info();
  }
  return out;
}

// A worker that sleeps follows when woken; one that is busy follows at its next turn, or its half is read next time.
void recorder::follow_epoch() {
  collector_.begin_epoch();
  how_.wake_workers();
  const steady::time_point until = steady::now() + epoch_patience;
  while (!collector_.acknowledged() && steady::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

std::optional<ledger::upstream_row> recorder::ask_info() {
  std::unique_lock lock(mutex_);
  const std::uint64_t before = answers_;
  how_.from.upstream->stats_wanted.fetch_add(1, std::memory_order_release);
  const bool answered = how_.from.upstream->reachable.load() &&
                        changed_.wait_for(lock, info_patience, [&] { return answers_ != before || stopping_; }) &&
                        answers_ != before;
  if (answered) return info_;
  return ledger::upstream_row{};
}

bool recorder::open_ledger(unix_ms now) {
  if (ledger_) return true;
  auto opened = ledger::writer::open({.path = how_.ledger.path,
                                      .instance = how_.instance,
                                      .version = how_.version,
                                      .bucket = how_.ledger.bucket,
                                      .keep = how_.ledger.keep,
                                      .max_size = how_.ledger.max_size,
                                      .suspect = suspect_},
                                     now);
  if (!opened) {
    fail(opened.error());
    return false;
  }
  ledger_ = std::move(*opened);
  suspect_ = false;
  if (!ledger_->moved_aside().empty()) {
    spdlog::error("ledger: {} was corrupt; it is now {}, and a new one begins", how_.ledger.path,
                  ledger_->moved_aside());
  }
  const bool was_down = !ledger_trouble().empty();
  spdlog::log(was_down ? spdlog::level::warn : spdlog::level::info, "ledger: writing {}", how_.ledger.path);
  {
    const std::scoped_lock lock(mutex_);
    trouble_.clear();
  }
  status_.ledger_up.store(true);
  return true;
}

// One line a trouble, not one a retry.
void recorder::fail(const ledger::failure& why) {
  status_.ledger_up.store(false);
  last_trouble_ = why.kind;
  retry_at_ = steady::now() + (why.kind == ledger::trouble::busy ? retry_busy : retry_full);
  bool news = false;
  {
    const std::scoped_lock lock(mutex_);
    news = trouble_ != why.text;
    trouble_ = why.text;
  }
  if (news) {
    spdlog::error("ledger: {}; traffic goes on, rows wait in memory and are tried again every {} s", why.text,
                  std::chrono::duration_cast<std::chrono::seconds>(retry_full).count());
  }
}

void recorder::write_out(unix_ms now, bool last) {
  if (!last && steady::now() < retry_at_) return;
  if (!open_ledger(now)) return;
  while (!waiting_.empty()) {
    const std::size_t rows = waiting_.front().rows();
    if (const auto done = ledger_->append(waiting_.front()); !done) {
      // A broken file is moved aside when it is opened again; a full disk is tried again as it is.
      suspect_ = done.error().kind == ledger::trouble::corrupt;
      if (suspect_) ledger_.reset();
      fail(done.error());
      return;
    }
    status_.ledger_rows.fetch_add(rows);
    waiting_rows_ -= rows;
    waiting_.pop_front();
  }
  std::deque<ledger::change_row> changes;
  {
    const std::scoped_lock lock(mutex_);
    changes.swap(changes_);
    trouble_.clear();
  }
  for (const ledger::change_row& change : changes) {
    if (const auto done = ledger_->note(change); !done) fail(done.error());
  }
  status_.ledger_up.store(true);
  status_.ledger_bytes.store(ledger_->bytes());
  if (!last) return;
  (void)ledger_->note({now, "tidegate", "stop", ""});
  if (const auto done = ledger_->close(now); !done) spdlog::error("ledger: {}", done.error().text);
  ledger_.reset();
}

void recorder::keep_within_bounds(bool last) {
  while (!waiting_.empty() && (last || waiting_rows_ > waiting_rows_max)) {
    const std::size_t rows = waiting_.front().rows();
    status_.ledger_dropped[static_cast<std::size_t>(reason_of(last_trouble_))].fetch_add(rows);
    waiting_rows_ -= rows;
    waiting_.pop_front();
  }
}

}  // namespace tidegate::recorder
