// Every metric, built anew at each scrape from the workers' own counters.
//
// Thread safety: Collect() from any thread. Ownership: `sources` by value; what it refers to outlives the collector.
// Invariants: (1) every family is declared, with HELP and TYPE, also while it has no sample; (2) label values are valid
// UTF-8 whatever a client called itself. Cost: a fold and a text of the size of the series; never on a worker.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <string>
#include <vector>

#include "proxy/admin/sources.hpp"

namespace tidegate::admin {

// As the control thread: after this an INFO tells nothing of now.
inline constexpr std::chrono::seconds info_stale_after{5};

class metrics final : public prometheus::Collectable {
 public:
  explicit metrics(sources from);
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;
  // The exposition text, version 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  sources from_;
};

// What /metrics and the API may print of a name: itself, or with '?' in place of what is not UTF-8.
[[nodiscard]] std::string printable(std::string_view name);

}  // namespace tidegate::admin
