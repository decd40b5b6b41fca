// The process as the kernel sees it: CPU, memory, descriptors, under the names that all Prometheus clients share.
//
// Thread safety: any thread. Cost: three small reads under /proc at a scrape.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace tidegate::admin {

[[nodiscard]] std::vector<prometheus::MetricFamily> process_metrics();

}  // namespace tidegate::admin
