// TIDEGATE WHOAMI | QUOTA | HELP: what the proxy itself says to a client, so that a batch job knows its name and paces
// itself. Never sent upstream.
#include <algorithm>
#include <array>
#include <cmath>

#include "config/limit_words.hpp"
#include "proxy/session/engine_state.hpp"
#include "resp/encoder.hpp"
#include "resp/keyword.hpp"

namespace tidegate::session {
namespace {

constexpr std::string_view no_auth = "-NOAUTH Authentication required.\r\n";
constexpr std::string_view in_multi = "-ERR TIDEGATE is not allowed in transactions\r\n";
// As Redis says it of a subscribed RESP2 client (processCommand() in server.c of 7.0).
constexpr std::string_view while_subscribed =
    "-ERR Can't execute 'tidegate': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
    "context\r\n";

constexpr std::array<std::string_view, 9> help_lines{
    "TIDEGATE <subcommand> [<arg> ...]. Subcommands are:",
    "WHOAMI",
    "    Who the proxy takes this connection for, and which of its claims told it so.",
    "QUOTA [<key>]",
    "    The limits that hold for this client's writes, to <key> alone if given: what is left in",
    "    their buckets, and how long the next write would wait. Costs nothing.",
    "HELP",
    "    Print this help.",
    "A refused write is answered with -THROTTLED rule=... client=... retry_after_ms=...: nothing was written, try "
    "later.",
};

// A reply of nested fields: maps in RESP3, flat arrays of names and values in RESP2.
class fields {
 public:
  fields(std::string& out, std::uint8_t protocol) : out_(out), resp3_(protocol == 3) {}

  void begin(std::size_t count) {
    if (resp3_) {
      resp::append_number_line(out_, '%', static_cast<std::int64_t>(count));
    } else {
      resp::append_array_header(out_, 2 * count);
    }
  }
  void list(std::string_view name, std::size_t count) {
    resp::append_bulk(out_, name);
    resp::append_array_header(out_, count);
  }
  void text(std::string_view name, std::string_view value) {
    resp::append_bulk(out_, name);
    resp::append_bulk(out_, value);
  }
  void number(std::string_view name, std::int64_t value) {
    resp::append_bulk(out_, name);
    resp::append_number_line(out_, ':', value);
  }
  void null(std::string_view name) {
    resp::append_bulk(out_, name);
    resp::append(out_, resp3_ ? "_\r\n" : "$-1\r\n");
  }
  // At most three decimals: what a client calculates with must not depend on how a double is printed.
  void decimal(std::string_view name, double value) {
    std::array<char, 64> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), std::round(value * 1000) / 1000).ptr;
    const std::string_view shown(digits.data(), static_cast<std::size_t>(end - digits.data()));
    resp::append_bulk(out_, name);
    if (!resp3_) {
      resp::append_bulk(out_, shown);
      return;
    }
    out_ += ',';
    resp::append(out_, shown);
    resp::append(out_, "\r\n");
  }

 private:
  std::string& out_;
  bool resp3_;
};

// Rounded up, and a time that does not come is a day: what a THROTTLED says of it too.
std::int64_t milliseconds_of(steady_ns wait) noexcept {
  constexpr steady_ns day_ms = 86'400'000;
  constexpr steady_ns one_ms = 1'000'000;
  return wait >= day_ms * one_ms ? day_ms : (wait + one_ms - 1) / one_ms;
}

std::string commands_of(const config::limit_rule& rule) {
  if (rule.match_commands.empty()) return "grow";
  std::string names;
  for (const std::string& name : rule.match_commands) names += (names.empty() ? "" : " ") + name;
  return names;
}

void append_quota(fields& out, const limiter::quota& one) {
  const config::limit_rule& rule = one.which->config;
  out.begin(12);
  out.text("rule", one.which->name);
  out.text("action", config::word_of(rule.action));
  out.text("per", config::word_of(rule.per));
  out.text("cost", config::word_of(rule.cost));
  out.text("commands", commands_of(rule));
  out.text("key", rule.match_key.empty() ? "*" : rule.match_key);
  out.decimal("rate", one.rate);
  out.decimal("memory_share", one.share);
  out.number("burst", static_cast<std::int64_t>(std::min(limiter::burst_of(rule), std::uint64_t{1} << 62)));
  if (one.tokens) {
    out.number("tokens", static_cast<std::int64_t>(std::floor(*one.tokens)));
    out.number("wait_ms", milliseconds_of(one.wait.value_or(0)));
  } else {
    out.null("tokens");
    out.null("wait_ms");
  }
  out.number("others_wait", one.others_wait ? 1 : 0);
}

}  // namespace

