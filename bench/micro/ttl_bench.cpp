// What a TTL costs: the plan for one write, and the bytes of the rewritten one.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro/counted_allocations.hpp"
#include "resp/encoder.hpp"
#include "resp/request_parser.hpp"
#include "ttl/rule_set.hpp"

namespace {

using namespace tidegate;

std::string set_command(std::size_t value_bytes) {
  std::string wire;
  resp::append_command(wire, "SET", "family7:12345", std::string(value_bytes, 'v'));
  return wire;
}

void append_rewritten_set(benchmark::State& state) {
  const std::string wire = set_command(static_cast<std::size_t>(state.range(0)));
  resp::request_parser parser;
  if (parser.parse(wire) != resp::parse_status::complete) state.SkipWithError("not a whole request");
  const ttl::rewrite how{.kind = ttl::rewrite::what::append, .option = 0, .value = 3600};
  std::string out;
  out.reserve(wire.size() + 64);
  bench::counted_allocations counted(state);
  for (auto _ : state) {
    out.clear();
    ttl::append_rewritten(out, parser.request(), how);
    benchmark::DoNotOptimize(out.data());
  }
  counted.finish();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}
BENCHMARK(append_rewritten_set)->Arg(64)->Arg(16384);

void append_follow_up(benchmark::State& state) {
  const ttl::follow_up what{.key_index = 1, .rule = 0, .kind = ttl::follow_up::what::default_nx, .ttl_ms = 3'600'000};
  std::string out;
  out.reserve(256);
  bench::counted_allocations counted(state);
  for (auto _ : state) {
    out.clear();
    ttl::append_follow_up(out, "family7:12345", what, true);
    benchmark::DoNotOptimize(out.data());
  }
  counted.finish();
}
BENCHMARK(append_follow_up);

}  // namespace
