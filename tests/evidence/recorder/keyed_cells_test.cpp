#include "proxy/session/keyed_cells.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "proxy/session/evidence_cells.hpp"

namespace tidegate::session {
namespace {

struct counter {
  std::atomic<std::uint64_t> value{0};
  [[nodiscard]] static bool may_go() noexcept { return true; }
  void clear() noexcept { value.store(0, std::memory_order_release); }
};
using cells = keyed_cells<counter>;

cell_key of(std::uint32_t client, std::uint8_t host = 1) {
  cell_key key{.client = client, .pattern = 7, .command = 3, .has_source = true, .source = {}};
  key.source.bytes = {10, 0, 3, host};
  return key;
}

TEST(keyed_cells, GiveOneNumberToAKeyAndAnotherToEachOther) {
  cells all(1024);
  const std::uint32_t first = all.find(of(1), 1);
  EXPECT_NE(first, 0U);
  EXPECT_EQ(all.find(of(1), 1), first);
  EXPECT_NE(all.find(of(2), 1), first);
  EXPECT_NE(all.find(of(1, 2), 1), first);
  EXPECT_TRUE(all.alive(first));
  EXPECT_FALSE(all.alive(0));
}

TEST(keyed_cells, KeepAKeyWholeInFourWords) {
  cell_key key = of(0x12345678);
  key.source.v6 = true;
  key.source.bytes[15] = 0xab;
  const cell_key back = cell_key::unpacked(key.packed());
  EXPECT_EQ(back.client, key.client);
  EXPECT_EQ(back.pattern, key.pattern);
  EXPECT_EQ(back.command, key.command);
  EXPECT_EQ(back.source.v6, true);
  EXPECT_EQ(back.source.bytes, key.source.bytes);
}

TEST(keyed_cells, FoldSourcesFirstAndLoseNothingWhenTheyAreFull) {
  cells all(1024);
  std::uint64_t booked = 0;
  for (std::uint32_t client = 1; client <= 5000; ++client, ++booked) {
    bump(all.get(all.find(of(client), 1)).payload.value, 1);
  }
  EXPECT_LE(all.size(), 1024U);
  std::uint64_t sum = 0;
  std::uint64_t without_source = 0;
  all.read([&](std::uint32_t, const cell_key& key, const auto& cell) {
    sum += cell.payload.value.load();
    if (!key.has_source) without_source += cell.payload.value.load();
  });
  EXPECT_EQ(sum, booked);
  EXPECT_EQ(without_source, booked - 1024 / 4 * 3 + 1);  // the cell of all zeros is one of the first three quarters
}

TEST(keyed_cells, UseACellAgainOnlyAfterItWasIdleForItsEpochs) {
  cells all(1024);
  const std::uint32_t old = all.find(of(1), 1);
  for (std::uint32_t client = 2; client < 1024 / 4 * 3; ++client) (void)all.find(of(client), 1);
  (void)all.find(of(5000), cells::idle_epochs);
  EXPECT_TRUE(all.alive(old));
  for (std::uint32_t client = 6000; client < 6600; ++client) (void)all.find(of(client), 1 + cells::idle_epochs);
  EXPECT_FALSE(all.alive(old));
  const std::uint32_t again = all.find(of(1), 1 + cells::idle_epochs);
  EXPECT_NE(again, old);
  EXPECT_EQ(all.get(again).payload.value.load(), 0U);
}

TEST(keyed_cells, ShowAReaderNoCellUnderAnothersName) {
  cells all(1024);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    std::uint32_t epoch = 1;
    for (std::uint32_t client = 1; client < 60'000; ++client) {
      if (client % 500 == 0) epoch += cells::idle_epochs;
      auto& cell = all.get(all.find(of(client), epoch));
      cell.used_in = epoch;
      cell.payload.value.store(client, std::memory_order_release);  // its own client's number, or 0 when cleared
    }
    done = true;
  });
  while (!done) {
    all.read([&](std::uint32_t number, const cell_key& key, const auto& cell) {
      const std::uint64_t value = cell.payload.value.load(std::memory_order_acquire);
      if (cell.number.load(std::memory_order_acquire) != number || !key.has_source || value == 0) return;
      ASSERT_EQ(value, key.client);
    });
  }
  writer.join();
}

}  // namespace
}  // namespace tidegate::session
