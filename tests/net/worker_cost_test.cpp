// What a byte costs on its way through the shell: no allocation and no mutex once a connection is open, one recv and
// one send a message, and no epoll_ctl at all.
//
// Counted by standing in for these functions in this executable; only the worker's thread counts.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>

#include "tests/net/worker_fixture.hpp"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {
thread_local bool counted = false;
std::atomic<std::uint64_t> allocations{0}, locks{0}, receives{0}, sends{0}, waits{0}, changes{0};
void count(std::atomic<std::uint64_t>& what) {
  if (counted) what.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count(allocations);
  return __libc_malloc(size);
}
void* calloc(std::size_t members, std::size_t size) {
  count(allocations);
  return __libc_calloc(members, size);
}
void* realloc(void* block, std::size_t size) {
  count(allocations);
  return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(allocations);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  count(allocations);
  *block = __libc_memalign(alignment, size);
  return *block != nullptr ? 0 : 12;
}
ssize_t recv(int fd, void* into, std::size_t room, int flags) {
  using real_recv = ssize_t (*)(int, void*, std::size_t, int);
  static const auto real = reinterpret_cast<real_recv>(::dlsym(RTLD_NEXT, "recv"));
  count(receives);
  return real(fd, into, room, flags);
}
ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  using real_send = ssize_t (*)(int, const void*, std::size_t, int);
  static const auto real = reinterpret_cast<real_send>(::dlsym(RTLD_NEXT, "send"));
  count(sends);
  return real(fd, from, size, flags);
}
int epoll_wait(int fd, epoll_event* events, int room, int timeout) {
  using real_wait = int (*)(int, epoll_event*, int, int);
  static const auto real = reinterpret_cast<real_wait>(::dlsym(RTLD_NEXT, "epoll_wait"));
  count(waits);
  return real(fd, events, room, timeout);
}
int epoll_ctl(int fd, int what, int of, epoll_event* event) noexcept {
  using real_ctl = int (*)(int, int, int, epoll_event*);
  static const auto real = reinterpret_cast<real_ctl>(::dlsym(RTLD_NEXT, "epoll_ctl"));
  count(changes);
  return real(fd, what, of, event);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using real_lock = int (*)(pthread_mutex_t*);
  static const auto real = reinterpret_cast<real_lock>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  count(locks);
  return real(mutex);
}
}

namespace tidegate::net_test {
namespace {

struct WorkerCost : WorkerTest {
  void measure(bool on) {
    on_worker([this, on] {
      counted = on;
      world.note(on ? "on" : "off");
    });
    ASSERT_TRUE(world.wait_for(on ? "on" : "off"));
  }
};

TEST_F(WorkerCost, IsNoAllocationAndNoMutexInSteadyState) {
  start();
  std::vector<peer_socket> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(peer_socket::connect(port));
  const auto rounds = [&](int count_of_rounds) {
    for (int i = 0; i < count_of_rounds; ++i) {
      for (peer_socket& client : clients) ASSERT_TRUE(client.send("*1\r\n$4\r\nPING\r\n"));
      for (peer_socket& client : clients) ASSERT_EQ(client.read(14).size(), 14U);
    }
  };
  rounds(100);  // vectors and block pools reach their size
  measure(true);
  rounds(2000);
  const std::uint64_t allocated = allocations, locked = locks;
  measure(false);
  // note() and the hooks that switch the count allocate and lock; they are the test's own.
  EXPECT_LE(allocated, 3U);
  EXPECT_LE(locked, 3U);
}

TEST_F(WorkerCost, IsOneRecvAndOneSendAMessage) {
  start();
  std::vector<peer_socket> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(peer_socket::connect(port));
  const auto rounds = [&](int count_of_rounds) {
    for (int i = 0; i < count_of_rounds; ++i) {
      for (peer_socket& client : clients) ASSERT_TRUE(client.send("*1\r\n$4\r\nPING\r\n"));
      for (peer_socket& client : clients) ASSERT_EQ(client.read(14).size(), 14U);
    }
  };
  rounds(10);
  measure(true);
  receives = sends = waits = changes = 0;
  rounds(500);
  const std::uint64_t received = receives, sent = sends, waited = waits, changed = changes;
  measure(false);
  constexpr std::uint64_t messages = 8 * 500;
  EXPECT_EQ(received, messages) << "each message came whole";
  EXPECT_EQ(sent, messages);
  EXPECT_EQ(changed, 0U) << "what is wanted of a descriptor never changed";
  // At most two a turn, and a turn serves at least one; the wake-up that ends the measurement has a turn of its own.
  EXPECT_LE(waited, 2 * messages + 4);
  EXPECT_GT(waited, 0U);
}

TEST_F(WorkerCost, CountsWhatItClaimsToCount) {
  start();
  measure(true);
  on_worker([this] {
    const std::uint64_t before = allocations;
    std::free(std::malloc(100));  // NOLINT: the point
    world.note(allocations > before ? "counted" : "missed");
  });
  EXPECT_TRUE(world.wait_for("counted"));
  measure(false);
}

}  // namespace
}  // namespace tidegate::net_test

#endif
