// What every command's bytes pass: the request parser, the reply framer, the command table.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/micro/counted_allocations.hpp"
#include "resp/command_table.hpp"
#include "resp/encoder.hpp"
#include "resp/reply_framer.hpp"
#include "resp/request_parser.hpp"

namespace {

using namespace tidegate;

std::string set_command(std::size_t value_bytes) {
  std::string wire;
  resp::append_command(wire, "SET", "contact:userGroupLabel:set:12345", std::string(value_bytes, 'v'));
  return wire;
}

void parse_set(benchmark::State& state) {
  const std::string wire = set_command(static_cast<std::size_t>(state.range(0)));
  resp::request_parser parser;
  benchmark::DoNotOptimize(parser.parse(wire));  // its table of arguments grows once
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(wire));
  counted.finish();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}
BENCHMARK(parse_set)->Arg(8)->Arg(64)->Arg(16384);

void parse_pipeline_of_16(benchmark::State& state) {
  std::string wire;
  for (int index = 0; index < 16; ++index) wire += set_command(64);
  resp::request_parser parser;
  benchmark::DoNotOptimize(parser.parse(wire));
  bench::counted_allocations counted(state);
  for (auto _ : state) {
    for (std::string_view rest = wire; !rest.empty(); rest.remove_prefix(parser.request().raw.size())) {
      if (parser.parse(rest) != resp::parse_status::complete) state.SkipWithError("not a whole request");
    }
  }
  counted.finish();
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(parse_pipeline_of_16);

void parse_many_arguments(benchmark::State& state) {
  std::string wire;
  resp::append_array_header(wire, static_cast<std::size_t>(state.range(0)) + 2);
  resp::append_bulk(wire, "SADD");
  resp::append_bulk(wire, "key");
  for (std::int64_t index = 0; index < state.range(0); ++index) resp::append_bulk(wire, std::to_string(index));
  resp::request_parser parser;
  benchmark::DoNotOptimize(parser.parse(wire));
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(wire));
  counted.finish();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(parse_many_arguments)->Arg(100)->Arg(10'000);

void frame_reply(benchmark::State& state, const std::string& wire) {
  resp::reply_framer framer;
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(framer.consume(wire));
  counted.finish();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}
BENCHMARK_CAPTURE(frame_reply, status, "+OK\r\n");
BENCHMARK_CAPTURE(frame_reply, bulk_64, "$64\r\n" + std::string(64, 'v') + "\r\n");
BENCHMARK_CAPTURE(frame_reply, bulk_16384, "$16384\r\n" + std::string(16384, 'v') + "\r\n");
BENCHMARK_CAPTURE(frame_reply, nothing, "$-1\r\n");
BENCHMARK_CAPTURE(frame_reply, nested, "*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");

void find_command(benchmark::State& state, const std::string& wire) {
  const auto table = resp::command_table::builtin();
  resp::request_parser parser;
  if (parser.parse(wire) != resp::parse_status::complete) state.SkipWithError("not a whole request");
  bench::counted_allocations counted(state);
  for (auto _ : state) benchmark::DoNotOptimize(table->find(parser.request()).id);
  counted.finish();
}
BENCHMARK_CAPTURE(find_command, get, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
BENCHMARK_CAPTURE(find_command, lower_case, "*3\r\n$5\r\nsetex\r\n$1\r\nk\r\n$1\r\n1\r\n");
BENCHMARK_CAPTURE(find_command, client_setname, "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\nk\r\n");
BENCHMARK_CAPTURE(find_command, unknown, "*2\r\n$9\r\nNOSUCHONE\r\n$1\r\nk\r\n");

}  // namespace
