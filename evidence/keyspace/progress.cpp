#include "evidence/keyspace/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tidegate::keyspace {
namespace {

constexpr std::int64_t slice_ns = 2'000'000'000;
constexpr double newest_weight = 0.2;  // of a slice: the pace is that of the last ten, mostly
constexpr double nearly_all = 0.9999;

}  // namespace

double cursor_fraction(std::uint64_t cursor) noexcept {
  double fraction = 0, bit = 0.5;
  for (; cursor != 0; cursor >>= 1U, bit /= 2) {
    if ((cursor & 1U) != 0) fraction += bit;
  }
  return fraction;
}

progress::progress(std::uint64_t keys_total, std::int64_t now, double fraction) noexcept
    : keys_total_(keys_total), fraction_(fraction), slice_begin_(now), slice_fraction_(fraction) {}

void progress::page(std::uint64_t cursor, std::uint64_t keys_seen, std::int64_t now) noexcept {
  if (cursor != 0) {
    const double at = cursor_fraction(cursor);
    if (cursor_tells_ && at < fraction_ - 0.01) cursor_tells_ = false;
    const double by_keys =
        keys_total_ == 0 ? 0 : static_cast<double>(keys_seen) / static_cast<double>(std::max(keys_total_, keys_seen));
    fraction_ = std::clamp(cursor_tells_ ? at : by_keys, fraction_, std::max(fraction_, nearly_all));
  }
  if (now - slice_begin_ < slice_ns) return;
  const double pace = (fraction_ - slice_fraction_) / (static_cast<double>(now - slice_begin_) / 1e9);
  pace_ = pace_ == 0 ? pace : pace_ + newest_weight * (pace - pace_);
  slice_begin_ = now;
  slice_fraction_ = fraction_;
}

std::optional<std::int64_t> progress::seconds_left() const noexcept {
  if (pace_ <= 0) return std::nullopt;
  return static_cast<std::int64_t>(std::ceil(std::min((1 - fraction_) / pace_, 1e9)));
}

std::string bar_text(double fraction, std::size_t width) {
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(width));
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f %%", std::floor(fraction * 100));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "] " + percent;
}

std::string duration_text(std::int64_t seconds) {
  char text[48];
  if (seconds >= 3600) {
    std::snprintf(text, sizeof text, "%lld h %02lld min", static_cast<long long>(seconds / 3600),
                  static_cast<long long>(seconds / 60 % 60));
  } else if (seconds >= 60) {
    std::snprintf(text, sizeof text, "%lld min %02lld s", static_cast<long long>(seconds / 60),
                  static_cast<long long>(seconds % 60));
  } else {
    std::snprintf(text, sizeof text, "%lld s", static_cast<long long>(seconds));
  }
  return text;
}

}  // namespace tidegate::keyspace
