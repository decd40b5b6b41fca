#include "evidence/recorder/collector.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace tidegate::recorder {

namespace {

using session::cell_key;

// Rule names are interned as patterns under this prefix (proxy/session/engine.cpp).
constexpr std::string_view rule_prefix = "rule:";

// The difference to what was last seen, which becomes what is.
std::uint64_t advance(std::uint64_t& seen, std::uint64_t now) noexcept {
  const std::uint64_t more = now - seen;
  seen = now;
  return more;
}

void take_half(session::write_sketch& half, ledger::write_sums& into) {
  if (!half.used()) return;
  const std::int64_t shortest = half.ttl_min_ms();
  const std::int64_t longest = half.ttl_max_ms();
  if (shortest != 0) into.ttl_min_ms = std::min(into.ttl_min_ms.value_or(shortest), shortest);
  if (longest != 0) into.ttl_max_ms = std::max(into.ttl_max_ms.value_or(longest), longest);
  half.each_class(
      [&](std::size_t which, std::uint64_t writes, std::uint64_t bytes) { into.ttl.add(which, writes, bytes); });
  half.each_key([&](session::write_sketch::place at) { into.keys.raise(at); });
  half.clear();
}

}  // namespace

struct collector::names {
  const attribution::registry& registry;
  std::shared_ptr<const resp::command_table> table;

  [[nodiscard]] std::string client(std::uint32_t number) const { return std::string(registry.client_name(number)); }
  [[nodiscard]] std::string pattern(std::uint32_t number) const { return std::string(registry.pattern_name(number)); }
  [[nodiscard]] std::string rule(std::uint32_t number) const {
    std::string_view name = registry.pattern_name(number);
    if (name.starts_with(rule_prefix)) name.remove_prefix(rule_prefix.size());
    return std::string(name);
  }
  [[nodiscard]] std::string command(std::uint32_t id) const {
    return id != 0 && id < table->size() ? std::string(table->by_id(static_cast<std::uint16_t>(id)).name) : "unknown";
  }
  [[nodiscard]] static std::string source(const cell_key& key) {
    return key.has_source ? key.source.to_string() : "other";
  }
};

own_totals totals_of(const counted& from) {
  own_totals out;
  const std::shared_ptr<const resp::command_table> table = from.commands();
  const auto add_own = [&](std::uint64_t key, std::uint64_t value) {
    const session::labels split = session::split_key(key);
    const std::uint32_t id = split.a != 0 ? split.a : split.c;
    if (id < table->size() && table->by_id(static_cast<std::uint16_t>(id)).write) out.own += value;
  };
  for (const session::worker_stats* stats : from.workers) {
    stats->writes.read([&](const attribution::series& series) { out.booked += series.writes.load(); });
    stats->own_commands.read(add_own);
  }
  if (from.control_commands != nullptr) from.control_commands->read(add_own);
  return out;
}

std::vector<source_totals> sources_of(const counted& from, std::string_view client) {
  std::map<std::string, source_totals> rows;
  const auto row_of = [&](const cell_key& of) -> source_totals* {
    if (from.registry->client_name(of.client) != client) return nullptr;
    return &rows[of.has_source ? of.source.to_string() : "other"];
  };
  for (const session::worker_stats* stats : from.workers) {
    stats->evidence.writes().read([&](std::uint32_t number, const cell_key& of, const auto& cell) {
      const std::uint64_t writes = cell.payload.writes.load(std::memory_order_acquire);
      const std::uint64_t bytes = cell.payload.bytes.load(std::memory_order_acquire);
      if (writes == 0 || cell.number.load(std::memory_order_acquire) != number) return;
      if (source_totals* row = row_of(of)) {
        row->writes += writes;
        row->bytes += bytes;
      }
    });
    stats->evidence.connections().read([&](std::uint32_t number, const cell_key& of, const auto& cell) {
      const std::uint64_t opened = cell.payload.opened.load(std::memory_order_acquire);
      const std::uint64_t open = cell.payload.open.load(std::memory_order_acquire);
      if (opened + open == 0 || cell.number.load(std::memory_order_acquire) != number) return;
      if (source_totals* row = row_of(of)) {
        row->opened += opened;
        row->connections += open;
      }
    });
  }
  std::vector<source_totals> out;
  for (auto& [address, row] : rows) {
    row.address = address;
    out.push_back(std::move(row));
  }
  return out;
}

collector::collector(counted from)
    : from_(std::move(from)), seen_(from_.workers.size()), epoch_(from_.upstream->evidence_epoch.load()) {}

void collector::begin_epoch() {
  if (!acknowledged()) return;  // somebody has not followed the last one yet
  ++epoch_;
  if (epoch_ == 0) epoch_ = 2;  // 0 is off; the half stays the same
  from_.upstream->evidence_epoch.store(epoch_, std::memory_order_release);
}

bool collector::acknowledged() const noexcept {
  return std::all_of(from_.workers.begin(), from_.workers.end(),
                     [&](const session::worker_stats* stats) { return stats->evidence.acknowledged() == epoch_; });
}

