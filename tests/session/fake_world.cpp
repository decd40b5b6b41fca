#include "fake_world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "limiter/bucket_store.hpp"

namespace tidegate::session::testing_support {

namespace {
constexpr int turns_max = 20'000;
}

fake_world::fake_world(const adjust& configure, std::uint64_t seed) : random(seed) {
  base_.instance = "test";
  base_.upstream.host = "upstream";
  foundations_.registry = registry;
  foundations_.buckets = limiter::make_bucket_store();
  foundations_.commands = resp::command_table::builtin();
  snapshot = make(configure);
  engine_options options;
  options.snapshot = snapshot;
  options.registry = registry;
  options.upstream = state;
  options.held = &held;
  engine = std::make_unique<tidegate::session::engine>(std::move(options), *this);
}

fake_world::~fake_world() = default;

std::shared_ptr<const policy::snapshot> fake_world::make(const adjust& configure) {
  auto config = std::make_shared<config::config>(base_);
  if (configure) configure(*config);
  return policy::make_snapshot(std::move(config), foundations_, ++generation_, now);
}

void fake_world::reload(const adjust& configure) {
  snapshot = make(configure);
  engine->post_snapshot(snapshot);
}

fake_socket& fake_world::connect_client(std::string_view address) {
  clients.push_back(std::make_unique<fake_socket>());
  fake_socket& s = *clients.back();
  s.open = true;
  peer who;
  who.source = attribution::address::from_string(address);
  engine->begin_turn(now, std::chrono::milliseconds(now / millisecond));
  s.to = &engine->accepted(&s, who);
  engine->end_turn();
  return s;
}

std::size_t fake_world::portion(std::size_t size) {
  if (!chaotic || size < 2) return size;
  switch (random() % 4) {
    case 0:
      return 1 + random() % size;
    case 1:
      return 1 + random() % std::min<std::size_t>(size, 8);
    default:
      return size;
  }
}

bool fake_world::serve_client(fake_socket& s) {
  if (!s.open) return false;
  if (s.reset) {
    s.open = false;
    stream* const to = std::exchange(s.to, nullptr);
    to->io = nullptr;
    engine->lost(*to, "reset by the client");
    return true;
  }
  bool moved = false;
  if (s.writable_due) {
    s.writable_due = s.full = false;
    engine->writable(*s.to);
    moved = true;
    if (!s.open) return true;
  }
  if (!s.inbox.empty() && s.to->wants_read()) {
    const std::size_t size = portion(s.inbox.size());
    // From a block of its own: what the engine keeps of it beyond the call is found.
    const std::string bytes = s.inbox.substr(0, size);
    s.inbox.erase(0, size);
    engine->received(*s.to, bytes);
    moved = true;
    if (!s.open) return true;
  }
  if (s.fin && !s.fin_told && s.inbox.empty() && s.to->wants_read()) {
    s.fin_told = true;
    engine->end_of_stream(*s.to);
    moved = true;
  }
  return moved;
}

bool fake_world::serve_upstream(fake_socket& s) {
  if (s.connecting) {
    if (hold_connects || (chaotic && random() % 3 == 0)) return hold_connects ? false : true;
    s.connecting = false;
    auto& connection = static_cast<upstream_connection&>(*s.to);
    if (refuse_connects) {
      s.to = nullptr;
      engine->lost(connection, "refused");
      return true;
    }
    s.open = true;
    s.link = redis.open_link();
    connection.io = &s;
    engine->connected(connection);
    return true;
  }
  if (!s.open) return false;
  fake_redis::link& link = redis.at(s.link);
  if (s.reset) {
    s.open = false;
    redis.close_link(s.link);
    stream* const to = std::exchange(s.to, nullptr);
    to->io = nullptr;
    engine->lost(*to, "reset by the upstream");
    return true;
  }
  bool moved = false;
  if (s.writable_due) {
    s.writable_due = s.full = false;
    engine->writable(*s.to);
    moved = true;
    if (!s.open) return true;
  }
  std::size_t size = link.out.size();
  if (s.hold || hold_replies) size = std::min(size, s.release);
  if (size > 0 && s.to->wants_read()) {
    if (chaotic && random() % 4 == 0) return true;
    size = portion(size);
    s.release -= std::min(s.release, size);
    const std::string bytes = link.out.substr(0, size);
    link.out.erase(0, size);
    engine->received(*s.to, bytes);
    moved = true;
    if (!s.open) return true;
  }
  if (link.out.empty() && (link.closed_by_us || s.fin) && !s.fin_told) {
    s.fin_told = true;
    redis.close_link(s.link);
    engine->end_of_stream(*s.to);
    moved = true;
  }
  return moved;
}

bool fake_world::turn() {
  moved_ = false;
  engine->begin_turn(now, std::chrono::milliseconds(now / millisecond));
  const bool upstream_first = chaotic && random() % 2 == 0;
  for (int pass = 0; pass < 2; ++pass) {
    if ((pass == 0) == upstream_first) {
      for (std::size_t i = 0; i < upstreams_.size(); ++i) moved_ = serve_upstream(*upstreams_[i]) || moved_;
    } else {
      for (std::size_t i = 0; i < clients.size(); ++i) moved_ = serve_client(*clients[i]) || moved_;
    }
  }
  engine->end_turn();
  return moved_;
}

void fake_world::settle() {
  int turns = 0;
  while (turn()) {
    if (++turns > turns_max) {
      std::string last;
      for (std::size_t i = redis.dialogue.size() - std::min<std::size_t>(redis.dialogue.size(), 12);
           i < redis.dialogue.size(); ++i) {
        last += ' ' + std::to_string(redis.dialogue[i].first) + ':' + redis.dialogue[i].second;
      }
      ADD_FAILURE() << "the world does not come to rest; what the upstream heard last:" << last;
      return;
    }
  }
}

void fake_world::advance(steady_ns time) {
  const steady_ns end = now + time;
  settle();
  int idle = 0;
  while (now < end) {
    const steady_ns next = engine->next_deadline();
    if (next <= now) {
      if (++idle > 1000) {
        ADD_FAILURE() << "the engine wants turn after turn without anything to do";
        return;
      }
    } else {
      idle = 0;
    }
    now = std::min(end, std::max(next, now));
    settle();
  }
}

std::string fake_world::ask(fake_socket& client, std::string_view bytes) {
  client.send(bytes);
  settle();
  return client.take();
}

std::size_t fake_world::upstreams_open() const {
  return static_cast<std::size_t>(
      std::count_if(upstreams_.begin(), upstreams_.end(), [](const auto& s) { return s->open; }));
}

fake_socket& fake_world::where_exec_ran() {
  for (auto& s : upstreams_) {
    if (s->open && redis.at(s->link).ran_exec) return *s;
  }
  ADD_FAILURE() << "no connection ran EXEC";
  return *upstreams_.back();
}

void fake_world::lose_upstream(std::size_t index, bool reset) {
  fake_socket& s = *upstreams_[index];
  (reset ? s.reset : s.fin) = true;
}

void fake_world::lose_all_upstreams() {
  for (auto& s : upstreams_) s->reset = s->open;
}

void fake_world::give_room(fake_socket& to, std::size_t bytes) {
  to.room = bytes;
  to.writable_due = to.full;
}

void fake_world::connect(upstream_connection& connection) {
  ++connects;
  upstreams_.push_back(std::make_unique<fake_socket>());
  fake_socket& s = *upstreams_.back();
  s.is_client = false;
  s.connecting = true;
  s.to = &connection;
  moved_ = true;
}

std::ptrdiff_t fake_world::send(stream& to, std::string_view bytes) {
  auto& s = *static_cast<fake_socket*>(to.io);
  EXPECT_TRUE(s.open && s.to == &to);
  std::size_t size = std::min(bytes.size(), s.room);
  if (chaotic && size > 1 && random() % 8 == 0) size = 1 + random() % size;
  if (chaotic && random() % 16 == 0) {
    s.full = s.writable_due = moved_ = true;
    return 0;
  }
  if (s.room != SIZE_MAX) s.room -= size;
  if (size == 0) {
    s.full = true;
    return 0;
  }
  moved_ = true;
  if (s.is_client) {
    s.received.append(bytes.substr(0, size));
  } else {
    redis.feed(s.link, bytes.substr(0, size));
  }
  return static_cast<std::ptrdiff_t>(size);
}

void fake_world::resume_reading(stream& /*from*/) {
  moved_ = true;
}

void fake_world::close(stream& which, close_how how) {
  fake_socket* s = static_cast<fake_socket*>(which.io);
  if (s == nullptr) {
    for (auto& one : upstreams_) {
      if (one->to == &which && one->connecting) s = one.get();
    }
  }
  which.io = nullptr;
  if (s == nullptr) return;
  moved_ = true;
  if (!s->is_client && s->open) redis.close_link(s->link);
  s->open = s->connecting = false;
  s->to = nullptr;
  s->closed_how = how;
}

std::uint64_t fake_world::booked(std::string_view command, std::string_view client) const {
  std::uint64_t sum = 0;
  const resp::command_spec* spec = snapshot->commands->find_name(command);
  engine->stats().writes.read([&](const attribution::series& one) {
    if (one.command == spec->id && (client.empty() || registry->client_name(one.client) == client))
      sum += one.writes.load();
  });
  return sum;
}

std::uint64_t fake_world::own(std::string_view command) const {
  std::uint64_t sum = 0;
  const resp::command_spec* spec = snapshot->commands->find_name(command);
  engine->stats().own_commands.read([&](std::uint64_t key, std::uint64_t n) {
    if (key == label_key(spec->id)) sum += n;
  });
  return sum;
}

std::uint64_t fake_world::total(const counter_map& counts) {
  std::uint64_t sum = 0;
  counts.read([&](std::uint64_t, std::uint64_t n) { sum += n; });
  return sum;
}

std::string fake_world::booking_difference(std::uint64_t unknown) const {
  std::string out;
  std::uint64_t missing = 0;
  for (std::size_t id = 1; id < snapshot->commands->size(); ++id) {
    const resp::command_spec& spec = snapshot->commands->by_id(static_cast<std::uint16_t>(id));
    if (!spec.write) continue;
    const auto found = redis.calls.find(std::string(spec.name));
    const std::uint64_t calls = found == redis.calls.end() ? 0 : found->second;
    const std::uint64_t known = booked(spec.name) + own(spec.name);
    if (known > calls || calls - known > unknown) {
      out += std::string(spec.name) + ": " + std::to_string(calls) + " calls, " + std::to_string(booked(spec.name)) +
             " booked, " + std::to_string(own(spec.name)) + " own; ";
    }
    if (calls > known) missing += calls - known;
  }
  if (missing > unknown && out.empty())
    out = std::to_string(missing) + " calls missing, " + std::to_string(unknown) + " unknown";
  return out;
}

void fake_world::expect_nothing_left() {
  for (auto& client : clients) {
    if (client->open) client->abort();
  }
  hold_replies = hold_connects = false;
  for (auto& s : upstreams_) s->hold = false;
  settle();
  advance(30 * second);
  const inventory left = engine->inventory_now();
  EXPECT_EQ(left.sessions, 0U);
  EXPECT_EQ(left.session_objects, 0U);
  EXPECT_EQ(left.dedicated, 0U);
  EXPECT_EQ(left.exchanges, 0U);
  EXPECT_EQ(left.waiting, 0U);
  EXPECT_EQ(left.buffer_bytes, 0U);
  EXPECT_EQ(held.total(), 0U);
  EXPECT_EQ(engine->stats().sessions.load(), 0);
  EXPECT_EQ(engine->stats().dedicated_connections.load(), 0);
  EXPECT_EQ(upstreams_open(), left.lanes + left.idle) << "a socket that no connection knows, or the reverse";
}

}  // namespace tidegate::session::testing_support
