// Requests too large to hold: once the name, every key and every length are known, nothing that is still to come can
// change a decision, and the rest passes through as it arrives, on a connection of the session's own.
//
// Streamed are requests whose last argument is the large one (SET k v, LPUSH k v, HSET k f v, XADD …); others are held,
// up to memory.session.
#include <algorithm>
#include <utility>
#include <vector>

#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

namespace {

// Their large last argument is no key, and nothing of the command but its value is in it.
bool may_stream(const resp::command_spec& spec) noexcept {
  if (spec.container || spec.kind != resp::special::none || spec.dedicated != resp::dedicate::none) return false;
  if (spec.keys == resp::key_layout::none) return true;
  return spec.keys == resp::key_layout::range && spec.key_first == 1 && spec.key_last == 1;
}

}  // namespace

std::uint64_t engine::state::hold_limit() const noexcept {
  return config().memory.session / 4;
}

engine::state::streaming engine::state::begin_stream(session& s, resp::request_parser& from, std::string_view data) {
  const resp::request_parser::progress progress = from.in_progress();
  if (!progress.multibulk || progress.bulk_announced < 0) return streaming::no;
  const auto announced = static_cast<std::uint64_t>(progress.bulk_announced);
  const std::uint64_t total = progress.bulk_offset + announced + 2;
  if (total <= hold_limit() || total > UINT32_MAX) return streaming::no;
  if (progress.args_complete == 0 || progress.args_complete + 1 != progress.args_announced) return streaming::no;

  // The request as it will be, its last argument not yet here: nobody below looks into it.
  std::vector<resp::arg_ref> refs(from.complete_args().begin(), from.complete_args().end());
  refs.push_back({static_cast<std::uint32_t>(progress.bulk_offset), static_cast<std::uint32_t>(announced)});
  const resp::request request{.raw = data, .base = data.data(), .refs = refs, .is_inline = false};
  const resp::command_spec& spec = evaluator.identify(request);
  if (!may_stream(spec)) return streaming::no;
  if (spec.keys == resp::key_layout::range && progress.args_complete < 2)
    return streaming::no;  // the key is the large one
  if (logins_are_ours() && s.user.empty() && !config().users.empty()) return streaming::no;

  // Refused before it has a connection: the answer in its place, the rest is read and thrown away.
  const auto refuse = [&](std::string_view line) {
    end_delay(s);
    s.connection_until = 0;
    s.streamed = std::make_unique<streamed_request>();
    s.streamed->discard = true;
    s.streamed->left = total - data.size();
    note_command(s, spec);
    reply_locally(s, line);
    return streaming::begun;
  };
  if (!s.refusal.empty()) return refuse(std::exchange(s.refusal, {}));
  if (s.in_flight >= bounds::in_flight_max) {
    hold_session(s, hold_reason::depth);
    return streaming::held;
  }
  upstream_connection* to = own_of(s, spec, request, false);
  if (to == nullptr) {
    leave_line(s);  // who cannot take its turn keeps nobody else from it
    if (s.unavailable_bytes == 0 || s.hold != hold_reason::connection) return streaming::held;
    stop_waiting(s);
    s.hold = hold_reason::none;
    stats.client_errors.add(static_cast<std::uint64_t>(client_error::unavailable));
    return refuse("-ERR upstream unavailable\r\n");
  }
  if (s.in_flight > 0 && s.current != to) {
    leave_line(s);
    hold_session(s, hold_reason::drain);
    return streaming::held;
  }
  s.streamed = std::make_unique<streamed_request>();
  const std::size_t before = to->out.size();
  if (forward(s, *to, spec, request) == step::held) {
    s.streamed.reset();
    return streaming::held;
  }
  s.streamed->discard = to->out.size() == before;  // refused by a rule: the rest is read and thrown away
  s.streamed->left = total - data.size();
  return streaming::begun;
}

// Session pooling: Redis shall see a command that arrives in pieces as it is, its own limits on clients with it. So the
// pieces go on at once where no rule has to see the rest first; they are held as well, until the command is known
// whole.
void engine::state::forward_early(session& s, const resp::request_parser& from, std::string_view data) {
  const resp::request_parser::progress progress = from.in_progress();
  if (!progress.multibulk || progress.args_complete == 0 || logins_are_ours()) return;
  if (!snapshot->limits->empty() || !snapshot->ttl->empty()) return;
  if (s.unframed || (s.tx && s.tx->open)) return;
  if (s.unavailable_bytes > 0) return;  // it waited for a connection in vain; when it is whole it will be told so
  const resp::request begun{.raw = data, .base = data.data(), .refs = from.complete_args(), .is_inline = false};
  const resp::command_spec& spec = evaluator.identify(begun);
  if (spec.container || spec.kind != resp::special::none) return;  // these the proxy may answer itself
  const upstream_connection* own = own_of(s, spec, begun, false);
  if (own == nullptr || own->retiring || own->out.size() > bounds::connection_out_high) return;
  s.own->out.append(data.substr(s.forwarded_early));
  s.forwarded_early = data.size();
  mark_dirty(*s.own);
}

std::size_t engine::state::continue_stream(session& s, std::string_view bytes) {
  streamed_request& rest = *s.streamed;
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(rest.left, bytes.size()));
  rest.left -= size;
  s.progress_at = now;
  s.progress_bytes += size;
  if (!rest.discard && s.own != nullptr) {
    upstream_connection& to = *s.own;
    to.out.append(bytes.substr(0, size));
    mark_dirty(to);
    if (to.out.size() > bounds::connection_out_high) set_reading(s, false);
    if (rest.left == 0) {
      ttl::append_extra_arguments(to.out, rest.rewrite);
      for (const queued_follow_up& follow : rest.follow_ups) {
        send_follow_up(to, follow.key, follow.what, follow.pattern, rest.command);
      }
    }
  }
  if (rest.left == 0) {
    s.streamed.reset();
    s.begun_at = 0;
    set_reading(s, true);
  }
  return size;
}

}  // namespace tidegate::session
