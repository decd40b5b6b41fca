// Bytes of a client into commands: parsing, holding back, and the choice of the connection that each goes to.
#include <algorithm>

#include "proxy/session/engine_state.hpp"
#include "resp/answer_rules.hpp"
#include "resp/keyword.hpp"

namespace tidegate::session {

void engine::state::client_received(session& s, std::string_view bytes) {
  if (s.closing || s.finished_sending || s.unheard) return;
  if (s.hold != hold_reason::none || !s.held.empty()) {
    s.held.append(bytes);
    s.progress_bytes += bytes.size();
    s.progress_at = now;
    if (s.hold == hold_reason::none) {
      go_on(s);
    } else if (s.held.size() >= bounds::held_high) {
      set_reading(s, false);
    }
    account(s);
    return;
  }
  const std::size_t taken = take_commands(s, bytes);
  if (s.gone || s.closing) return;
  if (taken < bytes.size()) {
    s.held.append(bytes.substr(taken));
    s.progress_at = now;
    if (s.hold != hold_reason::none && s.held.size() >= bounds::held_high) set_reading(s, false);
  }
  account(s);
  rearm(s);
}

void engine::state::go_on(session& s) {
  // What made it runnable may have been something else than the replies for which it waits.
  if ((s.hold == hold_reason::barrier || s.hold == hold_reason::drain) && s.in_flight > 0) return;
  s.hold = hold_reason::none;
  if (!s.held.empty()) {
    const std::size_t taken = take_commands(s, s.held.view());
    if (s.gone) return;
    s.unavailable_bytes -= std::min<std::uint64_t>(s.unavailable_bytes, taken);
    if (s.closing) {
      s.held.clear();
    } else {
      s.held.consume(taken);
    }
  }
  if (s.hold == hold_reason::none) {
    s.unavailable_bytes = 0;
    end_delay(s);
    if (s.finished_sending || draining) {
      close_when_done(s);
    } else if (!s.closing) {
      set_reading(s, true);
    }
  }
  if (s.gone) return;
  if (s.finished_sending && (s.hold == hold_reason::none ? waits_for_events(s) : s.blocking_in_flight > 0)) {
    close_session(s, close_how::graceful);  // it began to wait after its FIN: nobody will hear the answer
    return;
  }
  account(s);
  rearm(s);
}

std::size_t engine::state::take_commands(session& s, std::string_view bytes) {
  std::size_t taken = 0;
  bind_if_stale(s);
  if (s.exchanged) {
    consider_release(s);
    if (s.gone) return bytes.size();
  }
  while (taken < bytes.size() && s.hold == hold_reason::none && !s.closing) {
    if (s.streamed) {
      taken += continue_stream(s, bytes.substr(taken));
      continue;
    }
    resp::request_parser& from = s.parser ? *s.parser : parser;
    from.set_authenticated(!s.user.empty() || s.group == nullptr || !s.group->login_required);
    const resp::parse_status status = from.parse(bytes.substr(taken));
    if (status == resp::parse_status::error) {
      scratch = from.error_line();
      from.reset();  // it may be the parser that every session of this worker uses
      if (s.unframed && s.own != nullptr) {
        // How many replies are due before the error nobody knows here: Redis says it, and closes.
        stats.client_errors.add(static_cast<std::uint64_t>(client_error::protocol));
        drop_parser(s);
        s.own->out.append(bytes.substr(taken));
        mark_dirty(*s.own);
        s.unheard = true;
        return bytes.size();
      }
      protocol_error(s, scratch);
      return bytes.size();
    }
    if (status == resp::parse_status::incomplete) {
      const std::size_t held = bytes.size() - taken;
      const streaming how = begin_stream(s, from, bytes.substr(taken));
      if (s.gone) return bytes.size();
      if (how == streaming::begun) {
        from.reset();
        drop_parser(s);
        s.begun_at = s.progress_at = now;
        s.progress_bytes = 0;
        return bytes.size();
      }
      if (how == streaming::no && session_pooling()) forward_early(s, from, bytes.substr(taken));
      if (how == streaming::held) {
        keep_parser(s);
        return taken;
      }
      if (held > config().memory.session) {
        scratch.assign("-ERR a request of more than ");
        scratch += std::to_string(config().memory.session);
        scratch += " bytes is not held by the proxy (memory.session)\r\n";
        stats.client_errors.add(static_cast<std::uint64_t>(client_error::memory));
        protocol_error(s, scratch);
        return bytes.size();
      }
      keep_parser(s);
      return taken;
    }
    const resp::request& request = from.request();
    const std::size_t size = request.raw.size();
    if (!resp::is_answered(request)) {
      pass_empty_request(s);
    } else if (handle(s, request) == step::held) {
      from.reset();  // it is read anew when the session goes on
      if (s.begun_at != 0 && s.parser) s.begun_at = 0;
      return taken;
    }
    if (s.gone) return bytes.size();
    drop_parser(s);
    taken += size;
  }
  return taken;
}

// A request that is split over reads gets a parser of its own, so that no byte is scanned twice.
void engine::state::keep_parser(session& s) {
  if (s.parser) return;
  if (spare.empty()) {
    s.parser = std::make_unique<resp::request_parser>();
  } else {
    s.parser = std::move(spare.back());
    spare.pop_back();
  }
  s.parser->swap(parser);
  s.begun_at = s.progress_at = now;
  s.progress_bytes = 0;
}

void engine::state::drop_parser(session& s) {
  s.begun_at = 0;
  if (!s.parser) return;
  s.parser->reset();
  if (spare.size() < bounds::spare_parsers && s.parser->used_memory() < 65536) {
    spare.push_back(std::move(s.parser));
  }
  s.parser.reset();
}

// As Redis does: the error behind all earlier replies, then the end, though the client is still writing.
void engine::state::protocol_error(session& s, std::string_view line) {
  stats.client_errors.add(static_cast<std::uint64_t>(client_error::protocol));
  drop_parser(s);
  reply_locally(s, line);
  if (s.gone) return;
  close_after_replies(s);
  s.held.clear();
}

// Whether this command must not share a connection.
bool engine::state::wants_own(const session& s, const resp::command_spec& spec, const resp::request& request) const {
  if (s.sticky || s.watching || (s.tx && s.tx->open) || s.unframed) return true;
  if (s.forwarded_early > 0) return true;                                      // where its first half is
  if (s.own != nullptr && s.in_flight > 0 && s.current == s.own) return true;  // it goes on where its replies are due
  // … and where follow-ups are due: elsewhere it could run before them.
  if (s.own != nullptr && !s.exchanging && s.own->at == upstream_connection::phase::ready && !s.own->line.empty())
    return true;
  if (s.out.size() > bounds::session_out_dedicate) return true;
  if (s.user.empty() && !logins_are_ours() && s.group != nullptr && s.group->login_required) return true;
  switch (spec.dedicated) {
    case resp::dedicate::none:
      return spec.blocking_option && resp::may_block(spec, request);
    case resp::dedicate::other_db:
      // COPY without DB stays where it is.
      if (spec.kind == resp::special::copy) {
        for (std::size_t index = 3; index < request.size(); ++index) {
          if (resp::is_keyword(request[index], "db")) return true;
        }
        return false;
      }
      return true;
    default:
      return true;
  }
}

namespace {

// What an HTTP request begins with (securityWarningCommand() in server.c of Redis).
bool is_of_http(std::string_view name) noexcept {
  return resp::is_keyword(name, "post") || resp::is_keyword(name, "host:");
}

// Sent on a connection whatever its db and name are, and followed by nothing until it is answered.
bool is_exchange(const resp::command_spec& spec) noexcept {
  if (spec.dedicated == resp::dedicate::exchange) return true;
  // They must get through while a script keeps the server busy: SELECT would not.
  return spec.name == "script|kill" || spec.name == "function|kill" || spec.name == "function|stats";
}

}  // namespace

step engine::state::handle(session& s, const resp::request& request) {
  const step result = handle_one(s, request);
  if (s.delayed_at != 0) {
    if (result == step::taken) {
      end_delay(s);
    } else if (s.hold != hold_reason::limit) {
      leave_line(s);  // who cannot take its turn keeps nobody else from it
    }
  }
  return result;
}

// How many of its commands may be under way. What one session pipelines for large values on a lane, everybody behind it
// waits for, though it reads none of it.
std::uint32_t engine::state::depth_of(const session& s) noexcept {
  if (s.own != nullptr && s.current == s.own) return bounds::in_flight_max;
  if (s.reply_size == 0) return bounds::in_flight_unknown;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(bounds::in_flight_bytes / s.reply_size, bounds::in_flight_min, bounds::in_flight_max));
}

