#include "evidence/report/footprint.hpp"

#include <algorithm>

namespace tidegate::report {

ttl_span span_of_class(std::size_t ttl_class, std::optional<std::int64_t> least_ms,
                       std::optional<std::int64_t> most_ms) {
  const auto upper = static_cast<double>(attribution::ttl_class_upper_seconds(ttl_class)) * 1000;
  double least = ttl_class == 0 ? 0 : upper / 2;
  double most = upper;
  if (least_ms) least = std::max(least, static_cast<double>(*least_ms));
  if (most_ms) most = std::min(most, static_cast<double>(*most_ms));
  if (most < least) most = least;
  return {.least_ms = least * late, .most_ms = most * late};
}

double parcel::live_at(unix_ms now) const {
  if (now < at) return 0;
  const auto age = static_cast<double>(now - at);
  if (stays || age <= lives.least_ms) return bytes;
  if (age >= lives.most_ms) return 0;
  return bytes * (lives.most_ms - age) / (lives.most_ms - lives.least_ms);
}

double footprint::live_at(unix_ms now) const {
  double sum = 0;
  for (const parcel& each : parcels_) sum += each.live_at(now);
  return sum;
}

double footprint::timed_at(unix_ms now) const {
  double sum = 0;
  for (const parcel& each : parcels_) {
    if (!each.stays) sum += each.live_at(now);
  }
  return sum;
}

}  // namespace tidegate::report
