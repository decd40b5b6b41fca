// What the proxy answers itself, in its place in the pipeline, and why a session takes no further command for now.
#include <algorithm>

#include "proxy/session/client_name.hpp"
#include "proxy/session/engine_state.hpp"
#include "resp/encoder.hpp"
#include "resp/keyword.hpp"

namespace tidegate::session {

void engine::state::deliver(session& s, std::string_view bytes) {
  if (s.gone || s.overflowed) return;
  if (s.out.size() + bytes.size() > config().memory.session) {
    // A lane never waits for one slow reader: the rest of its replies is thrown away, and it alone is closed.
    if (s.own == nullptr || s.current != s.own || bytes.size() > config().memory.session) {
      s.overflowed = true;
      stats.client_errors.add(static_cast<std::uint64_t>(client_error::memory));
      close_session(s, close_how::reset);
      return;
    }
  }
  s.out.append(bytes);
  mark_dirty(s);
  if (s.own != nullptr && s.current == s.own && s.out.size() > bounds::session_out_high) set_reading(*s.own, false);
}

// Whether part of what answers none of its commands went out: a push, or RESP2's message. Nothing else may follow
// before the rest of it.
bool engine::state::is_amid_message(const session& s) noexcept {
  if (s.own == nullptr || s.own->unframed || s.own->at != upstream_connection::phase::ready) return false;
  if (s.own->framer.idle()) return false;
  if (s.own->framer.is_push() || s.own->nothing_is_due()) return true;
  const slot& front = s.own->line.front();  // asked since; its own reply would have marked it
  return (front.kind == slot_kind::reply || front.kind == slot_kind::subscribe) && (front.flags & slot::begun) == 0;
}

void engine::state::reply_locally(session& s, std::string_view line) {
  if (s.replies != reply_mode::on) {
    if (s.replies == reply_mode::skip_next) pass_empty_request(s);  // upstream, too, it is spent now
    return;
  }
  if (s.in_flight == 0) {
    if (!is_amid_message(s)) return deliver(s, line);
    s.current = s.own;
  }
  s.local.append(line);
  slot item;
  item.owner = &s;
  item.kind = slot_kind::local;
  item.extra = static_cast<std::uint32_t>(line.size());
  s.current->line.push(item);
  ++s.in_flight;
}

// An empty request runs nothing and is not answered, but it spends what holds for the next request alone: CLIENT REPLY
// SKIP, CLIENT CACHING, ASKING (resetClient() in networking.c). Such a session has a connection of its own.
void engine::state::pass_empty_request(session& s) {
  const bool skips = s.replies == reply_mode::skip_next;
  if (skips) s.replies = reply_mode::on;
  if (!s.sticky || s.own == nullptr || s.own->at != upstream_connection::phase::ready) return;
  // Nothing holds back who sends nothing else: what an upstream does not take is not gathered for it.
  if (s.own->out.size() > bounds::connection_out_high && !skips) return;
  s.own->out.append("*0\r\n");
  mark_dirty(*s.own);
}

// Local replies whose turn has come: everything before them was answered, and what an answer set off (the invalidation
// of a key that was just written) was told.
void engine::state::emit_local(upstream_connection& c) {
  if (push_follows && c.owner != nullptr) return;
  while (!c.line.empty() && c.line.front().kind == slot_kind::local) {
    const slot item = c.line.front();
    pop(c);
    session& s = *item.owner;
    if (!s.gone) {
      deliver(s, s.local.view().substr(0, item.extra));
      s.local.consume(std::min<std::size_t>(item.extra, s.local.size()));
    }
    slot_done(s);
  }
}

void engine::state::hold_session(session& s, hold_reason why) {
  s.hold = why;
  if (s.held.size() >= bounds::held_high) set_reading(s, false);
}

bool engine::state::wants_local_answer(const resp::command_spec& spec) noexcept {
  return spec.kind == resp::special::client_setname || spec.kind == resp::special::client_getname ||
         spec.kind == resp::special::client_setinfo;
}

bool engine::state::answer_locally(session& s, const resp::command_spec& spec, const resp::request& request) {
  if (!wants_local_answer(spec)) return false;
  if (s.unframed || !spec.arity_ok(request.size())) return false;
  const bool must_log_in = s.user.empty() && s.group != nullptr && s.group->login_required;
  if (must_log_in || s.is_resp2_subscriber()) return false;
  if (spec.kind == resp::special::client_getname) {
    // A dedicated connection's name is the proxy's unless the session chose one: nil stays nil.
    std::string line;
    if (s.name.empty()) {
      line = s.protocol == 3 ? "_\r\n" : "$-1\r\n";
    } else {
      resp::append_bulk(line, s.name);
    }
    reply_locally(s, line);
    return true;
  }
  if (spec.kind == resp::special::client_setname) {
    const std::string_view name = request[2];
    if (is_valid_client_name(name)) {
      s.name = name;
      s.who.client_name = name;
      name_session(s);
    }
    if (s.own != nullptr && wants_own(s, spec, request)) {  // its connection shall carry the name too; Redis answers
      if (is_valid_client_name(name)) s.own->name = name;
      return false;
    }
    reply_locally(s, is_valid_client_name(name) ? "+OK\r\n" : invalid_client_name_line);
    return true;
  }
  // CLIENT SETINFO LIB-NAME|LIB-VER value (7.2): where the upstream lacks it, its own error is the right answer.
  const bool is_library = resp::is_keyword(request[2], "lib-name");
  if (!is_library && !resp::is_keyword(request[2], "lib-ver")) return false;
  if (!is_valid_client_name(request[3])) return false;
  if (is_library) {
    s.who.library = request[3];
    name_session(s);
  }
  if ((s.own != nullptr && wants_own(s, spec, request)) || !snapshot->commands->known_upstream(spec.id)) return false;
  reply_locally(s, "+OK\r\n");
  return true;
}

}  // namespace tidegate::session