step engine::state::handle_one(session& s, const resp::request& request) {
  const resp::command_spec& spec = evaluator.identify(request);
  if (s.in_flight >= depth_of(s)) {
    hold_session(s, hold_reason::depth);
    return step::held;
  }
  if (!s.refusal.empty()) {
    note_command(s, spec);
    reply_locally(s, s.refusal);
    s.refusal.clear();
    s.connection_until = 0;
    return step::taken;
  }
  if (s.unavailable_bytes > 0) {
    const step result = dispatch(s, spec, request);
    if (result == step::held && s.hold == hold_reason::connection) {
      stop_waiting(s);
      s.hold = hold_reason::none;
      s.connection_until = 0;
      stats.client_errors.add(static_cast<std::uint64_t>(client_error::unavailable));
      reply_locally(s, "-ERR upstream unavailable\r\n");
      note_command(s, spec);
      return step::taken;
    }
    return result;
  }
  return dispatch(s, spec, request);
}

// The refusal of a subscription under CLIENT REPLY, which is silent.
bool engine::state::awaits_what_may_not_come(session& s) noexcept {
  for (std::size_t index = 0; s.own != nullptr && index < s.own->line.size(); ++index) {
    if ((s.own->line.at(index).flags & slot::silenced) != 0) return true;
  }
  return false;
}

