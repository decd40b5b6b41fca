// `tidegate cap` and `tidegate block`: holds a writer in mid-incident, without touching the file.
#include <iostream>
#include <memory>

#include "cli/admin_client.hpp"
#include "cli/cap_lines.hpp"
#include "cli/command_line.hpp"
#include "policy/cap_book.hpp"

namespace tidegate::cli {
namespace {

using nlohmann::ordered_json;

constexpr int wrong_usage = 2;
constexpr std::size_t names_shown_max = 10;

struct options {
  std::string config_path, format = "text";
  policy::cap_wish wish;
};

int fail(const std::string& text) {
  std::cerr << text << '\n';
  return 1;
}

// Who is there, so that a misspelt name is seen at once.
std::string connected_names(const admin_client& client) {
  const auto document = read_document(client.get("/api/v1/clients"));
  if (!document || !document->contains("clients")) return {};
  std::string names;
  std::size_t shown = 0;
  for (const ordered_json& row : (*document)["clients"]) {
    if (row.value("connections", 0) == 0) continue;
    if (++shown > names_shown_max) return names + ", …";
    names += (names.empty() ? "" : ", ") + row.value("client", std::string());
  }
  return names;
}

void print(const ordered_json& cap, const admin_client& client) {
  const auto text = [&](const char* key) {
    const auto found = cap.find(key);
    return found != cap.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::int64_t left = cap.value("seconds_left", std::int64_t{0});
  const std::int64_t connections = cap.value("connections", std::int64_t{0});
  std::cout << text("client") << ": " << cap_phrase(cap) << " until " << text("until") << " (" << span_text(left)
            << "), " << connections << (connections == 1 ? " connection" : " connections") << " held now\n";
  std::cout << "lift it: tidegate uncap '" << text("client") << "'\n";
  if (connections > 0) return;
  const std::string names = connected_names(client);
  std::cerr << "note: no client of this name is connected now; the cap waits for it"
            << (names.empty() ? "" : ". Connected are: " + names) << '\n';
}

int set_cap(const options& chosen) {
  // The same check as the other side's: what is wrong is wrong usage, whether or not anybody is there.
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  if (const auto checked = policy::read_wish(chosen.wish, now); !checked) {
    std::cerr << checked.error() << '\n';
    return wrong_usage;
  }
  const auto client = admin_client::open(chosen.config_path);
  if (!client) return fail(client.error());
  ordered_json wish{{"client", chosen.wish.client}, {"action", chosen.wish.action}, {"for", chosen.wish.lasts}};
  const auto add = [&wish](const char* key, const std::string& text) {
    if (!text.empty()) wish[key] = text;
  };
  add("rate", chosen.wish.rate);
  add("bytes", chosen.wish.bytes);
  add("key", chosen.wish.key);
  add("why", chosen.wish.why);
  const auto answer = client->post("/api/v1/caps", wish.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  const auto cap = read_document(answer);
  if (!cap) return fail(cap.error());
  if (chosen.format == "json") {
    std::cout << answer->body << '\n';
  } else {
    print(*cap, *client);
  }
  const auto trouble = cap->find("trouble");
  if (trouble != cap->end() && trouble->is_string()) std::cerr << "warning: " << trouble->get<std::string>() << '\n';
  return cap->value("in_force", false) ? 0 : 1;
}

void add_shared(CLI::App& command, options& chosen) {
  command.add_option("CLIENT", chosen.wish.client, "The client's name as `tidegate top` shows it, or a glob in quotes")
      ->required();
  command.add_option("--key", chosen.wish.key, "Only writes to keys of this glob")->type_name("PATTERN");
  command.add_option("--why", chosen.wish.why, "The reason, for the list and the audit log")->type_name("TEXT");
  add_admin_option(command, chosen.config_path);
  command.add_option("--format", chosen.format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
}

}  // namespace

void add_cap(CLI::App& app, chosen_command& chosen) {
  auto given = std::make_shared<options>();
  CLI::App* command = app.add_subcommand("cap", "Hold a client's writes to a rate, at once and for a time.");
  add_shared(*command, *given);
  command->add_option("RATE", given->wish.rate, "Commands, like 500/s; may be absent with --bytes");
  command->add_option("--bytes", given->wish.bytes, "Bytes, like 150KiB/s")->type_name("RATE");
  command->add_option("--for", given->wish.lasts, "How long, like 30m")->required()->type_name("D");
  command->footer(
      "Exit status: 0 = in force on every worker, 1 = not, 2 = wrong usage.\n"
      "Example:\n  tidegate cap isales-campaign 500/s --for 30m --why 'burst of 14:00' -c tidegate.yaml");
  command->callback([given, &chosen] { chosen.run = [given] { return set_cap(*given); }; });
}

void add_block(CLI::App& app, chosen_command& chosen) {
  auto given = std::make_shared<options>();
  given->wish.action = "block";
  given->wish.lasts = "30m";
  CLI::App* command = app.add_subcommand("block", "Refuse all of a client's growing writes, at once and for a time.");
  add_shared(*command, *given);
  command->add_option("--for", given->wish.lasts, "How long")->type_name("D")->capture_default_str();
  command->footer(
      "Its reads and deletes pass; what could grow is answered with -THROTTLED rule=block:CLIENT ….\n"
      "Exit status: 0 = in force on every worker, 1 = not, 2 = wrong usage.\n"
      "Example:\n  tidegate block isales-campaign --for 10m -c tidegate.yaml");
  command->callback([given, &chosen] { chosen.run = [given] { return set_cap(*given); }; });
}

}  // namespace tidegate::cli
