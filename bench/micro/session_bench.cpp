// The whole machine without its sockets: what a command costs from the client's bytes to the client's reply.
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <string>

#include "bench/micro/counted_allocations.hpp"
#include "limiter/bucket_store.hpp"
#include "resp/encoder.hpp"
#include "tests/session/quiet_world.hpp"

namespace {

using namespace tidegate;

constexpr std::size_t clients = 8;

enum class policy_is { on, off };

// Eight clients say `range` commands each a turn, SET and GET of one key after the other; time is a command's.
void session_machine(benchmark::State& state, policy_is policy) {
  const auto depth = static_cast<std::size_t>(state.range(0));
  const policy::foundations base{.registry = std::make_shared<attribution::registry>(),
                                 .buckets = limiter::make_bucket_store(),
                                 .commands = resp::command_table::builtin()};
  session::steady_ns now = 1'000'000'000'000;
  session::testing_support::quiet_world world;
  session::memory_held held;
  session::engine_options options;
  const auto config =
      policy == policy_is::on ? session::testing_support::steady_config() : std::make_shared<const config::config>();
  options.snapshot = policy::make_snapshot(config, base, 1, now);
  options.registry = base.registry;
  options.upstream = std::make_shared<session::upstream_state>();
  options.held = &held;
  session::engine machine(std::move(options), world);

  const auto begin_turn = [&] {
    now += 100'000;
    machine.begin_turn(now, std::chrono::milliseconds(now / 1'000'000));
  };
  std::array<session::stream*, clients> streams{};
  std::array<std::string, clients> requests;
  begin_turn();
  for (std::size_t i = 0; i < clients; ++i) {
    streams[i] = &machine.accepted(&streams[i], {});
    for (std::size_t n = 0; n < depth; ++n) {
      const std::string key = "pattern" + std::to_string((i * 7 + n / 2) % 30) + ":" + std::to_string(n);
      if ((n + i) % 2 == 0) {
        resp::append_command(requests[i], "SET", key, std::string(64, 'v'));
      } else {
        resp::append_command(requests[i], "GET", key);
      }
    }
  }
  machine.end_turn();
  const auto turn = [&] {
    begin_turn();
    for (std::size_t i = 0; i < clients; ++i) machine.received(*streams[i], requests[i]);
    machine.end_turn();
    while (world.busy()) {
      begin_turn();
      world.finish_connecting(machine);
      world.answer(machine);
      machine.end_turn();
    }
  };
  for (int i = 0; i < 100; ++i) turn();  // everything grows to its size
  bench::counted_allocations counted(state);
  for (auto _ : state) turn();
  counted.finish();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(clients * depth));
}
BENCHMARK_CAPTURE(session_machine, policy_on, policy_is::on)->Arg(1)->Arg(16)->Arg(512);
BENCHMARK_CAPTURE(session_machine, policy_off, policy_is::off)->Arg(1)->Arg(16)->Arg(512);

}  // namespace
