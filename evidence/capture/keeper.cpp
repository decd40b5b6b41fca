#include "evidence/capture/keeper.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "resp/encoder.hpp"

namespace tidegate::capture {

namespace {

using recorder::drop_reason;
using session::capture_command;
using session::capture_message;
using session::capture_ring;

std::int64_t wall_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

keeper::keeper(keeper_options how)
    : how_(std::move(how)),
      files_({.directory = how_.rules.directory,
              .instance = how_.instance,
              .digested = !how_.rules.values || how_.rules.sample < 1.0,
              .rotate = how_.rules.rotate,
              .max_size = how_.rules.max_size,
              .keep = how_.rules.keep}) {
  for (session::capture_ring* ring : how_.rings) workers_.emplace_back().ring = ring;
  table_ = how_.commands();
  how_.status->capture_up.store(true);
}

keeper::~keeper() {
  stop();
}

void keeper::start() {
  thread_ = std::thread([this] { run(); });
}

void keeper::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (!thread_.joinable()) return;
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void keeper::run() {
  for (;;) {
    bool stop = false;
    {
      std::unique_lock lock(mutex_);
      stop = stopping_;
    }
    const std::int64_t now = wall_now();
    const bool busy = drain(now);
    if (stop && !busy) break;
    if (files_.compress_some() || busy) continue;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, poll_interval, [&] { return stopping_; });
  }
  files_.close();
}

bool keeper::drain(std::int64_t now_ms) {
  table_ = how_.commands();
  bool any = false;
  for (worker& one : workers_) {
    any = take(one, now_ms) || any;
    count_drops(one);
  }
  flush(now_ms);
  warn_of_values(now_ms);
  return any;
}

void keeper::warn_of_values(std::int64_t now_ms) {
  if (!how_.rules.values || how_.rules.sample < 1.0 || now_ms < warn_at_ms_) return;
  warn_at_ms_ = now_ms + std::chrono::milliseconds(warn_interval).count();
  spdlog::warn("capture: values are kept in {}, and may be personal data; `values: false` and a restart end it",
               how_.rules.directory);
}

// A bounded number of messages a call: files are flushed in between.
bool keeper::take(worker& from, std::int64_t now_ms) {
  constexpr int slice = 4096;
  int taken = 0;
  for (; taken < slice; ++taken) {
    const capture_message* message = from.ring->front();
    if (message == nullptr) break;
    switch (message->kind) {
      case capture_message::what::command:
        take_command(from, *message);
        break;
      case capture_message::what::executed:
      case capture_message::what::forgotten:
        take_outcome(from, *message);
        break;
      case capture_message::what::begin:
        from.in_transaction = true;
        from.transaction.clear();
        break;
      case capture_message::what::end:
        if (!from.transaction.empty()) {
          files_.begin_transaction();
          for (const waiting& one : from.transaction) write(one);
          files_.end_transaction();
        }
        from.transaction.clear();
        from.in_transaction = false;
        break;
      case capture_message::what::padding:
        break;
    }
    from.ring->pop(*message);
    if (files_.full()) flush(now_ms);
  }
  return taken > 0;
}

void keeper::take_command(worker& from, const capture_message& message) {
  const char* at = reinterpret_cast<const char*>(&message) + sizeof message;
  capture_command of;
  std::memcpy(&of, at, sizeof of);
  from.waits.put(message, of, {at + sizeof of, message.size - sizeof message - sizeof of});
  while (from.waits.bytes() > waiting_bytes_max && from.waits.forget_oldest()) {
    how_.status->capture_dropped[static_cast<std::size_t>(drop_reason::unanswered)].fetch_add(1);
  }
}

void keeper::take_outcome(worker& from, const capture_message& message) {
  from.waits.take(message.number, [&](waiting& found) {
    if (message.kind != capture_message::what::executed) return;
    if (from.in_transaction) {
      from.transaction.push_back(std::move(found));
    } else {
      write(found);
    }
  });
}

void keeper::write(const waiting& what) {
  if (retry_at_ms_ != 0) {
    how_.status->capture_dropped[static_cast<std::size_t>(drop_reason::disk)].fetch_add(1);
    return;
  }
  const std::size_t count = what.head.arguments;
  refs_.resize(count);
  auto offset = static_cast<std::uint32_t>(sizeof(std::uint32_t) * count);
  for (std::size_t index = 0; index < count; ++index) {
    std::uint32_t length = 0;
    std::memcpy(&length, what.arguments.data() + sizeof length * index, sizeof length);
    refs_[index] = {offset, length};
    offset += length;
  }
  const resp::request request{.raw = {}, .base = what.arguments.data(), .refs = refs_, .is_inline = false};
  const bool digests = !how_.rules.values || how_.rules.sample < 1.0;
  is_key_.assign(count, !digests);
  if (digests) {
    const resp::command_spec& spec = table_->by_id(what.head.command);
    // The name, and a subcommand's; what is unknown is a value.
    is_key_[0] = true;
    if (spec.name.find('|') != std::string_view::npos && count > 1) is_key_[1] = true;
    if (resp::find_keys(spec, request, keys_)) {
      for (const resp::key_ref& key : keys_) is_key_[key.index] = true;
    }
  }
  encoded_.clear();
  resp::append_array_header(encoded_, count);
  for (std::size_t index = 0; index < count; ++index) {
    const std::string_view argument = request[index];
    if (is_key_[index] || digest::may_stay(argument)) {
      resp::append_bulk(encoded_, argument);
      continue;
    }
    resp::append_number_line(encoded_, '$', static_cast<std::int64_t>(argument.size()));
    digest_.append(encoded_, argument);
    encoded_ += "\r\n";
  }
  if (source_text_.empty() || source_.v6 != what.head.v6 || source_.bytes != what.of.source) {
    source_.v6 = what.head.v6;
    source_.bytes = what.of.source;
    source_text_ = source_.to_string();
  }
  files_.write({.wall_ms = what.of.wall_ms,
                .client = how_.registry->client_name(what.of.client),
                .source = source_text_,
                .pattern = how_.registry->pattern_name(what.of.pattern),
                .session = what.of.session,
                .db = what.of.db},
               encoded_);
}

void keeper::count_drops(worker& from) {
  constexpr std::array reasons = {drop_reason::ring, drop_reason::size, drop_reason::credentials};
  for (std::size_t cause = 0; cause < reasons.size(); ++cause) {
    const std::uint64_t now = from.ring->dropped(static_cast<capture_ring::cause>(cause));
    how_.status->capture_dropped[static_cast<std::size_t>(reasons[cause])].fetch_add(now - from.dropped[cause]);
    from.dropped[cause] = now;
  }
}

void keeper::flush(std::int64_t now_ms) {
  if (retry_at_ms_ != 0 && now_ms >= retry_at_ms_) retry_at_ms_ = 0;
  const file_writer::flushed done = files_.flush(now_ms);
  if (done.records == 0) return;
  if (done.error.empty()) {
    how_.status->capture_records.fetch_add(done.records);
    how_.status->capture_bytes.fetch_add(done.bytes);
    if (!trouble_.empty()) spdlog::warn("capture: writing again, {}", files_.path());
    trouble_.clear();
    how_.status->capture_up.store(true);
    return;
  }
  how_.status->capture_dropped[static_cast<std::size_t>(drop_reason::disk)].fetch_add(done.records);
  how_.status->capture_up.store(false);
  retry_at_ms_ = now_ms + std::chrono::milliseconds(retry_interval).count();
  if (trouble_.empty()) {
    spdlog::error("capture: {}; traffic goes on, commands are dropped and counted, a new file is tried every {} s",
                  done.error, std::chrono::duration_cast<std::chrono::seconds>(retry_interval).count());
  }
  trouble_ = done.error;
}

}  // namespace tidegate::capture
