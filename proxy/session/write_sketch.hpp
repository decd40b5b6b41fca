// What one bucket of one evidence cell has of its own: shortest and longest TTL, TTL classes, distinct keys.
//
// Thread safety: the owning worker fills it; the recorder reads and clears it while the worker fills the other half
// (see evidence_cells). Ownership: a cell's; owns its wide part, which stays once it was needed. Invariants: (1) the
// first TTL class and the first narrow_keys keys stand in the sketch itself, everything else in the wide part; (2) a
// key may stand in both: registers are merged by their maximum. Cost: one cache line as long as a bucket sees one class
// and eight keys, 1.5 KB more beyond that; one allocation a sketch, at most, for good.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <type_traits>

#include "attribution/distinct_keys.hpp"
#include "attribution/ttl_class.hpp"

namespace tidegate::session {

// Adds without a lock prefix: one writer.
template <typename Number>
void bump(std::atomic<Number>& where, std::type_identity_t<Number> n) noexcept {
  where.store(static_cast<Number>(where.load(std::memory_order_relaxed) + n), std::memory_order_relaxed);
}

class write_sketch {
 public:
  using place = attribution::distinct_keys::place;

  write_sketch() = default;
  ~write_sketch() { delete wide_; }
  write_sketch(const write_sketch&) = delete;
  write_sketch& operator=(const write_sketch&) = delete;

  // --- the worker
  void add(std::uint8_t ttl_class, std::uint64_t bytes) noexcept {
    const std::uint8_t first = first_class_.load(std::memory_order_relaxed);
    if (first == ttl_class || first == no_class) {
      first_class_.store(ttl_class, std::memory_order_relaxed);
      bump(first_writes_, 1);
      bump(first_bytes_, bytes);
    } else if (wide* const more = widen()) {
      bump(more->ttl_writes[ttl_class], 1);
      bump(more->ttl_bytes[ttl_class], bytes);
    }
    used_.store(true, std::memory_order_relaxed);
  }
  void note_ttl(std::int64_t ttl_ms) noexcept {
    const std::int64_t shortest = ttl_min_ms_.load(std::memory_order_relaxed);
    if (shortest == 0 || ttl_ms < shortest) ttl_min_ms_.store(ttl_ms, std::memory_order_relaxed);
    if (ttl_ms > ttl_max_ms_.load(std::memory_order_relaxed)) ttl_max_ms_.store(ttl_ms, std::memory_order_relaxed);
  }
  void raise(place at) noexcept {
    used_.store(true, std::memory_order_relaxed);
    const std::uint8_t known = narrow_used_.load(std::memory_order_relaxed);
    if (known < narrow_keys) {
      const auto packed = static_cast<std::uint16_t>(at.index << rank_bits | at.rank);
      for (std::uint8_t one = 0; one < known; ++one) {
        if (keys_[one].load(std::memory_order_relaxed) == packed) return;
      }
      keys_[known].store(packed, std::memory_order_relaxed);
      narrow_used_.store(static_cast<std::uint8_t>(known + 1), std::memory_order_relaxed);
    } else if (wide* const more = widen()) {
      std::atomic<std::uint8_t>& reg = more->keys[at.index];
      if (reg.load(std::memory_order_relaxed) < at.rank) reg.store(at.rank, std::memory_order_relaxed);
    }
  }
  // What raise() will touch, so that it is near by then.
  void prefetch(std::uint16_t key_index) const noexcept {
    if (wide_ != nullptr) __builtin_prefetch(&wide_->keys[key_index], 1);
  }

  // --- the recorder, for the half that no worker fills
  [[nodiscard]] bool used() const noexcept { return used_.load(std::memory_order_acquire); }
  [[nodiscard]] std::int64_t ttl_min_ms() const noexcept { return ttl_min_ms_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t ttl_max_ms() const noexcept { return ttl_max_ms_.load(std::memory_order_relaxed); }
  // visit(class, writes, bytes)
  template <typename Visit>
  void each_class(const Visit& visit) const {
    const std::uint8_t first = first_class_.load(std::memory_order_relaxed);
    if (first != no_class) {
      visit(first, first_writes_.load(std::memory_order_relaxed), first_bytes_.load(std::memory_order_relaxed));
    }
    for (std::uint8_t which = 0; wide_ != nullptr && which < attribution::ttl_classes; ++which) {
      const std::uint64_t writes = wide_->ttl_writes[which].load(std::memory_order_relaxed);
      if (writes != 0) visit(which, writes, wide_->ttl_bytes[which].load(std::memory_order_relaxed));
    }
  }
  // visit(place)
  template <typename Visit>
  void each_key(const Visit& visit) const {
    const std::uint8_t narrow = narrow_used_.load(std::memory_order_relaxed);
    for (std::uint8_t one = 0; one < narrow; ++one) {
      const std::uint16_t packed = keys_[one].load(std::memory_order_relaxed);
      visit(place{static_cast<std::uint16_t>(packed >> rank_bits), static_cast<std::uint8_t>(packed & rank_mask)});
    }
    if (narrow < narrow_keys || wide_ == nullptr) return;
    for (std::size_t index = 0; index < wide_->keys.size(); ++index) {
      const std::uint8_t rank = wide_->keys[index].load(std::memory_order_relaxed);
      if (rank != 0) visit(place{static_cast<std::uint16_t>(index), rank});
    }
  }
  void clear() noexcept {
    ttl_min_ms_.store(0, std::memory_order_relaxed);
    ttl_max_ms_.store(0, std::memory_order_relaxed);
    first_writes_.store(0, std::memory_order_relaxed);
    first_bytes_.store(0, std::memory_order_relaxed);
    first_class_.store(no_class, std::memory_order_relaxed);
    if (wide_ != nullptr) wide_->clear(narrow_used_.load(std::memory_order_relaxed) == narrow_keys);
    narrow_used_.store(0, std::memory_order_relaxed);
    used_.store(false, std::memory_order_release);
  }

 private:
  static constexpr unsigned rank_bits = 6;
  static constexpr std::uint16_t rank_mask = (1U << rank_bits) - 1;
  static constexpr std::uint8_t narrow_keys = 8;
  static constexpr std::uint8_t no_class = 0xff;

  struct wide {
    std::array<std::atomic<std::uint64_t>, attribution::ttl_classes> ttl_writes{}, ttl_bytes{};
    std::array<std::atomic<std::uint8_t>, attribution::distinct_keys::registers> keys{};

    void clear(bool has_keys) noexcept {
      for (auto& cell : ttl_writes) cell.store(0, std::memory_order_relaxed);
      for (auto& cell : ttl_bytes) cell.store(0, std::memory_order_relaxed);
      if (!has_keys) return;
      for (auto& cell : keys) cell.store(0, std::memory_order_relaxed);
    }
  };
  // Null where there is no memory for it: then a bucket's classes and keys are short of some, its sums are not.
  wide* widen() noexcept {
    if (wide_ == nullptr) wide_ = new (std::nothrow) wide;
    return wide_;
  }

  std::atomic<std::int64_t> ttl_min_ms_{0}, ttl_max_ms_{0};  // 0 = none was set
  std::atomic<std::uint64_t> first_writes_{0}, first_bytes_{0};
  wide* wide_ = nullptr;
  std::array<std::atomic<std::uint16_t>, narrow_keys> keys_{};
  std::atomic<std::uint8_t> first_class_{no_class};
  std::atomic<std::uint8_t> narrow_used_{0};
  std::atomic<bool> used_{false};
};

static_assert(sizeof(write_sketch) == 64);

}  // namespace tidegate::session
