#include "proxy/admin/config_view.hpp"

#include <nlohmann/json.hpp>

#include "config/limit_words.hpp"
#include "evidence/audit/audit_log.hpp"
#include "proxy/admin/json_text.hpp"
#include "proxy/admin/metrics.hpp"

namespace tidegate::admin {
namespace {

using admin::text_of;  // of what other documents name too
using nlohmann::ordered_json;
using std::chrono::milliseconds;

ordered_json seconds_of(milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

ordered_json seconds_or_null(const std::optional<milliseconds>& time) {
  return time ? seconds_of(*time) : ordered_json();
}

ordered_json names(const std::vector<std::string>& all) {
  ordered_json out = ordered_json::array();
  for (const std::string& one : all) out.push_back(printable(one));
  return out;
}

const char* text_of(config::client_auth auth) {
  switch (auth) {
    case config::client_auth::none:
      return "none";
    case config::client_auth::optional:
      return "optional";
    case config::client_auth::required:
      return "required";
  }
  return "none";
}

const char* text_of(config::identity_source source) {
  switch (source) {
    case config::identity_source::client_name:
      return "client_name";
    case config::identity_source::username:
      return "username";
    case config::identity_source::tls_subject:
      return "tls_subject";
    case config::identity_source::source:
      return "source";
    case config::identity_source::library:
      return "library";
  }
  return "client_name";
}

const char* text_of(config::ttl_mode mode) {
  switch (mode) {
    case config::ttl_mode::off:
      return "off";
    case config::ttl_mode::observe:
      return "observe";
    case config::ttl_mode::enforce:
      return "enforce";
  }
  return "enforce";
}

const char* text_of(config::log_level level) {
  constexpr const char* levels[] = {"trace", "debug", "info", "warn", "error"};
  return levels[static_cast<std::size_t>(level)];
}

ordered_json listeners(const config::config& from) {
  ordered_json out = ordered_json::array();
  for (const config::listener& one : from.listen) {
    ordered_json row{{"address", one.address}, {"port", one.port}, {"tls", nullptr}};
    if (one.tls) {
      row["tls"] = {{"certificate", one.tls->certificate},
                    {"client_ca", one.tls->client_ca},
                    {"client_auth", text_of(one.tls->client_auth)}};
    }
    out.push_back(std::move(row));
  }
  return out;
}

ordered_json upstream(const config::upstream& from) {
  return {{"host", from.host},
          {"port", from.port},
          {"tls", from.tls},
          {"ca", from.ca},
          {"auth", from.auth ? "proxy" : "passthrough"},
          {"username", from.auth ? printable(from.auth->username) : ""},
          {"control_username", from.control ? printable(from.control->username) : ""},
          {"pooling", from.pooling == config::pooling::multiplex ? "multiplex" : "session"},
          {"lanes", from.lanes},
          {"idle_dedicated", from.idle_dedicated},
          {"connect_timeout_s", seconds_of(from.connect_timeout)},
          {"queue_timeout_s", seconds_of(from.queue_timeout)},
          {"silence_s", seconds_of(from.silence)},
          {"maxmemory", from.maxmemory != 0 ? ordered_json(from.maxmemory) : ordered_json()}};
}

ordered_json attribution_of(const config::attribution& from) {
  ordered_json order = ordered_json::array(), folds = ordered_json::array(), sources = ordered_json::array();
  for (const config::identity_source one : from.identify_by) order.push_back(text_of(one));
  for (const config::name_fold& one : from.names) {
    folds.push_back({{"match", printable(one.match)}, {"as", printable(one.as)}});
  }
  for (const config::source_name& one : from.sources) {
    sources.push_back({{"cidr", one.cidr}, {"as", printable(one.as)}});
  }
  return {{"identify_by", std::move(order)},
          {"names", std::move(folds)},
          {"sources", std::move(sources)},
          {"patterns", names(from.patterns)}};
}

ordered_json limits(const std::vector<config::limit_rule>& rules) {
  ordered_json out = ordered_json::array();
  for (const config::limit_rule& one : rules) {
    ordered_json row{{"name", printable(one.name)},
                     {"match",
                      {{"client", printable(one.match_client)},
                       {"command", names(one.match_commands)},
                       {"key", printable(one.match_key)}}},
                     {"per", config::word_of(one.per)},
                     {"rate", one.rate},
                     {"burst", one.burst},
                     {"cost", config::word_of(one.cost)},
                     {"action", config::word_of(one.action)},
                     {"max_delay_s", seconds_of(one.max_delay)},
                     {"memory", nullptr},
                     {"owner", printable(one.owner)},
                     {"until", one.until ? ordered_json(audit::utc_text(*one.until)) : ordered_json()}};
    if (one.memory) row["memory"] = {{"from", one.memory->from}, {"to", one.memory->to}, {"floor", one.memory->floor}};
    out.push_back(std::move(row));
  }
  return out;
}

ordered_json ttl_rules(const std::vector<config::ttl_rule>& rules) {
  ordered_json out = ordered_json::array();
  for (const config::ttl_rule& one : rules) {
    out.push_back({{"pattern", printable(one.pattern)},
                   {"default_s", seconds_or_null(one.default_ttl)},
                   {"max_s", seconds_or_null(one.max_ttl)},
                   {"jitter", one.jitter},
                   {"require", one.require},
                   {"mode", text_of(one.mode)}});
  }
  return out;
}

ordered_json capture(const std::optional<config::capture>& from) {
  if (!from) return nullptr;
  return {{"directory", from->directory},
          {"match",
           {{"client", printable(from->match_client)},
            {"key", printable(from->match_key)},
            {"command", names(from->match_commands)}}},
          {"sample", from->sample},
          {"values", from->values},
          {"rotate", from->rotate},
          {"max_size", from->max_size},
          {"keep_s", from->keep.count()}};
}

}  // namespace

std::string config_json(const sources& from) {
  const std::shared_ptr<const policy::snapshot> snapshot = from.snapshot();
  const config::config& config = *snapshot->config;
  ordered_json users = ordered_json::array();
  for (const config::user& one : config.users) users.push_back(printable(one.name));
  ordered_json ledger;
  if (config.ledger.enabled) {
    ledger = {{"path", config.ledger.path},
              {"bucket_s", config.ledger.bucket.count()},
              {"keep_s", config.ledger.keep.count()},
              {"max_size", config.ledger.max_size}};
  }
  const ordered_json document{
      {"path", config.path},
      {"generation", snapshot->generation},
      {"instance", config.instance},
      {"workers", config.workers},
      {"drain_s", seconds_of(config.drain)},
      {"listen", listeners(config)},
      {"upstream", upstream(config.upstream)},
      {"users", std::move(users)},
      {"memory", {{"session", config.memory.session}, {"total", config.memory.total}}},
      {"admin",
       {{"address", config.admin.address}, {"port", config.admin.port}, {"token_set", !config.admin.token.empty()}}},
      {"attribution", attribution_of(config.attribution)},
      {"limits", limits(config.limits)},
      {"ttl", ttl_rules(config.ttl)},
      {"ledger", std::move(ledger)},
      {"capture", capture(config.capture)},
      {"log",
       {{"level", text_of(config.log.level)},
        {"format", config.log.format == config::log_format::json ? "json" : "text"}}}};
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tidegate::admin
