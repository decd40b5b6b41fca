#include "evidence/keyspace/pacing.hpp"

#include <algorithm>
#include <span>

namespace tidegate::keyspace {
namespace {

std::uint64_t burst_of(double wanted) {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted * pacing::burst_seconds));
}

// So that one late answer of ten is none of it.
steady_ns ninetieth_percentile(std::span<steady_ns> times) {
  const auto at = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) * 9 / 10);
  std::ranges::nth_element(times, at);
  return *at;
}

}  // namespace

pacing::pacing(double wanted, steady_ns now)
    : wanted_(wanted), rate_(wanted * start_share), clock_(rate_, now), bucket_(clock_, burst_of(wanted), 1) {}

steady_ns pacing::ask(std::uint64_t commands, steady_ns now) noexcept {
  const limiter::units cost = clock_.to_units(commands);
  if (bucket_.try_debit(cost, now)) return 0;
  return std::max<steady_ns>(1, bucket_.wait_for(cost, now));
}

void pacing::set_rate(double rate, steady_ns now) {
  rate_ = std::clamp(rate, slowest(), wanted_);
  clock_.set_rate(rate_, now);
}

void pacing::slower(std::string_view why, steady_ns now) {
  held_by_ = why;
  if (halvings_ != 0 && now - halved_at_ < settle) return;
  halved_at_ = now;
  ++halvings_;
  recent_count_ = 0;
  set_rate(rate_ / 2, now);
}

void pacing::answered(steady_ns took, steady_ns now) {
  if (!has_baseline()) {
    first_.push_back(took);
    if (has_baseline()) baseline_ = ninetieth_percentile(first_);
    return;
  }
  recent_[recent_count_++ % window] = took;
  if (halvings_ != 0 && recent_count_ < judged_from) return;
  std::array<steady_ns, window> sorted = recent_;
  const steady_ns usual = ninetieth_percentile(std::span(sorted).first(std::min(recent_count_, window)));
  // A baseline that was taken in a bad moment comes down; it never goes up, or our own load would become the norm.
  if (recent_count_ >= judged_from && usual < baseline_) baseline_ = usual;
  if (recent_count_ >= judged_from && static_cast<double>(usual) > static_cast<double>(baseline_) * slow_factor &&
      usual > baseline_ + slow_slack) {
    return slower("latency", now);
  }
  if (short_of_memory_) return;
  set_rate(rate_ + wanted_ * step_share, now);
  if (rate_ >= wanted_) held_by_ = {};
}

void pacing::loaded(const server_load& load, steady_ns now) {
  if (!begin_) begin_ = load;
  short_of_memory_ = load.memory_fraction.value_or(0) >= memory_short;
  if (before_ && load.evicted_keys > before_->evicted_keys) {
    slower("evictions", now);
  } else if (short_of_memory_) {
    slower("memory", now);
  } else if (load.others_per_second > busy_min && load.others_per_second > begin_->others_per_second * busy_factor) {
    slower("load", now);
  }
  before_ = load;
}

}  // namespace tidegate::keyspace
