#include "attribution/distinct_keys.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace tidegate::attribution {

namespace {

constexpr unsigned rank_bits = 6;
constexpr std::uint16_t rank_mask = (1U << rank_bits) - 1;
constexpr unsigned hash_bits = 64 - distinct_keys::index_bits;
constexpr std::uint8_t rank_max = hash_bits + 1;
constexpr std::size_t dense_bytes = 1 + distinct_keys::registers * rank_bits / 8;
constexpr char sparse_mark = 's';
constexpr char dense_mark = 'd';

// 64 x 64 -> 128 bits, folded: one multiplication mixes every bit of both into every bit of the result.
__extension__ using wide = unsigned __int128;
std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const wide product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Ertl's sigma and tau: the shares of registers at 0 and at the top, summed until double precision is spent.
double sigma(double x) noexcept {
  if (x >= 1.0) return std::numeric_limits<double>::infinity();
  double y = 1;
  double z = x;
  for (double before = -1; z != before;) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

double tau(double x) noexcept {
  if (x <= 0.0 || x >= 1.0) return 0;
  double y = 1;
  double z = 1 - x;
  for (double before = -1; z != before;) {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

std::uint64_t distinct_keys::hash_key(std::string_view key) noexcept {
  constexpr std::uint64_t first = 0x9e3779b97f4a7c15U;
  constexpr std::uint64_t second = 0xd6e8feb86659fd93U;
  std::uint64_t state = first ^ (key.size() * second);
  while (key.size() > 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, key.data(), 8);
    state = fold(state ^ word, second);
    key.remove_prefix(8);
  }
  std::uint64_t last = 0;
  std::memcpy(&last, key.data(), key.size());
  return fold(fold(state ^ last, first), second ^ state);
}

distinct_keys::place distinct_keys::place_of(std::uint64_t hash) noexcept {
  const std::uint64_t rest = hash << index_bits;
  const unsigned rank = rest == 0 ? rank_max : static_cast<unsigned>(std::countl_zero(rest)) + 1;
  return {static_cast<std::uint16_t>(hash >> hash_bits), static_cast<std::uint8_t>(std::min<unsigned>(rank, rank_max))};
}

template <typename Visit>
void distinct_keys::each(const Visit& visit) const {
  for (const std::uint16_t one : few_) {
    visit(place{static_cast<std::uint16_t>(one >> rank_bits), static_cast<std::uint8_t>(one & rank_mask)});
  }
  for (std::size_t index = 0; index < registers_.size(); ++index) {
    if (registers_[index] != 0) visit(place{static_cast<std::uint16_t>(index), registers_[index]});
  }
}

std::size_t distinct_keys::used() const noexcept {
  return few_.size() + registers_.size() -
         static_cast<std::size_t>(std::count(registers_.begin(), registers_.end(), std::uint8_t{0}));
}

void distinct_keys::raise(place at) {
  if (at.rank == 0) return;
  if (!registers_.empty()) {
    registers_[at.index] = std::max(registers_[at.index], at.rank);
    return;
  }
  const auto packed = static_cast<std::uint16_t>(at.index << rank_bits | at.rank);
  const auto found = std::lower_bound(few_.begin(), few_.end(), static_cast<std::uint16_t>(at.index << rank_bits));
  if (found != few_.end() && *found >> rank_bits == at.index) {
    *found = std::max(*found, packed);
    return;
  }
  few_.insert(found, packed);
  if (few_.size() <= few_max) return;
  std::vector<std::uint8_t> all(registers);
  each([&](place one) { all[one.index] = one.rank; });
  registers_ = std::move(all);
  few_ = {};
}

void distinct_keys::merge(const distinct_keys& other) {
  other.each([this](place one) { raise(one); });
}

double distinct_keys::estimate() const noexcept {
  std::array<std::uint32_t, rank_max + 1> with_rank{};
  each([&](place one) { ++with_rank[one.rank]; });
  with_rank[0] = static_cast<std::uint32_t>(registers - used());
  constexpr double m = registers;
  double z = m * tau(1.0 - with_rank[rank_max] / m);
  for (std::size_t rank = hash_bits; rank >= 1; --rank) z = 0.5 * (z + with_rank[rank]);
  z += m * sigma(with_rank[0] / m);
  constexpr double alpha = 0.5 / 0.69314718055994530942;  // 1 / (2 ln 2)
  return alpha * m * m / z;
}

std::string distinct_keys::encode() const {
  std::string out;
  if (1 + 2 * used() < dense_bytes) {
    out.push_back(sparse_mark);
    each([&](place one) {
      const std::size_t word = static_cast<std::size_t>(one.index) << rank_bits | one.rank;
      out.push_back(static_cast<char>(word >> 8));
      out.push_back(static_cast<char>(word & 0xff));
    });
    return out;
  }
  out.assign(dense_bytes, '\0');
  out[0] = dense_mark;
  each([&](place one) {
    for (unsigned bit = 0; bit < rank_bits; ++bit) {
      if ((static_cast<unsigned>(one.rank) >> bit & 1U) == 0) continue;
      const std::size_t at = one.index * rank_bits + bit;
      out[1 + at / 8] =
          static_cast<char>(static_cast<unsigned>(static_cast<unsigned char>(out[1 + at / 8])) | 1U << (at % 8));
    }
  });
  return out;
}

std::optional<distinct_keys> distinct_keys::decode(std::string_view stored) {
  distinct_keys out;
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(stored[at])); };
  if (stored.empty()) return std::nullopt;
  if (stored[0] == sparse_mark && stored.size() % 2 == 1) {
    for (std::size_t at = 1; at < stored.size(); at += 2) {
      const std::size_t word = byte(at) << 8 | byte(at + 1);
      const auto rank = static_cast<std::uint8_t>(word & rank_mask);
      if (rank == 0 || rank > rank_max) return std::nullopt;
      out.raise({static_cast<std::uint16_t>(word >> rank_bits), rank});
    }
    return out;
  }
  if (stored[0] != dense_mark || stored.size() != dense_bytes) return std::nullopt;
  for (std::size_t index = 0; index < registers; ++index) {
    unsigned rank = 0;
    for (unsigned bit = 0; bit < rank_bits; ++bit) {
      const std::size_t at = index * rank_bits + bit;
      rank |= static_cast<unsigned>(byte(1 + at / 8) >> (at % 8) & 1U) << bit;
    }
    if (rank > rank_max) return std::nullopt;
    out.raise({static_cast<std::uint16_t>(index), static_cast<std::uint8_t>(rank)});
  }
  return out;
}

}  // namespace tidegate::attribution
