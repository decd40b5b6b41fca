// `tidegate ttl fix` and `ttl approve`: which rules, whose yes, where the state is, and what came of it.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/audit_note.hpp"
#include "cli/keyspace/mend_view.hpp"
#include "cli/ttl.hpp"
#include "config/private_file.hpp"
#include "config/quantity.hpp"
#include "evidence/keyspace/wording.hpp"

namespace tidegate::cli {
namespace {

using keyspace::grouped;
using keyspace::mending_rule;

constexpr std::size_t file_bytes_max = 4U << 20;
constexpr int wrong_usage = 2;

struct fix_options {
  server_options server;
  std::vector<std::string> patterns;
  std::string default_ttl, max_ttl, jitter, rate, plan_path, by, format = "text";
  bool dry = false, yes = false, resume = false, quiet = false, verify = false;
};

struct failure {
  std::string why;
  int status = 1;
};

int fail(const failure& what) {
  std::cerr << "tidegate: " << what.why << '\n';
  return what.status;
}

std::unexpected<failure> wrong(std::string why, int status = wrong_usage) {
  return std::unexpected(failure{.why = std::move(why), .status = status});
}

std::string user_name() {
  for (const char* variable : {"SUDO_USER", "USER", "LOGNAME"}) {
    if (const char* name = std::getenv(variable); name != nullptr && *name != '\0') return name;
  }
  return "uid " + std::to_string(::getuid());
}

// What the file says of a pattern, for what the command line leaves open.
const config::ttl_rule* rule_of(const server_target& target, const std::string& pattern) {
  if (!target.config) return nullptr;
  for (const config::ttl_rule& rule : target.config->ttl) {
    if (rule.pattern == pattern) return &rule;
  }
  return nullptr;
}

mending_rule from_config(const config::ttl_rule& rule) {
  return {.pattern = rule.pattern, .default_ttl = rule.default_ttl, .max_ttl = rule.max_ttl, .jitter = rule.jitter};
}

std::expected<std::vector<mending_rule>, failure> rules_from(const fix_options& how, const server_target& target) {
  std::vector<mending_rule> rules;
  mending_rule given;
  if (!how.default_ttl.empty()) {
    const auto ttl = config::parse_duration(how.default_ttl);
    if (!ttl) return wrong("--default: " + ttl.error());
    given.default_ttl = *ttl;
  }
  if (!how.max_ttl.empty()) {
    const auto ttl = config::parse_duration(how.max_ttl);
    if (!ttl) return wrong("--max: " + ttl.error());
    given.max_ttl = *ttl;
  }
  if (!how.jitter.empty()) {
    const auto share = config::parse_fraction(how.jitter);
    if (!share) return wrong("--jitter: " + share.error());
    given.jitter = *share;
  }
  if (how.patterns.empty()) {
    if (given.default_ttl || given.max_ttl) return wrong("--default and --max need --pattern: which keys are meant?");
    if (target.config) {
      for (const config::ttl_rule& rule : target.config->ttl) {
        if (rule.mode == config::ttl_mode::off || (!rule.default_ttl && !rule.max_ttl)) continue;
        rules.push_back(from_config(rule));
        if (!how.jitter.empty()) rules.back().jitter = given.jitter;
      }
    }
  }
  for (const std::string& pattern : how.patterns) {
    mending_rule rule = given;
    if (!given.default_ttl && !given.max_ttl) {
      const config::ttl_rule* found = rule_of(target, pattern);
      if (found == nullptr) return wrong("pattern " + pattern + ": give --default or --max (no ttl: rule has it)");
      rule = from_config(*found);
      if (!how.jitter.empty()) rule.jitter = given.jitter;
    }
    rule.pattern = pattern;
    rules.push_back(std::move(rule));
  }
  if (std::string why = keyspace::wrong_with(rules); !why.empty()) return wrong(std::move(why));
  return rules;
}

std::expected<double, failure> rate_from(const std::string& text, double otherwise) {
  if (text.empty()) return otherwise;
  const auto rate = config::parse_rate(text);
  if (!rate) return wrong("--rate: " + rate.error());
  if (rate->bytes || rate->per_second < 1) return wrong("--rate: write commands a second, like 5000/s");
  return rate->per_second;
}

std::expected<keyspace::plan, failure> load_plan(const std::string& path) {
  const auto file = config::read_whole(path, file_bytes_max);
  if (!file) return wrong("plan " + path + ": " + file.error(), 1);
  auto read = keyspace::read_plan(file->text);
  if (!read) return wrong("plan " + path + ": " + read.error(), 1);
  return *read;
}

std::expected<std::string, failure> default_state_path(const std::string& digest) {
  std::filesystem::path folder;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    folder = state;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    folder = std::filesystem::path(home) / ".local" / "state";
  } else {
    return wrong("neither XDG_STATE_HOME nor HOME says where the state goes: set one, or use --plan FILE");
  }
  folder /= "tidegate";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return wrong(folder.string() + ": " + error.message(), 1);
  return (folder / ("ttl-fix-" + digest.substr(0, 16) + ".json")).string();
}

void print_json(const nlohmann::ordered_json& document) {
  std::cout << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

int dry_run(const fix_options& how, const server_target& target, mend_request request) {
  request.dry = true;
  stop_request stop;
  auto found = mend_keys(target, request, stop);
  if (!found) return fail({found.error()});
  if (found->end == walk_end::failed) return fail({target.name + ": " + found->failure});
  if (how.format == "json") {
    print_json(mended_json(*found, request.rules, target.name, true));
  } else {
    print_dry_run(*found, request.rules, target.name, std::cout);
  }
  if (found->end != walk_end::finished) return fail({"it was interrupted: the counts are of a part"});
  if (how.plan_path.empty()) return 0;
  keyspace::plan made{.target = target.name,
                      .made_by = how.by.empty() ? user_name() : how.by,
                      .made_at = utc_text(),
                      .rate = request.rate,
                      .rules = request.rules,
                      .expected = expected_of(*found, request.rules),
                      .approved = std::nullopt};
  if (const std::string why = keyspace::replace_file(how.plan_path, keyspace::write_plan(made)); !why.empty()) {
    return fail({"the plan could not be written: " + why});
  }
  std::cerr << "the plan is in " << how.plan_path
            << "\na second person reads it and runs:  tidegate ttl approve --plan " << how.plan_path << " --by NAME\n";
  return 0;
}

// On a terminal it is asked. Elsewhere patterns on the command line are a plain order; that every rule of the file is
// meant must be said.
std::optional<failure> ask_first(const fix_options& how, const server_target& target,
                                 const std::vector<mending_rule>& rules) {
  if (how.yes) return std::nullopt;
  if (::isatty(STDIN_FILENO) != 1) {
    if (!how.patterns.empty()) return std::nullopt;
    return failure{
        "this changes the keys of every rule in the file: look at --dry-run first, then say --yes or --pattern",
        wrong_usage};
  }
  for (const mending_rule& rule : rules) std::cerr << rule_summary(rule) << '\n';
  std::cerr << "change these keys of " << target.name << "? [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "yes") return std::nullopt;
  return failure{"nothing was changed"};
}

std::optional<keyspace::run_state> state_to_go_on_from(const std::string& path, const std::string& digest,
                                                       bool resume) {
  const auto file = config::read_whole(path, file_bytes_max);
  if (!file) {
    if (resume)
      std::cerr << "tidegate: no earlier run of these rules was interrupted here: it begins at the first key\n";
    return std::nullopt;
  }
  const auto state = keyspace::read_state(file->text);
  if (!state || state->digest != digest) {
    if (resume)
      std::cerr << "tidegate: " << path << " is of other rules or another server: it begins at the first key\n";
    return std::nullopt;
  }
  if (!resume) {
    std::cerr << "tidegate: an earlier run was interrupted (" << state->saved_at
              << "); this one begins anew, --resume would go on\n";
    return std::nullopt;
  }
  return *state;
}

int verify(const server_target& target, mend_request request, stop_request& stop) {
  request.dry = true;
  request.from.reset();
  request.state_path.clear();  // nobody may go on from a run that changed nothing
  const auto found = mend_keys(target, request, stop);
  if (!found) return fail({"verification: " + found.error()});
  std::uint64_t left = 0;
  for (const rule_tally& tally : found->by_rule) left += tally.give + tally.cut;
  if (found->end != walk_end::finished) return fail({"verification: it was not finished"});
  if (left != 0) {
    return fail(
        {"verification: " + grouped(left) +
         " keys do not keep to the rules: they were written meanwhile; a ttl: rule in the proxy covers new ones"});
  }
  std::cerr << "verified: each of " << grouped(found->looked_at) << " keys keeps to its rule\n";
  return 0;
}

// Through the proxy it is a change of the proxy's, whose audit log shall have it.
class audit_note {
 public:
  audit_note(const fix_options& how, const server_target& target) : how_(how), target_(target) {}
  void write(const std::string& detail) {
    if (!target_.through_proxy) return;
    std::string why = note_change(how_.server.config_path, "ttl fix", target_.name + ": " + detail);
    // Nobody wants to read at the end what was said at the beginning.
    if (!why.empty() && why != said_) std::cerr << "tidegate: the proxy's audit log does not have it: " << why << '\n';
    said_ = std::move(why);
  }

 private:
  const fix_options& how_;
  const server_target& target_;
  std::string said_;
};

std::string beginning_of(const mend_request& request, const std::optional<keyspace::plan>& plan) {
  std::string text = request.from ? "goes on" : "begins";
  if (plan) text += ", plan of " + plan->made_by + ", approved by " + plan->approved->by;
  constexpr std::size_t rules_told = 8;
  for (std::size_t i = 0; i < request.rules.size() && i < rules_told; ++i)
    text += "; " + rule_summary(request.rules[i]);
  if (request.rules.size() > rules_told) text += "; and " + std::to_string(request.rules.size() - rules_told) + " more";
  return text;
}

int mend_now(const fix_options& how, const server_target& target, mend_request request,
             const std::optional<keyspace::plan>& plan) {
  const std::string digest = keyspace::digest_of(request.rules, target.name);
  request.state_path = how.plan_path + ".state";
  if (how.plan_path.empty()) {
    auto path = default_state_path(digest);
    if (!path) return fail(path.error());
    request.state_path = std::move(*path);
  }
  request.from = state_to_go_on_from(request.state_path, digest, how.resume);
  audit_note audit(how, target);
  audit.write(beginning_of(request, plan));
  stop_request stop;
  const auto found = mend_keys(target, request, stop);
  if (!found) {
    audit.write("failed: " + found.error());
    return fail({found.error()});
  }
  audit.write((found->end == walk_end::finished ? "finished" : "ended early") + std::string(": ") +
              grouped(found->given) + " keys given a TTL, " + grouped(found->cut) + " cut, of " +
              grouped(found->looked_at) + " looked at");
  if (how.format == "json") {
    print_json(mended_json(*found, request.rules, target.name, false));
  } else {
    print_mended(*found, request.rules, target.name, std::cout);
  }
  if (found->end == walk_end::finished) {
    ::unlink(request.state_path.c_str());
    return how.verify ? verify(target, request, stop) : 0;
  }
  const std::string why = found->end == walk_end::stopped ? "it was interrupted" : found->failure;
  return fail({why + " after " + std::to_string(static_cast<int>(found->fraction * 100)) +
               " % of the keys; the same command with --resume goes on from there"});
}

int fix(const fix_options& how) {
  const auto target = find_target(how.server);
  if (!target) return fail({target.error(), wrong_usage});
  mend_request request{.quiet = how.quiet};
  const bool by_plan = !how.plan_path.empty() && !how.dry;
  std::optional<keyspace::plan> signed_off;
  if (by_plan) {
    if (!how.patterns.empty() || !how.default_ttl.empty() || !how.max_ttl.empty() || !how.jitter.empty()) {
      return fail({"--plan brings its own rules: leave --pattern, --default, --max and --jitter out", wrong_usage});
    }
    const auto plan = load_plan(how.plan_path);
    if (!plan) return fail(plan.error());
    if (std::string why = keyspace::wrong_with(*plan, target->name); !why.empty()) {
      return fail({"plan " + how.plan_path + ": " + why});
    }
    request.rules = plan->rules;
    request.rate = plan->rate;
    signed_off = *plan;
  } else {
    auto rules = rules_from(how, *target);
    if (!rules) return fail(rules.error());
    request.rules = std::move(*rules);
  }
  const auto rate = rate_from(how.rate, request.rate);
  if (!rate) return fail(rate.error());
  request.rate = *rate;
  if (how.dry) return dry_run(how, *target, std::move(request));
  if (!by_plan) {
    if (const auto refused = ask_first(how, *target, request.rules)) return fail(*refused);
  }
  return mend_now(how, *target, std::move(request), signed_off);
}

struct approve_options {
  std::string plan_path, by;
};

int approve(const approve_options& how) {
  auto plan = load_plan(how.plan_path);
  if (!plan) return fail(plan.error());
  print_plan(*plan, std::cout);
  if (how.by.empty()) {
    std::cerr << (plan->approved ? "approved by " + plan->approved->by + " at " + plan->approved->at
                                 : std::string("not approved yet: say --by NAME to approve it"))
              << '\n';
    return 0;
  }
  if (how.by == plan->made_by) return fail({"who made a plan does not approve it: a second person must"});
  plan->approved = keyspace::approval{.by = how.by, .at = utc_text(), .digest = plan->digest()};
  if (const std::string why = keyspace::replace_file(how.plan_path, keyspace::write_plan(*plan)); !why.empty()) {
    return fail({why});
  }
  std::cerr << "approved; now:  tidegate ttl fix --plan " << how.plan_path << " (with -c, --url or --through)\n";
  return 0;
}

}  // namespace

void add_ttl_fix(CLI::App& ttl, chosen_command& chosen) {
  auto how = std::make_shared<fix_options>();
  CLI::App* command = ttl.add_subcommand("fix", "Give old keys a TTL, and cut TTLs that are too long.");
  add_server_options(*command, how->server);
  command->add_option("--pattern", how->patterns, "Which keys; several times for several [the file's ttl: rules]")
      ->type_name("P");
  command->add_option("--default", how->default_ttl, "For keys without a TTL")->type_name("D");
  command->add_option("--max", how->max_ttl, "Longer TTLs are cut to it; keys without one get it")->type_name("D");
  command->add_option("--jitter", how->jitter, "Up to so much less, spread over the keys")->type_name("P%");
  command->add_option("--rate", how->rate, "Commands at most; less when the server slows down [5000/s]")
      ->type_name("R/s");
  command->add_flag("--dry-run", how->dry, "Only count and show; with --plan, write the plan");
  command->add_option("--plan", how->plan_path, "Write it (with --dry-run), or run it once it is approved")
      ->type_name("FILE");
  command->add_option("--by", how->by, "Who makes the plan [the login name]")->type_name("NAME");
  command->add_flag("--yes", how->yes, "Do not ask; needed where there is no terminal and no --pattern");
  command->add_flag("--resume", how->resume, "Go on where an interrupted run of the same rules stood");
  command->add_flag("--verify", how->verify, "Afterwards look at every key again");
  command->add_option("--format", how->format, "How to print the result")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  command->add_flag("-q,--quiet", how->quiet, "No progress");
  command->footer(
      "Never lengthens a TTL (EXPIRE NX and LT only), never touches what no pattern matches.\n"
      "Exit status: 0 = all keys were dealt with, 1 = not all, 2 = wrong usage.\n"
      "Examples:\n"
      "  tidegate ttl fix -c tidegate.yaml --pattern 'MARKETING:COUPON:UNREAD:*' --default 60d --jitter 10% --dry-run\n"
      "  tidegate ttl fix -c tidegate.yaml --dry-run --plan plan.json      (the file's ttl: rules)\n"
      "  tidegate ttl fix -c tidegate.yaml --plan plan.json                (once it is approved)");
  command->callback([how, &chosen] { chosen.run = [how] { return fix(*how); }; });
}

void add_ttl_approve(CLI::App& ttl, chosen_command& chosen) {
  auto how = std::make_shared<approve_options>();
  CLI::App* command = ttl.add_subcommand("approve", "Show a plan of `ttl fix`, and sign it off.");
  command->add_option("--plan", how->plan_path, "The plan")->required()->type_name("FILE");
  command->add_option("--by", how->by, "Who approves it; without, it is only shown")->type_name("NAME");
  command->footer(
      "Exit status: 0 = shown or approved, 1 = it cannot be, 2 = wrong usage.\n"
      "Example:\n  tidegate ttl approve --plan plan.json --by ben");
  command->callback([how, &chosen] { chosen.run = [how] { return approve(*how); }; });
}

}  // namespace tidegate::cli
