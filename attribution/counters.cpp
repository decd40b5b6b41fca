#include "attribution/counters.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace tidegate::attribution {

namespace {

constexpr std::uint32_t chunk_size = 256;
constexpr std::uint32_t none = 0xffffffffU;

struct chunk {
  std::array<series, chunk_size> rows;
  std::array<bool, chunk_size> used{};  // changed only where no reader can look: see write_counters::table
};

struct key {
  client_number client;
  pattern_number pattern;
  std::uint16_t command;
  bool operator==(const key&) const = default;
};

// Two rounds of multiply and fold (the finish of splitmix64): numbers are dense, so without it neighbours would
// cluster.
std::uint32_t hash_of(const key& k) noexcept {
  std::uint64_t x = (std::uint64_t{k.client} << 32 | k.pattern) ^ (std::uint64_t{k.command} * 0x9e3779b97f4a7c15U);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return static_cast<std::uint32_t>(x ^ (x >> 31));
}

}  // namespace

// Readers see rows 0 … published-1. A row is written before it is published and its triple is never changed after,
// except while `restructuring` is set and no reader is inside: the worker then folds rows or uses a free one again. It
// never waits for that (it folds another time, and appends instead of using a free row); a reader may, for one slice of
// folding.
struct write_counters::table {
  // The key stands here too, so that a lookup stays away from the rows, which are strewn over many lines.
  struct slot {
    key k{};
    std::uint32_t row = none;
  };
  static_assert(sizeof(slot) == 16);

  explicit table(std::uint32_t most) : bound(most), slots(1024) {}

  const std::uint32_t bound;
  std::array<std::unique_ptr<chunk>, series_max / chunk_size> chunks;
  std::atomic<std::uint32_t> published{0};
  std::atomic<std::uint32_t> in_use{0};
  mutable std::atomic<std::uint32_t> readers{0};
  std::atomic<bool> restructuring{false};

  // The worker's alone: an open-addressed index of rows, never more than half full, and the rows that folding freed.
  std::vector<slot> slots;
  std::vector<std::uint32_t> free_rows;
  std::uint32_t fold_next = 0;

  [[nodiscard]] series& row(std::uint32_t at) const noexcept { return chunks[at / chunk_size]->rows[at % chunk_size]; }
  [[nodiscard]] bool& used(std::uint32_t at) const noexcept { return chunks[at / chunk_size]->used[at % chunk_size]; }
  [[nodiscard]] key key_of(std::uint32_t at) const noexcept {
    const series& s = row(at);
    return {s.client, s.pattern, s.command};
  }
  [[nodiscard]] std::size_t mask() const noexcept { return slots.size() - 1; }

  [[nodiscard]] std::uint32_t lookup(const key& k) const noexcept;
  void index(std::uint32_t at) noexcept;
  void unindex(std::uint32_t at) noexcept;
  [[nodiscard]] series* obtain(const key& k, std::uint32_t room) noexcept;
  [[nodiscard]] std::uint32_t take_row() noexcept;
  [[nodiscard]] bool begin_restructuring() noexcept;
  void end_restructuring() noexcept { restructuring.store(false, std::memory_order_seq_cst); }
};

std::uint32_t write_counters::table::lookup(const key& k) const noexcept {
  for (std::size_t place = hash_of(k) & mask(); slots[place].row != none; place = (place + 1) & mask()) {
    if (slots[place].k == k) return slots[place].row;
  }
  return none;
}

void write_counters::table::index(std::uint32_t at) noexcept {
  const key k = key_of(at);
  std::size_t place = hash_of(k) & mask();
  while (slots[place].row != none) place = (place + 1) & mask();
  slots[place] = {k, at};
}

// Closes the gap by moving back whoever stands behind it and may: no tombstones, so lookups never get slower with age.
void write_counters::table::unindex(std::uint32_t at) noexcept {
  std::size_t gap = hash_of(key_of(at)) & mask();
  while (slots[gap].row != at) gap = (gap + 1) & mask();
  for (std::size_t next = (gap + 1) & mask(); slots[next].row != none; next = (next + 1) & mask()) {
    const std::size_t home = hash_of(slots[next].k) & mask();
    if (((next - home) & mask()) >= ((next - gap) & mask())) {
      slots[gap] = slots[next];
      gap = next;
    }
  }
  slots[gap] = {};
}

// Sequentially consistent on both sides: either the worker sees the reader, or the reader sees the worker.
bool write_counters::table::begin_restructuring() noexcept {
  restructuring.store(true, std::memory_order_seq_cst);
  if (readers.load(std::memory_order_seq_cst) == 0) return true;
  end_restructuring();
  return false;
}

