// How many different keys were written, in at most a kilobyte: a HyperLogLog of 1,024 registers, standard error 3.3 %.
//
// Thread safety: none; what a worker fills concurrently are its own atomic registers (see place_of). Ownership: a
// value. Invariants: (1) merging is exact: the sketch of a union is the register-wise maximum, whatever the order or
// the number of parts; (2) the hash is fixed for good, because sketches of different runs are merged; (3) up to few_max
// registers stand in a sorted list, beyond in full: equal sketches are stored alike. Cost: hash_key() about a
// nanosecond for 8 bytes; raise() a search in the list or one register; estimate() a pass over the registers.
//
// Flajolet, Fusy, Gandouet, Meunier: HyperLogLog (2007); the estimator is Ertl's, "New cardinality estimation
// algorithms for HyperLogLog sketches" (2017), which needs no table of corrections.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::attribution {

class distinct_keys {
 public:
  static constexpr unsigned index_bits = 10;
  static constexpr std::size_t registers = std::size_t{1} << index_bits;

  struct place {
    std::uint16_t index;
    std::uint8_t rank;  // 1 … 55
  };
  [[nodiscard]] static std::uint64_t hash_key(std::string_view key) noexcept;
  [[nodiscard]] static place place_of(std::uint64_t hash) noexcept;

  void add(std::string_view key) noexcept { raise(place_of(hash_key(key))); }
  void raise(place at);
  void merge(const distinct_keys& other);
  [[nodiscard]] bool empty() const noexcept { return few_.empty() && registers_.empty(); }
  [[nodiscard]] double estimate() const noexcept;

  // The form on disk: one byte 's' and two bytes a used register (index << 6 | rank, big end first), or, where that is
  // shorter, 'd' and six bits a register.
  [[nodiscard]] std::string encode() const;
  // Nothing for what encode() does not write.
  [[nodiscard]] static std::optional<distinct_keys> decode(std::string_view stored);

  bool operator==(const distinct_keys&) const = default;

 private:
  static constexpr std::size_t few_max = 64;
  [[nodiscard]] std::size_t used() const noexcept;
  // visit(place), by rising index
  template <typename Visit>
  void each(const Visit& visit) const;

  std::vector<std::uint16_t> few_;       // index << 6 | rank; sorted; empty once registers_ are there
  std::vector<std::uint8_t> registers_;  // none, or all
};

}  // namespace tidegate::attribution
