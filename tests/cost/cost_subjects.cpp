// What tests/integration/instruction_suite.py counts under callgrind: `cost_subjects NAME COUNT` does one thing COUNT
// times, so that the difference of two runs is the price of the thing alone. `cost_subjects --list` names the subjects,
// `--about` what the numbers depend on.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "attribution/pattern_set.hpp"
#include "limiter/bucket.hpp"
#include "policy/evaluator.hpp"
#include "resp/encoder.hpp"
#include "resp/reply_framer.hpp"
#include "resp/request_parser.hpp"
#include "tests/session/quiet_world.hpp"
#include "ttl/rule_set.hpp"

namespace {

using namespace tidegate;
using count_type = std::uint64_t;

constexpr std::int64_t second = 1'000'000'000;
volatile std::uint64_t sink = 0;  // what is computed for nobody would be left out by the compiler

std::string family_key(std::size_t number) {
  return "pattern" + std::to_string(number % 30) + ":" + std::to_string(10'000 + number);
}

policy::foundations new_foundations() {
  return {.registry = std::make_shared<attribution::registry>(),
          .buckets = limiter::make_bucket_store(),
          .commands = resp::command_table::builtin()};
}

// Eight clients, each with `pipeline` commands a turn, SET and GET in turn; COUNT turns.
void run_machine(count_type turns, std::size_t pipeline, bool with_policy) {
  constexpr std::size_t clients = 8;
  const policy::foundations base = new_foundations();
  session::steady_ns now = 1'000 * second;
  session::testing_support::quiet_world world;
  session::memory_held held;
  session::engine_options options;
  const auto config =
      with_policy ? session::testing_support::steady_config() : std::make_shared<const config::config>();
  options.snapshot = policy::make_snapshot(config, base, 1, now);
  options.registry = base.registry;
  options.upstream = std::make_shared<session::upstream_state>();
  options.held = &held;
  session::engine machine(std::move(options), world);
  const auto wall = [&] { return std::chrono::milliseconds(now / 1'000'000); };
  std::vector<session::stream*> streams(clients);
  std::vector<std::string> requests(clients);
  machine.begin_turn(now, wall());
  for (std::size_t i = 0; i < clients; ++i) {
    streams[i] = &machine.accepted(&streams[i], {});
    for (std::size_t n = 0; n < pipeline; ++n) {
      const std::string key = family_key(i * 7 + n);
      // At pipeline 1 half of the clients write.
      if ((n + i) % 2 == 0) {
        resp::append_command(requests[i], "SET", key, std::string(64, 'v'));
      } else {
        resp::append_command(requests[i], "GET", key);
      }
    }
  }
  machine.end_turn();
  constexpr count_type warm_up = 20;
  for (count_type turn = 0; turn < turns + warm_up; ++turn) {
    now += 100'000;
    machine.begin_turn(now, wall());
    for (std::size_t i = 0; i < clients; ++i) machine.received(*streams[i], requests[i]);
    machine.end_turn();
    while (world.busy()) {
      machine.begin_turn(now, wall());
      world.finish_connecting(machine);
      world.answer(machine);
      machine.end_turn();
    }
  }
  sink = world.to_clients;
}

void parse(count_type times) {
  std::string wire;
  for (std::size_t i = 0; i < 16; ++i) resp::append_command(wire, "SET", family_key(i), std::string(64, 'v'));
  resp::request_parser parser;
  for (count_type i = 0; i < times; ++i) {
    for (std::string_view rest = wire; !rest.empty(); rest.remove_prefix(parser.request().raw.size())) {
      if (parser.parse(rest) != resp::parse_status::complete) std::abort();
    }
  }
}

void frame(count_type times) {
  const std::string wire = "+OK\r\n:12345\r\n$5\r\nhello\r\n$-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
  resp::reply_framer framer;
  for (count_type i = 0; i < times; ++i) {
    for (std::string_view rest = wire; !rest.empty();) rest.remove_prefix(framer.consume(rest).bytes);
  }
}

void find_command(count_type times) {
  const auto table = resp::command_table::builtin();
  std::vector<std::string> wires(4);
  resp::append_command(wires[0], "GET", "k");
  resp::append_command(wires[1], "sadd", "k", "v");
  resp::append_command(wires[2], "CLIENT", "SETNAME", "k");
  resp::append_command(wires[3], "ZREMRANGEBYSCORE", "k", "1", "2");
  std::vector<resp::request_parser> parsers(wires.size());
  for (std::size_t i = 0; i < wires.size(); ++i) {
    if (parsers[i].parse(wires[i]) != resp::parse_status::complete) std::abort();
  }
  for (count_type i = 0; i < times; ++i) {
    for (const resp::request_parser& one : parsers) sink = table->find(one.request()).id;
  }
}

void match_pattern(count_type times) {
  std::vector<std::string> globs;
  for (int i = 0; i < 1000; ++i) globs.push_back("pattern" + std::to_string(i) + ":*");
  const attribution::pattern_set patterns(globs);
  for (count_type i = 0; i < times; ++i) sink = patterns.longest("pattern512:12345");
}

void debit(count_type times) {
  const limiter::rate_clock clock(1e9, second);
  limiter::bucket bucket(clock, 1'000'000'000, 1);
  const limiter::units cost = clock.to_units(1);
  std::int64_t now = second;
  for (count_type i = 0; i < times; ++i) sink = bucket.try_debit(cost, now += 100) ? 1U : 0U;
}

void decide(count_type times) {
  const policy::foundations base = new_foundations();
  const auto snapshot = policy::make_snapshot(session::testing_support::steady_config(), base, 1, second);
  policy::evaluator evaluator(*base.registry);
  evaluator.use(*snapshot);
  limiter::binding binding;
  snapshot->limits->bind(binding, "isales-campaign", "", second);
  std::string wire, out;
  resp::append_command(wire, "SET", family_key(1), std::string(64, 'v'));  // a TTL rule rewrites it
  resp::request_parser parser;
  if (parser.parse(wire) != resp::parse_status::complete) std::abort();
  for (count_type i = 0; i < times; ++i) {
    const resp::command_spec& spec = evaluator.identify(parser.request());
    sink = evaluator.read(spec, parser.request()).bytes;
    const ttl::plan& plan = evaluator.plan_ttl(parser.request(), std::chrono::milliseconds(1));
    out.clear();
    ttl::append_rewritten(out, parser.request(), plan.rewrite);
    const limiter::charges& charges = evaluator.limits(binding, parser.request());
    sink = charges.size;
  }
}

const std::map<std::string, std::function<void(count_type)>, std::less<>> subjects = {
    {"machine: 8 clients x 16 commands", [](count_type n) { run_machine(n, 16, true); }},
    {"machine: 8 clients x 16 commands, policy off", [](count_type n) { run_machine(n, 16, false); }},
    {"machine: 8 clients x 1 command", [](count_type n) { run_machine(n, 1, true); }},
    {"parser: 16 SETs", parse},
    {"framer: 5 replies", frame},
    {"command table: 4 names", find_command},
    {"pattern: one of 1,000", match_pattern},
    {"bucket: one debit", debit},
    {"policy: one SET, rewritten", decide},
};

void tell_about() {
#ifdef __OPTIMIZE__
  const char* optimised = "optimised";
#else
  const char* optimised = "not optimised";
#endif
#ifdef __x86_64__
  const char* machine = "x86_64";
#else
  const char* machine = "another machine";
#endif
  std::printf("%s, %s, %s\n", __VERSION__, machine, optimised);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "--about") {
    tell_about();
    return 0;
  }
  if (words.size() == 1 && words[0] == "--list") {
    for (const auto& [name, run] : subjects) std::puts(name.c_str());
    return 0;
  }
  const auto found = words.size() == 2 ? subjects.find(words[0]) : subjects.end();
  if (found == subjects.end()) {
    std::fputs("usage: cost_subjects --list | --about | NAME COUNT\n", stderr);
    return 2;
  }
  found->second(std::strtoull(argv[2], nullptr, 10));
  return 0;
}
