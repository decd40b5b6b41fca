// What the machines ask of the world: the interface that proxy/net implements over sockets and tests over memory.
//
// Thread safety: called on the worker's own thread only, never concurrently; the shell does not call back into the
// engine from inside any of these. Cost: called a few times a turn, not a command.
#pragma once

#include <cstddef>
#include <string_view>

#include "proxy/session/stream.hpp"

namespace tidegate::session {

class upstream_connection;

enum class close_how : unsigned char {
  graceful,  // everything was flushed: close_notify, FIN, then what the peer still sends is read and thrown away for a
             // while
  reset,     // at once
};

class shell {
 public:
  virtual ~shell() = default;
  // Starts to connect (and to do TLS) to the upstream's present address. engine::connected() or engine::lost() follows
  // later.
  virtual void connect(upstream_connection& connection) = 0;
  // Sends from the front of `bytes`; returns how many were taken. 0 = the socket is full, engine::writable() follows.
  // -1 = the stream is dead: the engine closes it.
  [[nodiscard]] virtual std::ptrdiff_t send(stream& to, std::string_view bytes) = 0;
  // The stream wants to be read again.
  virtual void resume_reading(stream& from) = 0;
  // Ends the socket; the shell never names this stream to the engine again, and `io` is no longer valid.
  virtual void close(stream& which, close_how how) = 0;
};

}  // namespace tidegate::session
