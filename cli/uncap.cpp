// `tidegate uncap`: lifts what `cap` or `block` set.
#include <iostream>
#include <memory>

#include "cli/admin_client.hpp"
#include "cli/cap_lines.hpp"
#include "cli/command_line.hpp"

namespace tidegate::cli {
namespace {

struct options {
  std::string config_path, client, format = "text";
};

int uncap(const options& chosen) {
  const auto client = admin_client::open(chosen.config_path);
  if (!client) {
    std::cerr << client.error() << '\n';
    return 1;
  }
  const auto answer = client->del("/api/v1/caps/" + path_segment(chosen.client));
  const auto lifted = read_document(answer);
  if (!lifted) {
    std::cerr << lifted.error() << '\n';
    return 1;
  }
  if (chosen.format == "json") {
    std::cout << answer->body << '\n';
  } else {
    std::cout << chosen.client << ": no longer " << cap_phrase(*lifted) << '\n';
  }
  const auto trouble = lifted->find("trouble");
  if (trouble != lifted->end() && trouble->is_string()) std::cerr << "warning: " << trouble->get<std::string>() << '\n';
  return lifted->value("in_force", false) ? 0 : 1;
}

}  // namespace

void add_uncap(CLI::App& app, chosen_command& chosen) {
  auto given = std::make_shared<options>();
  CLI::App* command = app.add_subcommand("uncap", "Lift a client's cap or block at once.");
  command->add_option("CLIENT", given->client, "As it was given to cap or block")->required();
  add_admin_option(*command, given->config_path);
  command->add_option("--format", given->format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->footer(
      "Exit status: 0 = lifted on every worker, 1 = not, or there was none, 2 = wrong usage.\n"
      "Example:\n  tidegate uncap isales-campaign -c tidegate.yaml");
  command->callback([given, &chosen] { chosen.run = [given] { return uncap(*given); }; });
}

}  // namespace tidegate::cli
