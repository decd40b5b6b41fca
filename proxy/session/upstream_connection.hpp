// A connection to the upstream: a lane that many sessions share, or a dedicated one that serves one session.
//
// Thread safety: its worker's. Ownership: the engine's; the slots in `line` point to sessions.
// Invariants: `user`, `db`, `protocol` and `name` are what the upstream believes of this connection; a connection
// serves clients only in phase `ready`, when everything the proxy had to say on it was answered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/session/slot.hpp"
#include "proxy/session/stream.hpp"
#include "resp/reply_framer.hpp"

namespace tidegate::session {

class session;
struct lane_group;

class upstream_connection : public stream {
 public:
  enum class phase : std::uint8_t { closed, connecting, prelude, ready };

  explicit upstream_connection(buffer_pool& pool) noexcept : stream(side::upstream, pool) {}

  phase at = phase::closed;
  lane_group* group = nullptr;  // a lane's; null = dedicated
  session* owner = nullptr;     // whom a dedicated one serves; null = idle or drained for nobody
  slot_ring line;
  resp::reply_framer framer;

  std::string user;  // "" = nobody authenticated
  std::string name;
  std::uint32_t db = 0;
  std::uint8_t protocol = 2;

  // What the prelude shall make of it before it serves; `want_name` empty = as it is.
  std::string want_user, want_name;
  std::uint32_t want_db = 0;
  std::uint8_t want_protocol = 2;

  bool warming = false;          // opens for nobody yet, to stand ready
  bool retiring = false;         // takes no new commands; closed when its line is empty
  bool unframed = false;         // replies can no longer be told apart: bytes pass as they come
  bool selecting_first = false;  // SELECT went before AUTH: the user may lack the right to it
  bool selected_first = false;
  bool prelude_failed = false;
  bool login_refused = false;   // the prelude's AUTH was refused
  bool login_required = false;  // an anonymous prelude met NOAUTH
  bool spoiled = false;         // its state is in doubt: never pooled
  bool db_in_doubt = false;     // a SELECT that nobody answered: there may be no way back to `db`
  std::size_t list_index = 0;   // in the engine's list that owns it
  std::uint64_t address_generation = 0;
  steady_ns retry_at = 0;  // a closed lane: not before
  steady_ns heard_at = 0;  // last byte from the upstream
  steady_ns probe_at = 0;  // when the silence hint was raised; 0 = none
  std::uint64_t probe_mark = 0;
  steady_ns rtt_sent_at = 0;       // of one command under way, for the histogram
  std::size_t rtt_slots_left = 0;  // replies until that one's
  std::uint32_t failures = 0;      // connects that failed in a row
  std::vector<session*> waiting;   // sessions that hold until it is ready or has room

  // What the proxy answers itself stands in front only until the message that has begun before it is complete.
  [[nodiscard]] bool nothing_is_due() noexcept { return line.empty() || line.front().kind == slot_kind::local; }
};

}  // namespace tidegate::session
