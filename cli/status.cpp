// `tidegate status`: the first section of the runbook on one screen, with a verdict and the next step.
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "cli/admin_client.hpp"
#include "cli/cap_lines.hpp"
#include "cli/command_line.hpp"
#include "cli/status_lines.hpp"
#include "config/quantity.hpp"

namespace tidegate::cli {
namespace {

using nlohmann::ordered_json;

constexpr int wrong_usage = 2;
constexpr std::chrono::seconds watch_interval{2};
// So many readings in a row must be well before it counts as recovered.
constexpr int readings_recovered = 3;
constexpr int failures_max = 5;

struct options {
  std::string config_path, format = "text", warn = "60%", critical = "70%";
  bool watch = false;
};

struct reading {
  ordered_json status, forecast;
};

std::expected<reading, std::string> look(const admin_client& client, const options& chosen) {
  auto status = read_document(
      client.get("/api/v1/status?warn=" + path_segment(chosen.warn) + "&critical=" + path_segment(chosen.critical)));
  if (!status) return std::unexpected(status.error());
  reading made{.status = *std::move(status), .forecast = nullptr};
  if (auto forecast = read_document(client.get("/api/v1/forecast"))) made.forecast = *std::move(forecast);
  return made;
}

void print(const reading& seen, const options& chosen, bool clear) {
  if (chosen.format == "json") {
    ordered_json document = seen.status;
    document["forecast"] = seen.forecast;
    std::cout << document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << std::endl;
    return;
  }
  // ECMA-48: the cursor to the upper left, and everything behind it erased.
  if (clear) std::cout << "\x1b[H\x1b[2J";
  std::cout << status_lines(seen.status, seen.forecast) << std::flush;
}

bool is_well(const reading& seen) {
  return seen.status.value("verdict", std::string()) == "ok";
}

int watch(const admin_client& client, const options& chosen) {
  const bool screen = ::isatty(STDOUT_FILENO) == 1 && chosen.format == "text";
  int well = 0, failures = 0;
  bool first = true;
  for (;; first = false) {
    const auto seen = look(client, chosen);
    if (!seen) {
      std::cerr << seen.error() << '\n';
      if (first || ++failures >= failures_max) return 1;
    } else {
      failures = 0;
      if (!first && !screen && chosen.format == "text") std::cout << '\n';
      print(*seen, chosen, screen);
      well = is_well(*seen) ? well + 1 : 0;
      if ((first && well > 0) || well >= readings_recovered) return 0;
    }
    std::this_thread::sleep_for(watch_interval);
  }
}

int status(const options& chosen) {
  for (const auto& [name, text] : {std::pair{"--warn", chosen.warn}, std::pair{"--critical", chosen.critical}}) {
    if (const auto read = config::parse_fraction(text); !read) {
      std::cerr << name << ": " << read.error() << '\n';
      return wrong_usage;
    }
  }
  if (*config::parse_fraction(chosen.warn) > *config::parse_fraction(chosen.critical)) {
    std::cerr << "--warn: is above --critical; give a lower one\n";
    return wrong_usage;
  }
  const auto client = admin_client::open(chosen.config_path);
  if (!client) {
    std::cerr << client.error() << '\n';
    return 1;
  }
  if (chosen.watch) return watch(*client, chosen);
  const auto seen = look(*client, chosen);
  if (!seen) {
    std::cerr << seen.error() << '\n';
    return 1;
  }
  print(*seen, chosen, false);
  return is_well(*seen) ? 0 : 1;
}

}  // namespace

void add_status(CLI::App& app, chosen_command& chosen) {
  auto given = std::make_shared<options>();
  CLI::App* command = app.add_subcommand("status", "How memory stands, who writes, what holds them, and what to do.");
  add_admin_option(*command, given->config_path);
  command->add_flag("--watch", given->watch, "Every two seconds, until it has recovered");
  command->add_option("--warn", given->warn, "Share of maxmemory from which it is a warning")
      ->type_name("P")
      ->capture_default_str();
  command->add_option("--critical", given->critical, "Share of maxmemory from which it is critical")
      ->type_name("P")
      ->capture_default_str();
  command->add_option("--format", given->format, "How to print it; with --watch a document a line")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->footer(
      "warn also where the forecast has memory pass --warn, --critical or 100 % within 15 minutes.\n"
      "Exit status: 0 = ok, or recovered; 1 = warn, critical or unknown (`verdict` in JSON tells them\n"
      "apart); 2 = wrong usage.\n"
      "Example:\n  tidegate status -c tidegate.yaml --warn 60% --critical 70%");
  command->callback([given, &chosen] { chosen.run = [given] { return status(*given); }; });
}

}  // namespace tidegate::cli
