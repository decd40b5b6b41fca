// `tidegate simulate`: what a configuration would have done to recorded writes.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_line.hpp"
#include "cli/time_option.hpp"
#include "config/load.hpp"
#include "config/quantity.hpp"
#include "evidence/simulate/outcome_text.hpp"
#include "evidence/simulate/suggestion.hpp"
#include "evidence/simulate/traffic.hpp"

namespace tidegate::cli {
namespace {

struct simulate_options {
  std::string config_path, capture, ledger, since, until, under = "70%", format = "text", plot;
  std::string maxmemory, used_before;
  bool suggest = false;
};

int complain(const std::string& why, int status) {
  std::cerr << "tidegate simulate: " << why << '\n';
  return status;
}

// What was asked for, else the capture of the configuration, else its ledger.
std::expected<simulate::traffic, std::string> traffic_of(const simulate_options& how, const config::config& config,
                                                         const capture::window& when) {
  if (!how.ledger.empty()) return simulate::traffic_of_ledger(how.ledger, when);
  std::string path = how.capture;
  if (path.empty() && config.capture && std::filesystem::is_directory(config.capture->directory)) {
    path = config.capture->directory;
  }
  if (path.empty()) {
    if (config.ledger.enabled) return simulate::traffic_of_ledger(config.ledger.path, when);
    return std::unexpected(std::string("there is neither a capture nor a ledger: give --capture or --ledger"));
  }
  auto made = simulate::traffic_of_capture(path, when);
  if (!made) return made;
  // The ledger knows what the upstream used meanwhile; without it the curve begins at nothing.
  if (config.ledger.enabled && std::filesystem::exists(config.ledger.path)) {
    if (auto readings = simulate::memory_in_ledger(config.ledger.path, when)) {
      made->memory = std::move(*readings);
    } else {
      std::cerr << "tidegate simulate: no memory readings: " << readings.error() << '\n';
    }
  }
  return made;
}

std::expected<simulate::memory_facts, std::string> memory_given(const simulate_options& how,
                                                                const config::config& config) {
  simulate::memory_facts facts;
  facts.maxmemory = config.upstream.maxmemory;
  if (!how.maxmemory.empty()) {
    const auto size = config::parse_size(how.maxmemory);
    if (!size) return std::unexpected("--maxmemory: " + size.error());
    facts.maxmemory = *size;
  }
  if (!how.used_before.empty()) {
    const auto size = config::parse_size(how.used_before);
    if (!size) return std::unexpected("--used-before: " + size.error());
    facts.used_before = static_cast<double>(*size);
  }
  return facts;
}

bool write_plot(const std::string& path, const simulate::outcome& what, const std::string& traffic) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << (path.ends_with(".svg") ? simulate::to_svg(what) : simulate::to_html(what, traffic));
  out.close();
  return !out.fail();
}

void print_suggestion(const simulate::suggestion& what, const std::string& under, const std::string& format) {
  const auto cost_text = [&] {
    std::string text;
    for (const simulate::client_line& one : what.after.clients) {
      if (one.waited_seconds <= 0) continue;
      text += "# " + one.client + " waits " + std::to_string(std::llround(one.waited_seconds)) + " s in all and ends " +
              std::to_string(std::llround(one.ends_later_seconds)) + " s later\n";
    }
    return text;
  };
  if (format == "json") {
    nlohmann::ordered_json document{{"needed", what.needed},
                                    {"under", under},
                                    {"clients", what.clients},
                                    {"bytes_per_second", what.bytes_per_second},
                                    {"by_pressure", what.by_pressure},
                                    {"max_delay_seconds", what.max_delay_seconds},
                                    {"peak_without_bytes", std::llround(what.before.peak_after)},
                                    {"peak_with_bytes", std::llround(what.after.peak_after)},
                                    {"waited_seconds", what.after.waited_seconds},
                                    {"yaml", what.yaml}};
    std::cout << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    return;
  }
  const auto percent = [&](double bytes) {
    std::array<char, 32> text{};
    const double share = 100 * bytes / static_cast<double>(what.after.maxmemory);
    const int length = std::snprintf(text.data(), text.size(), "%.1f %%", share);
    return std::string(text.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), text.size() - 1));
  };
  if (!what.needed) {
    std::cout << "# Nothing is needed: the peak is " << percent(what.after.peak_after) << ", under " << under << '\n';
    return;
  }
  std::cout << "# Keeps the memory at " << percent(what.after.peak_after) << " where it was "
            << percent(what.before.peak_after) << "\n"
            << cost_text() << what.yaml;
}

