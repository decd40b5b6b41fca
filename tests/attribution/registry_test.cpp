#include "attribution/registry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace tidegate::attribution {
namespace {

constexpr steady_ns hour = std::chrono::nanoseconds(fold_after).count();
constexpr std::uint32_t room = clients_max - 1;  // `other` has one place

std::string name_of(std::uint32_t i) {
  return "client-" + std::to_string(i);
}

// Takes every place; with `hold` each name keeps its session.
std::vector<client_number> fill(registry& names, bool hold, steady_ns now = 0) {
  std::vector<client_number> numbers;
  for (std::uint32_t i = 0; i < room; ++i) {
    numbers.push_back(names.acquire_client(name_of(i), true, now));
    if (!hold) names.release_client(numbers.back(), now);
  }
  return numbers;
}

TEST(registry, begins_with_other_alone) {
  const registry names;
  EXPECT_EQ(names.clients_end(), 1U);
  EXPECT_EQ(names.patterns_end(), 1U);
  EXPECT_EQ(names.client_name(other_client), "other");
  EXPECT_EQ(names.pattern_name(other_pattern), "other");
  EXPECT_FALSE(names.client_retired(other_client));
}

TEST(registry, gives_one_number_to_one_name) {
  registry names;
  const client_number a = names.acquire_client("a", true, 0);
  const client_number b = names.acquire_client("b", true, 0);
  EXPECT_NE(a, b);
  EXPECT_NE(a, other_client);
  EXPECT_EQ(names.acquire_client("a", true, 0), a);
  EXPECT_EQ(names.client_name(a), "a");
  EXPECT_EQ(names.clients_end(), 3U);
}

TEST(registry, counts_sessions_and_connections_apart) {
  registry names;
  const client_number a = names.acquire_client("a", true, 0);
  EXPECT_EQ(names.acquire_client("a", false, 0), a);
  EXPECT_EQ(names.client_sessions(a), 2U);
  EXPECT_EQ(names.client_opened(a), 1U) << "a renaming opens nothing";
  names.release_client(a, 1);
  EXPECT_EQ(names.client_sessions(a), 1U);
  names.release_client(a, 1);
  EXPECT_EQ(names.client_sessions(a), 0U);
  EXPECT_EQ(names.client_opened(a), 1U);
}

TEST(registry, answers_other_for_numbers_it_never_gave) {
  const registry names;
  EXPECT_EQ(names.client_name(77), "other");
  EXPECT_EQ(names.client_name(0xffffffffU), "other");
  EXPECT_EQ(names.pattern_name(0xffffffffU), "other");
  EXPECT_TRUE(names.client_retired(77));
  EXPECT_EQ(names.client_sessions(77), 0U);
  EXPECT_EQ(names.client_opened(77), 0U);
}

TEST(registry, has_one_other) {
  registry names;
  EXPECT_EQ(names.acquire_client("other", true, 0), other_client);
  EXPECT_EQ(names.acquire_client("", true, 0), other_client);
  EXPECT_EQ(names.client_sessions(other_client), 2U);
  EXPECT_EQ(names.intern_pattern("other"), other_pattern);
  EXPECT_EQ(names.clients_end(), 1U);
  EXPECT_EQ(names.patterns_end(), 1U);
}

TEST(registry, sends_to_other_what_no_longer_has_room) {
  registry names;
  const auto numbers = fill(names, true);
  EXPECT_EQ(names.clients_end(), clients_max);
  EXPECT_EQ(numbers.back(), clients_max - 1);
  EXPECT_EQ(names.acquire_client("one-more", true, 10 * hour), other_client) << "every name has a session";
  EXPECT_EQ(names.client_sessions(other_client), 1U);
  EXPECT_EQ(names.client_opened(other_client), 1U);
  EXPECT_EQ(names.acquire_client(name_of(7), true, 10 * hour), numbers[7]) << "known names stay known";
}

TEST(registry, folds_no_name_before_an_hour_without_a_session) {
  registry names;
  const auto numbers = fill(names, true);
  names.release_client(numbers[5], 100);
  EXPECT_EQ(names.acquire_client("new", true, 100 + hour - 1), other_client);
  EXPECT_FALSE(names.client_retired(numbers[5]));
  EXPECT_EQ(names.client_name(numbers[5]), name_of(5));
  EXPECT_EQ(names.acquire_client("new", true, 100 + hour), clients_max) << "a number of its own, never a used one";
  EXPECT_TRUE(names.client_retired(numbers[5]));
  EXPECT_EQ(names.client_name(numbers[5]), "other");
}

TEST(registry, folds_nothing_while_there_is_room) {
  registry names;
  const client_number a = names.acquire_client("a", true, 0);
  names.release_client(a, 0);
  (void)names.acquire_client("b", true, 100 * hour);
  EXPECT_EQ(names.client_name(a), "a");
  EXPECT_EQ(names.acquire_client("a", true, 101 * hour), a);
}

TEST(registry, folds_the_longest_idle_first_and_one_for_each_new_name) {
  registry names;
  const auto numbers = fill(names, true);
  names.release_client(numbers[10], 300);
  names.release_client(numbers[11], 100);
  names.release_client(numbers[12], 200);
  EXPECT_NE(names.acquire_client("first", true, 5 * hour), other_client);
  EXPECT_TRUE(names.client_retired(numbers[11]));
  EXPECT_FALSE(names.client_retired(numbers[12]));
  EXPECT_NE(names.acquire_client("second", true, 5 * hour), other_client);
  EXPECT_TRUE(names.client_retired(numbers[12]));
  EXPECT_FALSE(names.client_retired(numbers[10]));
  EXPECT_NE(names.acquire_client("third", true, 5 * hour), other_client);
  EXPECT_EQ(names.acquire_client("fourth", true, 5 * hour), other_client);
}

TEST(registry, never_folds_a_name_that_came_back) {
  registry names;
  const auto numbers = fill(names, false, 0);
  EXPECT_EQ(names.acquire_client(name_of(0), true, 2 * hour), numbers[0]);
  for (std::uint32_t i = 1; i < room; ++i) {
    ASSERT_NE(names.acquire_client("new-" + std::to_string(i), true, 2 * hour), other_client);
  }
  EXPECT_EQ(names.acquire_client("one-too-many", true, 2 * hour), other_client);
  EXPECT_EQ(names.client_name(numbers[0]), name_of(0));
}

// The failed search is remembered; what is released after it must still be found in time.
TEST(registry, finds_what_became_foldable_after_a_vain_search) {
  registry names;
  const auto numbers = fill(names, true);
  EXPECT_EQ(names.acquire_client("new", true, 10), other_client);
  names.release_client(numbers[3], 11);
  EXPECT_EQ(names.acquire_client("new", true, 11 + hour - 1), other_client);
  EXPECT_NE(names.acquire_client("new", true, 11 + hour), other_client);
  EXPECT_TRUE(names.client_retired(numbers[3]));
}

TEST(registry, gives_a_name_that_was_folded_a_new_number) {
  registry names;
  const auto numbers = fill(names, false, 0);
  (void)names.acquire_client("new", true, hour);
  const auto gone = std::find_if(numbers.begin(), numbers.end(), [&](auto n) { return names.client_retired(n); });
  ASSERT_NE(gone, numbers.end());
  const std::string name = name_of(static_cast<std::uint32_t>(gone - numbers.begin()));
  const client_number again = names.acquire_client(name, true, hour);
  EXPECT_NE(again, *gone);
  EXPECT_EQ(names.client_name(again), name);
  EXPECT_EQ(names.client_name(*gone), "other");
}

TEST(registry, loses_no_connection_when_it_folds) {
  registry names;
  std::uint64_t opened = 0;
  for (std::uint32_t i = 0; i < 3 * clients_max; ++i) {
    const steady_ns now = steady_ns{i} * hour / 1000;
    names.release_client(names.acquire_client(name_of(i), true, now), now);
    ++opened;
  }
  std::map<std::string_view, std::uint64_t> by_name;
  for (client_number n = 0; n < names.clients_end(); ++n) by_name[names.client_name(n)] += names.client_opened(n);
  EXPECT_LE(by_name.size(), clients_max);
  std::uint64_t sum = 0;
  for (const auto& [name, count] : by_name) sum += count;
  EXPECT_EQ(sum, opened);
  EXPECT_GT(by_name["other"], clients_max);
}

TEST(registry, gives_out_a_bounded_number_of_numbers_ever) {
  registry names;
  for (std::uint32_t i = 0; i < clients_ever_max + 100; ++i) {
    const steady_ns now = steady_ns{i} * hour;  // always somebody to fold, at the first look
    const client_number n = names.acquire_client(name_of(i), true, now);
    ASSERT_EQ(n == other_client, i >= clients_ever_max - 1) << i;
    names.release_client(n, now);
  }
  EXPECT_EQ(names.clients_end(), clients_ever_max);
  EXPECT_EQ(names.client_name(clients_ever_max - 1), name_of(clients_ever_max - 2)) << "the live ones stay";
}

TEST(registry, interns_patterns_up_to_its_bound) {
  registry names;
  for (std::uint32_t i = 1; i < patterns_max; ++i) ASSERT_EQ(names.intern_pattern("p" + std::to_string(i) + ":*"), i);
  EXPECT_EQ(names.intern_pattern("one-more:*"), other_pattern);
  EXPECT_EQ(names.intern_pattern("p17:*"), 17U);
  EXPECT_EQ(names.pattern_name(patterns_max - 1), "p4095:*");
  EXPECT_EQ(names.patterns_end(), patterns_max);
}

TEST(registry, keeps_names_where_they_are) {
  registry names;
  const client_number a = names.acquire_client("a", true, 0);
  const std::string_view before = names.client_name(a);
  for (std::uint32_t i = 0; i < 2000; ++i) (void)names.acquire_client(name_of(i), true, 0);
  EXPECT_EQ(names.client_name(a).data(), before.data());
  EXPECT_EQ(before, "a");
}

TEST(registry_death, aborts_on_a_session_released_twice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  registry names;
  const client_number a = names.acquire_client("a", true, 0);
  names.release_client(a, 0);
  EXPECT_DEATH(names.release_client(a, 0), "more releases than sessions");
  EXPECT_DEATH(names.release_client(99, 0), "unknown number");
}

// Threads take, rename and let go of more names than there is room for, with a clock fast enough to fold all the time;
// a reader follows. Under TSan this shows the absence of races; everywhere it shows that no session is ever renamed or
// lost.
TEST(registry, holds_its_invariants_among_threads) {
  registry names;
  std::atomic<steady_ns> clock{0};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> opened{0}, wrong{0};
  const auto churn = [&](std::uint32_t seed) {
    for (std::uint32_t i = 0; i < 6000; ++i) {
      const std::string name = name_of((i * 7919 + seed * 31) % 9000);
      const steady_ns now = clock.fetch_add(hour / 500);
      const client_number n = names.acquire_client(name, true, now);
      opened.fetch_add(1);
      if (n != other_client && names.client_name(n) != name) wrong.fetch_add(1);
      (void)names.intern_pattern("p" + std::to_string(i % 500));
      if (n != other_client && names.client_name(n) != name) wrong.fetch_add(1);
      names.release_client(n, clock.load());
    }
  };
  std::thread reader([&] {
    while (!done.load()) {
      for (client_number n = 0; n < names.clients_end(); n += 13) {
        if (names.client_name(n).empty() || names.client_sessions(n) > 8) wrong.fetch_add(1);
      }
      for (pattern_number p = 0; p < names.patterns_end(); ++p) {
        if (names.pattern_name(p).empty()) wrong.fetch_add(1);
      }
    }
  });
  std::vector<std::thread> workers;
  for (std::uint32_t seed = 0; seed < 3; ++seed) workers.emplace_back(churn, seed);
  for (auto& worker : workers) worker.join();
  done.store(true);
  reader.join();

  EXPECT_EQ(wrong.load(), 0U);
  std::uint64_t sum = 0, retired = 0;
  for (client_number n = 0; n < names.clients_end(); ++n) {
    sum += names.client_opened(n);
    retired += names.client_retired(n) ? 1U : 0U;
    ASSERT_EQ(names.client_sessions(n), 0U);
  }
  EXPECT_EQ(sum, opened.load());
  EXPECT_GT(retired, 1000U) << "the test must have folded to have shown anything";
}

}  // namespace
}  // namespace tidegate::attribution
