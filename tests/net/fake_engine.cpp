#include "tests/net/fake_engine.hpp"

#include <algorithm>
#include <chrono>

namespace tidegate::net_test {

fake_world* fake_world::present = nullptr;

void fake_world::note(const std::string& event) {
  if (quiet.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  events_.push_back(event);
  changed_.notify_all();
}

std::size_t fake_world::count(const std::string& event) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count(events_, event));
}

bool fake_world::wait_for(const std::string& event, std::size_t times) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return static_cast<std::size_t>(std::ranges::count(events_, event)) >= times; });
}

std::string fake_world::wait_for_loss() {
  std::unique_lock lock(mutex_);
  const auto is_loss = [](const std::string& event) { return event.starts_with("lost: "); };
  const auto found = [&] { return std::ranges::find_if(events_, is_loss) != events_.end(); };
  if (!changed_.wait_for(lock, std::chrono::seconds(10), found)) return {};
  return std::ranges::find_if(events_, is_loss)->substr(6);
}

void fake_world::later(std::function<void()> what) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(what));
  has_posted_ = true;
}

void fake_world::run_posted() {
  if (!has_posted_.load(std::memory_order_relaxed)) return;
  std::vector<std::function<void()>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(posted_);
    has_posted_ = false;
  }
  for (const auto& what : taken) what();
}

void fake_world::send(session::stream& to, std::string_view bytes) {
  to.out.append(bytes);
}

void fake_world::close(session::stream& which, session::close_how how) {
  shell->close(which, how);
  std::erase_if(clients, [&](const fake_stream* one) { return one == &which; });
  which.out.clear();
}

}  // namespace tidegate::net_test

namespace tidegate::session {

using net_test::fake_stream;
using net_test::fake_world;

struct engine::state {
  state(fake_world& test, shell& shown) : world(test), out(shown) {}
  fake_world& world;
  shell& out;
  worker_stats stats;
  buffer_pool pool;
  std::vector<std::unique_ptr<fake_stream>> all;
  std::vector<upstream_connection*> upstreams;
  std::atomic<bool> draining{false};

  void flush(stream& which) {
    while (!which.out.empty() && which.io != nullptr) {
      const std::ptrdiff_t put = out.send(which, which.out.view());
      if (put < 0) return world.close(which, close_how::reset);
      if (put == 0) return;
      which.out.consume(static_cast<std::size_t>(put));
    }
  }
};

engine::engine(engine_options, shell& world) : state_(std::make_unique<state>(*fake_world::present, world)) {
  state_->world.shell = &world;
  state_->world.pool = &state_->pool;
}
engine::~engine() = default;

void engine::begin_turn(steady_ns, std::chrono::milliseconds) {
  state_->world.turns.fetch_add(1);
  state_->world.run_posted();
}
void engine::end_turn() {
  for (std::size_t i = 0; i < state_->world.clients.size(); ++i) state_->flush(*state_->world.clients[i]);
  for (upstream_connection* one : state_->upstreams) state_->flush(*one);
}
steady_ns engine::next_deadline() const noexcept {
  return never;
}

stream& engine::accepted(void* io, const peer& who) {
  auto& made = *state_->all.emplace_back(std::make_unique<fake_stream>(state_->pool));
  made.io = io;
  made.who = who;
  state_->world.clients.push_back(&made);
  state_->world.note("accepted");
  if (state_->world.on_accepted) state_->world.on_accepted(made);
  return made;
}
void engine::received(stream& from, std::string_view bytes) {
  state_->world.received_bytes += bytes.size();
  if (state_->world.on_received) return state_->world.on_received(from, bytes);
  from.out.append(bytes);
}
void engine::end_of_stream(stream& from) {
  state_->world.note("end");
  if (state_->world.on_end) return state_->world.on_end(from);
  state_->flush(from);
  if (from.io != nullptr) state_->world.close(from, close_how::graceful);
}
void engine::lost(stream& which, std::string_view why) {
  std::erase_if(state_->world.clients, [&](const fake_stream* one) { return one == &which; });
  std::erase(state_->upstreams, &which);
  state_->world.note("lost: " + std::string(why));
}
void engine::connected(upstream_connection& which) {
  state_->upstreams.push_back(&which);
  state_->world.note("connected");
  if (state_->world.on_connected) state_->world.on_connected(which);
}
void engine::writable(stream& which) {
  state_->flush(which);
}

void engine::post_snapshot(std::shared_ptr<const policy::snapshot>) {}
void engine::post_drain() {
  state_->draining = true;
}
void engine::post_stop() {}
std::uint64_t engine::generation_in_use() const noexcept {
  return 0;
}
bool engine::is_drained() const noexcept {
  return state_->draining;
}
const worker_stats& engine::stats() const noexcept {
  return state_->stats;
}

}  // namespace tidegate::session
