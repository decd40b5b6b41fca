// Who writes and under what: the identity ladder, configured patterns, inferred ones.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "attribution/identity.hpp"
#include "attribution/pattern_set.hpp"
#include "attribution/registry.hpp"
#include "bench/micro/counted_allocations.hpp"

namespace {

using namespace tidegate;

void match_pattern(benchmark::State& state) {
  std::vector<std::string> globs;
  for (std::int64_t index = 0; index < state.range(0); ++index)
    globs.push_back("family" + std::to_string(index) + ":*");
  const attribution::pattern_set patterns(globs);
  const std::string key = "family" + std::to_string(state.range(0) / 2) + ":12345";
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(patterns.longest(key));
  counted.finish();
}
BENCHMARK(match_pattern)->Arg(1)->Arg(30)->Arg(1000)->Arg(10'000);

// A star in the middle has no prefix to go by.
void match_pattern_with_stars_inside(benchmark::State& state) {
  std::vector<std::string> globs;
  for (std::int64_t index = 0; index < state.range(0); ++index)
    globs.push_back("family:*:kind" + std::to_string(index));
  const attribution::pattern_set patterns(globs);
  const std::string key = "family:12345:kind" + std::to_string(state.range(0) / 2);
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(patterns.longest(key));
  counted.finish();
}
BENCHMARK(match_pattern_with_stars_inside)->Arg(1)->Arg(30)->Arg(1000);

// What a key costs that no configured pattern knows.
void infer_pattern(benchmark::State& state, const std::string& key) {
  std::array<char, attribution::inferred_size_max> out{};
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(attribution::infer_pattern(key, out.data(), out.size()));
  counted.finish();
}
BENCHMARK_CAPTURE(infer_pattern, number, "user:12345:cart");
BENCHMARK_CAPTURE(infer_pattern, uuid, "session:3f2504e0-4f89-11d3-9a0c-0305e82c3301:state");

// Naming events only, but a storm of reconnections is one of them after the other.
void resolve_identity(benchmark::State& state) {
  config::attribution rules;
  for (std::int64_t index = 0; index < state.range(0); ++index) {
    const std::string name = "app" + std::to_string(index);
    rules.names.push_back({.match = name + "-*", .as = name});
  }
  const attribution::ladder ladder(rules);
  const attribution::claims who{.source = attribution::address::from_string("10.0.3.7"),
                                .client_name = "app" + std::to_string(state.range(0) / 2) + "-7f9c",
                                .username = "",
                                .tls_subject = "",
                                .library = ""};
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(ladder.resolve(who).name.data());
  counted.finish();
}
BENCHMARK(resolve_identity)->Arg(1)->Arg(50)->Arg(4096);

void intern_client(benchmark::State& state) {
  attribution::registry registry;
  for (std::int64_t index = 0; index < state.range(0); ++index)
    benchmark::DoNotOptimize(registry.acquire_client("app" + std::to_string(index), true, 1));
  const std::string name = "app" + std::to_string(state.range(0) / 2);
  bench::counted_allocations counted(state);
  for (auto _ : state) registry.release_client(registry.acquire_client(name, true, 1), 1);
  counted.finish();
}
BENCHMARK(intern_client)->Arg(1)->Arg(50)->Arg(4000);

}  // namespace
