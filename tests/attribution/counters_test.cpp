#include "attribution/counters.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace tidegate::attribution {
namespace {

constexpr std::uint16_t set_command = 7;
constexpr steady_ns hour = std::chrono::nanoseconds(fold_after).count();

struct totals {
  std::uint64_t writes = 0, elements = 0, bytes = 0, without_ttl = 0;
  std::uint32_t series = 0;
};

totals sum(const write_counters& counters) {
  totals t;
  counters.read([&](const series& s) {
    t.writes += s.writes.load();
    t.elements += s.elements.load();
    t.bytes += s.bytes.load();
    t.without_ttl += s.without_ttl.load();
    ++t.series;
  });
  return t;
}

void book(write_counters& counters, client_number client, pattern_number pattern, std::uint16_t command) {
  series* s = counters.find(client, pattern, command);
  s->writes.add(1);
  s->elements.add(2);
  s->bytes.add(100);
  s->without_ttl.add(1);
}

TEST(write_counters, gives_each_triple_a_series_of_its_own) {
  write_counters counters;
  std::set<series*> seen;
  for (client_number c = 0; c < 10; ++c) {
    for (pattern_number p = 0; p < 10; ++p) {
      for (std::uint16_t command = 0; command < 10; ++command) {
        series* s = counters.find(c, p, command);
        ASSERT_EQ(std::tuple(s->client, s->pattern, s->command), std::tuple(c, p, command));
        ASSERT_TRUE(seen.insert(s).second);
      }
    }
  }
  EXPECT_EQ(counters.find(3, 4, 5), counters.find(3, 4, 5));
  EXPECT_EQ(counters.size(), 1001U) << "and the one that takes what nothing else can";
}

TEST(write_counters, keeps_series_where_they_are_as_it_grows) {
  write_counters counters;
  series* first = counters.find(1, 1, set_command);
  first->writes.add(41);
  for (client_number c = 2; c < 40000; ++c) (void)counters.find(c, 1, set_command);
  EXPECT_EQ(counters.find(1, 1, set_command), first);
  EXPECT_EQ(first->writes.load(), 41U);
}

TEST(write_counters, tells_numbers_apart_that_share_bits) {
  write_counters counters;
  EXPECT_NE(counters.find(1, 0, 0), counters.find(0, 1, 0));
  EXPECT_NE(counters.find(0, 1, 0), counters.find(0, 0, 1));
  EXPECT_NE(counters.find(1U << 20, 0, 0), counters.find(0, 1U << 20, 0));
  EXPECT_NE(counters.find(0xffffffffU, 0xffffffffU, 0), counters.find(0xffffffffU, 0xffffffffU, 1));
}

TEST(write_counters, folds_patterns_first_then_clients_and_counts_everything) {
  write_counters counters;
  std::uint64_t booked = 0;
  for (pattern_number p = 1; p <= series_max; ++p, ++booked) book(counters, 1, p, set_command);
  EXPECT_EQ(counters.size(), series_max / 4 * 3 + 1);
  EXPECT_EQ(counters.find(1, series_max, set_command), counters.find(1, other_pattern, set_command));
  // A new client still gets its name, without its patterns, …
  EXPECT_EQ(counters.find(2, 9, set_command)->client, 2U);
  EXPECT_EQ(counters.find(2, 9, set_command)->pattern, other_pattern);
  for (client_number c = 3; c < 3 + series_max; ++c, ++booked) book(counters, c, 1, set_command);
  // … until these fill their part; then it is `other`, …
  EXPECT_EQ(counters.find(3 + series_max, 1, set_command), counters.find(other_client, other_pattern, set_command));
  EXPECT_EQ(counters.size(), series_max / 8 * 7 + 1);
  // … by command as long as there is any room, and after that in one.
  for (std::uint32_t command = 0; command <= 0xffff; ++command, ++booked) {
    book(counters, 9, 9, static_cast<std::uint16_t>(command));
  }
  EXPECT_EQ(counters.size(), series_max);
  EXPECT_EQ(counters.find(9, 9, 60000), counters.find(other_client, other_pattern, any_command));
  EXPECT_EQ(counters.find(5, 5, set_command)->client, 5U) << "what has a series keeps it";

  const totals t = sum(counters);
  EXPECT_EQ(t.series, series_max);
  EXPECT_EQ(t.writes, booked);
  EXPECT_EQ(t.elements, 2 * booked);
  EXPECT_EQ(t.bytes, 100 * booked);
  EXPECT_EQ(t.without_ttl, booked);
}

TEST(write_counters, keeps_to_a_smaller_bound_but_not_to_a_useless_one) {
  write_counters small(8192), useless(1);
  for (client_number c = 1; c < 70000; ++c) {
    (void)small.find(c, 1, static_cast<std::uint16_t>(c));
    (void)useless.find(c, 1, static_cast<std::uint16_t>(c));
  }
  EXPECT_EQ(small.size(), 8192U);
  EXPECT_EQ(useless.size(), series_min);
}

// Clients come and go by the thousand, each with its own patterns.
class folding : public testing::Test {
 protected:
  client_number client(std::uint32_t i) {
    const client_number n = names.acquire_client("client-" + std::to_string(i), true, now);
    EXPECT_NE(n, other_client);
    now += 1;
    return n;
  }
  // Retires every name without a session: new ones take all the room.
  void retire_the_idle() {
    now += 2 * hour;
    std::vector<client_number> taken;
    for (std::uint32_t i = 0; i < clients_max; ++i) {
      taken.push_back(names.acquire_client("filler-" + std::to_string(filler++), true, now));
    }
    for (const client_number n : taken) names.release_client(n, now);
    now += 2 * hour;  // these make room in turn
  }
  std::uint32_t fold_all() {
    std::uint32_t freed = 0;
    for (std::uint32_t done = 0; done < series_max; done += fold_slice) freed += counters.fold_retired(names);
    return freed;
  }
  std::map<std::tuple<std::string, pattern_number, std::uint16_t>, std::uint64_t> exported() {
    std::map<std::tuple<std::string, pattern_number, std::uint16_t>, std::uint64_t> by_label;
    counters.read([&](const series& s) {
      by_label[{std::string(names.client_name(s.client)), s.pattern, s.command}] += s.writes.load();
    });
    return by_label;
  }

