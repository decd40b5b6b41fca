#include "evidence/forecast/forecaster.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tidegate::forecast {
namespace {

using attribution::ttl_class_keep;
using attribution::ttl_class_none;
using attribution::ttl_classes_timed;

constexpr double infinite = 1e18;
constexpr double quiet_memory_seconds = 300;  // over which the rate of quiet times is smoothed
// The slope of now is that of the last quarter of the growth, so that it follows a burst that gathers speed whatever
// its scale in time, and of a minute at most, so that its end is seen soon.
constexpr double slope_share = 0.25, slope_seconds_max = 60;
// Below this share of its fastest growth a run is over.
constexpr double run_over = 0.15;
// The curve ahead is looked at in steps that grow by this factor.
constexpr double step_first = 1.0, step_growth = 1.06;

struct span_of_life {
  double from = 0, to = 0;
};

// When what was written with a TTL of this class is gone.
span_of_life life_of(std::size_t which) noexcept {
  if (which == ttl_class_none) return {infinite, infinite};
  if (which == ttl_class_keep) return {forecaster::life_unknown * 0.5, forecaster::life_unknown * 1.5};
  const auto longest = static_cast<double>(attribution::ttl_class_upper_seconds(which));
  return {which == 0 ? 0.0 : longest / 2 * forecaster::late, longest * forecaster::late};
}

// The mean of ln(life) over a class, for lives spread evenly over ln(life).
double log_life_of(std::size_t which) noexcept {
  const span_of_life life = life_of(which);
  return (std::log(std::max(life.from, 0.5)) + std::log(life.to)) / 2;
}

// When a level is passed between two moments.
double crossing(const level& from, const level& to, double wanted) noexcept {
  return from.after + (to.after - from.after) * (wanted - from.bytes) / (to.bytes - from.bytes);
}

}  // namespace

std::optional<double> forecast::seconds_until(double bytes) const noexcept {
  if (!known) return std::nullopt;
  if (used_bytes >= bytes) return 0;
  level before{0, used_bytes};
  for (const level& one : expected_levels) {
    if (one.bytes >= bytes) return crossing(before, one, bytes);
    before = one;
  }
  return std::nullopt;
}

void forecaster::mix::add(std::size_t which, double share) noexcept {
  const span_of_life life = life_of(which);
  parts[size++] = {share, life.from, life.to, log_life_of(which)};
}

double forecaster::mix::alive(double age) const noexcept {
  double sum = 0;
  for (const part& one : all()) {
    if (age <= one.from) {
      sum += one.share;
    } else if (age < one.to) {
      sum += one.share * (one.to - age) / (one.to - one.from);
    }
  }
  return sum;
}

double forecaster::mix::lived(double age) const noexcept {
  double sum = 0;
  for (const part& one : all()) {
    double seconds = std::min(age, one.from);
    if (age > one.from) {
      const double width = one.to - one.from, dying = std::min(age, one.to) - one.from;
      seconds += dying - dying * dying / (2 * width);
    }
    sum += one.share * seconds;
  }
  return sum;
}

double forecaster::mix::times(double age) const noexcept {
  double sum = 0;
  for (const part& one : all()) sum += one.share * std::clamp(one.log_life - std::log(age), 0.0, times_max);
  return sum;
}

void forecaster::begin_anew(const observation& now) {
  const forecast kept = forecast_;
  *this = forecaster();
  forecast_.why_unknown = kept.why_unknown;
  first_ms_ = now.at_ms;
  base_ = static_cast<double>(now.used_memory);
}

