// What threads do to one another; of use above all under TSan. Time is a counter that the threads drive themselves.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "limiter/bucket.hpp"

namespace tidegate::limiter {
namespace {

constexpr steady_ns second = 1'000'000'000;

template <class Body>
void in_threads(std::uint32_t count, Body body) {
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

TEST(limiter_threads, thirty_two_that_hammer_a_bucket_get_no_more_than_the_limit_and_hardly_less) {
  const rate_clock clock(1'000'000, 0);
  bucket b(clock, 1000, 32);
  std::atomic<steady_ns> time{0};
  std::atomic<std::uint64_t> passed{0};
  in_threads(32, [&](std::uint32_t seed) {
    std::mt19937_64 random(seed);
    std::uint64_t mine = 0;
    for (;;) {
      const steady_ns now = time.fetch_add(250, std::memory_order_relaxed);
      if (now > second / 10) break;
      const std::uint64_t cost = 1 + random() % 3;
      if (!b.try_debit(clock.to_units(cost), now)) continue;
      if (random() % 10 == 0) {
        b.refund(clock.to_units(cost));
      } else {
        mine += cost;
      }
    }
    passed.fetch_add(mine);
  });
  EXPECT_LE(passed.load(), 101'000U);
  EXPECT_GE(passed.load(), 100'600U);
}

TEST(limiter_threads, a_reader_sees_the_clock_whole_while_the_rate_changes) {
  rate_clock clock(1000, 0);
  std::atomic<steady_ns> time{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::mt19937_64 random(3);
    for (int i = 1; i <= 20'000; ++i) {
      const steady_ns now = time.load(std::memory_order_relaxed);
      clock.set_rate(i % 2 == 0 ? 1e6 : 1, now);
      time.store(now + static_cast<steady_ns>(random() % 100'000), std::memory_order_release);
    }
    stop.store(true);
  });
  in_threads(3, [&](std::uint32_t) {
    units last = 0;
    while (!stop.load()) {
      const steady_ns now = time.load(std::memory_order_acquire);
      const units minted = clock.minted(now);
      // A mixture of two segments would step back or leap. A reader that slept over two changes gets the time of the
      // former, so the leap is measured against the time after.
      const steady_ns after = time.load(std::memory_order_acquire);
      ASSERT_GE(minted, last);
      ASSERT_LE(static_cast<double>(minted),
                1e6 * clock.units_per_token() * static_cast<double>(after + 200'000) / 1e9);
      ASSERT_GE(clock.time_for(1000), 1);
      last = minted;
    }
  });
  writer.join();
}

TEST(limiter_threads, eight_workers_are_served_in_the_order_of_their_tickets) {
  constexpr std::uint32_t workers = 8;
  constexpr int each = 400;
  const rate_clock clock(1'000'000, 0);
  bucket b(clock, 3, workers);
  std::atomic<steady_ns> time{0};
  std::atomic<std::uint64_t> turn{0};
  std::vector<std::uint64_t> tickets(std::size_t{workers} * each, 0);
  std::atomic<std::uint32_t> dead{0};
  in_threads(workers, [&](std::uint32_t me) {
    std::mt19937_64 random(me);
    std::deque<waiter> line;
    int begun = 0;
    while (begun < each || !line.empty()) {
      const steady_ns now = time.fetch_add(500, std::memory_order_relaxed);
      if (begun < each && line.size() < 20 && random() % 2 == 0) {
        ++begun;
        b.join(line.emplace_back(), clock.to_units(1), me);
      }
      if (line.empty()) continue;
      if (random() % 50 == 0) {  // the last one dies
        b.leave(line.back(), me);
        line.pop_back();
        dead.fetch_add(1);
        continue;
      }
      if (b.try_debit_first(line.front(), clock.to_units(1), now)) {
        // Between its debit and its leaving nobody else is first.
        tickets[turn.fetch_add(1, std::memory_order_relaxed)] = line.front().ticket;
        b.leave(line.front(), me);
        line.pop_front();
      } else {
        std::this_thread::yield();
      }
    }
  });
  const std::uint64_t served = turn.load();
  EXPECT_EQ(served + dead.load(), std::uint64_t{workers} * each);
  EXPECT_GT(served, 1000U);
  for (std::uint64_t i = 1; i < served; ++i) ASSERT_GT(tickets[i], tickets[i - 1]) << i;
  EXPECT_FALSE(b.anybody_waits());
}

TEST(limiter_threads, newcomers_never_pass_one_that_waits) {
  const rate_clock clock(1'000'000, 0);
  bucket b(clock, 1, 4);
  waiter blocked;
  b.join(blocked, clock.to_units(1), 0);
  in_threads(3, [&](std::uint32_t me) {
    for (int i = 0; i < 2000; ++i) {
      EXPECT_FALSE(b.try_debit(1, second));
      waiter w;
      b.join(w, 1, me + 1);
      EXPECT_FALSE(b.try_debit_first(w, 1, second));
      b.leave(w, me + 1);
    }
  });
  EXPECT_TRUE(b.try_debit_first(blocked, clock.to_units(1), second));
  b.leave(blocked, 0);
}

TEST(limiter_threads, changes_of_burst_under_load_give_nothing_away) {
  const rate_clock clock(1000, 0);
  bucket b(clock, 100, 4);
  std::atomic<std::uint64_t> passed{0};
  // Time stands still: what passes comes from the first 100 tokens alone.
  std::thread writer([&] {
    for (int i = 0; i < 5000; ++i) b.set_burst(i % 2 == 0 ? 1000 : 100, second);
  });
  in_threads(3, [&](std::uint32_t) {
    for (int i = 0; i < 5000; ++i) {
      if (!b.try_debit(clock.to_units(1), second)) continue;
      if (i % 4 != 0) {
        b.refund(clock.to_units(1));
      } else {
        passed.fetch_add(1);
      }
    }
  });
  writer.join();
  EXPECT_LE(passed.load(), 100U);
  EXPECT_GE(passed.load(), 90U);
}

}  // namespace
}  // namespace tidegate::limiter
