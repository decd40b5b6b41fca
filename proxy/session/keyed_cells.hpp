// Cells found by a small key, written by one worker and read by one other thread: where the evidence is counted.
//
// Thread safety: find(), alive() and get() on the owning worker; read() on any thread, at any time, without stopping
// the worker; a cell's payload must be made of atomics. Ownership: cells live in chunks that never move; a
// number names a cell for as long as it holds the same key, and alive() tells. Invariants: (1) at most `capacity`
// cells; (2) nothing is lost: what has no room goes to a coarser key, at last to the cell of all zeros, which is always
// there; (3) a cell is used for another key only after it was idle for `idle_epochs` epochs, which its reader has all
// read, and only when three quarters of the room are taken. Cost: find() a hash lookup; allocates only for a new cell,
// a chunk at a time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "attribution/identity.hpp"

namespace tidegate::session {

// What a cell is for, as four words: so that a reader may look while the worker writes.
struct cell_key {
  std::uint32_t client = 0, pattern = 0;
  std::uint16_t command = 0;
  bool has_source = false;
  attribution::address source;

  using words = std::array<std::uint64_t, 4>;
  [[nodiscard]] words packed() const noexcept {
    words out{};
    out[0] = std::uint64_t{client} << 32 | pattern;
    out[1] = std::uint64_t{command} | std::uint64_t{has_source} << 16 | std::uint64_t{source.v6} << 17;
    std::memcpy(&out[2], source.bytes.data(), source.bytes.size());
    return out;
  }
  [[nodiscard]] static cell_key unpacked(const words& from) noexcept {
    cell_key out;
    out.client = static_cast<std::uint32_t>(from[0] >> 32);
    out.pattern = static_cast<std::uint32_t>(from[0]);
    out.command = static_cast<std::uint16_t>(from[1]);
    out.has_source = (from[1] >> 16 & 1U) != 0;
    out.source.v6 = (from[1] >> 17 & 1U) != 0;
    std::memcpy(out.source.bytes.data(), &from[2], out.source.bytes.size());
    return out;
  }
};

template <typename Payload>
class keyed_cells {
 public:
  static constexpr unsigned index_bits = 14;
  static constexpr std::uint32_t capacity_max = 1U << index_bits;
  static constexpr std::uint32_t capacity_min = 1024;
  static constexpr std::uint32_t idle_epochs = 6;

  // A payload's first 24 bytes share the line of the words that find it.
  struct alignas(64) cell {
    std::atomic<std::uint32_t> number{0};  // generation and index; 0 while it changes hands
    std::uint32_t used_in = 0;             // epoch; the worker's own
    std::array<std::atomic<std::uint64_t>, 4> key{};
    Payload payload;
  };

  explicit keyed_cells(std::uint32_t capacity) : capacity_(std::clamp(capacity, capacity_min, capacity_max)) {}
  ~keyed_cells() {
    for (auto& one : chunks_) delete one.load(std::memory_order_relaxed);
  }
  keyed_cells(const keyed_cells&) = delete;
  keyed_cells& operator=(const keyed_cells&) = delete;

