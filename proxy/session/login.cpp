// AUTH, HELLO, SELECT and RESET: what they change is taken over at their reply. With credentials of the proxy's own,
// clients log in against `users:` here.
#include <algorithm>
#include <charconv>

#include "proxy/session/client_name.hpp"
#include "proxy/session/engine_state.hpp"
#include "resp/encoder.hpp"
#include "resp/keyword.hpp"

namespace tidegate::session {

namespace {

// Takes as long for a wrong first byte as for a wrong last one; only the length of what was offered shows.
bool same_secret(std::string_view offered, std::string_view known) noexcept {
  volatile unsigned char difference = offered.size() == known.size() ? 0 : 1;
  for (std::size_t index = 0; index < offered.size(); ++index) {
    const char expected = known.empty() ? '\0' : known[index % known.size()];
    difference = static_cast<unsigned char>(difference | static_cast<unsigned char>(offered[index] ^ expected));
  }
  return difference == 0;
}

bool number(std::string_view text, std::int64_t& out) noexcept {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

void engine::state::remember_exchange(session& s, const resp::command_spec& spec, const resp::request& request) {
  exchange_request& asked = pending_exchanges[&s];
  asked = {};
  std::int64_t value = 0;
  switch (spec.kind) {
    case resp::special::auth:
      asked.has_auth = true;
      asked.user = request.size() == 3 ? request[1] : std::string_view("default");
      asked.secret = request[request.size() - 1];
      break;
    case resp::special::select:
      if (number(request[1], value) && value >= 0) asked.db = static_cast<std::uint32_t>(value);
      break;
    case resp::special::hello:
      if (request.size() > 1 && number(request[1], value)) asked.protocol = static_cast<std::uint8_t>(value);
      for (std::size_t index = 2; index < request.size(); ++index) {
        if (resp::is_keyword(request[index], "auth") && index + 2 < request.size()) {
          asked.has_auth = true;
          asked.user = request[index + 1];
          asked.secret = request[index + 2];
          index += 2;
        } else if (resp::is_keyword(request[index], "setname") && index + 1 < request.size()) {
          asked.has_name = true;
          asked.name = request[++index];
          asked.refused = asked.refused || !is_valid_client_name(asked.name);
        } else {
          asked.refused = true;
        }
      }
      break;
    default:
      break;
  }
}

void engine::state::finish_exchange(session& s, upstream_connection& c, const slot& item) {
  const auto found = pending_exchanges.find(&s);
  if (found == pending_exchanges.end()) return;
  const exchange_request asked = std::move(found->second);
  pending_exchanges.erase(found);
  if (c.framer.is_error()) {
    // HELLO may have logged in before its error; what the connection is now is in doubt.
    if (item.special == resp::special::hello && asked.has_auth) c.spoiled = true;
    return;
  }
  if (item.special == resp::special::select) s.db = c.db = asked.db;
  if (asked.protocol != 0) s.protocol = c.protocol = asked.protocol;
  if (asked.has_auth) {
    s.user = c.user = asked.user;
    s.who.username = asked.user;
    std::string& kept = secrets[asked.user];
    config::wipe(kept);
    kept = asked.secret;
  }
  if (asked.has_name) {
    s.name = c.name = asked.name;
    s.who.client_name = asked.name;
  }
  if (s.gone) return;
  leave_group(s);
  if (asked.has_auth || asked.has_name) name_session(s);
}

// CLIENT REPLY keeps the answer from us. What can be told from the request alone is taken for granted, so that the
// session stays where Redis most likely has it; a login is not: nobody gets an identity unproven.
void engine::state::assume_exchange(session& s, upstream_connection& to, const resp::command_spec& spec) {
  const auto found = pending_exchanges.find(&s);
  if (found == pending_exchanges.end()) return;
  const exchange_request asked = std::move(found->second);
  pending_exchanges.erase(found);
  to.spoiled = true;
  if (spec.kind == resp::special::reset) {
    reset_connection(s, to);
    s.replies = reply_mode::skip_next;  // that is spent by RESET itself, which is silent
    return;
  }
  if (asked.refused || s.is_resp2_subscriber()) return;
  if (asked.has_auth) return;
  if (spec.kind == resp::special::select) {
    s.db = to.db = asked.db;
    to.db_in_doubt = true;
  }
  if (asked.protocol == 2 || asked.protocol == 3) s.protocol = to.protocol = asked.protocol;
  if (asked.has_name) {
    s.name = to.name = asked.name;
    s.who.client_name = asked.name;
    name_session(s);
  }
}

void engine::state::reset_state(session& s) {
  s.user.clear();
  s.name.clear();
  s.who.client_name.clear();
  s.who.username.clear();
  s.db = 0;
  s.protocol = 2;
  s.replies = reply_mode::on;
  s.watching = s.subscribed_ever = s.multi_failed = false;
  s.subscriptions = {};
  s.sticky = s.sticky_for_good;
  if (s.tx) {
    forget_queued(*s.tx, static_cast<std::uint32_t>(s.tx->entries.size()));
    s.tx->end();
  }
  if (s.gone) return;
  leave_group(s);
  name_session(s);
}

void engine::state::reset_connection(session& s, upstream_connection& c) {
  c.user.clear();
  c.name.clear();
  c.db = 0;
  c.protocol = 2;
  reset_state(s);
}

// The upstream credentials are the proxy's: what a client says of itself is checked here, with Redis's words.
step engine::state::login_locally(session& s, const resp::command_spec& spec, const resp::request& request) {
  const auto answer = [&](std::string_view line) {
    note_command(s, spec);
    reply_locally(s, line);
    return step::taken;
  };
  const auto known = [&](std::string_view name, std::string_view password) {
    bool good = false;
    for (const config::user& user : config().users) {
      if (user.name == name && same_secret(password, user.password)) good = true;
    }
    return good;
  };
  const auto log_in = [&](std::string_view name) {
    s.user = name;
    s.who.username = name;
    name_session(s);
  };
  constexpr std::string_view wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

  if (spec.kind == resp::special::auth) {
    if (request.size() < 2) return answer("-ERR wrong number of arguments for 'auth' command\r\n");
    if (request.size() > 3) return answer("-ERR syntax error\r\n");
    if (config().users.empty() && request.size() == 2) {
      return answer(
          "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
          "configuration is correct?\r\n");
    }
    const std::string_view name = request.size() == 3 ? request[1] : std::string_view("default");
    if (!known(name, request[request.size() - 1])) return answer(wrong);
    log_in(name);
    return answer("+OK\r\n");
  }
  if (spec.kind == resp::special::reset) {
    if (request.size() != 1) return answer("-ERR wrong number of arguments for 'reset' command\r\n");
    if (s.in_flight > 0) {
      hold_session(s, hold_reason::drain);
      return step::held;
    }
    if (s.own != nullptr) drop_connection(*s.own);
    const bool skips = s.replies == reply_mode::skip_next;
    reset_state(s);
    if (!skips) return answer("+RESET\r\n");
    note_command(s, spec);
    return step::taken;
  }
  if (spec.kind != resp::special::hello) return answer("-NOAUTH Authentication required.\r\n");

  std::int64_t version = 0;
  if (request.size() > 1) {
    if (!number(request[1], version)) return answer("-ERR Protocol version is not an integer or out of range\r\n");
    if (version < 2 || version > 3) return answer("-NOPROTO unsupported protocol version\r\n");
  }
  for (std::size_t index = 2; index < request.size(); ++index) {
    if (resp::is_keyword(request[index], "auth") && index + 2 < request.size()) {
      if (!known(request[index + 1], request[index + 2])) return answer(wrong);
      log_in(request[index + 1]);
      index += 2;
    } else if (resp::is_keyword(request[index], "setname") && index + 1 < request.size()) {
      if (!is_valid_client_name(request[++index])) {
        return answer(invalid_client_name_line);
      }
      s.name = request[index];
      s.who.client_name = request[index];
      name_session(s);
    } else {
      std::string line = "-ERR Syntax error in HELLO option '";
      resp::append_sanitized(line, request[index]);
      return answer(line + "'\r\n");
    }
  }
  if (s.user.empty() && !config().users.empty()) {
    return answer(
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
        "option can be used to authenticate the client and select the RESP protocol version at the same time\r\n");
  }
  // The protocol is the upstream's to grant: asked without the client's words on who it is.
  upstream_connection* to = own_of(s, spec, request, true);
  if (to == nullptr) return step::held;
  if (s.in_flight > 0 && s.current != to) {
    hold_session(s, hold_reason::drain);
    return step::held;
  }
  note_command(s, spec);
  if (version != 0) {
    resp::append_command(to->out, "HELLO", request[1]);
  } else {
    resp::append_command(to->out, "HELLO");
  }
  pending_exchanges[&s] = {};
  pending_exchanges[&s].protocol = static_cast<std::uint8_t>(version);
  slot item;
  item.owner = &s;
  item.command = spec.id;
  item.special = resp::special::hello;
  if (s.replies == reply_mode::on) {
    hold_session(s, hold_reason::barrier);
  } else {
    assume_exchange(s, *to, spec);
  }
  push_slot(s, *to, item);
  mark_dirty(*to);
  return step::taken;
}

}  // namespace tidegate::session
