#include "bench/micro/counted_allocations.hpp"

#include <atomic>
#include <cstddef>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

std::atomic<std::uint64_t> allocations{0}, allocated_bytes{0};

void count(std::size_t bytes) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace

// In front of the library's: `operator new` ends here, too.
extern "C" {

void* malloc(std::size_t size) {
  count(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count(number * size);
  return __libc_calloc(number, size);
}
void* realloc(void* block, std::size_t size) {
  count(size);
  return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

}  // extern "C"

namespace tidegate::bench {

counted_allocations::counted_allocations(benchmark::State& state)
    : state_(state), count_before_(allocations.load()), bytes_before_(allocated_bytes.load()) {}

void counted_allocations::finish() {
  const auto number = static_cast<double>(allocations.load() - count_before_);
  const auto bytes = static_cast<double>(allocated_bytes.load() - bytes_before_);
  state_.counters["allocs"] = benchmark::Counter(number, benchmark::Counter::kAvgIterations);
  state_.counters["alloc_B"] = benchmark::Counter(bytes, benchmark::Counter::kAvgIterations);
}

}  // namespace tidegate::bench

BENCHMARK_MAIN();
