// The life of one connection: connect, handshake, read, write, linger, close.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "proxy/net/worker.hpp"
#include "proxy/session/upstream_connection.hpp"

namespace tidegate::net {

connection& worker::make_connection(bool client) {
  auto* c = new connection;
  c->client = client;
  all_.push_back(*c);
  touch(*c);
  return *c;
}

void worker::touch(connection& c) {
  if (c.touched) return;
  c.touched = true;
  touched_.push_back(&c);
}

void worker::queue(connection& c) {
  if (c.queued) return;
  c.queued = true;
  queued_.push_back(&c);
}

connection* worker::find(const session::stream& which) noexcept {
  if (which.io != nullptr) return static_cast<connection*>(which.io);
  for (connection& c : opening_) {
    if (c.stream == &which) return &c;
  }
  return nullptr;
}

// --- what the engine asks

void worker::connect(session::upstream_connection& connection) {
  net::connection& c = make_connection(false);
  c.upstream = &connection;
  c.stream = &connection;
  c.target = std::make_unique<destination>();
  c.target->addresses = addresses_;
  opening_.push_back(c);
  try_addresses(c);
}

std::ptrdiff_t worker::send(session::stream& to, std::string_view bytes) {
  auto* c = static_cast<connection*>(to.io);
  if (c == nullptr || c->at != connection::phase::open) return -1;
  if (bytes.empty()) return 0;
  const io_result result = c->wire.write(bytes);
  switch (result.status) {
    case io_status::ok:
      return static_cast<std::ptrdiff_t>(result.bytes);
    case io_status::want_read:
      c->write_wants_read = true;
      [[fallthrough]];
    case io_status::want_write:
      c->write_short = true;
      touch(*c);
      return static_cast<std::ptrdiff_t>(result.bytes);
    case io_status::end:
    case io_status::failed:
      break;
  }
  return -1;
}

void worker::resume_reading(session::stream& from) {
  if (from.io != nullptr) touch(*static_cast<connection*>(from.io));
}

void worker::close(session::stream& which, session::close_how how) {
  connection* c = find(which);
  which.io = nullptr;
  if (c == nullptr) return;
  const bool open = c->at == connection::phase::open;
  c->stream = nullptr;
  c->upstream = nullptr;
  // Who sent FIN first and was served can be left at once: nothing unread remains that would turn the close into a
  // reset.
  if (how == session::close_how::graceful && open && c->client && !c->end_seen) return linger(*c);
  if (how == session::close_how::graceful && open) c->wire.end_writing();
  dispose(*c, how == session::close_how::reset && c->client);
}

// --- what the world says

void worker::on_readable(connection& c) {
  touch(c);
  if (c.at == connection::phase::closed) return;
  if (c.at == connection::phase::open && c.write_wants_read) {
    c.write_wants_read = false;
    c.write_short = false;
    engine_.writable(*c.stream);
    if (c.at == connection::phase::open && c.wire.is_tls()) c.leftover = true;
    return;
  }
  step(c);
}

void worker::on_writable(connection& c) {
  touch(c);
  if (c.at == connection::phase::closed) return;
  if (c.at != connection::phase::open) return step(c);
  if (c.read_wants_write) {
    c.read_wants_write = false;
    step(c);
    if (c.at != connection::phase::open) return;
  }
  if (!c.write_short) return;
  c.write_short = false;
  engine_.writable(*c.stream);
}

void worker::step(connection& c) {
  switch (c.at) {
    case connection::phase::connecting:
      return finish_connect(c);
    case connection::phase::failed:
      return fail(c, std::string(c.target->why));
    case connection::phase::handshaking:
      return continue_handshake(c);
    case connection::phase::open:
      if (c.stream->wants_read() && !c.end_seen) return read_from(c);
      c.leftover = true;  // it is not reported again
      return;
    case connection::phase::lingering:
      return discard(c);
    case connection::phase::closed:
      return;
  }
}

void worker::read_from(connection& c) {
  for (unsigned i = 0; i < bounds::reads_per_turn; ++i) {
    const io_result result = c.wire.read(scratch_.get(), bounds::scratch_bytes);
    // A plain socket reports what it has once: where reading stops before its end, it has to be gone on with.
    c.leftover = result.status == io_status::ok || (c.end_near && result.bytes != 0);
    if (result.bytes != 0) {
      engine_.received(*c.stream, {scratch_.get(), result.bytes});
      if (c.at != connection::phase::open) return;
    }
    switch (result.status) {
      case io_status::want_read:
        if (c.leftover && c.stream->wants_read()) continue;  // only the FIN is left
        return;
      case io_status::want_write:
        c.read_wants_write = true;
        return;
      case io_status::end:
        c.end_seen = true;
        engine_.end_of_stream(*c.stream);
        return;
      case io_status::failed:
        return fail(c, c.wire.describe_failure());
      case io_status::ok:
        break;
    }
    if (!c.stream->wants_read()) return;
  }
}

void worker::fail(connection& c, std::string_view why) {
  session::stream& stream = *c.stream;
  c.stream = nullptr;
  c.upstream = nullptr;
  stream.io = nullptr;
  dispose(c, false);
  engine_.lost(stream, why);
}

// --- the upstream

void worker::try_addresses(connection& c) {
  c.at = connection::phase::connecting;
  c.end_near = false;
  if (!c.target->addresses || c.target->addresses->empty()) c.target->why = "the upstream's name is not resolved";
  while (c.target->addresses && c.target->next_address < c.target->addresses->size()) {
    const auto& endpoint = (*c.target->addresses)[c.target->next_address++];
    const auto refuse = [&](int error) {
      c.target->why = "connect to " + endpoint.address().to_string() + ": " + std::generic_category().message(error);
    };
    const int fd = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      refuse(errno);
      continue;
    }
    tune_socket(fd);
    c.wire.attach(fd);
    if (::connect(fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 && errno != EINPROGRESS) {
      refuse(errno);
      ::close(fd);
      continue;
    }
    if (c.open(poller_, fd, false, true)) return;
    refuse(ENOSPC);  // epoll_ctl(2): the limit of watches
  }
  c.at = connection::phase::failed;
}

void worker::finish_connect(connection& c) {
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(c.wire.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    c.target->why = "connect to " + (*c.target->addresses)[c.target->next_address - 1].address().to_string() + ": " +
                    std::generic_category().message(error);
    c.close_fd();
    return try_addresses(c);
  }
  if (!contexts_.upstream_tls) return open_upstream(c);
  if (!contexts_.upstream) return fail(c, "TLS to the upstream is not set up: see the last reload's error");
  ssl_pointer ssl = contexts_.upstream->new_session();
  if (!ssl || !c.wire.start_tls(std::move(ssl))) return fail(c, "TLS: out of memory");
  c.at = connection::phase::handshaking;
  continue_handshake(c);
}

void worker::open_upstream(connection& c) {
  c.at = connection::phase::open;
  c.by_deadline.unlink();
  c.stream->io = &c;
  c.leftover = c.wire.is_tls();
  c.target->addresses.reset();
  engine_.connected(*c.upstream);
}

// --- TLS

void worker::continue_handshake(connection& c) {
  if (handshakes_ran_ >= bounds::handshakes_per_turn) return queue(c);
  ++handshakes_ran_;
  const io_result result = c.wire.handshake();
  switch (result.status) {
    case io_status::want_read:
      c.read_wants_write = false;
      return;
    case io_status::want_write:
      c.read_wants_write = true;
      return;
    case io_status::end:
    case io_status::failed:
      return refuse_handshake(c, result.status == io_status::end);
    case io_status::ok:
      break;
  }
  c.read_wants_write = false;
  c.leftover = true;  // what came with the last handshake message is in OpenSSL's buffer already
  if (c.client) {
    tls_.client_handshakes.add(1);
    open_client(c);
  } else {
    tls_.upstream_handshakes.add(1);
    open_upstream(c);
  }
}

void worker::refuse_handshake(connection& c, bool ended) {
  if (!c.client) {
    tls_.upstream_refused_for(c.wire.why_handshake_failed());
    return fail(c, c.wire.describe_failure());
  }
  tls_.client_refused_for(c.wire.why_handshake_failed());
  // The alert that says why is lost if unread bytes turn the close into a reset.
  if (ended) return dispose(c, false);
  linger(c);
}

// --- clients

void worker::open_client(connection& c) {
  session::peer who;
  who.source = c.source;
  who.tls = c.wire.is_tls();
  if (who.tls) who.tls_subject = subject_of_peer(c.wire.ssl());
  c.by_deadline.unlink();
  c.deadline = session::never;
  c.at = connection::phase::open;
  touch(c);
  session::stream& stream = engine_.accepted(&c, who);
  // The engine may have refused it within: then the stream is not ours to look at.
  if (c.at == connection::phase::open) c.stream = &stream;
}

void worker::linger(connection& c) {
  c.wire.end_writing();
  c.at = connection::phase::lingering;
  c.by_deadline.unlink();
  c.by_pause.unlink();
  c.deadline = now_ + bounds::lingering_deadline;
  c.allowance = bounds::lingering_bytes;
  lingering_.push_back(c);
  touch(c);
}

void worker::discard(connection& c) {
  for (unsigned i = 0; i < bounds::reads_per_turn; ++i) {
    // Past TLS: nobody wants to know what it says.
    const ssize_t got = ::recv(c.wire.fd(), scratch_.get(), bounds::scratch_bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || static_cast<std::size_t>(got) >= c.allowance) return dispose(c, false);
    c.allowance -= static_cast<std::size_t>(got);
  }
}

// A paused stream is not read, so a FIN would not be seen: TCP's own state tells. What lies unread before a FIN is
// handed over, up to a bound, though the engine did not ask: it must know that the client has finished sending. A FIN
// behind more than the receive window holds has not arrived; nobody can see it before the engine reads on.
void worker::look_at_paused() {
  paused_look_at_ = now_ + bounds::paused_interval;
  connection_list<&connection::by_pause> round;
  round.swap(paused_);
  for (unsigned i = 0; i < bounds::paused_looks && !round.empty(); ++i) {
    connection& c = round.front();
    round.pop_front();
    paused_.push_back(c);
    look_at(c);
  }
  paused_.splice(paused_.begin(), round);
}

void worker::look_at(connection& c) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(c.wire.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  if (info.tcpi_state == TCP_CLOSE) return fail(c, "client gone");
  if (info.tcpi_state != TCP_CLOSE_WAIT || c.end_seen) return;
  while (c.allowance != 0) {
    const std::size_t room = std::min(bounds::scratch_bytes, c.allowance);
    const io_result result = c.wire.read(scratch_.get(), room);
    c.allowance -= result.bytes;
    c.leftover = result.status == io_status::ok && c.wire.is_tls();
    touch(c);
    if (result.bytes != 0) {
      engine_.received(*c.stream, {scratch_.get(), result.bytes});
      if (c.at != connection::phase::open) return;
    }
    if (result.status == io_status::end) {
      c.end_seen = true;
      engine_.end_of_stream(*c.stream);
      return;
    }
    if (result.status == io_status::failed) return fail(c, c.wire.describe_failure());
    if (result.status != io_status::ok && result.bytes == 0) return;
  }
}

void worker::dispose(connection& c, bool abruptly) {
  if (c.at == connection::phase::closed) return;
  if (abruptly && c.wire.fd() >= 0) {
    const ::linger at_once{1, 0};  // what the peer did not take is dropped with the socket
    ::setsockopt(c.wire.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  c.wire.reset();
  c.close_fd();
  c.at = connection::phase::closed;
  c.by_deadline.unlink();
  c.by_pause.unlink();
  if (c.client) shared_.clients.fetch_sub(1, std::memory_order_relaxed);
  touch(c);
}

}  // namespace tidegate::net
