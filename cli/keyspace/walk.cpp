#include "cli/keyspace/walk.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "cli/keyspace/run_delay.hpp"
#include "cli/keyspace/stand_back.hpp"
#include "evidence/keyspace/mending.hpp"

namespace tidegate::cli {
namespace {

constexpr std::int64_t millisecond = 1'000'000, second = 1'000'000'000;
constexpr std::int64_t ping_every = 50 * millisecond;
constexpr std::int64_t look_every = second;
constexpr std::int64_t slow_scan = millisecond;  // a SCAN that takes so much longer than a PING asks for fewer keys
constexpr std::uint64_t buckets_a_token = 10;    // what a SCAN walks past costs the server a tenth of a command each
constexpr std::int64_t retry_first = 250 * millisecond;

// Errors that pass by themselves: a throttle of the proxy's, a server that starts, a script that holds it up.
bool passes_by_itself(std::string_view error) {
  for (const std::string_view code : {"THROTTLED", "LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN",
                                      "ERR upstream", "READONLY", "ERR max number of clients"}) {
    if (error.starts_with(code)) return true;
  }
  return false;
}

// The proxy says how long a throttled command has to wait.
std::int64_t wait_of(const std::string& error) {
  constexpr std::string_view field = "retry_after_ms=";
  const std::size_t at = error.find(field);
  std::int64_t wait = 0;
  if (at != std::string::npos) {
    std::from_chars(error.data() + at + field.size(), error.data() + error.size(), wait);
  }
  return std::clamp<std::int64_t>(wait, 0, 10'000) * millisecond;
}

std::string text_of(const net::reply& reply) {
  return reply.text.substr(0, 300);
}

std::optional<std::uint64_t> number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::int64_t steady_now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

bool walk::passing(const net::reply& answer) {
  return answer.is_error() && passes_by_itself(answer.text);
}

bool walk::lies_elsewhere(const net::reply& answer) {
  return answer.is_error() && (answer.text.starts_with("MOVED ") || answer.text.starts_with("ASK "));
}

walk::walk(server_target target, walk_request request, stop_request& stop, server_link link)
    : target_(std::move(target)),
      request_(std::move(request)),
      stop_(stop),
      link_(std::move(link)),
      pace_(request_.rate, steady_now()),
      progress_(0, steady_now(), keyspace::cursor_fraction(request_.cursor)),
      line_(request_.quiet) {}

std::expected<std::unique_ptr<walk>, std::string> walk::open(const server_target& target, walk_request request,
                                                             stop_request& stop) {
  if (target.stands_back) stand_back();
  auto link = server_link::open(target, request.client_name);
  if (!link) return std::unexpected(link.error());
  std::unique_ptr<walk> made(new walk(target, std::move(request), stop, std::move(*link)));
  std::string wrong = made->look(true);
  if (wrong.empty()) wrong = made->measure_baseline();
  if (!wrong.empty()) return std::unexpected(target.name + ": " + wrong);
  return made;
}

// INFO and DBSIZE: who the server is, and what it has to do.
std::string walk::look(bool first) {
  net::question asked;
  asked.add("info", {"INFO"});
  asked.add("dbsize", {"DBSIZE"});
  const net::answers got = exchange(asked);
  if (!got) return got.error();
  for (const net::reply& one : *got) {
    if (passing(one)) return text_of(one);
  }
  if (got->front().is_error()) {
    fatal_ = true;
    return "it does not say what it is: " + text_of(got->front()) + " (the user needs +info)";
  }
  server_facts now = read_facts(got->front().text);
  if (now.cluster && !target_.cluster_node) {
    fatal_ = true;
    return "it runs in cluster mode now, which it did not before: run it again";
  }
  if (now.loading) return "LOADING: it is still reading its data";
  if (!got->back().is_error())
    progress_.total(static_cast<std::uint64_t>(std::max<std::int64_t>(0, got->back().integer)));
  const std::int64_t time = steady_now();
  const std::uint64_t own = own_of_old_links_ + link_.sent();
  if (!first && time > looked_at_ && now.run_id == facts_.run_id) {
    const double seconds = static_cast<double>(time - looked_at_) / 1e9;
    const double all = static_cast<double>(now.commands) - static_cast<double>(commands_before_);
    pace_.loaded({.memory_fraction = now.memory_fraction(),
                  .evicted_keys = now.evicted_keys,
                  .others_per_second = std::max(0.0, (all - static_cast<double>(own - own_before_)) / seconds)},
                 time);
  }
  looked_at_ = time;
  commands_before_ = now.commands;
  own_before_ = own;
  if (!first && now.run_id != facts_.run_id) return "the server is another process than before";
  facts_ = std::move(now);
  return {};
}

std::string walk::measure_baseline() {
  while (!pace_.has_baseline()) {
    if (std::string wrong = ping(); !wrong.empty()) return wrong;
    stop_.sleep(5 * millisecond);  // spread over a few of the server's turns
  }
  return {};
}

std::string walk::ping() {
  net::question asked;
  asked.add("ping", {"PING"});
  const run_delay queued;
  const std::int64_t begin = steady_now();
  const net::answers got = exchange(asked);
  if (!got) return got.error();
  pinged_at_ = steady_now();
  pace_.answered(std::max<std::int64_t>(0, pinged_at_ - begin - queued.since()), pinged_at_);
  return {};
}

net::answers walk::ask(const net::question& what) {
  while (const std::int64_t wait = pace_.ask(what.names().size(), steady_now())) stop_.sleep(std::min(wait, second));
  return exchange(what);
}

net::answers walk::exchange(const net::question& what) {
  net::answers got = link_.ask(what);
  if (!got) link_lost_ = true;
  return got;
}

std::expected<std::vector<walked_key>, std::string> walk::ttls_of(std::vector<std::string> names) {
  std::vector<walked_key> keys;
  for (std::size_t begin = 0; begin < names.size(); begin += batch_max) {
    const std::size_t end = std::min(begin + batch_max, names.size());
    net::question asked;
    for (std::size_t i = begin; i < end; ++i) asked.add("pttl", {"PTTL", names[i]});
    const net::answers got = ask(asked);
    if (!got) return std::unexpected(got.error());
    for (std::size_t i = begin; i < end; ++i) {
      const net::reply& ttl = (*got)[i - begin];
      if (passing(ttl)) return std::unexpected(text_of(ttl));
      if (lies_elsewhere(ttl)) {
        slots_moved_ = true;
        continue;
      }
      if (ttl.is_error()) {
        fatal_ = true;
        return std::unexpected("PTTL was refused: " + text_of(ttl) + " (the user needs +pttl on these keys)");
      }
      if (ttl.integer != keyspace::ttl_gone) keys.push_back({.name = std::move(names[i]), .ttl_ms = ttl.integer});
    }
  }
  return keys;
}

// What else is to be known between two pages.
std::string walk::watch() {
  const std::int64_t now = steady_now();
  if (now - pinged_at_ >= ping_every) {
    if (std::string wrong = ping(); !wrong.empty()) return wrong;
  }
  if (now - looked_at_ >= look_every) return look(false);
  return {};
}

std::string walk::page(const callbacks& call, std::uint64_t& cursor) {
  net::question asked;
  const std::string from = std::to_string(cursor), count = std::to_string(count_);
  std::vector<std::string_view> words{"SCAN", from, "COUNT", count};
  if (!request_.match.empty()) words.insert(words.end(), {"MATCH", request_.match});
  asked.add("scan", words);
  while (const std::int64_t wait = pace_.ask(1 + count_ / buckets_a_token, steady_now())) {
    if (stop_.sleep(std::min(wait, second))) return {};
  }
  const run_delay queued;
  const std::int64_t begin = steady_now();
  const net::answers got = exchange(asked);
  if (!got) return got.error();
  const bool slow = steady_now() - begin - queued.since() > pace_.baseline() * 2 + slow_scan;
  const net::reply& reply = got->front();
  if (reply.is_error()) {
    if (passing(reply)) return text_of(reply);
    fatal_ = true;
    return "SCAN was refused: " + text_of(reply);
  }
  const auto next = reply.items.size() == 2 ? number(reply.items[0].text) : std::nullopt;
  if (!next) {
    fatal_ = true;
    return "SCAN's answer is not understood";
  }
  std::vector<std::string> names;
  for (const net::reply& item : reply.items[1].items) {
    if (call.wanted(item.text)) names.push_back(item.text);
  }
  auto keys = ttls_of(std::move(names));
  if (!keys) return keys.error();
  if (std::string wrong = call.visit(*keys); !wrong.empty()) return wrong;
  keys_seen_ += reply.items[1].items.size();
  cursor = *next;
  call.done(cursor);
  count_ = std::clamp(slow ? count_ / 2 : count_ + count_ / 4, count_min, count_max);
  progress_.page(cursor, keys_seen_, steady_now());
  // With MATCH the server does not say how many keys it walked past.
  if (!request_.match.empty()) {
    keys_seen_ = static_cast<std::uint64_t>(progress_.fraction() * static_cast<double>(progress_.keys_total()));
  }
  return {};
}

// False when there is no going on.
bool walk::recover(const std::string& why, const callbacks& call, std::uint64_t& cursor) {
  failure_ = why;
  known_ = false;
  if (fatal_ || ++failures_ > retries_max) return false;
  // A throttle is how a limit works, not something to report each time.
  if (!why.starts_with("THROTTLED")) line_.say("tidegate: " + why + "; trying again");
  if (stop_.sleep(std::max(wait_of(why), retry_first << std::min(failures_ - 1, 6)))) return true;
  const std::string run_id = facts_.run_id;
  if (link_lost_) {
    auto link = server_link::open(target_, request_.client_name);
    if (!link) {
      failure_ = link.error();
      return true;
    }
    own_of_old_links_ += link_.sent();
    link_ = std::move(*link);
    link_lost_ = false;
  }
  if (std::string wrong = look(true); !wrong.empty()) {
    failure_ = wrong;
    return !fatal_;
  }
  if (run_id.empty() || facts_.run_id != run_id) {
    line_.say("tidegate: the server is another process now: its cursors mean something else, so the walk begins anew");
    cursor = 0;
    keys_seen_ = 0;
    progress_ = keyspace::progress(progress_.keys_total(), steady_now());
    call.restarted();
  }
  known_ = true;
  return true;
}

walk_end walk::run(const callbacks& call) {
  std::uint64_t cursor = request_.cursor;
  if (cursor != 0 && (facts_.run_id.empty() || facts_.run_id != request_.run_id)) {
    line_.say("tidegate: the server is not the process that the cursor came from: the walk begins anew");
    cursor = 0;
    progress_ = keyspace::progress(progress_.keys_total(), steady_now());
    call.restarted();
  }
  bool begun = false;
  while (!begun || cursor != 0) {
    if (stop_.asked()) return walk_end::stopped;
    const std::uint64_t before = keys_seen_, at = cursor;
    // A link whose server has not yet said who it is must not be given an old cursor.
    std::string wrong = known_ ? watch() : failure_;
    if (wrong.empty()) wrong = page(call, cursor);
    // The last page may come from another process than the first.
    if (wrong.empty() && cursor == 0 && (begun || at != 0)) wrong = look(false);
    if (stop_.asked() && cursor == at) return walk_end::stopped;
    if (!wrong.empty()) {
      if (!recover(wrong, call, cursor)) return walk_end::failed;
      begun = begun && cursor != 0;
      continue;
    }
    begun = true;
    if (keys_seen_ != before || cursor != at) failures_ = 0;
    line_.show(progress_, keys_seen_, call.more(), steady_now());
  }
  progress_.finish();
  if (!request_.match.empty()) keys_seen_ = progress_.keys_total();
  line_.show(progress_, keys_seen_, call.more(), steady_now(), true);
  return walk_end::finished;
}

}  // namespace tidegate::cli
