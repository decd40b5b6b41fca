// torture_client: many customers whose replies are all known, for a number of replies or a time.
//
// Prints one line of JSON; the status is 1 if a reply was wrong or never came.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/torture/customer.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::torture;
using clock = std::chrono::steady_clock;

struct options {
  std::string plain, tls, ca;
  manners how;
  std::uint64_t seed = 1, replies = 100'000;
  double seconds = 3600, drain_seconds = 60;
};

void read_arguments(CLI::App& app, options& chosen) {
  app.add_option("--plain", chosen.plain, "HOST:PORT")->required();
  app.add_option("--tls", chosen.tls, "HOST:PORT; every other connection goes there");
  app.add_option("--ca", chosen.ca, "the authority to trust there (PEM)");
  app.add_option("--seed", chosen.seed);
  app.add_option("--replies", chosen.replies, "how many are verified, at least");
  app.add_option("--seconds", chosen.seconds, "… unless it takes longer");
  app.add_option("--drain", chosen.drain_seconds, "how long the last replies may take");
  app.add_option("--customers", chosen.how.customers)->default_val(64);
  app.add_option("--pipeline", chosen.how.pipeline_max)->default_val(512);
  app.add_option("--value", chosen.how.value_bytes_max, "bytes of the largest")->default_val(8 << 20);
  app.add_flag("--leaves", chosen.how.leaves, "customers go in the middle of things");
  app.add_flag("--losses", chosen.how.losses, "errors of lost connections, and ends, are allowed");
  app.add_flag("--amnesia", chosen.how.amnesia, "the server may forget");
  app.add_flag("--rejects", chosen.how.rejects, "a limit rejects SETs");
  app.add_option("--refused", chosen.how.refused_percent,
                 "percent of what is said: SETs of */refused, which a limit `hardly` lets through");
  app.add_option("--version", chosen.how.version, "of the server: makes customers say HELLO, half of them in RESP3");
}

void turn(std::vector<std::unique_ptr<customer>>& all, bool talk, std::vector<pollfd>& waiting) {
  waiting.clear();
  for (const auto& one : all) {
    if (one->descriptor() < 0 || one->has_failed()) continue;
    waiting.push_back({one->descriptor(), static_cast<short>(one->wants_to_write() ? POLLIN | POLLOUT : POLLIN), 0});
  }
  (void)::poll(waiting.data(), waiting.size(), 2);
  for (const auto& one : all) one->go_on(talk);
}

nlohmann::json run(options& chosen) {
  const auto begun = clock::now();
  std::optional<traffic::authority> trusted;
  chosen.how.plain = traffic::parse_place(chosen.plain);
  if (!chosen.tls.empty()) {
    trusted.emplace(chosen.ca);
    chosen.how.tls = traffic::parse_place(chosen.tls);
    chosen.how.tls.tls = &*trusted;
    chosen.how.has_tls = true;
  }
  report told;
  std::vector<std::unique_ptr<customer>> all;
  for (std::uint32_t number = 0; number < chosen.how.customers; ++number) {
    all.push_back(std::make_unique<customer>(number, chosen.seed, chosen.how, told));
  }
  const auto since = [](clock::time_point from) { return std::chrono::duration<double>(clock::now() - from).count(); };
  std::vector<pollfd> waiting;
  while (told.right < chosen.replies && told.wrong.empty() && since(begun) < chosen.seconds) turn(all, true, waiting);
  const auto draining = clock::now();
  const auto idle = [&] { return std::ranges::all_of(all, [](const auto& one) { return one->is_idle(); }); };
  while (!idle() && told.wrong.empty() && since(draining) < chosen.drain_seconds) turn(all, false, waiting);
  nlohmann::json stuck = nlohmann::json::array();
  for (const auto& one : all) {
    if (!one->is_idle() && stuck.size() < 5) stuck.push_back(one->waits_for());
  }
  return {{"seed", chosen.seed},
          {"sent", told.sent},
          {"verified", told.right},
          {"rejected", told.rejected},
          {"lost", told.lost},
          {"closed", told.closed},
          {"forgotten", told.forgotten},
          {"in_doubt", told.in_doubt},
          {"refused", told.refused},
          {"passed", told.passed},
          {"unanswered", told.unanswered},
          {"hellos", told.hellos},
          {"messages", told.messages},
          {"connections", told.connections},
          {"bytes", told.bytes},
          {"wrong", told.wrong},
          {"never_answered", told.wrong.empty() ? stuck : nlohmann::json::array()},
          {"seconds", since(begun)}};
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that their peer has reset
  options chosen;
  CLI::App app{"Many clients whose replies are all known, for a number of replies or a time."};
  read_arguments(app, chosen);
  CLI11_PARSE(app, count, arguments);
  try {
    const nlohmann::json told = run(chosen);
    std::cout << told.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) << std::endl;
    return told["wrong"].empty() && told["never_answered"].empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "torture_client: " << error.what() << '\n';
    return 2;
  }
}
