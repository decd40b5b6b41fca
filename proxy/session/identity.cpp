// Who a session is: resolved at naming events, in force from the next command.
#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

void engine::state::name_session(session& s, bool opened) {
  leave_line(s);  // a bucket of its old name may die with the old binding
  const attribution::resolved found = snapshot->ladder->resolve(s.who);
  const attribution::client_number number = opts.registry->acquire_client(found.name, opened, now);
  if (s.named) opts.registry->release_client(s.client, now);
  s.client = number;
  s.named = true;
  s.last_series = nullptr;
  s.bound_generation = snapshot->generation;
  if (!snapshot->limits->empty()) {
    snapshot->limits->bind(s.limits, found.name,
                           number == attribution::other_client ? s.who.source.to_string() : std::string(), now);
  }
  for (std::size_t index = 0; index < s.by_class.size(); ++index) s.by_class[index] = &stats.commands.at(label_key(number, index));
}

void engine::state::bind_if_stale(session& s) {
  if (s.bound_generation != snapshot->generation) name_session(s, false);
}

}  // namespace tidegate::session
