#include "bench/load/crowd.hpp"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace tidegate::load {
namespace {

constexpr std::int64_t second = 1'000'000'000;

std::int64_t clock_ns(clockid_t which) {
  timespec now{};
  ::clock_gettime(which, &now);
  return static_cast<std::int64_t>(now.tv_sec) * second + now.tv_nsec;
}

std::int64_t now_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

// Measures a run from its making to finish().
class stopwatch {
 public:
  void finish(run_result& into) const {
    into.seconds = static_cast<double>(now_ns() - begun_) / second;
    into.own_cpu_seconds = static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun_) / second;
  }

 private:
  std::int64_t begun_ = now_ns();
  std::int64_t cpu_begun_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
};

}  // namespace

crowd::crowd(const crowd_shape& shape, const script& words, const tls_client* tls)
    : words_(words), pipeline_(shape.pipeline), epoll_(::epoll_create1(EPOLL_CLOEXEC)), scratch_(scratch_bytes) {
  if (epoll_ < 0) throw std::runtime_error("no epoll descriptor");
  clients_.reserve(shape.connections);
  for (std::size_t index = 0; index < shape.connections; ++index) {
    client& made = clients_.emplace_back(endpoint(shape.host, shape.port, tls));
    if (shape.names != 0) {
      const std::string name = "app" + std::to_string(index % shape.names) + "-pod";
      made.io.exchange(
          "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$" + std::to_string(name.size()) + "\r\n" + name + "\r\n", "+OK\r\n");
    }
    made.io.nonblocking();
    made.place = words.place_of(index, shape.connections);
    epoll_event wanted{.events = EPOLLIN, .data = {.u64 = index}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, made.io.descriptor(), &wanted) != 0)
      throw std::runtime_error(std::string("watching a connection: ") + std::strerror(errno));
  }
}

crowd::~crowd() {
  if (epoll_ >= 0) ::close(epoll_);
}

void crowd::watch(client& who, bool writing) {
  if (who.wants_write == writing) return;
  who.wants_write = writing;
  epoll_event wanted{.events = EPOLLIN | (writing ? EPOLLOUT : 0U),
                     .data = {.u64 = static_cast<std::uint64_t>(&who - clients_.data())}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, who.io.descriptor(), &wanted);
}

void crowd::flush(client& who) {
  while (!who.unsent.empty()) {
    const std::size_t taken = who.io.write(who.unsent);
    if (taken == 0) break;
    who.unsent.remove_prefix(taken);
  }
  watch(who, !who.unsent.empty());
}

void crowd::say(client& who, std::size_t count) {
  const std::string_view bytes = words_.commands(who.place, count);
  // What is behind in the script is behind in memory, so that an unsent rest simply grows.
  const bool contiguous = !who.unsent.empty() && who.unsent.data() + who.unsent.size() == bytes.data();
  if (!who.unsent.empty() && !contiguous) throw std::runtime_error("a client wrapped with commands unsent");
  who.unsent = contiguous ? std::string_view(who.unsent.data(), who.unsent.size() + bytes.size()) : bytes;
  who.place = (who.place + count) % words_.size();
  who.said += count;
  if (!who.wants_write) flush(who);
}

void crowd::complain(const client& who, std::string_view got) const {
  throw std::runtime_error("reply " + std::to_string(who.heard) + " of client " +
                           std::to_string(&who - clients_.data()) +
                           " is not what Redis says: " + std::string(got.substr(0, 200)));
}

std::uint64_t crowd::hear(client& who) {
  const std::string_view pair = words_.replies();
  std::uint64_t ended = 0;
  while (true) {
    const std::size_t count = who.io.read(scratch_);
    if (count == 0) break;
    std::string_view rest(scratch_.data(), count);
    while (!rest.empty()) {
      const std::string_view awaited = pair.substr(who.heard_in_pair, rest.size());
      if (rest.substr(0, awaited.size()) != awaited) complain(who, rest);
      ended += words_.replies_within(who.heard_in_pair + awaited.size()) - words_.replies_within(who.heard_in_pair);
      who.heard_in_pair = (who.heard_in_pair + awaited.size()) % pair.size();
      rest.remove_prefix(awaited.size());
    }
    // A plain socket that did not fill the buffer is empty; asking again would only cost.
    if (count < scratch_.size() && who.io.cipher()[0] == '\0') break;
  }
  who.heard += ended;
  if (who.heard > who.said) complain(who, "more replies than commands");
  return ended;
}

template <class Each>
void crowd::turn(std::int64_t nanoseconds, Each each) {
  std::array<epoll_event, 256> events{};
  const timespec wait{.tv_sec = nanoseconds / second, .tv_nsec = nanoseconds % second};
  const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                                   nanoseconds < 0 ? nullptr : &wait, nullptr);
  if (count < 0 && errno != EINTR) throw std::runtime_error(std::string("epoll_pwait2: ") + std::strerror(errno));
  for (int index = 0; index < count; ++index) {
    const epoll_event& event = events[static_cast<std::size_t>(index)];
    client& who = clients_[event.data.u64];
    if ((event.events & EPOLLOUT) != 0) flush(who);
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) each(who);
  }
}

run_result crowd::closed_loop(std::uint64_t commands) {
  run_result result;
  const stopwatch taken;
  std::uint64_t to_say = commands;
  std::uint64_t to_hear = 0;
  const auto next_batch = [&](client& who, std::int64_t now) {
    if (to_say == 0) return;
    const std::size_t count = pipeline_;  // whole batches: the script has no others
    who.batch_said_at = now;
    to_say -= std::min<std::uint64_t>(to_say, count);
    to_hear += count;
    say(who, count);
  };
  const std::int64_t begun = now_ns();
  for (client& who : clients_) next_batch(who, begun);
  while (to_hear != 0) {
    turn(-1, [&](client& who) {
      const std::uint64_t ended = hear(who);
      if (ended == 0) return;
      result.commands += ended;
      to_hear -= ended;
      if (who.heard != who.said) return;
      const std::int64_t now = now_ns();
      result.batches.add(static_cast<std::uint64_t>(now - who.batch_said_at));
      next_batch(who, now);
    });
  }
  taken.finish(result);
  return result;
}

run_result crowd::open_loop(std::uint64_t commands, double rate) {
  run_result result;
  const stopwatch taken;
  const double step = static_cast<double>(second) / rate;
  const std::int64_t begun = now_ns();
  std::uint64_t said = 0;
  std::size_t turn_of = 0;
  while (result.commands < commands) {
    std::int64_t now = now_ns();
    std::int64_t next_due = -1;
    while (said < commands) {
      const auto due = begun + static_cast<std::int64_t>(static_cast<double>(said) * step);
      if (due > now) {
        next_due = due;
        break;
      }
      client& who = clients_[turn_of];
      turn_of = turn_of + 1 == clients_.size() ? 0 : turn_of + 1;
      if (who.due_at.size() >= unanswered_max)
        throw std::runtime_error("the rate is too high: too many commands are unanswered");
      who.due_at.push_back(due);
      ++said;
      say(who, 1);
    }
    turn(next_due < 0 ? -1 : std::max<std::int64_t>(0, next_due - now_ns()), [&](client& who) {
      const std::uint64_t ended = hear(who);
      now = now_ns();
      for (std::uint64_t reply = 0; reply < ended; ++reply) {
        result.batches.add(static_cast<std::uint64_t>(now - who.due_at.front()));
        who.due_at.pop_front();
      }
      result.commands += ended;
    });
  }
  taken.finish(result);
  return result;
}

}  // namespace tidegate::load