void forecaster::observe(const observation& now) {
  const bool later = last_ && now.at_ms > last_->at_ms;
  const bool gap = later && static_cast<double>(now.at_ms - last_->at_ms) > 1000 * gap_seconds_max;
  const bool fell = last_ && now.used_memory < last_->used_memory - last_->used_memory / 3;
  if (last_ && now.at_ms == last_->at_ms) return;
  if (!later || gap || fell) begin_anew(now);
  const double before = at_, used_before = used_;
  at_ = static_cast<double>(now.at_ms - first_ms_) / 1000;
  used_ = static_cast<double>(now.used_memory);
  max_ = static_cast<double>(now.maxmemory);
  if (history_.size() == history_max) history_.erase(history_.begin(), history_.begin() + history_max / 4);
  history_.push_back({at_, used_});
  if (!last_ || now.maxmemory == 0) {
    onset_at_ = at_;
    base_ = used_;
  } else {
    const double seconds = at_ - before;
    sum_ = std::max(0.0, sum_ + used_ - used_before - drift * max_ * seconds);
    for (std::size_t which = 0; which < ttl_classes; ++which) {
      const double quiet = quiet_rate_[which] * seconds;
      since_onset_[which] += std::max(0.0, static_cast<double>(now.written.bytes[which]) - quiet);
    }
    if (!burst_) follow_quiet(now, seconds);
    if (burst_) follow_burst();
  }
  last_ = now;
  tell(now);
}

void forecaster::follow_quiet(const observation& now, double seconds) {
  if (sum_ > burst_from * max_) {
    burst_ = true;
    return;
  }
  if (sum_ > 0) return;  // it may be the beginning of one
  onset_at_ = at_;
  base_ = used_;
  since_onset_.fill(0);
  quiet_seconds_ = std::min(quiet_seconds_ + seconds, quiet_memory_seconds);
  const double weight = std::min(1.0, seconds / quiet_seconds_);
  for (std::size_t which = 0; which < ttl_classes; ++which) {
    quiet_rate_[which] += weight * (static_cast<double>(now.written.bytes[which]) / seconds - quiet_rate_[which]);
  }
}

// Shares of the classes in what the burst wrote. What the writes cannot explain has a life that nobody knows.
void forecaster::mix_classes() noexcept {
  const double written = std::accumulate(since_onset_.begin(), since_onset_.end(), 0.0);
  mix_ = mix{};
  stored_per_written_ = 0;
  if (written <= 0 || used_ - base_ > stored_per_written_max * written) {
    mix_.add(ttl_class_keep, 1);
    return;
  }
  for (std::size_t which = 0; which < ttl_classes; ++which) {
    if (since_onset_[which] > 0) mix_.add(which, since_onset_[which] / written);
  }
  stored_per_written_ = stored() / written;
}

double forecaster::stored() const noexcept {
  return std::accumulate(slices_.begin(), slices_.end(), 0.0,
                         [](double sum, const slice& one) { return sum + one.mass; });
}

double forecaster::living(double at) const noexcept {
  double sum = 0;
  for (const slice& one : slices_) sum += one.mass * mix_.alive(at - one.at);
  return sum;
}

void forecaster::add_slice(double mass) {
  if (slices_.size() == slices_max) {
    // Two and two become one: the older a slice, the coarser its age may be.
    for (std::size_t i = 0; i < slices_max / 2; ++i) {
      const slice &a = slices_[2 * i], &b = slices_[2 * i + 1];
      const double sum = a.mass + b.mass;
      slices_[i] = {sum > 0 ? (a.at * a.mass + b.at * b.mass) / sum : b.at, sum};
    }
    slices_.resize(slices_max / 2);
  }
  slices_.push_back({at_, mass});
}

// Least squares over the samples of the last moments.
void forecaster::take_slope() noexcept {
  const double risen = std::max(run_growth_ * slope_share, 2 * band * max_);
  std::size_t first = history_.size() - 1;
  while (first > 0 && history_[first - 1].at >= at_ - slope_seconds_max && history_[first].used > used_ - risen)
    --first;
  if (first == history_.size() - 1 && first > 0) --first;
  const auto count = static_cast<double>(history_.size() - first);
  double at = 0, used = 0;
  for (std::size_t i = first; i < history_.size(); ++i) {
    at += history_[i].at / count;
    used += history_[i].used / count;
  }
  double both = 0, square = 0;
  for (std::size_t i = first; i < history_.size(); ++i) {
    both += (history_[i].at - at) * (history_[i].used - used);
    square += (history_[i].at - at) * (history_[i].at - at);
  }
  slope_ = square > 0 ? both / square : 0;
}

void forecaster::end_run() noexcept {
  run_growth_ = 0;
  run_slope_max_ = 0;
  inflow_ = 0;
}

