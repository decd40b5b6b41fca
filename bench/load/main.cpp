// tidegate_load: a load generator that costs little and trusts nothing.
//
// It connects, prints `ready`, and takes orders on its input, one a line: `closed COMMANDS`, `open COMMANDS RATE`,
// `quit`. Each answer is one line of JSON. Whoever measures reads the proxy's accounting around an order, so that only
// that many commands lie between two readings.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/load/crowd.hpp"

namespace {

using namespace tidegate;

struct options {
  load::crowd_shape crowd;
  load::script_shape script;
  std::string ca;
};

void read_arguments(CLI::App& app, options& chosen) {
  app.add_option("--host", chosen.crowd.host, "numeric IPv4 address");
  app.add_option("--port", chosen.crowd.port)->required();
  app.add_option("--ca", chosen.ca, "speak TLS and trust this authority (PEM)");
  app.add_option("--connections", chosen.crowd.connections)->check(CLI::Range(1, 60'000));
  app.add_option("--pipeline", chosen.crowd.pipeline)->check(CLI::Range(1, 4096));
  app.add_option("--value", chosen.script.value_bytes, "bytes of a value")->check(CLI::Range(1, 64 << 20));
  app.add_option("--keys", chosen.script.keys)->check(CLI::Range(1, 10'000'000));
  app.add_option("--patterns", chosen.script.patterns, "families the keys belong to")->check(CLI::Range(1, 100'000));
  app.add_option("--family", chosen.script.family, "what keys begin with");
  app.add_option("--names", chosen.crowd.names, "how many names the clients share; 0: they say none");
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

nlohmann::json as_json(const load::run_result& result, const char* cipher) {
  const auto microseconds = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"commands", result.commands},
          {"seconds", result.seconds},
          {"own_cpu_seconds", result.own_cpu_seconds},
          {"p50_us", microseconds(result.batches.quantile(0.5))},
          {"p99_us", microseconds(result.batches.quantile(0.99))},
          {"p999_us", microseconds(result.batches.quantile(0.999))},
          {"max_us", microseconds(result.batches.max())},
          {"cipher", cipher}};
}

int obey(load::crowd& clients) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream order(line);
    std::string word;
    std::uint64_t commands = 0;
    double rate = 0;
    order >> word >> commands;
    if (word == "quit") return 0;
    if (word == "closed" && commands > 0) {
      std::cout << as_json(clients.closed_loop(commands), clients.cipher()) << std::endl;
    } else if (word == "open" && commands > 0 && order >> rate && rate > 0) {
      std::cout << as_json(clients.open_loop(commands, rate), clients.cipher()) << std::endl;
    } else {
      std::cerr << "tidegate_load: orders are `closed COMMANDS`, `open COMMANDS RATE` and `quit`, not: " << line
                << '\n';
      return 2;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Load for RESP servers: SET and GET in turn, every reply checked; takes orders on its input");
  options chosen;
  read_arguments(app, chosen);
  CLI11_PARSE(app, argc, argv);
  try {
    raise_descriptor_limit();
    chosen.script.pipeline = chosen.crowd.pipeline;
    const load::script words(chosen.script);
    const auto tls = chosen.ca.empty() ? nullptr : std::make_unique<load::tls_client>(chosen.ca);
    load::crowd clients(chosen.crowd, words, tls.get());
    std::cout << "ready" << std::endl;
    return obey(clients);
  } catch (const std::exception& failure) {
    std::cerr << "tidegate_load: " << failure.what() << '\n';
    return 1;
  }
}
