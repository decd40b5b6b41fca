// How many of the bytes that were written are still stored: each expires within the span of its TTL class.
//
// Thread safety: none; a value. Ownership: owns its parcels. Invariants: (1) a parcel without a TTL stays; (2) live_at
// never grows in time by itself; (3) within a class what was written expires evenly between its shortest and longest
// TTL. Cost: live_at() is linear in the parcels.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "attribution/ttl_class.hpp"
#include "evidence/report/observation.hpp"

namespace tidegate::report {

// The span of TTLs of a class, narrowed by the shortest and longest that were seen at all.
struct ttl_span {
  double least_ms = 0, most_ms = 0;
};
[[nodiscard]] ttl_span span_of_class(std::size_t ttl_class, std::optional<std::int64_t> least_ms,
                                     std::optional<std::int64_t> most_ms);

struct parcel {
  unix_ms at = 0;
  double bytes = 0;
  bool stays = false;
  ttl_span lives{};

  [[nodiscard]] double live_at(unix_ms now) const;
};

// Redis deletes what expired late: up to a tenth of the keys with a TTL may be over time (expire.c,
// ACTIVE_EXPIRE_CYCLE_ACCEPTABLE_STALE).
inline constexpr double late = 1.1;

class footprint {
 public:
  void add(const parcel& each) { parcels_.push_back(each); }
  [[nodiscard]] double live_at(unix_ms now) const;
  [[nodiscard]] double timed_at(unix_ms now) const;
  [[nodiscard]] const std::vector<parcel>& parcels() const { return parcels_; }

 private:
  std::vector<parcel> parcels_;  // in order of time
};

}  // namespace tidegate::report
