// `tidegate top`: who writes now, live; on a terminal with keys, elsewhere as text or JSON.
#include <langinfo.h>

#include <chrono>
#include <clocale>
#include <iostream>
#include <memory>
#include <string_view>
#include <thread>

#include "cli/admin_client.hpp"
#include "cli/command_line.hpp"
#include "cli/top/page.hpp"
#include "cli/top/poller.hpp"
#include "cli/top/screen.hpp"
#include "config/quantity.hpp"

namespace tidegate::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds interval_min{100}, interval_max{std::chrono::hours(1)};

struct options {
  std::string config_path, format = "text", interval = "1s";
  bool once = false;
};

// Names may hold any UTF-8; a terminal of another character set gets `?` instead.
bool only_ascii() {
  if (std::setlocale(LC_CTYPE, "") == nullptr) return true;    // NOLINT(concurrency-mt-unsafe): before any thread
  return std::string_view(::nl_langinfo(CODESET)) != "UTF-8";  // NOLINT(concurrency-mt-unsafe)
}

// One document or one block of lines an interval, the first as soon as there are two looks to compare.
int print(const admin_client& client, milliseconds interval, const options& chosen, bool ascii_only) {
  top::model figures;
  for (bool first = true;; first = false) {
    const top::fetched got = top::fetch(client);
    const auto taken = got ? figures.take(*got) : std::unexpected(got.error());
    if (!taken) {
      std::cerr << taken.error() << '\n';
      if (first || chosen.once) return 1;
    } else if (const top::view seen = figures.look(top::order::bytes, {}); seen.seconds > 0) {
      std::cout << (chosen.format == "json" ? top::json_text(seen) : top::plain_text(seen, ascii_only)) << std::endl;
      if (chosen.once) return 0;
      if (!std::cout) return 1;  // whoever read it is gone
    }
    std::this_thread::sleep_for(interval);
  }
}

int watch(const options& chosen) {
  const auto interval = config::parse_duration(chosen.interval);
  if (!interval || *interval < interval_min || *interval > interval_max) {
    std::cerr << "--interval: a time from 100ms to 1h is needed, such as 1s\n";
    return 2;
  }
  const auto client = admin_client::open(chosen.config_path);
  if (!client) {
    std::cerr << client.error() << '\n';
    return 1;
  }
  const bool ascii_only = only_ascii();
  if (chosen.once || chosen.format == "json" || !top::can_paint()) return print(*client, *interval, chosen, ascii_only);
  return top::run_screen(*client, *interval, ascii_only);
}

}  // namespace

void add_top(CLI::App& app, chosen_command& chosen) {
  auto given = std::make_shared<options>();
  CLI::App* command =
      app.add_subcommand("top", "Who writes now: rates, patterns, memory, limits at work; keys to cap.");
  add_admin_option(*command, given->config_path);
  command->add_option("--interval", given->interval, "How often to ask")->type_name("TIME")->capture_default_str();
  command->add_flag("--once", given->once, "Print one look, taken over one interval, and end");
  command->add_option("--format", given->format, "How to print it where there is no screen")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->footer(
      "On a terminal ? shows the keys; elsewhere, and with TERM=dumb or --format json, it prints at each interval.\n"
      "Examples:\n  tidegate top -c tidegate.yaml\n  tidegate top -c tidegate.yaml --once --format json");
  command->callback([given, &chosen] { chosen.run = [given] { return watch(*given); }; });
}

}  // namespace tidegate::cli