  registry names;
  write_counters counters{8192};
  steady_ns now = 0;
  std::uint32_t filler = 0;
};

TEST_F(folding, changes_no_exported_sum_and_makes_room) {
  std::vector<client_number> gone;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    gone.push_back(client(i));
    for (pattern_number p = 1; p <= 5; ++p) book(counters, gone.back(), p, set_command);
  }
  const client_number stays = client(5000);
  book(counters, stays, 1, set_command);
  for (const client_number n : gone) names.release_client(n, now);
  EXPECT_EQ(fold_all(), 0U) << "nobody is retired yet";
  retire_the_idle();
  ASSERT_TRUE(names.client_retired(gone.front()));
  ASSERT_FALSE(names.client_retired(stays));

  const auto before = exported();
  const std::uint32_t size = counters.size();
  const std::uint32_t freed = fold_all();
  EXPECT_GT(freed, 900U);
  EXPECT_EQ(exported(), before);
  EXPECT_EQ(counters.size(), size - freed);
  EXPECT_LT(counters.size(), 4096U) << "below half of the room there is no need";
  EXPECT_EQ(fold_all(), 0U);
  EXPECT_EQ(counters.find(stays, 1, set_command)->writes.load(), 1U);
  EXPECT_GT(counters.find(other_client, 3, set_command)->writes.load(), 100U);
}

