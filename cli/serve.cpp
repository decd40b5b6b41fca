#include "cli/serve.hpp"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <ostream>
#include <thread>

#include "cli/abort_stack.hpp"
#include "cli/check.hpp"
#include "cli/command_line.hpp"
#include "cli/held_signals.hpp"
#include "cli/log_lines.hpp"
#include "cli/privileges.hpp"
#include "cli/serve_evidence.hpp"
#include "config/load.hpp"
#include "evidence/audit/cap_file.hpp"
#include "proxy/admin/admin_server.hpp"
#include "proxy/admin/forecast_watch.hpp"
#include "proxy/admin/version.hpp"
#include "proxy/net/control_thread.hpp"
#include "proxy/net/server.hpp"
#include "proxy/net/takeover.hpp"

namespace tidegate::cli {
namespace {

// For the process before us to close its admin listener.
constexpr std::chrono::milliseconds let_go_patience{1000};
constexpr std::chrono::milliseconds admin_interval{100};
constexpr int admin_tries = 50;

std::string address_text(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// The one line that whoever started us may wait for, and read chosen ports from.
std::string listening_line(const config::config& config, const net::server& workers,
                           const admin::admin_server* admin_side) {
  std::string line = "listening";
  const std::vector<std::uint16_t> ports = workers.ports();
  for (std::size_t i = 0; i < config.listen.size() && i < ports.size(); ++i) {
    const config::listener& listener = config.listen[i];
    line += (i == 0 ? " " : ", ") + address_text(listener.address, ports[i]) + (listener.tls ? " (tls)" : " (plain)");
  }
  if (admin_side != nullptr) {
    line += "; admin " + address_text(config.admin.address, admin_side->endpoint().port());
  }
  return line;
}

// Since the start, by TTL class. Nothing where the ledger is off: then nobody sorts writes by their TTL.
forecast::traffic written_by(const net::server& workers) {
  forecast::traffic sum;
  for (std::uint32_t i = 0; i < workers.workers(); ++i) {
    const session::evidence_cells& cells = workers.stats(i).evidence;
    for (std::size_t which = 0; which < attribution::ttl_classes; ++which) {
      sum.bytes[which] += cells.bytes_of_class(which);
      sum.writes[which] += cells.writes_of_class(which);
    }
  }
  return sum;
}

admin::sources sources_of(const net::server& workers, net::control_thread& control, const policy::foundations& base,
                          std::shared_ptr<session::upstream_state> upstream, const served_evidence& evidence,
                          const admin::forecast_watch& ahead) {
  admin::sources from;
  from.registry = base.registry;
  from.upstream = std::move(upstream);
  for (std::uint32_t i = 0; i < workers.workers(); ++i) from.workers.push_back(&workers.stats(i));
  from.started_at_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  from.control_commands = &control.own_commands();
  from.evidence = evidence.status();
  from.client_sources = evidence.client_sources();
  from.snapshot = [&control] { return control.snapshot(); };
  from.not_ready = [&control] { return control.ready().reason; };
  from.caps = {.all = [&control] { return control.caps().all(); },
               .set = [&control](const policy::cap& one) { return control.caps().set(one); },
               .lift = [&control](const std::string& client,
                                  const std::string& who) { return control.caps().lift(client, who); }};
  from.audit = {.refused = [&control](const audit::refusal& one) { control.audit().refused(one); },
                .tell = [&control](const audit::told& one) { return control.audit().tell(one); }};
  from.loop_stalls = [&control] { return control.loop_stalls(); };
  from.reloads = [&control] {
    const net::reload_counts counted = control.reloads();
    return admin::reload_totals{.done = counted.done, .refused = counted.refused};
  };
  from.forecast = [&ahead] { return ahead.now(); };
  from.tls = [&workers] {
    const net::server::tls_stats seen = workers.tls();
    const net::server::tls_reasons why = workers.tls_refused();
    std::vector<admin::tls_counts::refusals> refused;
    for (std::size_t i = 0; i < why.client.size(); ++i) {
      refused.push_back({"client", net::tls_refusal_words[i], why.client[i]});
      refused.push_back({"upstream", net::tls_refusal_words[i], why.upstream[i]});
    }
    return admin::tls_counts{seen.client_handshakes, seen.client_refused,     seen.upstream_handshakes,
                             seen.upstream_refused,  workers.accept_errors(), workers.certificates_not_after(),
                             std::move(refused)};
  };
  return from;
}

// Those that a restart takes up again. A file that cannot be read keeps nobody from serving.
policy::cap_book kept_caps(const config::config& config) {
  policy::cap_book book;
  const auto kept = audit::load_caps(audit::paths_of(config).caps);
  if (!kept) spdlog::error("caps: {}", kept.error());
  for (const policy::cap& one : kept.value_or(std::vector<policy::cap>())) {
    if (const auto set = book.set(one); !set) spdlog::error("caps: {}", set.error());
  }
  return book;
}

// Whom we took over from may need a moment more to let go of the address; its sockets are ours, so giving up at once
// would end the service.
std::expected<void, std::string> open_admin(admin::admin_server& side, bool takes_over) {
  auto started = side.start();
  for (int i = 0; takes_over && !started && i < admin_tries; ++i) {
    std::this_thread::sleep_for(admin_interval);
    started = side.start();
  }
  return started;
}

int run(const std::shared_ptr<const config::config>& config, held_signals& signals, std::ostream& out) {
  auto before = net::predecessor::find(config->listen);
  if (!before) {
    spdlog::error("cannot start: {}", before.error());
    return 1;
  }
  const bool takes_over = before->has_value();
  if (takes_over) spdlog::info("taking over from process {}", (*before)->pid());
  // Clients that had used up their burst a moment ago must not get a second one from the new process.
  policy::foundations base{
      .registry = std::make_shared<attribution::registry>(),
      .buckets = limiter::make_bucket_store(takes_over ? limiter::first_buckets::empty : limiter::first_buckets::full),
      .commands = resp::command_table::builtin(),
      .expire_options = true};
  const auto upstream = std::make_shared<session::upstream_state>();
  const policy::cap_book caps = kept_caps(*config);
  const std::shared_ptr<const policy::snapshot> first =
      policy::make_snapshot(config, base, 1, std::chrono::steady_clock::now().time_since_epoch().count(), caps.rules());
  served_evidence evidence(*config);
  net::server workers(
      {.snapshot = first, .registry = base.registry, .upstream = upstream, .captures = evidence.rings()});
  std::unique_ptr<admin::admin_server> admin_side;
  net::control_thread::options controlled{.config_path = config->path,
                                          .foundations = base,
                                          .snapshot = first,
                                          .upstream = upstream,
                                          .caps = caps,
                                          .let_go = [&admin_side] { admin_side->stop(); }};
  evidence.listen(controlled);
  net::control_thread control(std::move(controlled), workers);
  signals.let_go();
  evidence.start(*config, workers, control, base, upstream);
  const auto give_up = [&](const std::string& why) {
    spdlog::error("cannot start: {}", why);
    workers.stop();
    evidence.stop();
    return 1;
  };
  const auto started = workers.start(takes_over ? std::move((*before)->sockets()) : net::inherited_sockets());
  if (!started) return give_up(started.error());
  if (takes_over) {
    (*before)->taken();
    if (!(*before)->await_freed(let_go_patience)) spdlog::warn("the process before us did not say that it stops");
  }
  admin::forecast_watch ahead(upstream, [&workers] { return written_by(workers); });
  ahead.start();
  admin_side = std::make_unique<admin::admin_server>(
      admin::admin_server::options{.address = config->admin.address,
                                   .port = config->admin.port,
                                   .from = sources_of(workers, control, base, upstream, evidence, ahead),
                                   .limits = {}});
  if (config->admin.enabled) {
    if (const auto open = open_admin(*admin_side, takes_over); !open) return give_up(open.error());
  }
  out << listening_line(*config, workers, config->admin.enabled ? admin_side.get() : nullptr) << std::endl;
  control.run();
  evidence.stop();
  admin_side->stop();
  ahead.stop();
  return 0;
}

}  // namespace

int serve(const serve_options& how, std::ostream& out) {
  held_signals signals;
  if (!how.user.empty()) {
    if (const auto done = become(how.user); !done) {
      set_up_log({});
      spdlog::error("cannot start: --user {}: {}", how.user, done.error());
      return 1;
    }
  }
  // No core dump and no debugger of the same user: memory holds keys and passwords.
  ::prctl(PR_SET_DUMPABLE, 0);
  print_stack_on_abort();
  std::vector<config::mistake> warnings;
  const auto loaded = config::load_file(how.config_path, &warnings);
  if (!loaded) {
    set_up_log({});
    for (const config::mistake& mistake : loaded.error()) spdlog::error("{}", mistake.to_string());
    spdlog::error("the configuration has {} mistake(s): not started", loaded.error().size());
    return 1;
  }
  set_up_log((*loaded)->log);
  for (const config::mistake& warning : warnings) spdlog::warn("{}", warning.to_string());
  if (is_root()) spdlog::warn("running as root, which is never needed: use a user of its own, or --user NAME");
  spdlog::info("tidegate {} with {} worker(s)", admin::version_text, (*loaded)->workers);
  return run(*loaded, signals, out);
}

void add_serve(CLI::App& app, chosen_command& chosen) {
  auto how = std::make_shared<serve_options>();
  CLI::App* command = app.add_subcommand("serve", "Serve clients until SIGTERM; SIGHUP or a changed file reloads.");
  command->add_option("-c,--config", how->config_path, "The configuration")->required()->type_name("FILE");
  command->footer("Example:\n  tidegate serve -c /etc/tidegate/tidegate.yaml");
  command->add_option("--user", how->user, "Started as root: the user to go on as, for good")->type_name("NAME");
  command->callback([how, &chosen] { chosen.run = [how] { return serve(*how, std::cout); }; });
}

}  // namespace tidegate::cli