bool engine::state::is_for_tidegate(const resp::command_spec& spec, const resp::request& request) noexcept {
  return spec.id == 0 && resp::is_keyword(request[0], "tidegate");
}

step engine::state::answer_tidegate(session& s, const resp::command_spec& spec, const resp::request& request) {
  const auto answer = [&](std::string_view line) {
    note_command(s, spec);
    reply_locally(s, line);
    return step::taken;
  };
  if (s.tx && s.tx->open) {
    s.tx->refused = true;
    return answer(in_multi);
  }
  if (logins_are_ours()) {
    if (s.user.empty() && !config().users.empty()) return answer(no_auth);
  } else if (s.user.empty() && s.own == nullptr) {
    // Whether a login is required is known once the lane of those who have not logged in is open.
    if (lane_of(s) == nullptr) return step::held;
  }
  if (!logins_are_ours() && s.user.empty() && s.group != nullptr && s.group->login_required) return answer(no_auth);
  if (s.is_resp2_subscriber()) return answer(while_subscribed);
  std::string reply;
  if (request.size() >= 2 && resp::is_keyword(request[1], "whoami")) {
    if (request.size() != 2) return answer("-ERR wrong number of arguments for 'tidegate|whoami' command\r\n");
    append_whoami(s, reply);
  } else if (request.size() >= 2 && resp::is_keyword(request[1], "quota")) {
    if (request.size() > 3) return answer("-ERR wrong number of arguments for 'tidegate|quota' command\r\n");
    append_quotas(s, request, reply);
  } else if (request.size() == 2 && resp::is_keyword(request[1], "help")) {
    resp::append_array_header(reply, help_lines.size());
    for (const std::string_view line : help_lines) {
      reply += '+';
      resp::append(reply, line);
      resp::append(reply, "\r\n");
    }
  } else if (request.size() < 2) {
    return answer("-ERR wrong number of arguments for 'tidegate' command\r\n");
  } else {
    reply = "-ERR unknown subcommand '";
    resp::append_sanitized(reply, request[1]);
    reply += "'. Try TIDEGATE HELP.\r\n";
  }
  return answer(reply);
}

void engine::state::append_whoami(const session& s, std::string& out) const {
  const attribution::resolved found = snapshot->ladder->resolve(s.who.in_full());
  fields reply(out, s.protocol);
  reply.begin(9);
  reply.text("client", opts.registry->client_name(s.client));
  reply.text("identified_by", found.from);
  reply.text("address", s.who.source.to_string());
  reply.text("user", s.user.empty() ? "default" : s.user.view());
  reply.text("client_name", s.name);
  reply.text("tls_subject", s.who.tls_subject);
  reply.text("library", s.who.library);
  reply.number("db", s.db);
  reply.text("instance", config().instance);
}

void engine::state::append_quotas(const session& s, const resp::request& request, std::string& out) {
  std::optional<std::string_view> key;
  attribution::pattern_number pattern = attribution::other_pattern;
  if (request.size() == 3) {
    key = request[2];
    pattern = evaluator.pattern_of(*key);
  }
  const std::vector<limiter::quota> quotas = snapshot->limits->quotas(s.limits, key, pattern, now);
  // What a write that every rule covers would wait for; who only observes holds nobody.
  steady_ns wait = 0;
  bool blocked = false;
  for (const limiter::quota& one : quotas) {
    if (one.which->config.action == config::limit_action::observe) continue;
    wait = std::max(wait, one.wait.value_or(0));
    blocked = blocked || one.which->config.action == config::limit_action::block;
  }
  fields reply(out, s.protocol);
  reply.begin(4);
  reply.text("client", opts.registry->client_name(s.client));
  reply.number("blocked", blocked ? 1 : 0);
  reply.number("wait_ms", milliseconds_of(wait));
  reply.list("limits", quotas.size());
  for (const limiter::quota& one : quotas) append_quota(reply, one);
}

}  // namespace tidegate::session
