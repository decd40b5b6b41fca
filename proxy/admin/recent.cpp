#include "proxy/admin/recent.hpp"

#include <algorithm>

namespace tidegate::admin {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds trend_span{60'000};
constexpr milliseconds trend_span_min{3'000};

double a_second(std::uint64_t before, std::uint64_t after, double seconds) {
  return after > before && seconds > 0 ? static_cast<double>(after - before) / seconds : 0;
}

}  // namespace

void recent::add(const sources& from, milliseconds now, milliseconds stale_after) {
  sample one;
  one.at = now;
  const session::upstream_state& upstream = *from.upstream;
  const std::int64_t told_at = upstream.info_at.load();
  one.used_bytes = upstream.memory_used.load();
  one.max_bytes = upstream.memory_max.load();
  one.keys = upstream.keys.load();
  one.keys_with_ttl = upstream.keys_with_ttl.load();
  one.evicted = upstream.evicted_keys.load();
  const bool fresh = told_at != 0 && std::chrono::nanoseconds(told_at) + stale_after >= now;
  if (fresh && one.max_bytes != 0) {
    one.used = static_cast<double>(one.used_bytes) / static_cast<double>(one.max_bytes);
  }
  for (const session::worker_stats* stats : from.workers) {
    stats->commands.read([&one](std::uint64_t, std::uint64_t count) { one.commands += count; });
    stats->writes.read([&one](const attribution::series& series) {
      written& sums = one.clients[series.client];
      sums.writes += series.writes.load();
      sums.bytes += series.bytes.load();
    });
    stats->delayed.read(
        [&one](std::uint64_t key, std::uint64_t count) { one.rules[session::split_key(key).a].delayed += count; });
    stats->rejected.read(
        [&one](std::uint64_t key, std::uint64_t count) { one.rules[session::split_key(key).a].rejected += count; });
  }
  add(std::move(one));
}

void recent::add(sample one) {
  samples_.push_back(std::move(one));
  if (samples_.size() > history_max) samples_.pop_front();
  if (samples_.size() <= rates_over + 1) return;
  sample& old = samples_[samples_.size() - rates_over - 2];
  old.clients = {};
  old.rules = {};
}

recent::rates recent::now() const {
  rates out;
  if (samples_.size() < 2) return out;
  const sample& last = samples_.back();
  const sample& first = samples_[samples_.size() > rates_over ? samples_.size() - rates_over - 1 : 0];
  out.seconds = std::chrono::duration<double>(last.at - first.at).count();
  out.commands = a_second(first.commands, last.commands, out.seconds);
  out.evictions = a_second(first.evicted, last.evicted, out.seconds);
  for (const auto& [client, sums] : last.clients) {
    const auto before = first.clients.find(client);
    const written none;
    const written& then = before == first.clients.end() ? none : before->second;
    const writer row{.client = client,
                     .writes = a_second(then.writes, sums.writes, out.seconds),
                     .bytes = a_second(then.bytes, sums.bytes, out.seconds)};
    out.writes += row.writes;
    out.bytes += row.bytes;
    if (row.writes > 0) out.writers.push_back(row);
  }
  for (const auto& [rule, counts] : last.rules) {
    const auto before = first.rules.find(rule);
    const held none;
    const held& then = before == first.rules.end() ? none : before->second;
    const limit row{.rule = rule,
                    .delayed = a_second(then.delayed, counts.delayed, out.seconds),
                    .rejected = a_second(then.rejected, counts.rejected, out.seconds)};
    if (row.delayed + row.rejected > 0) out.limits.push_back(row);
  }
  std::ranges::sort(out.writers, [](const writer& a, const writer& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.client < b.client;
  });
  std::ranges::sort(out.limits, [](const limit& a, const limit& b) {
    const double left = a.delayed + a.rejected, right = b.delayed + b.rejected;
    return left != right ? left > right : a.rule < b.rule;
  });
  return out;
}

std::optional<double> recent::share_a_minute() const {
  if (samples_.empty() || !samples_.back().used) return std::nullopt;
  const sample& last = samples_.back();
  // The oldest of the span that is not cut off from now by a gap: across an outage there is no trend.
  const sample* first = nullptr;
  for (auto one = samples_.rbegin(); one != samples_.rend() && one->used; ++one) {
    if (last.at - one->at > trend_span) break;
    first = &*one;
  }
  if (first == nullptr || last.at - first->at < trend_span_min) return std::nullopt;
  return (*last.used - *first->used) * 60 / std::chrono::duration<double>(last.at - first->at).count();
}

}  // namespace tidegate::admin
