#include "proxy/session/evidence_cells.hpp"

namespace tidegate::session {

void evidence_cells::note_key(std::uint32_t cell, std::string_view key) noexcept {
  if (!writes_.alive(cell)) return;
  using attribution::distinct_keys;
  writes_.get(cell).payload.halves[epoch_ & 1].raise(distinct_keys::place_of(distinct_keys::hash_key(key)));
}

void evidence_cells::book(std::uint32_t cell, std::uint64_t elements, std::uint64_t bytes, bool without_ttl,
                          const write_traits& traits) noexcept {
  // Its cell was given away while it waited for hours: counted, though not under its name.
  if (!writes_.alive(cell)) cell = writes_.find({}, epoch_);
  auto& found = writes_.get(cell);
  found.used_in = epoch_;
  write_cell& into = found.payload;
  bump(into.writes, 1);
  bump(into.bytes, bytes);
  // Modulo 2^64: a write of no element takes the one away again.
  if (elements != 1) bump(into.more_elements, elements - 1);
  if (without_ttl) bump(into.without_ttl, 1);
  bump(class_writes_[traits.ttl_class], 1);
  bump(class_bytes_[traits.ttl_class], bytes);

  write_sketch& half = into.halves[epoch_ & 1];
  half.add(traits.ttl_class, bytes);
  if (traits.key_rank != 0) half.raise({traits.key_index, traits.key_rank});
  if (traits.ttl_ms > 0) half.note_ttl(traits.ttl_ms);
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