// A row that no reader looks at yet, or `none`. Not yet published if it is new.
std::uint32_t write_counters::table::take_row() noexcept {
  if (!free_rows.empty() && begin_restructuring()) {
    const std::uint32_t at = free_rows.back();
    free_rows.pop_back();
    return at;  // still restructuring; obtain() ends it
  }
  const std::uint32_t at = published.load(std::memory_order_relaxed);
  if (at == bound) return none;
  if (at % chunk_size == 0) chunks[at / chunk_size] = std::make_unique<chunk>();
  return at;
}

// The series of this triple, made if fewer than `room` are in use; else null.
series* write_counters::table::obtain(const key& k, std::uint32_t room) noexcept {
  if (const std::uint32_t known = lookup(k); known != none) return &row(known);
  const std::uint32_t count = in_use.load(std::memory_order_relaxed);
  if (count >= room) return nullptr;
  const std::uint32_t at = take_row();
  if (at == none) return nullptr;
  series& s = row(at);
  s.client = k.client;
  s.pattern = k.pattern;
  s.command = k.command;
  used(at) = true;
  if (at == published.load(std::memory_order_relaxed)) {
    published.store(at + 1, std::memory_order_release);  // whoever sees the count sees the row
  } else {
    end_restructuring();
  }
  in_use.store(count + 1, std::memory_order_relaxed);
  if (2 * (std::size_t{count} + 1) > slots.size()) {
    slots.assign(2 * slots.size(), {});
    for (std::uint32_t other = 0; other < published.load(std::memory_order_relaxed); ++other) {
      if (used(other)) index(other);
    }
  } else {
    index(at);
  }
  return &s;
}

write_counters::write_counters(std::uint32_t bound)
    : table_(std::make_unique<table>(std::clamp(bound, series_min, series_max))) {
  // Made first, so that there is always a series to fall back to.
  (void)table_->obtain({other_client, other_pattern, any_command}, 1);
}

write_counters::~write_counters() = default;

series* write_counters::find(client_number client, pattern_number pattern, std::uint16_t command) noexcept {
  table& t = *table_;
  if (series* s = t.obtain({client, pattern, command}, t.bound / 4 * 3)) return s;
  if (series* s = t.obtain({client, other_pattern, command}, t.bound / 8 * 7)) return s;
  if (series* s = t.obtain({other_client, other_pattern, command}, t.bound)) return s;
  return t.obtain({other_client, other_pattern, any_command}, t.bound);
}

std::uint32_t write_counters::fold_retired(const registry& names) noexcept {
  table& t = *table_;
  const std::uint32_t end = t.published.load(std::memory_order_relaxed);
  if (t.in_use.load(std::memory_order_relaxed) < t.bound / 2 || !t.begin_restructuring()) return 0;
  std::uint32_t freed = 0;
  for (std::uint32_t i = 0; i < std::min(fold_slice, end); ++i) {
    const std::uint32_t at = t.fold_next < end ? t.fold_next : 0;
    t.fold_next = at + 1;
    series& from = t.row(at);
    if (!t.used(at) || from.client == other_client || !names.client_retired(from.client)) continue;
    t.unindex(at);
    const std::uint32_t target = t.lookup({other_client, from.pattern, from.command});
    from.client = other_client;
    if (target == none) {
      t.index(at);
      continue;
    }
    for (const auto cell : {&series::writes, &series::elements, &series::bytes, &series::without_ttl}) {
      (t.row(target).*cell).add((from.*cell).load());
      (from.*cell).value_.store(0, std::memory_order_relaxed);
    }
    t.used(at) = false;
    t.free_rows.push_back(at);
    ++freed;
  }
  t.in_use.fetch_sub(freed, std::memory_order_relaxed);
  t.end_restructuring();
  return freed;
}

void write_counters::read(const std::function<void(const series&)>& visit) const {
  const table& t = *table_;
  for (;;) {
    t.readers.fetch_add(1, std::memory_order_seq_cst);
    if (!t.restructuring.load(std::memory_order_seq_cst)) break;
    t.readers.fetch_sub(1, std::memory_order_seq_cst);
    std::this_thread::yield();
  }
  const std::uint32_t end = t.published.load(std::memory_order_acquire);
  for (std::uint32_t at = 0; at < end; ++at) {
    if (t.used(at)) visit(t.row(at));
  }
  t.readers.fetch_sub(1, std::memory_order_seq_cst);
}

std::uint32_t write_counters::size() const noexcept {
  return table_->in_use.load(std::memory_order_relaxed);
}

}  // namespace tidegate::attribution
