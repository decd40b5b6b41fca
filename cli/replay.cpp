// `tidegate replay`: a capture to a test server.
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command_line.hpp"
#include "cli/keyspace/server_link.hpp"
#include "cli/time_option.hpp"
#include "config/load.hpp"
#include "evidence/replay/replayer.hpp"

namespace tidegate::cli {
namespace {

struct replay_options {
  std::string config_path, capture, to, password_file, since, until, format = "text";
  double speed = 1;
  bool yes = false, quiet = false;
};

int complain(const std::string& why, int status) {
  std::cerr << "tidegate replay: " << why << '\n';
  return status;
}

// Ctrl-C ends a replay after what is under way; the summary still comes.
class interrupt {
 public:
  interrupt() {
    asked() = 0;
    struct sigaction action{};
    action.sa_handler = [](int) { asked() = 1; };
    sigaction(SIGINT, &action, &before_);
  }
  ~interrupt() { sigaction(SIGINT, &before_, nullptr); }
  interrupt(const interrupt&) = delete;
  interrupt& operator=(const interrupt&) = delete;
  [[nodiscard]] static volatile std::sig_atomic_t& asked() {
    static volatile std::sig_atomic_t flag = 0;
    return flag;
  }

 private:
  struct sigaction before_{};
};

std::string duration_text(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole >= 3600) return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
  if (whole >= 60) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole) + " s";
}

// A line that is redrawn on a terminal, and one every ten seconds elsewhere. What is left is told from the bytes read:
// at the captured pace those come unevenly, so it is an estimate, and says so.
class progress {
 public:
  progress(const capture::capture_set& from, bool quiet)
      : from_(from), quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}
  ~progress() {
    if (drawn_ && terminal_) std::cerr << '\n';
  }
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  void show(const replay::summary& at) {
    const double every = terminal_ ? 0.25 : 10;
    if (quiet_ || at.seconds - shown_ < every) return;
    shown_ = at.seconds;
    drawn_ = true;
    const double share = from_.bytes_total() == 0
                             ? 1
                             : static_cast<double>(from_.bytes_read()) / static_cast<double>(from_.bytes_total());
    std::string text = std::to_string(at.commands) + " commands, " + std::to_string(std::llround(100 * share)) +
                       " % of the bytes, " +
                       std::to_string(std::llround(static_cast<double>(at.commands) / at.seconds)) + "/s";
    if (share > 0.01 && share < 1) text += ", about " + duration_text(at.seconds / share * (1 - share)) + " left";
    std::cerr << (terminal_ ? "\r\x1b[K" : "") << text << (terminal_ ? "" : "\n") << std::flush;
  }

 private:
  const capture::capture_set& from_;
  bool quiet_, terminal_, drawn_ = false;
  double shown_ = 0;
};

void print(const replay::summary& told, const replay_options& how, std::uint64_t truncated) {
  std::uint64_t errors = 0;
  for (const auto& [kind, count] : told.errors) errors += count;
  if (how.format == "json") {
    const nlohmann::ordered_json document{{"commands", told.commands},
                                          {"bytes", told.bytes},
                                          {"sessions", told.sessions},
                                          {"digested", told.digested},
                                          {"errors", errors},
                                          {"errors_by_kind", told.errors},
                                          {"seconds", told.seconds},
                                          {"captured_seconds", told.captured_seconds},
                                          {"truncated_files", truncated}};
    std::cout << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    return;
  }
  std::printf("%llu commands of %llu sessions in %.1f s (captured in %.1f s), %llu errors\n",
              static_cast<unsigned long long>(told.commands), static_cast<unsigned long long>(told.sessions),
              told.seconds, told.captured_seconds, static_cast<unsigned long long>(errors));
  for (const auto& [kind, count] : told.errors) {
    std::printf("  %-20s %llu\n", kind.c_str(), static_cast<unsigned long long>(count));
  }
  if (told.digested > 0) {
    std::printf("%llu commands carry digests in place of values: the keyspace is not equal to the original\n",
                static_cast<unsigned long long>(told.digested));
  }
  if (truncated > 0) {
    std::printf("%llu files end within a command: what came last is missing\n",
                static_cast<unsigned long long>(truncated));
  }
  std::fflush(stdout);
}

int run(const replay_options& how) {
  std::string path = how.capture;
  if (path.empty()) {
    if (how.config_path.empty()) return complain("give --capture, or -c with a capture in it", 2);
    const auto loaded = config::load_file(how.config_path);
    if (!loaded) {
      for (const config::mistake& one : loaded.error()) std::cerr << one.to_string() << '\n';
      return 1;
    }
    if (!(*loaded)->capture) return complain(how.config_path + " has no capture: give --capture", 2);
    path = (*loaded)->capture->directory;
  }
  const auto when = window_of(how.since, how.until);
  if (!when) return complain(when.error(), 2);
  server_options server;
  server.url = how.to;
  server.password_file = how.password_file;
  const auto target = find_target(server);
  if (!target) return complain("--to: " + target.error(), 2);
  auto from = capture::capture_set::open(path, *when);
  if (!from) return complain(from.error(), 1);

  const replay::target to{target->where};
  const auto keys = replay::count_keys(to);
  if (!keys) return complain(keys.error(), 1);
  if (*keys > 0 && !how.yes) {
    return complain(target->name + " holds " + std::to_string(*keys) +
                        " keys, as a production server would: --yes if they may be overwritten",
                    1);
  }
  const interrupt listening;
  progress shown(*from, how.quiet);
  const auto told = replay::replay(*from, to,
                                   {.speed = how.speed,
                                    .progress = [&](const replay::summary& at) { shown.show(at); },
                                    .stop = [] { return interrupt::asked() != 0; }});
  if (!told) return complain(told.error(), 1);
  print(*told, how, from->truncated());
  return told->errors.empty() && interrupt::asked() == 0 ? 0 : 1;
}

}  // namespace

void add_replay(CLI::App& app, chosen_command& chosen) {
  auto how = std::make_shared<replay_options>();
  CLI::App* command = app.add_subcommand("replay", "Send a capture to a test server.");
  command->add_option("-c,--config", how->config_path, "The configuration whose capture to take")->type_name("FILE");
  command->add_option("--capture", how->capture, "A capture: a directory or a file [capture.directory]")
      ->type_name("DIR|FILE");
  command->add_option("--to", how->to, "The server: redis[s]://[user@]host[:port][?ca=FILE]")
      ->required()
      ->type_name("URL");
  command
      ->add_option("--password-file", how->password_file,
                   "The password; else it is taken from the URL or TIDEGATE_SERVER_PASSWORD")
      ->type_name("FILE");
  command->add_option("--speed", how->speed, "2 = twice as fast as captured, 0 = as fast as it goes")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("X")
      ->capture_default_str();
  command->add_option("--since", how->since, "From then on: RFC 3339 or -30m")->type_name("T");
  command->add_option("--until", how->until, "Before then")->type_name("T");
  command->add_flag("--yes", how->yes, "Also to a server that holds keys");
  command->add_flag("-q,--quiet", how->quiet, "No progress");
  command->add_option("--format", how->format, "How to print the summary")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->footer(
      "Exit status: 0 = all were taken, 1 = there were errors, 2 = wrong usage.\n"
      "Example:\n  tidegate replay --capture captures --to redis://127.0.0.1:6400 --speed 10");
  command->callback([how, &chosen] { chosen.run = [how] { return run(*how); }; });
}

}  // namespace tidegate::cli
