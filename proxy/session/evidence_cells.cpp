#include "proxy/session/evidence_cells.hpp"

namespace tidegate::session {

namespace {

void raise(write_sketch& in, attribution::distinct_keys::place at) noexcept {
  std::atomic<std::uint8_t>& known = in.keys[at.index];
  if (known.load(std::memory_order_relaxed) < at.rank) known.store(at.rank, std::memory_order_relaxed);
}

}  // namespace

void evidence_cells::note_key(std::uint32_t cell, std::string_view key) noexcept {
  if (!writes_.alive(cell)) return;
  write_sketch& half = writes_.get(cell).payload.halves[epoch_ & 1];
  half.used.store(true, std::memory_order_relaxed);
  raise(half, attribution::distinct_keys::place_of(attribution::distinct_keys::hash_key(key)));
}

void evidence_cells::book(std::uint32_t cell, std::uint64_t elements, std::uint64_t bytes, bool without_ttl,
                          const write_traits& traits) noexcept {
  // Its cell was given away while it waited for hours: counted, though not under its name.
  if (!writes_.alive(cell)) cell = writes_.find({}, epoch_);
  auto& found = writes_.get(cell);
  found.used_in = epoch_;
  write_cell& into = found.payload;
  bump(into.writes, 1);
  bump(into.elements, elements);
  bump(into.bytes, bytes);
  if (without_ttl) bump(into.without_ttl, 1);
  bump(class_writes_[traits.ttl_class], 1);
  bump(class_bytes_[traits.ttl_class], bytes);

  write_sketch& half = into.halves[epoch_ & 1];
  half.used.store(true, std::memory_order_relaxed);
  bump(half.ttl_writes[traits.ttl_class], 1);
  bump(half.ttl_bytes[traits.ttl_class], bytes);
  if (traits.key_rank != 0) raise(half, {traits.key_index, traits.key_rank});
  if (traits.ttl_ms <= 0) return;
  const std::int64_t shortest = half.ttl_min_ms.load(std::memory_order_relaxed);
  if (shortest == 0 || traits.ttl_ms < shortest) half.ttl_min_ms.store(traits.ttl_ms, std::memory_order_relaxed);
  if (traits.ttl_ms > half.ttl_max_ms.load(std::memory_order_relaxed)) {
    half.ttl_max_ms.store(traits.ttl_ms, std::memory_order_relaxed);
  }
}

std::uint32_t evidence_cells::connect(const cell_key& key) {
  if (!on()) return 0;
  const std::uint32_t number = connections_.find(key, epoch_);
  auto& found = connections_.get(number);
  found.used_in = epoch_;
  bump(found.payload.open, 1);
  return number;
}

void evidence_cells::disconnect(std::uint32_t cell) noexcept {
  if (!connections_.alive(cell)) return;
  auto& found = connections_.get(cell);
  found.used_in = epoch_;
  bump(found.payload.open, ~std::uint64_t{0});
}

void evidence_cells::count_opened(std::uint32_t cell) noexcept {
  if (!connections_.alive(cell)) return;
  auto& found = connections_.get(cell);
  found.used_in = epoch_;
  bump(found.payload.opened, 1);
}

}  // namespace tidegate::session
