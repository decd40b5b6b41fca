// What the capture sees of a command: its arguments when it is sent, and later whether it was executed.
#include <algorithm>
#include <utility>

#include "proxy/session/engine_state.hpp"

namespace tidegate::session {

namespace {

bool named(const std::string& wanted, std::string_view name) noexcept {
  return wanted == name || wanted == name.substr(0, name.find('|'));
}

// As limits read it: `grow` is a class, `write` every write; else names of commands or of their families.
bool wanted(const config::capture& rules, const resp::command_spec& spec) noexcept {
  if (!spec.write) return false;
  if (rules.match_commands.empty()) return true;
  return std::any_of(rules.match_commands.begin(), rules.match_commands.end(), [&](const std::string& name) {
    std::string lower = name;
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower == to_string(spec.cls) || named(lower, spec.name);
  });
}

}  // namespace

void engine::state::use_capture_rules() {
  capture_commands.assign(snapshot->commands->size(), false);
  if (opts.capture == nullptr || !config().capture) return;
  const config::capture& rules = *config().capture;
  capture_client = attribution::glob(rules.match_client);
  capture_key = attribution::glob(rules.match_key);
  // The share of keys, so that of a key all writes are there or none.
  capture_below = rules.sample >= 1.0 ? UINT64_MAX : static_cast<std::uint64_t>(rules.sample * 18446744073709549568.0);
  for (std::size_t id = 0; id < capture_commands.size(); ++id) {
    capture_commands[id] = wanted(rules, snapshot->commands->by_id(static_cast<std::uint16_t>(id)));
  }
}

void engine::state::capture_sent(session& s, const resp::command_spec& spec, const resp::request& request,
                                 const policy::command& what, slot& out) {
  if (!s.captured || !capture_commands[spec.id]) return;
  const std::string_view key = what.keys.empty() ? std::string_view() : request[what.keys[0].index];
  if (!capture_key.matches(key)) return;
  if (capture_below != UINT64_MAX && attribution::distinct_keys::hash_key(key) > capture_below) return;
  if (spec.keys == resp::key_layout::migrate) {
    opts.capture->drop(capture_ring::secret);  // it may carry a password
    return;
  }
  if (s.streamed) {
    opts.capture->drop(capture_ring::too_large);  // its value is still to come
    return;
  }
  capture_command head;
  head.session = s.number;
  head.wall_ms = wall.count();
  head.client = s.client;
  head.pattern = what.pattern;
  head.db = s.tx && s.tx->open && s.tx->selected >= 0 ? static_cast<std::uint32_t>(s.tx->selected) : s.db;
  head.source = s.who.source.bytes;
  out.traits.capture = opts.capture->push_command(head, s.who.source.v6, spec.id, request);
}

void engine::state::capture_outcome(slot& item, bool executed) {
  if (item.traits.capture == 0) return;
  opts.capture->push(executed ? capture_message::what::executed : capture_message::what::forgotten,
                     std::exchange(item.traits.capture, 0));
}

// Queued commands that will not be executed: discarded, aborted, refused.
void engine::state::forget_queued(transaction& tx, std::uint32_t entries) {
  for (std::uint32_t index = 0; index < entries && index < tx.entries.size(); ++index) {
    capture_outcome(tx.entries[index].books, false);
  }
  tx.take(entries);
}

// What a DISCARD that nobody answers takes away: the newest.
void engine::state::forget_discarded(transaction& tx, std::uint32_t entries) {
  const std::size_t kept = tx.entries.size() - std::min<std::size_t>(entries, tx.entries.size());
  for (std::size_t index = kept; index < tx.entries.size(); ++index) capture_outcome(tx.entries[index].books, false);
  tx.keep(static_cast<std::uint32_t>(kept));
}

}  // namespace tidegate::session
