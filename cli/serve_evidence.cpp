#include "cli/serve_evidence.hpp"

#include <algorithm>

#include "proxy/admin/version.hpp"

namespace tidegate::cli {

namespace {

ledger::upstream_row row_of(const net::upstream_info& seen, std::uint64_t maxmemory_override,
                            std::optional<std::uint64_t> write_calls) {
  ledger::upstream_row row;
  row.used_memory = seen.memory_used;
  row.maxmemory = maxmemory_override != 0 ? std::optional(maxmemory_override) : seen.memory_max;
  row.keys = seen.keys;
  row.keys_with_ttl = seen.keys_with_ttl;
  row.expired_keys = seen.expired_keys;
  row.evicted_keys = seen.evicted_keys;
  row.connected_clients = seen.connected_clients;
  row.total_commands = seen.total_commands;
  row.write_calls = write_calls;
  row.eviction_policy = seen.eviction_policy;
  return row;
}

}  // namespace

served_evidence::served_evidence(const config::config& config) : any_(config.ledger.enabled || config.capture) {
  if (!config.capture) return;
  for (std::uint32_t worker = 0; worker < std::max(1U, config.workers); ++worker) {
    rings_.push_back(std::make_unique<session::capture_ring>());
  }
}

std::vector<session::capture_ring*> served_evidence::rings() const {
  std::vector<session::capture_ring*> out;
  for (const auto& ring : rings_) out.push_back(ring.get());
  return out;
}

void served_evidence::listen(net::control_thread::options& to) {
  const std::uint64_t maxmemory = to.snapshot->config->upstream.maxmemory;
  to.watch_info = [this, maxmemory](const net::upstream_info& seen, std::optional<std::uint64_t> write_calls) {
    if (recorder_) recorder_->take_info(row_of(seen, maxmemory, write_calls));
  };
  to.watch_changes = [this](const std::string& what, const std::string& detail) {
    if (recorder_) recorder_->note("operator", what, detail);
  };
  to.watch_caps = [this](const std::string& who, const std::string& what, const std::string& detail) {
    if (recorder_) recorder_->note(who, what, detail);
  };
}

void served_evidence::start(const config::config& config, net::server& workers, const net::control_thread& control,
                            const policy::foundations& base, const std::shared_ptr<session::upstream_state>& upstream) {
  if (config.capture) {
    keeper_ = std::make_unique<capture::keeper>(
        capture::keeper_options{.rules = *config.capture,
                                .instance = config.instance,
                                .rings = rings(),
                                .registry = base.registry,
                                .commands = [&control] { return control.snapshot()->commands; },
                                .status = &status_});
    keeper_->start();
  }
  if (!config.ledger.enabled) return;
  recorder::counted from;
  from.registry = base.registry;
  from.upstream = upstream;
  for (std::uint32_t i = 0; i < workers.workers(); ++i) from.workers.push_back(&workers.stats(i));
  from.control_commands = &control.own_commands();
  from.commands = [&control] { return control.snapshot()->commands; };
  counted_ = std::move(from);
  recorder_ =
      std::make_unique<recorder::recorder>(recorder::recorder_options{.ledger = config.ledger,
                                                                      .instance = config.instance,
                                                                      .version = admin::version_text,
                                                                      .from = counted_,
                                                                      .wake_workers = [&workers] { workers.wake(); },
                                                                      .what = &status_});
  recorder_->start();
}

void served_evidence::stop() {
  if (keeper_) keeper_->stop();
  if (recorder_) recorder_->stop();
}

std::function<std::vector<admin::source_row>(std::string_view)> served_evidence::client_sources() const {
  if (!recorder_) return {};
  return [this](std::string_view client) {
    std::vector<admin::source_row> out;
    for (recorder::source_totals& one : recorder::sources_of(counted_, client)) {
      out.push_back({std::move(one.address), one.writes, one.bytes, one.connections, one.opened});
    }
    return out;
  };
}

const recorder::status* served_evidence::status() const noexcept {
  return any_ ? &status_ : nullptr;
}

}  // namespace tidegate::cli
