#include "evidence/report/ledger_overview.hpp"

#include <algorithm>
#include <vector>

#include "evidence/report/series.hpp"

namespace tidegate::report {
namespace {

constexpr double commands_floor_a_second = 50;
constexpr double commands_sum = 2'000;
constexpr double memory_floor = 0.0003;  // of maxmemory, a step
constexpr double memory_sum = 0.03;
constexpr std::uint64_t maxmemory_where_unknown = 1ULL << 30;
// Without the upstream's figures the write rows themselves are read, but not of a whole ledger.
constexpr std::int64_t rows_span_ms = 86'400'000;

struct overview {
  std::vector<double> commands{}, memory{}, held{};
  std::uint64_t maxmemory = 0;
};

// What a counter that only grows gained between two readings; a restart begins anew.
class counter_steps {
 public:
  double gained(std::optional<std::uint64_t> value) {
    if (!value) return 0;
    const double step = last_ && *value >= *last_ ? static_cast<double>(*value - *last_) : 0;
    last_ = value;
    return step;
  }

 private:
  std::optional<std::uint64_t> last_;
};

using sums = std::expected<void, ledger::failure>;

template <typename Take>
sums each_row(ledger::database& in, std::string_view sql, window span, Take take) {
  auto made = in.prepare(sql);
  if (!made) return std::unexpected(made.error());
  made->bind(1, span.since).bind(2, span.until);
  while (true) {
    const auto row = made->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    take(*made);
  }
}

sums read_upstream(ledger::database& in, window span, std::int64_t step_ms, overview& into) {
  counter_steps writes, total, booked;
  std::optional<std::uint64_t> memory;
  return each_row(in,
                  "SELECT at, used_memory, maxmemory, total_commands, write_calls, booked_calls FROM upstream_bucket"
                  " WHERE at >= ?1 AND at < ?2 ORDER BY at",
                  span, [&](const ledger::statement& row) {
                    const auto step = static_cast<std::size_t>((row.integer(0) - span.since) / step_ms);
                    if (step >= into.commands.size()) return;
                    const double by_total = total.gained(row.maybe_count(3));
                    const double by_writes = writes.gained(row.maybe_count(4));
                    const double by_us = booked.gained(row.maybe_count(5));
                    into.commands[step] += row.maybe_count(4) ? by_writes : row.maybe_count(3) ? by_total : by_us;
                    into.maxmemory = std::max(into.maxmemory, row.maybe_count(2).value_or(0));
                    if (const auto used = row.maybe_count(1)) {
                      if (memory && *used > *memory) into.memory[step] += static_cast<double>(*used - *memory);
                      memory = used;
                    }
                  });
}

sums read_held(ledger::database& in, window span, std::int64_t step_ms, overview& into) {
  return each_row(in, "SELECT at, delayed + rejected FROM limit_bucket WHERE at >= ?1 AND at < ?2", span,
                  [&](const ledger::statement& row) {
                    const auto step = static_cast<std::size_t>((row.integer(0) - span.since) / step_ms);
                    if (step < into.held.size()) into.held[step] += static_cast<double>(row.integer(1));
                  });
}

sums read_writes(ledger::database& in, window span, std::int64_t step_ms, overview& into) {
  const window late{.since = std::max(span.since, span.until - rows_span_ms), .until = span.until};
  return each_row(in, "SELECT at, sum(commands) FROM write_bucket WHERE at >= ?1 AND at < ?2 GROUP BY at", late,
                  [&](const ledger::statement& row) {
                    const auto step = static_cast<std::size_t>((row.integer(0) - span.since) / step_ms);
                    if (step < into.commands.size()) into.commands[step] += static_cast<double>(row.integer(1));
                  });
}

std::vector<step_range> bursts_of(const overview& seen, std::int64_t step_ms) {
  burst_options commands{.floor = commands_floor_a_second * static_cast<double>(step_ms) / 1000,
                         .significant_sum = commands_sum};
  commands.significant_ratio = 4;
  const auto whole = static_cast<double>(seen.maxmemory == 0 ? maxmemory_where_unknown : seen.maxmemory);
  const burst_options memory{.floor = memory_floor * whole, .significant_sum = memory_sum * whole};
  const burst_options held{.floor = 0.5, .significant_sum = 100};
  std::vector<step_range> all = find_bursts(seen.commands, commands);
  for (const auto& more : {find_bursts(seen.memory, memory), find_bursts(seen.held, held)}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  std::ranges::sort(all, {}, &step_range::begin);
  std::vector<step_range> joined;
  for (const step_range& each : all) {
    if (!joined.empty() && each.begin <= joined.back().end + burst_options{}.gap_steps) {
      joined.back().end = std::max(joined.back().end, each.end);
    } else {
      joined.push_back(each);
    }
  }
  return joined;
}

}  // namespace

std::expected<std::optional<incident_window>, ledger::failure> last_burst(ledger::database& in, window span,
                                                                          std::int64_t bucket_ms) {
  if (span.until <= span.since) return std::nullopt;
  const std::int64_t buckets = (span.until - span.since) / bucket_ms + 1;
  const std::int64_t step_ms = bucket_ms * ((buckets + overview_steps_max - 1) / overview_steps_max);
  const auto steps = static_cast<std::size_t>((span.until - span.since) / step_ms + 1);
  overview seen{
      .commands = std::vector<double>(steps), .memory = std::vector<double>(steps), .held = std::vector<double>(steps)};
  if (auto done = read_upstream(in, span, step_ms, seen); !done) return std::unexpected(done.error());
  if (auto done = read_held(in, span, step_ms, seen); !done) return std::unexpected(done.error());
  if (std::ranges::all_of(seen.commands, [](double each) { return each == 0; })) {
    if (auto done = read_writes(in, span, step_ms, seen); !done) return std::unexpected(done.error());
  }
  const auto bursts = bursts_of(seen, step_ms);
  if (bursts.empty()) return std::nullopt;
  const auto time_of = [&](std::size_t step) { return span.since + static_cast<std::int64_t>(step) * step_ms; };
  return incident_window{.begin = time_of(bursts.back().begin),
                         .end = std::min(span.until, time_of(bursts.back().end)),
                         .quiet_since = bursts.size() > 1 ? time_of(bursts[bursts.size() - 2].end) : span.since};
}

}  // namespace tidegate::report
