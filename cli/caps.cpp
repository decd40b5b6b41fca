// `tidegate caps`: who is held, by whom, why and until when.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "cli/admin_client.hpp"
#include "cli/cap_lines.hpp"
#include "cli/command_line.hpp"
#include "cli/screen_width.hpp"

namespace tidegate::cli {
namespace {

struct options {
  std::string config_path, format = "text";
};

int list(const options& chosen) {
  const auto client = admin_client::open(chosen.config_path);
  if (!client) {
    std::cerr << client.error() << '\n';
    return 1;
  }
  const auto answer = client->get("/api/v1/caps");
  const auto document = read_document(answer);
  if (!document) {
    std::cerr << document.error() << '\n';
    return 1;
  }
  if (chosen.format == "json") {
    std::cout << answer->body << '\n';
    return 0;
  }
  const auto caps = document->find("caps");
  if (caps == document->end() || caps->empty()) {
    std::cerr << "no client is capped or blocked\n";
    return 0;
  }
  print_caps(*caps, std::cout, screen_width(STDOUT_FILENO));
  return 0;
}

}  // namespace

void add_caps(CLI::App& app, chosen_command& chosen) {
  auto given = std::make_shared<options>();
  CLI::App* command = app.add_subcommand("caps", "List the caps and blocks in force.");
  add_admin_option(*command, given->config_path);
  command->add_option("--format", given->format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->footer(
      "DELAYED and REJECTED count since the proxy's start. On a narrow terminal (or with COLUMNS set)\n"
      "each cap is a few lines instead of one.\n"
      "Example:\n  tidegate caps -c tidegate.yaml");
  command->callback([given, &chosen] { chosen.run = [given] { return list(*given); }; });
}

}  // namespace tidegate::cli