TEST_F(folding, gives_the_next_culprit_its_patterns_again) {
  std::uint64_t booked = 0;
  for (std::uint32_t round = 0; round < 4; ++round) {
    std::vector<client_number> clients;
    for (std::uint32_t i = 0; i < 1500; ++i) clients.push_back(client(round * 10000 + i));
    for (const client_number n : clients) {
      for (pattern_number p = 1; p <= 6; ++p, ++booked) book(counters, n, p, set_command);
    }
    for (const client_number n : clients) names.release_client(n, now);
    retire_the_idle();
    fold_all();
    const totals t = sum(counters);
    ASSERT_EQ(t.writes, booked);
    ASSERT_EQ(t.bytes, 100 * booked);
    ASSERT_EQ(t.series, counters.size());
    ASSERT_LT(counters.size(), 4096U);
    const client_number culprit = client(90000 + round);
    series* s = counters.find(culprit, 4, set_command);
    ASSERT_EQ(std::tuple(s->client, s->pattern), std::tuple(culprit, 4U));
    ASSERT_EQ(s->writes.load(), 0U) << "a series used again begins at zero";
    names.release_client(culprit, now);
  }
}

TEST_F(folding, waits_while_a_reader_is_at_work_and_never_shows_a_row_twice) {
  std::vector<client_number> gone;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    gone.push_back(client(i));
    for (pattern_number p = 1; p <= 5; ++p) book(counters, gone.back(), p, set_command);
  }
  for (const client_number n : gone) names.release_client(n, now);
  retire_the_idle();
  std::uint64_t writes = 0;
  counters.read([&](const series& s) {
    writes += s.writes.load();
    ASSERT_EQ(counters.fold_retired(names), 0U);
    ASSERT_EQ(counters.find(other_client, 1, 900)->writes.load(), 0U) << "new series go on being made";
  });
  EXPECT_EQ(writes, 5000U);
  EXPECT_GT(fold_all(), 0U);
  // The same with free rows: what is new is appended then.
  counters.read([&](const series&) { ASSERT_NE(counters.find(other_client, 2, 901), nullptr); });
  EXPECT_EQ(sum(counters).writes, 5000U);
}

TEST_F(folding, looks_at_a_slice_a_call) {
  std::vector<client_number> gone;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    gone.push_back(client(i));
    for (pattern_number p = 1; p <= 3; ++p) book(counters, gone.back(), p, set_command);
  }
  for (const client_number n : gone) names.release_client(n, now);
  retire_the_idle();
  const std::uint32_t freed = counters.fold_retired(names);
  EXPECT_GT(freed, 0U);
  EXPECT_LE(freed, fold_slice);
}

// The scrape reads while the worker books, makes series, and folds: sums never go back and nothing is lost. Under TSan
// this shows the absence of races.
TEST_F(folding, loses_nothing_among_threads) {
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> scrapes{0}, backwards{0};
  const auto scrape = [&] {
    std::uint64_t last = 0;
    while (!done.load()) {
      const std::uint64_t writes = sum(counters).writes;
      if (writes < last) backwards.fetch_add(1);
      last = writes;
      scrapes.fetch_add(1);
      std::this_thread::yield();
    }
  };
  std::thread first(scrape), second(scrape);
  std::uint64_t booked = 0;
  std::uint32_t freed = 0;
  for (std::uint32_t round = 0; round < 3; ++round) {
    std::vector<client_number> clients;
    for (std::uint32_t i = 0; i < 1000; ++i) clients.push_back(client(round * 10000 + i));
    for (const client_number n : clients) {
      for (pattern_number p = 1; p <= 6; ++p, ++booked) book(counters, n, p, set_command);
    }
    for (const client_number n : clients) names.release_client(n, now);
    retire_the_idle();
    freed += fold_all();
  }
  done.store(true);
  first.join();
  second.join();
  EXPECT_EQ(backwards.load(), 0U);
  freed += fold_all();
  EXPECT_GT(freed, 0U) << "the test must have folded to have shown anything";
  EXPECT_EQ(sum(counters).writes, booked);
}

}  // namespace
}  // namespace tidegate::attribution
