// The shell's record of one socket: the descriptor, its TLS, the stream it serves and what it waits for.
//
// Thread safety: its worker's. Ownership: the worker's, which frees it when the turn in which it was closed is over:
// the engine may close any connection from inside a call that another one's bytes led to (Redis CVE-2026-81934 was such
// a list), and events of the turn may still name it. Borrows the stream until the engine or the peer ends it.
// Invariants: (1) `stream` is null in phase lingering and closed; (2) an upstream's `stream->io` is set in phase open
// only; (3) it is in `handshakes` or `lingering` (by_deadline) and in `paused` (by_pause) only in the phases that say
// so.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "attribution/identity.hpp"
#include "proxy/net/poller.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/session/engine.hpp"

namespace tidegate::net {

using address_list = std::vector<boost::asio::ip::tcp::endpoint>;

// Where a connection to the upstream may go.
struct destination {
  std::shared_ptr<const address_list> addresses;
  std::size_t next_address = 0;
  std::string why;  // the last failure
};

struct connection : watched {
  connection() : watched(kind::connection) {}

  enum class phase : std::uint8_t {
    connecting,   // upstream: TCP
    failed,       // upstream: could not even begin; the engine hears of it in the next turn
    handshaking,  // TLS
    open,         // the engine's
    lingering,    // client: everything was said; what it still sends is thrown away for a while
    closed,       // waits to be freed
  };
  using hook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  transport wire;
  session::stream* stream = nullptr;
  session::upstream_connection* upstream = nullptr;  // null = a client's, or no longer the engine's
  phase at = phase::connecting;

  bool client = false;
  bool touched = false;           // in the list of those to look at when the turn ends
  bool queued = false;            // in the list of those to go on with in the next turn, whatever epoll says
  bool leftover = false;          // bytes may wait inside OpenSSL, where epoll does not see them, or were left unread
  bool end_near = false;          // a FIN is behind what is to be read
  bool end_seen = false;          // FIN or close_notify was reported
  bool write_short = false;       // the engine waits for writable()
  bool write_wants_read = false;  // … for which TLS must read first
  bool read_wants_write = false;

  session::steady_ns deadline = session::never;  // of the handshake or the lingering
  std::size_t allowance = 0;  // bytes that may still be thrown away, or read though the stream is paused
  hook by_deadline, by_pause, in_all;

  attribution::address source;          // client
  std::unique_ptr<destination> target;  // upstream
};

template <connection::hook connection::* Hook>
using connection_list =
    boost::intrusive::list<connection, boost::intrusive::member_hook<connection, connection::hook, Hook>,
                           boost::intrusive::constant_time_size<false>>;

}  // namespace tidegate::net
