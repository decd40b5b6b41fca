// What the steady path may cost: no allocation and no lock over 100,000 commands, by counting every malloc, calloc,
// realloc and pthread_mutex_lock of this process. A binary of its own, because it replaces them.
#include <gtest/gtest.h>
#include <malloc.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "limiter/bucket_store.hpp"
#include "proxy/session/engine.hpp"
#include "resp/encoder.hpp"
#include "tests/session/quiet_world.hpp"

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
int __real_pthread_mutex_lock(pthread_mutex_t* mutex);
}

namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0}, locks{0};

void count_allocation() noexcept {
  if (!counting.load(std::memory_order_relaxed)) return;
  allocations.fetch_add(1, std::memory_order_relaxed);
  // Under a debugger: TIDEGATE_ABORT_ON_ALLOCATION=1 shows who.
  static const bool stop = std::getenv("TIDEGATE_ABORT_ON_ALLOCATION") != nullptr;
  if (stop) std::abort();
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  count_allocation();
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  count_allocation();
  return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) {
  count_allocation();
  return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count_allocation();
  return __libc_memalign(alignment, size);
}
int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  if (counting.load(std::memory_order_relaxed)) locks.fetch_add(1, std::memory_order_relaxed);
  return __real_pthread_mutex_lock(mutex);
}

}  // extern "C"

namespace tidegate::session {
namespace {

TEST(HotPath, AHundredThousandCommandsAllocateNothingAndLockNothing) {
  policy::foundations base;
  base.registry = std::make_shared<attribution::registry>();
  base.buckets = limiter::make_bucket_store();
  base.commands = resp::command_table::builtin();
  steady_ns now = 1'000'000'000'000;
  testing_support::quiet_world world;
  memory_held held;
  engine_options options;
  options.snapshot = policy::make_snapshot(testing_support::steady_config(), base, 1, now);
  options.registry = base.registry;
  options.upstream = std::make_shared<upstream_state>();
  options.upstream->evidence_epoch = 1;  // the ledger counts too
  options.held = &held;
  engine machine(std::move(options), world);

  std::array<stream*, 8> clients{};
  machine.begin_turn(now, std::chrono::milliseconds(1));
  for (stream*& client : clients) client = &machine.accepted(&client, {});
  machine.end_turn();

  std::array<std::string, 8> requests;
  std::uint64_t per_turn = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (std::size_t n = 0; n < 10; ++n) {
      const std::string key = "pattern" + std::to_string((i * 10 + n) % 30) + ":" + std::to_string(n);
      resp::append_command(requests[i], "SET", key, "value");
      resp::append_command(requests[i], "GET", key);
      resp::append_command(requests[i], "INCR", key);
      resp::append_command(requests[i], "SET", key, "value", "EX", "86400");
      resp::append_command(requests[i], "SET", "inferred:" + std::to_string(n) + ":x", "value");
      per_turn += 5;
    }
  }
  std::uint64_t commands = 0;
  const auto turn = [&](bool split) {
    now += 100'000;
    machine.begin_turn(now, std::chrono::milliseconds(now / 1'000'000));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const std::string_view all = requests[i];
      const std::size_t cut = split ? all.size() / 3 : all.size();
      machine.received(*clients[i], all.substr(0, cut));
      if (cut < all.size()) machine.received(*clients[i], all.substr(cut));
    }
    machine.end_turn();
    for (int rounds = 0; world.busy() && rounds < 50; ++rounds) {
      machine.begin_turn(now, std::chrono::milliseconds(now / 1'000'000));
      world.finish_connecting(machine);
      world.answer(machine);
      machine.end_turn();
    }
    commands += per_turn;
  };
  for (int i = 0; i < 50; ++i) turn(i % 2 == 0);  // everything grows to its size
  ASSERT_EQ(machine.inventory_now().lanes, 1U);
  const std::uint64_t answered = world.to_clients;
  commands = 0;
  counting = true;
  while (commands < 100'000) turn(commands % 3 == 0);
  counting = false;
  EXPECT_EQ(allocations.load(), 0U);
  EXPECT_EQ(locks.load(), 0U);
  EXPECT_EQ(world.to_clients - answered, commands * 4) << "each was answered, or nothing was measured";
}

// The counters must be able to count, or the zeros above say nothing.
TEST(HotPath, TheCountersSeeAnAllocationAndALock) {
  allocations = locks = 0;
  counting = true;
  void* const block = std::malloc(10);
  auto* const number = new int(1);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  counting = false;
  std::free(block);
  delete number;
  EXPECT_EQ(allocations.load(), 2U);
  EXPECT_EQ(locks.load(), 1U);
}

}  // namespace
}  // namespace tidegate::session
