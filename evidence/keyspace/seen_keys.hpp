// Which keys a SCAN has already returned: a scan returns some twice when the server's table shrinks under it.
//
// Exact up to exact_keys_max distinct keys. Above, only keys whose hash ends in so many zero bits are remembered, one
// bit more each time that the table is full again: their ratio of distinct to returned is that of all keys, since the
// hash is independent of what a key is.
//
// Thread safety: none. Invariants: (1) never more than exact_keys_max hashes are kept; (2) while exact(), distinct() is
// the number of different hashes, and of 64-bit ones two of ten million keys meet with a chance of 3 in a million.
// Cost: 8 bytes a key at a load of at most 3/4; a probe or two an insert; growing doubles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidegate::keyspace {

class seen_keys {
 public:
  static constexpr std::size_t exact_keys_max = 12'000'000;  // at most 256 MiB with the empty places
  explicit seen_keys(std::size_t keys_max = exact_keys_max) : keys_max_(keys_max) {}

  // False only for a key that is known to have been returned before.
  bool insert(std::uint64_t hash);
  [[nodiscard]] bool exact() const noexcept { return skipped_bits_ == 0; }
  [[nodiscard]] std::uint64_t distinct() const noexcept;
  // What a count over insert() == true is multiplied with: 1 while exact.
  [[nodiscard]] double distinct_share() const noexcept;

 private:
  [[nodiscard]] bool sampled(std::uint64_t hash) const noexcept {
    return (hash & ((std::uint64_t{1} << skipped_bits_) - 1)) == 0;
  }
  [[nodiscard]] std::size_t place_of(std::uint64_t hash) const noexcept;
  void rebuild(std::size_t places);

  std::size_t keys_max_;
  std::vector<std::uint64_t> table_ = std::vector<std::uint64_t>(1024);  // 0 = empty
  std::size_t kept_ = 0;
  std::uint32_t skipped_bits_ = 0;
  std::uint64_t passed_ = 0;                // insert() == true
  std::uint64_t unsampled_ = 0;             // of these, while not exact, outside the sample
  std::uint64_t fresh_ = 0, repeated_ = 0;  // in the sample, while not exact
};

}  // namespace tidegate::keyspace