step engine::state::dispatch(session& s, const resp::command_spec& spec, const resp::request& request) {
  const bool in_multi = s.tx && s.tx->open;
  if (spec.dedicated == resp::dedicate::unknown && !s.unframed && is_of_http(request[0])) {
    // As Redis: a browser that was made to speak to it hears nothing, and nothing behind its first line runs.
    stats.client_errors.add(static_cast<std::uint64_t>(client_error::protocol));
    close_after_replies(s);
    return step::taken;
  }
  if (spec.dedicated == resp::dedicate::unknown && !s.unframed && is_for_tidegate(spec, request)) {
    return answer_tidegate(s, spec, request);
  }
  if (spec.answers == resp::answer::last && !s.unframed) {
    note_command(s, spec);
    reply_locally(s, "+OK\r\n");
    close_after_replies(s);
    return step::taken;
  }
  if (logins_are_ours() && (spec.kind == resp::special::auth || spec.kind == resp::special::hello ||
                            spec.kind == resp::special::reset || (s.user.empty() && !config().users.empty()))) {
    if (!in_multi || spec.kind != resp::special::hello) return login_locally(s, spec, request);
  }
  if (!in_multi && s.own == nullptr && s.user.empty() && !logins_are_ours() && wants_local_answer(spec)) {
    // Whether a login is required first is known once the lane of those who have not logged in is open.
    if (lane_of(s) == nullptr) return step::held;
  }
  if (!in_multi && s.subscribed_ever && s.protocol == 2 && s.in_flight > 0 &&
      (wants_local_answer(spec) || (spec.kind == resp::special::multi && !awaits_what_may_not_come(s)) ||
       (spec.answers == resp::answer::switches && (s.replies == reply_mode::on || s.subscribed() > 0)))) {
    // Whether a subscriber may say this depends on what the subscriptions under way come to.
    hold_session(s, hold_reason::drain);
    return step::held;
  }
  if (!in_multi && answer_locally(s, spec, request)) {
    note_command(s, spec);
    return step::taken;
  }
  upstream_connection* to = nullptr;
  if (wants_own(s, spec, request)) {
    to = own_of(s, spec, request, is_exchange(spec) && !in_multi);
  } else {
    to = lane_of(s);
  }
  if (to == nullptr) return step::held;
  if (s.in_flight > 0 && (s.current != to || (unframes(spec) && !in_multi))) {
    hold_session(s, hold_reason::drain);
    return step::held;
  }
  if (to->out.size() > bounds::connection_out_high) {
    wait_for(s, *to);
    hold_session(s, hold_reason::room);
    return step::held;
  }
  return forward(s, *to, spec, request);
}

}  // namespace tidegate::session
