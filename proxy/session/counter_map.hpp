// Counters of one worker under small numeric labels: one writer, any number of readers.
//
// Thread safety: at() and add() on the owning worker; read() from any thread at any time. Ownership: cells never move.
// Cost: one hash lookup; allocates only for a new key, 256 cells at a time. At most keys_max keys; further ones count
// under key 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "attribution/counters.hpp"

namespace tidegate::session {

// Up to three labels in one key: the meaning is the owner's.
[[nodiscard]] constexpr std::uint64_t label_key(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) noexcept {
  return (a << 42) | (b << 21) | c;  // 21 bits each
}
struct labels {
  std::uint32_t a, b, c;
};
[[nodiscard]] constexpr labels split_key(std::uint64_t key) noexcept {
  return {static_cast<std::uint32_t>(key >> 42) & 0x1fffffU, static_cast<std::uint32_t>(key >> 21) & 0x1fffffU,
          static_cast<std::uint32_t>(key) & 0x1fffffU};
}

class counter_map {
 public:
  static constexpr std::uint32_t keys_max = 65536;
  counter_map();
  ~counter_map();
  counter_map(const counter_map&) = delete;
  counter_map& operator=(const counter_map&) = delete;

  [[nodiscard]] attribution::single_writer_counter& at(std::uint64_t key) noexcept;
  void add(std::uint64_t key, std::uint64_t n = 1) noexcept { at(key).add(n); }
  // For what is a gauge: one that was added ends. Sums wrap, so the maps of several workers still fold to what is
  // there.
  void subtract(std::uint64_t key) noexcept { at(key).add(~std::uint64_t{0}); }
  void read(const std::function<void(std::uint64_t key, std::uint64_t value)>& visit) const;

 private:
  struct cells;
  std::unique_ptr<cells> cells_;
};

}  // namespace tidegate::session