void forecaster::follow_burst() {
  mix_classes();
  take_slope();
  // The slices are held to what the upstream says, but not to its noise: else every wave would make them younger.
  const double over = used_ - base_ - living(at_);
  if (over > band * max_) {
    add_slice(over);
    run_growth_ += over;
  } else if (over < -band * max_) {
    const double alive = living(at_);
    const double factor = alive > 0 ? std::max(0.0, used_ - base_) / alive : 0;
    for (slice& one : slices_) one.mass *= factor;
  }
  const double dying = std::max(0.0, living(at_) - living(at_ + 1));
  inflow_ = std::max(0.0, slope_ + dying);
  run_slope_max_ = std::max(run_slope_max_, inflow_);
  if (inflow_ < run_over * run_slope_max_ || inflow_ < 2 * drift * max_) end_run();
  const double mortal = living(at_) - stored() * mix_.alive(infinite / 2);
  if (inflow_ == 0 && sum_ == 0 && mortal < band * max_) {
    // What is left of it stays: it is the level of the quiet time that begins.
    burst_ = false;
    slices_.clear();
    since_onset_.fill(0);
    onset_at_ = at_;
    base_ = used_;
  }
}

// Seconds for which the burst is expected to raise the memory yet.
double forecaster::raises_for() const noexcept {
  if (inflow_ <= 0) return 0;
  const double age = std::max(run_growth_ / inflow_, 1.0);
  return age * mix_.times(age);
}

// What of the burst lives at each of the moments ahead that are looked at; the one at which the expected inflow ends is
// among them, for the peak may be there.
void forecaster::look_ahead(double turn) {
  ahead_.clear();
  double step = step_first;
  for (double after = step_first; after < horizon_seconds; step *= step_growth, after += step) {
    if (turn > 0 && (ahead_.empty() || ahead_.back().after < turn) && after > turn) ahead_.push_back({turn, 0});
    ahead_.push_back({after, 0});
  }
  // What lies within the noise band is neither living nor base, and stays.
  const double rest = used_ - living(at_);
  for (level& one : ahead_) one.bytes = rest + living(at_ + one.after);
}

outlook forecaster::look(double inflow_seconds, forecast* into) const {
  const auto instant = [this](double after) {
    return first_ms_ + static_cast<std::int64_t>(std::llround((at_ + after) * 1000));
  };
  outlook seen{used_, instant(0)};
  std::optional<double> back;
  level before{0, used_};
  for (const level& one : ahead_) {
    const double inflow = mix_.lived(one.after) - mix_.lived(one.after - std::min(one.after, inflow_seconds));
    const level then{one.after, one.bytes + inflow_ * inflow};
    if (then.bytes > seen.peak_bytes) {
      seen = {then.bytes, instant(then.after)};
      back.reset();
    } else if (!back && then.bytes < back_below * max_ && seen.peak_bytes >= back_below * max_) {
      back = crossing(before, then, back_below * max_);
    }
    if (into != nullptr) into->expected_levels.push_back(then);
    before = then;
  }
  if (into != nullptr) into->seconds_back = back;
  return seen;
}

void forecaster::tell(const observation& now) {
  forecast& out = forecast_;
  out = forecast{};
  out.at_ms = now.at_ms;
  out.used_bytes = used_;
  out.max_bytes = max_;
  if (now.maxmemory == 0) {
    out.why_unknown = "the upstream has no maxmemory: say it as upstream.maxmemory";
    return;
  }
  out.known = true;
  out.why_unknown.clear();
  out.burst = burst_ && inflow_ > 0;
  if (out.burst) out.burst_since_ms = first_ms_ + static_cast<std::int64_t>(std::llround(onset_at_ * 1000));
  out.growth_per_second = burst_ ? inflow_ : 0;
  out.stored_per_written = burst_ ? stored_per_written_ : 0;
  const double turn = raises_for();
  ahead_.clear();
  if (burst_) look_ahead(turn);
  out.expected = look(turn, &out);
  for (std::size_t i = 0; i < thresholds.size(); ++i) out.seconds_to[i] = out.seconds_until(max_ * thresholds[i] / 100);
  out.if_it_stops = look(0, nullptr);
  out.if_it_goes_on = inflow_ > 0 && burst_ ? look(horizon_seconds, nullptr) : out.expected;
}

}  // namespace tidegate::forecast