void collector::take_writes(std::size_t worker, const names& with, bool other_half, bool both, write_rows& into) {
  std::vector<seen_write>& seen = seen_[worker].writes;
  const auto& cells = from_.workers[worker]->evidence.writes();
  cells.read([&](std::uint32_t number, const cell_key& of, auto& cell) {
    const std::uint32_t index = number & (session::keyed_cells<session::write_cell>::capacity_max - 1);
    if (seen.size() <= index) seen.resize(index + 1);
    session::write_cell& counts = cell.payload;
    const std::uint64_t writes = counts.writes.load(std::memory_order_acquire);
    const std::uint64_t elements = writes + counts.more_elements.load(std::memory_order_acquire);
    const std::uint64_t bytes = counts.bytes.load(std::memory_order_acquire);
    const std::uint64_t without_ttl = counts.without_ttl.load(std::memory_order_acquire);
    if (cell.number.load(std::memory_order_acquire) != number) return;
    seen_write& last = seen[index];
    if (last.number != number) last = seen_write{.number = number};
    ledger::write_sums more;
    more.commands = advance(last.writes, writes);
    // A write of no element is counted in two steps: between them it looks like one more than there is.
    if (static_cast<std::int64_t>(elements - last.elements) > 0) more.elements = advance(last.elements, elements);
    more.bytes = advance(last.bytes, bytes);
    more.without_ttl = advance(last.without_ttl, without_ttl);
    if (other_half || both) take_half(counts.halves[(epoch_ + 1) & 1], more);
    if (both) take_half(counts.halves[epoch_ & 1], more);
    if (more.commands == 0 && more.ttl.empty() && more.keys.empty()) return;
    into[{with.client(of.client), names::source(of), with.command(of.command), with.pattern(of.pattern)}].merge(more);
  });
}

void collector::take_connections(const names& with, ledger::bucket& into) {
  std::map<std::pair<std::string, std::string>, ledger::connection_row> rows;
  for (std::size_t worker = 0; worker < seen_.size(); ++worker) {
    std::vector<seen_connection>& seen = seen_[worker].connections;
    from_.workers[worker]->evidence.connections().read([&](std::uint32_t number, const cell_key& of, auto& cell) {
      const std::uint32_t index = number & (session::keyed_cells<session::connection_cell>::capacity_max - 1);
      if (seen.size() <= index) seen.resize(index + 1);
      const std::uint64_t all = cell.payload.opened.load(std::memory_order_acquire);
      const std::uint64_t open = cell.payload.open.load(std::memory_order_acquire);
      if (cell.number.load(std::memory_order_acquire) != number) return;
      if (seen[index].number != number) seen[index] = seen_connection{.number = number};
      const std::uint64_t opened = advance(seen[index].opened, all);
      if (opened == 0 && open == 0) return;
      ledger::connection_row& row = rows[{with.client(of.client), names::source(of)}];
      row.opened += opened;
      row.open += open;
    });
  }
  for (auto& [of, row] : rows) {
    row.client = of.first;
    row.source = of.second;
    into.connections.push_back(std::move(row));
  }
}

void collector::take_limits(const names& with, ledger::bucket& into) {
  std::map<std::pair<std::string, std::string>, ledger::limit_row> rows;
  for (std::size_t worker = 0; worker < seen_.size(); ++worker) {
    const auto take = [&](const session::counter_map& counts, std::unordered_map<std::uint64_t, std::uint64_t>& seen,
                          std::uint64_t ledger::limit_row::* field) {
      counts.read([&](std::uint64_t key, std::uint64_t value) {
        const std::uint64_t more = advance(seen[key], value);
        const session::labels of = session::split_key(key);
        if (more != 0) rows[{with.client(of.b), with.rule(of.a)}].*field += more;
      });
    };
    const session::worker_stats& stats = *from_.workers[worker];
    take(stats.delayed, seen_[worker].delayed, &ledger::limit_row::delayed);
    take(stats.rejected, seen_[worker].rejected, &ledger::limit_row::rejected);
    take(stats.observed, seen_[worker].observed, &ledger::limit_row::observed);
  }
  for (auto& [of, row] : rows) {
    row.client = of.first;
    row.rule = of.second;
    into.limits.push_back(std::move(row));
  }
}

void collector::take_ttl(const names& with, ledger::bucket& into) {
  std::map<std::pair<std::string, std::string>, ledger::ttl_row> rows;
  for (std::size_t worker = 0; worker < seen_.size(); ++worker) {
    const auto take = [&](const session::counter_map& counts, std::unordered_map<std::uint64_t, std::uint64_t>& seen,
                          std::uint64_t ledger::ttl_row::* field) {
      counts.read([&](std::uint64_t key, std::uint64_t value) {
        const std::uint64_t more = advance(seen[key], value);
        const session::labels of = session::split_key(key);
        if (more != 0) rows[{with.pattern(of.a), with.command(of.b)}].*field += more;
      });
    };
    const session::worker_stats& stats = *from_.workers[worker];
    take(stats.ttl_injected, seen_[worker].injected, &ledger::ttl_row::injected);
    take(stats.ttl_capped, seen_[worker].capped, &ledger::ttl_row::capped);
    take(stats.ttl_observed, seen_[worker].ttl_observed, &ledger::ttl_row::observed);
  }
  for (auto& [of, row] : rows) {
    row.pattern = of.first;
    row.command = of.second;
    into.ttl.push_back(std::move(row));
  }
}

void collector::take(ledger::bucket& into, bool stopped) {
  const names with{*from_.registry, from_.commands()};
  const bool followed = acknowledged();
  write_rows rows;
  for (std::size_t worker = 0; worker < seen_.size(); ++worker) take_writes(worker, with, followed, stopped, rows);
  into.writes.reserve(rows.size());
  while (!rows.empty()) {
    auto node = rows.extract(rows.begin());
    auto& [client, source, command, pattern] = node.key();
    into.writes.push_back(
        {std::move(client), std::move(source), std::move(command), std::move(pattern), std::move(node.mapped())});
  }
  take_connections(with, into);
  take_limits(with, into);
  take_ttl(with, into);
}

}  // namespace tidegate::recorder
