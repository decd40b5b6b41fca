#include "evidence/keyspace/seen_keys.hpp"

#include <cmath>

namespace tidegate::keyspace {

std::size_t seen_keys::place_of(std::uint64_t hash) const noexcept {
  // The upper bits: in a sample the lower ones are all zero.
  std::size_t place = (hash >> 24U) & (table_.size() - 1);
  while (table_[place] != 0 && table_[place] != hash) place = (place + 1) & (table_.size() - 1);
  return place;
}

void seen_keys::rebuild(std::size_t places) {
  std::vector<std::uint64_t> old(places);
  old.swap(table_);
  kept_ = 0;
  for (const std::uint64_t hash : old) {
    if (hash == 0 || !sampled(hash)) continue;
    table_[place_of(hash)] = hash;
    ++kept_;
  }
}

bool seen_keys::insert(std::uint64_t hash) {
  if (hash == 0) hash = std::uint64_t{1} << 63U;
  if (!sampled(hash)) {
    ++passed_;
    ++unsampled_;
    return true;
  }
  std::size_t place = place_of(hash);
  if (table_[place] == hash) {
    if (!exact()) ++repeated_;
    return false;
  }
  if (kept_ == keys_max_) {
    ++skipped_bits_;
    rebuild(table_.size());
    if (!sampled(hash)) return insert(hash);
    place = place_of(hash);
  } else if ((kept_ + 1) * 4 > table_.size() * 3) {
    rebuild(table_.size() * 2);
    place = place_of(hash);
  }
  table_[place] = hash;
  ++kept_;
  ++passed_;
  if (!exact()) ++fresh_;
  return true;
}

std::uint64_t seen_keys::distinct() const noexcept {
  if (fresh_ == 0) return passed_;
  // Sampled keys pass once, others each time that they come: their share of repeats is that of the sampled.
  const double once = static_cast<double>(fresh_) / static_cast<double>(fresh_ + repeated_);
  return passed_ - unsampled_ + static_cast<std::uint64_t>(std::llround(static_cast<double>(unsampled_) * once));
}

double seen_keys::distinct_share() const noexcept {
  return passed_ == 0 ? 1.0 : static_cast<double>(distinct()) / static_cast<double>(passed_);
}

}  // namespace tidegate::keyspace
