// differential_client: says the same to a bare server and through the proxy to another one, and compares every byte.
//
// Prints one line of JSON: what was said and compared, or the first difference with the seed that repeats it.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/differential/author.hpp"
#include "tests/differential/dialogue.hpp"
#include "tests/differential/keyspace.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::differential;

constexpr std::uint64_t commands_between_keyspaces = 100'000;

struct options {
  std::string bare, behind, proxied, ca, record;
  std::uint64_t commands = 20'000;
  author_options author;
};

void read_arguments(CLI::App& app, options& chosen) {
  app.add_option("--bare", chosen.bare, "HOST:PORT of the server that is asked straight")->required();
  app.add_option("--proxied", chosen.proxied, "HOST:PORT of the proxy")->required();
  app.add_option("--behind", chosen.behind, "HOST:PORT of the server behind it")->required();
  app.add_option("--ca", chosen.ca, "speak TLS to the proxy and trust this authority (PEM)");
  app.add_option("--seed", chosen.author.seed);
  app.add_option("--commands", chosen.commands, "how many, about");
  app.add_option("--record", chosen.record, "a file for all that is said, for narrow.py");
  app.add_flag("--ttl-rules", chosen.author.ttl_rules, "leave out what shows a TTL");
}

// The bulk strings of an array of them.
std::vector<std::string> bulks_of(std::string_view reply) {
  std::vector<std::string> found;
  for (std::size_t at = reply.find('$'); at != reply.npos; at = reply.find('$', at)) {
    const std::size_t line = reply.find("\r\n", at);
    const std::size_t size = std::stoul(std::string(reply.substr(at + 1, line - at - 1)));
    found.emplace_back(reply.substr(line + 2, size));
    at = line + 2 + size;
  }
  return found;
}

// Empty, or the first line in which the two keyspaces differ.
std::string keyspaces_differ(const traffic::place& bare, const traffic::place& behind, bool ttls) {
  const std::string a = keyspace_of(bare, ttls);
  const std::string b = keyspace_of(behind, ttls);
  if (a == b) return {};
  const auto differs = std::ranges::mismatch(a, b);
  const auto at = static_cast<std::size_t>(differs.in1 - a.begin());
  const auto line = [&](const std::string& text) {
    const std::size_t from = text.rfind('\n', at == 0 ? 0 : at - 1);
    return text.substr(from == text.npos ? 0 : from + 1, 200);
  };
  return "straight: " + line(a) + "\nbehind the proxy: " + line(b);
}

nlohmann::json run(const options& chosen) {
  const auto begun = std::chrono::steady_clock::now();
  std::optional<traffic::authority> trusted;
  if (!chosen.ca.empty()) trusted.emplace(chosen.ca);
  const traffic::place bare = traffic::parse_place(chosen.bare);
  const traffic::place behind = traffic::parse_place(chosen.behind);
  traffic::place proxied = traffic::parse_place(chosen.proxied);
  proxied.tls = trusted ? &*trusted : nullptr;

  author_options for_author = chosen.author;
  {
    traffic::link one(bare);
    traffic::link other(behind);
    for_author.commands = bulks_of(call(one, encode({"COMMAND", "LIST"})));
    std::ranges::sort(for_author.commands);
    for_author.script_sha = bulks_of(call(one, encode({"SCRIPT", "LOAD", known_script}))).at(0);
    (void)call(other, encode({"SCRIPT", "LOAD", known_script}));
  }
  author writer(std::move(for_author));
  dialogue talk(bare, proxied, chosen.author.seed, chosen.record);
  nlohmann::json told{{"seed", chosen.author.seed}};
  std::uint64_t scenes = 0;
  std::uint64_t compared_at = 0;
  while (writer.commands() < chosen.commands) {
    ++scenes;
    if (const auto found = talk.perform(writer.write())) {
      told["difference"] = {{"what", found->what}, {"scene", scenes},         {"session", found->session},
                            {"byte", found->at},   {"straight", found->bare}, {"proxied", found->proxied}};
      break;
    }
    if (writer.commands() - compared_at < commands_between_keyspaces && writer.commands() < chosen.commands) continue;
    compared_at = writer.commands();
    if (const std::string found = keyspaces_differ(bare, behind, !chosen.author.ttl_rules); !found.empty()) {
      told["difference"] = {{"what", "other data"}, {"scene", scenes}, {"keys", found}};
      break;
    }
  }
  told["commands"] = writer.commands();
  told["scenes"] = scenes;
  told["bytes"] = talk.bytes_compared();
  told["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return told;
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that their peer has reset
  options chosen;
  CLI::App app{"Says the same to a bare server and through tidegate to another one, and compares every byte."};
  read_arguments(app, chosen);
  CLI11_PARSE(app, count, arguments);
  try {
    const nlohmann::json told = run(chosen);
    std::cout << told.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) << std::endl;
    return told.contains("difference") ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "differential_client: " << error.what() << '\n';
    return 2;
  }
}
