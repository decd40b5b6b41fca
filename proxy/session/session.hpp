// One client connection: what it asked, who it is, what it is waiting for.
//
// Thread safety: its worker's. Ownership: the engine's; lives until its last slot in any line was answered.
// Invariants: (1) commands in flight are all on `current`; (2) while `hold` is not none no command is taken from
// `held`; (3) a session with nothing pending owns no buffer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "attribution/counters.hpp"
#include "attribution/identity.hpp"
#include "limiter/rule_set.hpp"
#include "proxy/session/compact_text.hpp"
#include "proxy/session/engine.hpp"
#include "proxy/session/slot.hpp"
#include "proxy/session/stream.hpp"
#include "proxy/session/transaction.hpp"
#include "resp/request_parser.hpp"

namespace tidegate::session {

class upstream_connection;
struct lane_group;

// Why a session takes no further command for now.
enum class hold_reason : std::uint8_t {
  none,
  drain,       // replies in flight must arrive before it changes connection
  barrier,     // the reply to an exchange (AUTH, SELECT …) decides how to go on
  connection,  // its lane or dedicated connection is not ready
  exchange,    // too many exchanges are under way
  room,        // the connection's output is full
  depth,       // too many commands in flight
  limit,       // a limit rule delays it
};

enum class reply_mode : std::uint8_t { on, off, skip_next };

class session;

// A session's place in a bucket's line, from which the session is found again.
struct limit_place : limiter::waiter {
  session* whose = nullptr;
};

// What a session is known by; attribution::claims in a fraction of its room.
struct known_claims {
  attribution::address source;
  compact_text client_name, username, tls_subject, library;
  [[nodiscard]] attribution::claims in_full() const {
    return {source, client_name.str(), username.str(), tls_subject.str(), library.str()};
  }
};

// What all sessions of one client have in common, on one worker.
struct client_share {
  std::array<attribution::single_writer_counter*, 6> by_class{};
  std::shared_ptr<const limiter::client_rules> rules;
  std::uint64_t generation = 0;  // of the snapshot that `rules` belong to
};

class session : public stream {
 public:
  explicit session(buffer_pool& pool) noexcept : stream(side::client, pool), held(pool), local(pool) {}

  // --- who
  known_claims who;
  attribution::client_number client = attribution::other_client;
  bool named = false;           // `client` counts in the registry
  bool opened_counted = false;  // … and so does that it opened this connection
  steady_ns opened_at = 0;
  std::uint64_t bound_generation = 0;  // of the snapshot its binding belongs to
  limiter::binding limits;
  std::shared_ptr<client_share> share;
  // The last series used: most sessions write one pattern with one command many times.
  attribution::series* last_series = nullptr;
  attribution::pattern_number last_pattern = 0;
  std::uint16_t last_command = 0;
  std::uint64_t number = 0;           // for the capture, which keeps the order within a session
  bool captured = false;              // its name matches the capture's rule
  std::uint32_t connection_cell = 0;  // where the evidence counts that it is connected

  // --- as Redis would know it
  compact_text user;  // "" = not authenticated
  compact_text name;  // CLIENT SETNAME
  std::uint32_t db = 0;
  std::uint8_t protocol = 2;
  reply_mode replies = reply_mode::on;
  bool watching = false;
  bool subscribed_ever = false;
  bool multi_failed = false;                     // MULTI itself was refused: what follows runs by itself
  std::array<std::uint32_t, 3> subscriptions{};  // channels, patterns, shard channels
  std::unique_ptr<transaction> tx;
  [[nodiscard]] std::uint32_t subscribed() const noexcept {
    return subscriptions[0] + subscriptions[1] + subscriptions[2];
  }
  // It may say nothing but what has to do with subscriptions, PING, QUIT and RESET (processCommand() in server.c).
  [[nodiscard]] bool is_resp2_subscriber() const noexcept { return protocol == 2 && subscribed() > 0; }

  // --- where its commands go
  lane_group* group = nullptr;
  std::uint32_t lane_index = 0;
  upstream_connection* current = nullptr;  // where commands are in flight
  upstream_connection* own = nullptr;      // dedicated
  std::uint64_t own_reason = 0;            // … and why: a label of worker_stats::dedicated
  std::uint32_t in_flight = 0;
  std::uint32_t blocking_in_flight = 0;
  std::uint64_t reply_bytes = 0;  // of the reply that is arriving
  std::uint64_t reply_size = 0;   // what its replies were lately: the largest, fading; 0 = none yet
  bool sticky = false;            // keeps its dedicated connection until RESET or close
  bool sticky_for_good = false;   // … and over RESET (session pooling, WAIT)
  bool exchanging = false;        // its dedicated connection is for one exchange only
  bool exchanged = false;         // … which was sent
  bool unframed = false;

  // --- what it waits for
  hold_reason hold = hold_reason::none;
  upstream_connection* waiting_on = nullptr;  // in whose `waiting` list it stands
  std::size_t waiting_index = 0;
  bool in_exchange_line = false;
  bool runnable = false;               // in the engine's list of sessions to go on with
  bool release_due = false;            // in the engine's list of sessions whose connection may be free
  std::unique_ptr<limit_place> place;  // in a bucket's line; made when a limit first delays it
  steady_ns delayed_at = 0;            // when the command now delayed first asked
  steady_ns delay_until = 0;           // … and when its delay becomes a reject
  steady_ns look_again_at = 0;
  steady_ns connection_until = 0;       // when waiting for a connection becomes an error
  compact_text refusal;                 // an upstream's own error for the command that waits for a connection
  std::uint64_t unavailable_bytes = 0;  // of `held`: commands that have waited long enough for a connection

  // --- bytes
  buffer held;                                   // received, not yet taken
  buffer local;                                  // local replies that wait for their turn
  std::unique_ptr<resp::request_parser> parser;  // of a request that is split over reads
  steady_ns begun_at = 0;                        // when that request's first byte came; 0 = none
  steady_ns progress_at = 0;
  std::uint64_t progress_bytes = 0;
  std::uint64_t accounted = 0;  // bytes last added to the total

  std::size_t forwarded_early = 0;  // of the request that is split: bytes already on their way
  std::unique_ptr<streamed_request> streamed;

  // --- its end
  bool finished_sending = false;    // FIN
  steady_ns closing_until = never;  // when it is closed though its peer has not taken everything
  bool unheard = false;             // said what is no protocol where Redis answers that: nothing behind it is read
  bool closing = false;             // takes no more commands; closes when everything went out
  bool gone = false;                // its socket is closed; waits for its last slot
  bool dead = false;                // in the graveyard
  bool overflowed = false;          // the rest of its replies is discarded

  session* previous = nullptr;  // of the engine's list
  session* next = nullptr;
};

}  // namespace tidegate::session
