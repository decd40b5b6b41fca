#include "cli/check.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/command_line.hpp"
#include "proxy/net/control_connection.hpp"
#include "proxy/net/tls_files.hpp"

namespace tidegate::cli {
namespace {

struct findings {
  std::vector<config::mistake> mistakes, warnings;
};

void look_upstream(const config::config& config, const look_at& look, findings& found) {
  const auto about = [&config](const char* key, std::string text) {
    return config::mistake{.file = config.path, .line = 0, .key = key, .text = std::move(text)};
  };
  const auto seen = look(config.upstream);
  if (!seen) {
    // The start does not need the upstream, so its absence is no mistake.
    found.warnings.push_back(about("upstream", "it could not be asked (" + seen.error() +
                                                   "); serving starts all the same, and answers once it is there"));
    return;
  }
  if (seen->cluster) {
    found.mistakes.push_back(about("upstream.url",
                                   "the upstream runs in cluster mode, which is not supported yet: "
                                   "give the endpoint of a server with cluster mode off"));
  }
  if (!config.ttl.empty() && seen->eviction_policy.starts_with("volatile-")) {
    found.warnings.push_back(about("ttl", "the upstream's maxmemory-policy is " + seen->eviction_policy +
                                              ": a key that a rule gives a TTL can be evicted, where it could not "
                                              "before; allkeys-* or noeviction treat all keys alike"));
  }
}

void print_text(const findings& found, const std::string& path, std::ostream& out) {
  for (const config::mistake& mistake : found.mistakes) out << mistake.to_string() << '\n';
  for (const config::mistake& warning : found.warnings) out << "warning: " << warning.to_string() << '\n';
  if (found.mistakes.empty()) {
    out << path << ": ok\n";
  } else {
    out << path << ": " << found.mistakes.size() << (found.mistakes.size() == 1 ? " mistake\n" : " mistakes\n");
  }
}

void print_json(const findings& found, const std::string& path, std::ostream& out) {
  using nlohmann::ordered_json;
  const auto list = [](const std::vector<config::mistake>& mistakes) {
    ordered_json items = ordered_json::array();
    for (const config::mistake& mistake : mistakes) {
      items.push_back({{"file", mistake.file}, {"line", mistake.line}, {"key", mistake.key}, {"text", mistake.text}});
    }
    return items;
  };
  const ordered_json document{{"file", path},
                              {"ok", found.mistakes.empty()},
                              {"mistakes", list(found.mistakes)},
                              {"warnings", list(found.warnings)}};
  out << document.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace

int check(const check_options& how, const look_at& look, std::ostream& out) {
  findings found;
  const auto loaded = config::load_file(how.config_path, &found.warnings);
  if (!loaded) {
    found.mistakes = loaded.error();
  } else {
    found.mistakes = net::mistakes_of_tls_files(**loaded);
    if (!how.offline && found.mistakes.empty()) look_upstream(**loaded, look, found);
  }
  if (how.format == output_format::json) {
    print_json(found, how.config_path, out);
  } else {
    print_text(found, how.config_path, out);
  }
  return found.mistakes.empty() ? 0 : 1;
}

namespace {

std::expected<upstream_sight, std::string> look_by_net(const config::upstream& upstream) {
  const auto seen = net::look_at_upstream(upstream);
  if (!seen) return std::unexpected(seen.error());
  return upstream_sight{.cluster = seen->cluster, .eviction_policy = seen->eviction_policy};
}

}  // namespace

void add_check(CLI::App& app, chosen_command& chosen) {
  auto options = std::make_shared<check_options>();
  auto format = std::make_shared<std::string>("text");
  CLI::App* command =
      app.add_subcommand("check", "Say every mistake in a configuration, with its line and the remedy.");
  command->add_option("-c,--config", options->config_path, "The configuration")->required()->type_name("FILE");
  command->add_option("--format", *format, "How to print it")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->add_flag("--offline", options->offline, "Do not ask the upstream what it is");
  command->footer(
      "Exit status: 0 = it can be served, 1 = it has mistakes, 2 = wrong usage.\n"
      "Example:\n  tidegate check -c tidegate.yaml --format json");
  command->callback([options, format, &chosen] {
    options->format = *format == "json" ? output_format::json : output_format::text;
    chosen.run = [options] { return check(*options, look_by_net, std::cout); };
  });
}

}  // namespace tidegate::cli
