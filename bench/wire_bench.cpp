// Microbenchmarks of what every command passes: parser, framer, table, patterns, bucket, policy.
//
// Run on a quiet machine with `./dev bench`; compare runs of one machine, never bare times of two.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "attribution/pattern_set.hpp"
#include "limiter/bucket.hpp"
#include "policy/evaluator.hpp"
#include "resp/encoder.hpp"
#include "resp/reply_framer.hpp"
#include "resp/request_parser.hpp"

namespace {

using namespace tidegate;

constexpr std::int64_t second = 1'000'000'000;

std::string set_command(std::size_t value_bytes) {
  std::string wire;
  resp::append_command(wire, "SET", "contact:userGroupLabel:set:12345", std::string(value_bytes, 'v'));
  return wire;
}

void parse_set(benchmark::State& state) {
  const std::string wire = set_command(static_cast<std::size_t>(state.range(0)));
  resp::request_parser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(wire));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}
BENCHMARK(parse_set)->Arg(8)->Arg(64)->Arg(16384);

void parse_pipeline_of_16(benchmark::State& state) {
  std::string wire;
  for (int index = 0; index < 16; ++index) wire += set_command(64);
  resp::request_parser parser;
  for (auto _ : state) {
    for (std::string_view rest = wire; !rest.empty(); rest.remove_prefix(parser.request().raw.size())) {
      if (parser.parse(rest) != resp::parse_status::complete) state.SkipWithError("not a whole request");
    }
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(parse_pipeline_of_16);

void frame_reply(benchmark::State& state, std::string wire) {
  resp::reply_framer framer;
  for (auto _ : state) benchmark::DoNotOptimize(framer.consume(wire));
}
BENCHMARK_CAPTURE(frame_reply, status, "+OK\r\n");
BENCHMARK_CAPTURE(frame_reply, bulk_64, "$64\r\n" + std::string(64, 'v') + "\r\n");
BENCHMARK_CAPTURE(frame_reply, nothing, "$-1\r\n");

void find_command(benchmark::State& state, std::string wire) {
  const auto table = resp::command_table::builtin();
  resp::request_parser parser;
  if (parser.parse(wire) != resp::parse_status::complete) state.SkipWithError("not a whole request");
  for (auto _ : state) benchmark::DoNotOptimize(table->find(parser.request()).id);
}
BENCHMARK_CAPTURE(find_command, get, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
BENCHMARK_CAPTURE(find_command, client_setname, "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\nk\r\n");

void match_pattern(benchmark::State& state) {
  std::vector<std::string> globs;
  for (std::int64_t index = 0; index < state.range(0); ++index)
    globs.push_back("family" + std::to_string(index) + ":*");
  const attribution::pattern_set patterns(globs);
  const std::string key = "family" + std::to_string(state.range(0) / 2) + ":12345";
  for (auto _ : state) benchmark::DoNotOptimize(patterns.longest(key));
}
BENCHMARK(match_pattern)->Arg(1)->Arg(30)->Arg(10'000);

void debit_bucket(benchmark::State& state) {
  const limiter::rate_clock clock(1e9, second);
  limiter::bucket bucket(clock, 1'000'000'000, 1);
  const limiter::units cost = clock.to_units(1);
  std::int64_t now = second;
  for (auto _ : state) benchmark::DoNotOptimize(bucket.try_debit(cost, now += 100));
}
BENCHMARK(debit_bucket);

// What the policy adds to a SET: what it is, its pattern, its TTL plan, its limits.
void decide_set(benchmark::State& state) {
  auto config = std::make_shared<config::config>();
  for (int index = 0; index < 30; ++index)
    config->attribution.patterns.push_back("family" + std::to_string(index) + ":*");
  config->attribution.patterns.push_back("contact:userGroupLabel:set:*");
  for (int index = 0; index < state.range(0); ++index) {
    config::limit_rule rule;
    rule.name = "rule" + std::to_string(index);
    rule.rate = rule.burst = 1e9;
    config->limits.push_back(rule);
  }
  config->ttl.push_back({.pattern = "contact:*", .default_ttl = std::chrono::hours(1), .max_ttl = {}});
  const policy::foundations base{.registry = std::make_shared<attribution::registry>(),
                                 .buckets = limiter::make_bucket_store(),
                                 .commands = resp::command_table::builtin()};
  const auto snapshot = policy::make_snapshot(config, base, 1, second);
  policy::evaluator evaluator(*base.registry);
  evaluator.use(*snapshot);
  limiter::binding binding;
  if (!snapshot->limits->empty()) snapshot->limits->bind(binding, "isales-campaign", "", second);
  const std::string wire = set_command(64);
  resp::request_parser parser;
  if (parser.parse(wire) != resp::parse_status::complete) state.SkipWithError("not a whole request");
  for (auto _ : state) {
    const resp::command_spec& spec = evaluator.identify(parser.request());
    benchmark::DoNotOptimize(evaluator.read(spec, parser.request()).bytes);
    benchmark::DoNotOptimize(evaluator.plan_ttl(parser.request(), std::chrono::milliseconds(1)).rule);
    benchmark::DoNotOptimize(evaluator.limits(binding, parser.request()).size);
  }
}
BENCHMARK(decide_set)->Arg(0)->Arg(5)->Arg(200);

}  // namespace

BENCHMARK_MAIN();
