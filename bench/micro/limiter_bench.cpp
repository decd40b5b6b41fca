// What a limit costs: one bucket, and the choice of the rules that a command must pass.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro/counted_allocations.hpp"
#include "limiter/bucket.hpp"
#include "policy/evaluator.hpp"
#include "resp/encoder.hpp"
#include "resp/request_parser.hpp"

namespace {

using namespace tidegate;

constexpr std::int64_t second = 1'000'000'000;

void debit_bucket(benchmark::State& state) {
  const limiter::rate_clock clock(1e9, second);
  limiter::bucket bucket(clock, 1'000'000'000, 1);
  const limiter::units cost = clock.to_units(1);
  std::int64_t now = second;
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(bucket.try_debit(cost, now += 100));
  counted.finish();
}
BENCHMARK(debit_bucket);

enum class rules_are { matching, of_other_clients, of_other_keys };

config::limit_rule rule_of(int index, rules_are kind) {
  config::limit_rule rule;
  rule.name = "rule" + std::to_string(index);
  rule.rate = rule.burst = 1e9;
  if (kind == rules_are::of_other_clients) rule.match_client = "other" + std::to_string(index);
  if (kind == rules_are::of_other_keys) rule.match_key = "other" + std::to_string(index) + ":*";
  return rule;
}

// What the policy adds to a SET: what it is, its pattern, its TTL plan, its limits and their debits.
void decide_set(benchmark::State& state, rules_are kind) {
  auto config = std::make_shared<config::config>();
  for (int index = 0; index < 30; ++index)
    config->attribution.patterns.push_back("family" + std::to_string(index) + ":*");
  config->attribution.patterns.push_back("contact:userGroupLabel:set:*");
  for (int index = 0; index < state.range(0); ++index) config->limits.push_back(rule_of(index, kind));
  config->ttl.push_back({.pattern = "contact:*", .default_ttl = std::chrono::hours(1), .max_ttl = {}});
  const policy::foundations base{.registry = std::make_shared<attribution::registry>(),
                                 .buckets = limiter::make_bucket_store(),
                                 .commands = resp::command_table::builtin()};
  const auto snapshot = policy::make_snapshot(config, base, 1, second);
  policy::evaluator evaluator(*base.registry);
  evaluator.use(*snapshot);
  limiter::binding binding;
  if (!snapshot->limits->empty()) snapshot->limits->bind(binding, "isales-campaign", "", second);
  std::string wire;
  resp::append_command(wire, "SET", "contact:userGroupLabel:set:12345", std::string(64, 'v'));
  resp::request_parser parser;
  if (parser.parse(wire) != resp::parse_status::complete) state.SkipWithError("not a whole request");
  std::int64_t now = second;
  const auto decide = [&] {
    const resp::command_spec& spec = evaluator.identify(parser.request());
    benchmark::DoNotOptimize(evaluator.read(spec, parser.request()).bytes);
    benchmark::DoNotOptimize(evaluator.plan_ttl(parser.request(), std::chrono::milliseconds(1)).rule);
    if (snapshot->limits->empty()) return;
    limiter::charges& charges = evaluator.limits(binding, parser.request());
    benchmark::DoNotOptimize(snapshot->limits->admit(charges, nullptr, now += 100).what);
  };
  decide();
  bench::counted_allocations counted(state);
  for (auto _ : state) decide();
  counted.finish();
}
BENCHMARK_CAPTURE(decide_set, rules_that_match, rules_are::matching)->Arg(0)->Arg(5)->Arg(200);
BENCHMARK_CAPTURE(decide_set, rules_of_other_clients, rules_are::of_other_clients)->Arg(5)->Arg(200);
BENCHMARK_CAPTURE(decide_set, rules_of_other_keys, rules_are::of_other_keys)->Arg(5)->Arg(200);

}  // namespace
