#include "proxy/admin/fold.hpp"

namespace tidegate::admin {
namespace {

using session::counter_map;
using session::labels;
using session::worker_stats;

// Rule names are interned as patterns under this prefix: a rule's index would change its meaning with a reload.
constexpr std::string_view rule_prefix = "rule:";

class namer {
 public:
  namer(const attribution::registry& registry, const resp::command_table& table) : registry_(registry), table_(table) {}

  [[nodiscard]] std::string_view client(std::uint32_t number) const { return registry_.client_name(number); }
  [[nodiscard]] std::string_view pattern(std::uint32_t number) const { return registry_.pattern_name(number); }
  [[nodiscard]] std::string_view rule(std::uint32_t number) const {
    const std::string_view name = registry_.pattern_name(number);
    return name.starts_with(rule_prefix) ? name.substr(rule_prefix.size()) : name;
  }
  // A command that an older table knew, or none: never a reason to drop its count.
  [[nodiscard]] std::string_view command(std::uint32_t id) const {
    return id != 0 && id < table_.size() ? table_.by_id(static_cast<std::uint16_t>(id)).name : "unknown";
  }

 private:
  const attribution::registry& registry_;
  const resp::command_table& table_;
};

template <class Name>
void add(labelled& out, const counter_map& from, const Name& name) {
  from.read([&](std::uint64_t key, std::uint64_t value) {
    if (value != 0) out[name(session::split_key(key))] += value;
  });
}

std::string_view name_of(session::client_error kind) {
  switch (kind) {
    case session::client_error::none:
      break;
    case session::client_error::protocol:
      return "protocol";
    case session::client_error::memory:
      return "memory";
    case session::client_error::slow:
      return "slow";
    case session::client_error::login_timeout:
      return "login_timeout";
    case session::client_error::unavailable:
      return "unavailable";
  }
  return "other";
}

std::string_view name_of(session::upstream_error kind) {
  switch (kind) {
    case session::upstream_error::none:
      break;
    case session::upstream_error::connect:
      return "connect";
    case session::upstream_error::lost:
      return "lost";
    case session::upstream_error::desynchronised:
      return "desynchronised";
    case session::upstream_error::login:
      return "login";
    case session::upstream_error::timeout:
      return "timeout";
  }
  return "other";
}

// Labels that name one thing alone stand first in their key.
std::uint32_t only(const labels& key) {
  return key.a != 0 ? key.a : key.c;
}

void add_writes(totals& out, const worker_stats& stats, const namer& names) {
  stats.writes.read([&](const attribution::series& series) {
    const std::uint64_t writes = series.writes.load();
    if (writes == 0) return;
    write_totals& row =
        out.writes[{names.client(series.client), names.pattern(series.pattern), names.command(series.command)}];
    row.writes += writes;
    row.elements += series.elements.load();
    row.bytes += series.bytes.load();
    row.without_ttl += series.without_ttl.load();
  });
}

void add_histogram(histogram_totals& out, const session::latency_histogram& from) {
  for (std::size_t i = 0; i < out.counts.size(); ++i) out.counts[i] += from.count_in(i);
  out.sum_seconds += from.sum_seconds();
}

void add_labelled(totals& out, const worker_stats& stats, const namer& names) {
  const auto client_class = [&](const labels& key) {
    return label_values{names.client(key.a), to_string(static_cast<resp::command_class>(key.b)), {}};
  };
  const auto client_pattern_command = [&](const labels& key) {
    return label_values{names.client(key.a), names.pattern(key.b), names.command(key.c)};
  };
  const auto rule_client = [&](const labels& key) { return label_values{names.rule(key.a), names.client(key.b), {}}; };
  const auto pattern_command = [&](const labels& key) {
    return label_values{names.pattern(key.a), names.command(key.b), {}};
  };
  add(out.commands, stats.commands, client_class);
  add(out.scripts, stats.scripts, client_pattern_command);
  add(out.own_commands, stats.own_commands, [&](const labels& key) { return label_values{names.command(only(key))}; });
  add(out.delayed, stats.delayed, rule_client);
  add(out.rejected, stats.rejected, rule_client);
  add(out.observed, stats.observed, rule_client);
  add(out.ttl_injected, stats.ttl_injected, pattern_command);
  add(out.ttl_capped, stats.ttl_capped, pattern_command);
  add(out.ttl_observed, stats.ttl_observed, pattern_command);
  add(out.ttl_refused, stats.ttl_refused, pattern_command);
  add(out.ttl_failed, stats.ttl_failed, [&](const labels& key) { return label_values{names.pattern(only(key))}; });
  add(out.dedicated, stats.dedicated,
      [](const labels& key) { return label_values{to_string(static_cast<resp::dedicate>(only(key)))}; });
  add(out.client_errors, stats.client_errors,
      [](const labels& key) { return label_values{name_of(static_cast<session::client_error>(only(key)))}; });
  add(out.upstream_errors, stats.upstream_errors,
      [](const labels& key) { return label_values{name_of(static_cast<session::upstream_error>(only(key)))}; });
}

void add_connections(totals& out, const attribution::registry& registry, const namer& names) {
  for (std::uint32_t number = 0; number < registry.clients_end(); ++number) {
    const std::uint64_t opened = registry.client_opened(number);
    const std::uint64_t open = registry.client_sessions(number);
    if (opened == 0 && open == 0) continue;
    out.connections[{names.client(number)}] += open;
    out.connections_opened[{names.client(number)}] += opened;
  }
}

}  // namespace

totals fold(const sources& from) {
  totals out;
  out.snapshot = from.snapshot();
  const namer names(*from.registry, *out.snapshot->commands);
  for (const worker_stats* stats : from.workers) {
    add_writes(out, *stats, names);
    add_labelled(out, *stats, names);
    add_histogram(out.delay, stats->delay);
    add_histogram(out.rtt, stats->rtt);
    out.writes_assumed += stats->writes_assumed.load();
    out.writes_unknown += stats->writes_unknown.load();
    out.oversized_costs += stats->oversized_costs.load();
    out.desynchronised += stats->desynchronised.load();
    out.bytes_in += stats->bytes_in.load();
    out.bytes_out += stats->bytes_out.load();
    out.sessions += stats->sessions.load();
    out.lanes += stats->lanes.load();
    out.dedicated_connections += stats->dedicated_connections.load();
    out.idle_connections += stats->idle_connections.load();
  }
  if (from.control_commands != nullptr) {
    add(out.own_commands, *from.control_commands,
        [&](const labels& key) { return label_values{names.command(only(key))}; });
  }
  add_connections(out, *from.registry, names);
  return out;
}

}  // namespace tidegate::admin
