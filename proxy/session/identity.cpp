// Who a session is: resolved at naming events, in force from the next command.
#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

namespace {

bool may_name(resp::special kind) noexcept {
  return kind == resp::special::auth || kind == resp::special::hello || kind == resp::special::client_setname ||
         kind == resp::special::client_setinfo || kind == resp::special::select;
}

}  // namespace

// Clients name themselves with their first words. Whose connection was opened is known behind these: counted at once,
// all of them would be those of `unnamed@…`.
void engine::state::settle_opened(session& s) {
  if (s.opened_counted) return;
  s.opened_counted = true;
  opts.registry->count_opened(s.client);
  stats.evidence.count_opened(s.connection_cell);
}

void engine::state::note_command(session& s, const resp::command_spec& spec) {
  s.share->by_class[static_cast<std::size_t>(spec.cls)]->add(1);
  if (!s.opened_counted && !may_name(spec.kind)) settle_opened(s);
}

void engine::state::name_session(session& s) {
  leave_line(s);  // a bucket of its old name may die with the old binding
  const attribution::resolved found = snapshot->ladder->resolve(s.who.in_full());
  const attribution::client_number number = opts.registry->acquire_client(found.name, false, now);
  if (s.named) opts.registry->release_client(s.client, now);
  s.client = number;
  s.named = true;
  s.last_series = nullptr;
  note_connected(s);
  s.captured = opts.capture != nullptr && config().capture && capture_client.matches(found.name);
  s.bound_generation = snapshot->generation;
  s.share = share_of(number, found.name, s.who.source);
  if (!snapshot->limits->empty()) snapshot->limits->bind(s.limits, s.share->rules, now);
}

// Of those who overflowed to `other` each address has its own.
std::shared_ptr<client_share> engine::state::share_of(attribution::client_number number, std::string_view name,
                                                      const attribution::address& source) {
  const bool overflowed = number == attribution::other_client;
  std::shared_ptr<client_share> share = overflowed ? nullptr : shares[number].lock();
  if (share && share->generation == snapshot->generation) return share;
  share = std::make_shared<client_share>();
  share->generation = snapshot->generation;
  share->rules = snapshot->limits->rules_of(name, overflowed ? source.to_string() : std::string(), now);
  for (std::size_t index = 0; index < share->by_class.size(); ++index)
    share->by_class[index] = &stats.commands.at(label_key(number, index));
  if (!overflowed) shares[number] = share;
  return share;
}

void engine::state::bind_if_stale(session& s) {
  if (s.bound_generation != snapshot->generation) name_session(s);
}

}  // namespace tidegate::session
