// Counts what a benchmark's loop asks of malloc, and shows it beside the time: allocs and alloc_B an iteration.
//
// Thread safety: benchmarks run one at a time; the counters are atomic for the libraries' own threads.
// Ownership: borrows the benchmark's state. Make it right before the loop, so that what was set up before is not
// counted.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace tidegate::bench {

class counted_allocations {
 public:
  explicit counted_allocations(benchmark::State& state);
  counted_allocations(const counted_allocations&) = delete;
  counted_allocations& operator=(const counted_allocations&) = delete;

  void finish();

 private:
  benchmark::State& state_;
  std::uint64_t count_before_;
  std::uint64_t bytes_before_;
};

}  // namespace tidegate::bench