  // The number of the cell for this key, or of the one that counts in its stead. Never 0.
  [[nodiscard]] std::uint32_t find(const cell_key& key, std::uint32_t epoch) {
    if (places_.empty()) begin();
    if (const std::uint32_t number = obtain(key, epoch, capacity_ / 4 * 3)) return number;
    cell_key coarser = key;
    coarser.has_source = false;
    coarser.source = {};
    if (const std::uint32_t number = obtain(coarser, epoch, capacity_ / 8 * 7)) return number;
    coarser.client = coarser.pattern = 0;
    if (const std::uint32_t number = obtain(coarser, epoch, capacity_)) return number;
    return get_index(0).number.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool alive(std::uint32_t number) const noexcept {
    return number != 0 && get(number).number.load(std::memory_order_relaxed) == number;
  }
  // The cell that this number may stand for still; null: it never stood for one.
  [[nodiscard]] const cell* candidate(std::uint32_t number) const noexcept {
    const std::uint32_t index = number & (capacity_max - 1);
    return index < published_.load(std::memory_order_relaxed) ? &get_index(index) : nullptr;
  }
  // Whether this number stands for exactly this key.
  [[nodiscard]] bool is_for(std::uint32_t number, const cell_key& key) const noexcept {
    return alive(number) && holds(number & (capacity_max - 1), key.packed());
  }
  [[nodiscard]] cell& get(std::uint32_t number) const noexcept { return get_index(number & (capacity_max - 1)); }
  [[nodiscard]] std::uint32_t size() const noexcept { return used_; }

  // visit(number, key, cell): each cell once. It may change hands meanwhile: what was read of it
  // counts only if cell.number is `number` still, when all is read.
  template <typename Visit>
  void read(const Visit& visit) const {
    const std::uint32_t end = published_.load(std::memory_order_acquire);
    for (std::uint32_t index = 0; index < end; ++index) {
      cell& at = get_index(index);
      cell_key::words key{};
      std::uint32_t number = 0;
      // A key is read whole: its number stands before and after. It changes at most once in minutes.
      do {
        number = at.number.load(std::memory_order_acquire);
        for (std::size_t word = 0; word < key.size(); ++word) key[word] = at.key[word].load(std::memory_order_acquire);
      } while (number != at.number.load(std::memory_order_relaxed));
      if (number != 0) visit(number, cell_key::unpacked(key), at);
    }
  }

 private:
  static constexpr std::uint32_t chunk_cells = 64;
  static constexpr std::uint32_t nowhere = 0xffffffffU;
  static constexpr std::uint32_t reclaim_slice = 256;
  using chunk = std::array<cell, chunk_cells>;

  [[nodiscard]] cell& get_index(std::uint32_t index) const noexcept {
    return (*chunks_[index / chunk_cells].load(std::memory_order_relaxed))[index % chunk_cells];
  }
  [[nodiscard]] static std::uint64_t hash_of(const cell_key::words& key) noexcept {
    std::uint64_t x = 0;
    for (const std::uint64_t word : key) {
      x = (std::rotl(x, 29) ^ word) * 0x9e3779b97f4a7c15U;
      x ^= x >> 32;
    }
    return x;
  }
  [[nodiscard]] bool holds(std::uint32_t index, const cell_key::words& key) const noexcept {
    const cell& at = get_index(index);
    for (std::size_t word = 0; word < key.size(); ++word) {
      if (at.key[word].load(std::memory_order_relaxed) != key[word]) return false;
    }
    return true;
  }
  [[nodiscard]] cell_key::words key_at(std::uint32_t index) const noexcept {
    cell_key::words key{};
    for (std::size_t word = 0; word < key.size(); ++word) {
      key[word] = get_index(index).key[word].load(std::memory_order_relaxed);
    }
    return key;
  }
  [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }

  void begin() {
    places_.assign(2UL * std::bit_ceil(capacity_), nowhere);
    (void)obtain({}, 0, capacity_);
  }

  std::uint32_t obtain(const cell_key& wanted, std::uint32_t epoch, std::uint32_t room) {
    const cell_key::words key = wanted.packed();
    std::size_t place = static_cast<std::size_t>(hash_of(key)) & mask();
    for (; places_[place] != nowhere; place = (place + 1) & mask()) {
      if (holds(places_[place], key)) return get_index(places_[place]).number.load(std::memory_order_relaxed);
    }
    if (used_ >= capacity_ / 4 * 3) reclaim(epoch);
    if (used_ >= room) return 0;
    const std::uint32_t index = take_index();
    if (index == nowhere) return 0;
    cell& at = get_index(index);
    for (std::size_t word = 0; word < key.size(); ++word) at.key[word].store(key[word], std::memory_order_release);
    at.used_in = epoch;
    // Never 0, though generations wrap.
    generation_ = (generation_ + 1) & ((1U << (32 - index_bits)) - 1);
    if (generation_ == 0) generation_ = 1;
    at.number.store(generation_ << index_bits | index, std::memory_order_release);
    if (index == published_.load(std::memory_order_relaxed)) published_.store(index + 1, std::memory_order_release);
    ++used_;
    place = static_cast<std::size_t>(hash_of(key)) & mask();  // reclaim may have moved what stood here
    while (places_[place] != nowhere) place = (place + 1) & mask();
    places_[place] = index;
    return at.number.load(std::memory_order_relaxed);
  }

  std::uint32_t take_index() {
    if (!free_.empty()) {
      const std::uint32_t index = free_.back();
      free_.pop_back();
      return index;
    }
    const std::uint32_t index = published_.load(std::memory_order_relaxed);
    if (index == capacity_) return nowhere;
    if (index % chunk_cells == 0) chunks_[index / chunk_cells].store(new chunk, std::memory_order_relaxed);
    return index;
  }

  // The cell of all zeros (index 0) stays.
  void reclaim(std::uint32_t epoch) {
    const std::uint32_t end = published_.load(std::memory_order_relaxed);
    for (std::uint32_t step = 0; step < reclaim_slice && end > 1; ++step) {
      reclaim_next_ = reclaim_next_ + 1 < end ? reclaim_next_ + 1 : 1;
      cell& at = get_index(reclaim_next_);
      const bool idle = epoch - at.used_in >= idle_epochs && at.payload.may_go();
      if (!idle || at.number.load(std::memory_order_relaxed) == 0) continue;
      unindex(reclaim_next_);
      at.number.store(0, std::memory_order_relaxed);
      at.payload.clear();
      free_.push_back(reclaim_next_);
      --used_;
    }
  }

  // Closes the gap by moving back whoever stands behind it and may: no tombstones.
  void unindex(std::uint32_t index) noexcept {
    std::size_t gap = static_cast<std::size_t>(hash_of(key_at(index))) & mask();
    while (places_[gap] != index) gap = (gap + 1) & mask();
    for (std::size_t next = (gap + 1) & mask(); places_[next] != nowhere; next = (next + 1) & mask()) {
      const std::size_t home = static_cast<std::size_t>(hash_of(key_at(places_[next]))) & mask();
      if (((next - home) & mask()) >= ((next - gap) & mask())) {
        places_[gap] = places_[next];
        gap = next;
      }
    }
    places_[gap] = nowhere;
  }

  const std::uint32_t capacity_;
  std::array<std::atomic<chunk*>, capacity_max / chunk_cells> chunks_{};
  std::atomic<std::uint32_t> published_{0};
  std::vector<std::uint32_t> places_;  // hash -> index; at most half full
  std::vector<std::uint32_t> free_;
  std::uint32_t used_ = 0;
  std::uint32_t generation_ = 0;
  std::uint32_t reclaim_next_ = 0;
};

}  // namespace tidegate::session
