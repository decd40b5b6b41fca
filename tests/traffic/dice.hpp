// Random choices that a seed repeats, on every machine and with every standard library.
//
// Thread safety: none; a dice a thread.
// Ownership: a value.
// Invariants: the sequence is that of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
//   2014) and of nothing else: no std distribution, whose results no standard fixes.
// Cost: four multiplications or shifts a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace tidegate::traffic {

class dice {
 public:
  explicit dice(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 … n-1. Pre: n > 0.
  std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
  // One of an array or a vector that is not empty.
  template <class Choices>
  const auto& of(const Choices& choices) noexcept {
    return choices[static_cast<std::size_t>(below(std::size(choices)))];
  }

 private:
  std::uint64_t state_;
};

}  // namespace tidegate::traffic
