// What an admin server reads from, without a proxy behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "limiter/rule_set.hpp"
#include "proxy/admin/sources.hpp"

namespace tidegate::test {

struct watched {
  explicit watched(std::size_t workers, config::config config = {}) {
    config.workers = static_cast<std::uint32_t>(workers);
    for (std::size_t i = 0; i < workers; ++i) stats.push_back(std::make_unique<session::worker_stats>());
    snapshot = policy::make_snapshot(std::make_shared<const config::config>(std::move(config)),
                                     {.registry = registry,
                                      .buckets = limiter::make_bucket_store(),
                                      .commands = resp::command_table::builtin(),
                                      .expire_options = true},
                                     1, 0);
    from.registry = registry;
    from.upstream = upstream;
    for (const auto& one : stats) from.workers.push_back(one.get());
    from.control_commands = &control;
    from.snapshot = [this] { return snapshot; };
    from.not_ready = [this] { return trouble; };
  }
  watched(const watched&) = delete;
  watched& operator=(const watched&) = delete;

  std::shared_ptr<attribution::registry> registry = std::make_shared<attribution::registry>();
  std::shared_ptr<session::upstream_state> upstream = std::make_shared<session::upstream_state>();
  std::vector<std::unique_ptr<session::worker_stats>> stats;
  session::counter_map control;
  std::shared_ptr<const policy::snapshot> snapshot;
  std::string trouble;
  admin::sources from;
};

}  // namespace tidegate::test
