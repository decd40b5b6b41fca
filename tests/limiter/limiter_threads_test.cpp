// What threads do to one another; of use above all under TSan. Time is a counter that the threads drive themselves.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "rule_set_fixture.hpp"

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
        // Some die: drawn with each newcomer and not with each look, whose number is the scheduler's.
        if (!line.empty() && random() % 20 == 0) {
          b.leave(line.back(), me);
          line.pop_back();
          dead.fetch_add(1);
        }
        ++begun;
        b.join(line.emplace_back(), clock.to_units(1), me);
      }
      if (line.empty()) continue;
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

// Each joins an empty part of the line and tries at once: the moment between drawing a ticket and publishing it.
TEST(limiter_threads, nobody_slips_past_one_that_has_drawn_its_ticket_and_not_yet_shown_it) {
  constexpr std::uint32_t workers = 4;
  constexpr int each = 30'000;
  const rate_clock clock(1'000'000, 0);
  bucket b(clock, std::uint64_t{1} << 30, workers);
  std::vector<std::uint64_t> tickets(std::size_t{workers} * each, 0);
  std::atomic<std::uint64_t> turn{0};
  in_threads(workers, [&](std::uint32_t me) {
    for (int i = 0; i < each; ++i) {
      waiter w;
      b.join(w, 1, me);
      while (!b.try_debit_first(w, 1, 0)) std::this_thread::yield();
      tickets[turn.fetch_add(1, std::memory_order_relaxed)] = w.ticket;
      b.leave(w, me);
    }
  });
  for (std::size_t i = 0; i < tickets.size(); ++i) ASSERT_EQ(tickets[i], i + 1);
}

TEST(limiter_threads, admission_under_two_rules_takes_from_both_or_from_none) {
  testing_support::world w;
  config::limit_rule plenty = testing_support::make_rule("plenty"), scarce = testing_support::make_rule("scarce");
  plenty.rate = 0;
  plenty.burst = 1e6;
  scarce.rate = 1e6;
  scarce.burst = 1;
  scarce.action = config::limit_action::reject;
  w.use({plenty, scarce});
  const charges matched = w.match({"SET", "k", "v"});
  std::atomic<steady_ns> time{0};
  std::atomic<std::uint64_t> admitted{0};
  in_threads(4, [&](std::uint32_t) {
    charges mine = matched;
    std::uint64_t count = 0;
    for (int i = 0; i < 100'000; ++i) {
      const steady_ns now = time.fetch_add(100, std::memory_order_relaxed);
      if (w.set->admit(mine, nullptr, now).what == admission::admitted) ++count;
    }
    admitted.fetch_add(count);
  });
  EXPECT_GT(admitted.load(), 10'000U);
  EXPECT_DOUBLE_EQ(w.set->bucket_of(w.session, 0)->tokens(0), 1e6 - static_cast<double>(admitted.load()));
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