int run(const simulate_options& how) {
  std::vector<config::mistake> warnings;
  const auto loaded = config::load_file(how.config_path, &warnings);
  if (!loaded) {
    for (const config::mistake& one : loaded.error()) std::cerr << one.to_string() << '\n';
    return 1;
  }
  const auto under = config::parse_fraction(how.under);
  if (!under || *under <= 0) return complain("--under: " + (under ? "it must be above 0 %" : under.error()), 2);
  const auto when = window_of(how.since, how.until);
  if (!when) return complain(when.error(), 2);
  const auto given = memory_given(how, **loaded);
  if (!given) return complain(given.error(), 2);
  if (!how.plot.empty() && !how.plot.ends_with(".svg") && !how.plot.ends_with(".html")) {
    return complain("--plot: the file's name must end in .svg or .html", 2);
  }
  auto from = traffic_of(how, **loaded, *when);
  if (!from) return complain(from.error(), 1);
  const auto memory = simulate::calibrate(*from, *given);
  if (!memory) return complain(memory.error(), 1);

  if (how.suggest) {
    const auto found = simulate::suggest(*from, *loaded, *memory, *under);
    if (!found) return complain(found.error(), 1);
    print_suggestion(*found, how.under, how.format);
    if (!how.plot.empty() && !write_plot(how.plot, found->after, from->name)) {
      return complain(how.plot + ": it cannot be written", 1);
    }
    return 0;
  }
  const auto told = simulate::simulate(*from, *loaded, *memory);
  if (!told) return complain(told.error(), 1);
  if (how.format == "json") {
    std::cout << simulate::to_json(*told, from->name) << '\n';
  } else {
    simulate::print_text(*told, from->name, std::cout);
  }
  if (!how.plot.empty() && !write_plot(how.plot, *told, from->name)) {
    return complain(how.plot + ": it cannot be written", 1);
  }
  return told->commands == 0 ? 1 : 0;
}

}  // namespace

void add_simulate(CLI::App& app, chosen_command& chosen) {
  auto how = std::make_shared<simulate_options>();
  CLI::App* command = app.add_subcommand("simulate", "Say what a configuration would have done to recorded writes.");
  command->add_option("-c,--config", how->config_path, "The configuration to try")->required()->type_name("FILE");
  auto* capture = command->add_option("--capture", how->capture, "A capture: a directory or a file [capture.directory]")
                      ->type_name("DIR|FILE");
  command->add_option("--ledger", how->ledger, "A ledger instead of a capture: coarser [ledger.path]")
      ->type_name("FILE")
      ->excludes(capture);
  command->add_option("--since", how->since, "From then on: RFC 3339 or -30m")->type_name("T");
  command->add_option("--until", how->until, "Before then")->type_name("T");
  command->add_flag("--suggest", how->suggest, "Find the smallest set of limits that keeps the memory down");
  command->add_option("--under", how->under, "With --suggest: of maxmemory")->type_name("P")->capture_default_str();
  command->add_option("--maxmemory", how->maxmemory, "The upstream's [upstream.maxmemory, or what the ledger saw]")
      ->type_name("SIZE");
  command->add_option("--used-before", how->used_before, "What it used when the writes began [what the ledger saw]")
      ->type_name("SIZE");
  command->add_option("--plot", how->plot, "Draw the memory with and without the rules")->type_name("FILE.html|.svg");
  command->add_option("--format", how->format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->footer(
      "Exit status: 0 = done, 1 = there was nothing to simulate or no limit does, 2 = wrong usage.\n"
      "Examples:\n  tidegate simulate -c new.yaml --capture captures --since -2h --plot memory.html\n"
      "  tidegate simulate -c tidegate.yaml --ledger tidegate.db --suggest --under 70%");
  command->callback([how, &chosen] { chosen.run = [how] { return run(*how); }; });
}

}  // namespace tidegate::cli
