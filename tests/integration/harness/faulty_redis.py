"""An upstream that fails on purpose: a small Redis whose answers stop, break off, repeat or turn into nonsense where a
test says so.

It answers what a proxy asks of its own (HELLO, INFO, ROLE …) and a few commands of clients honestly, notes every command
that it received, and asks `decide` how each answer is to leave. What is noted proves what was sent, and how often.
"""

import contextlib
import dataclasses
import socket
import ssl
import struct
import threading

INFO = ("# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1000000\r\nmaxmemory:0\r\n# Replication\r\nrole:master\r\n"
        "# Cluster\r\ncluster_enabled:0\r\n# Keyspace\r\n")


def bulk(text):
    data = text if isinstance(text, bytes) else str(text).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


@dataclasses.dataclass(frozen=True)
class manner:
    """How an answer leaves: `instead` of it other bytes, so many `times`, in pieces of `piece` bytes; after `cut` bytes of
    that the connection is done with as `then` says: "reset", "close" (a FIN, the rest is still read), "stall" (open and
    silent for good)."""

    cut: int | None = None
    then: str = "go on"
    instead: bytes | None = None
    piece: int | None = None
    times: int = 1


HONEST = manner()


class _gone(Exception):
    pass


class _connection:
    """One accepted connection, served by a thread of its own."""

    def __init__(self, server, accepted, number):
        self.server = server
        self.number = number
        self.name = ""
        self.database = 0
        self._socket = accepted
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = None
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._buffer = b""

    # --- bytes

    def _flush_tls(self, piece=None):
        data = self._out.read()
        for at in range(0, len(data), piece or max(1, len(data))):
            self._socket.sendall(data[at:at + (piece or len(data))])

    def _tls_call(self, call):
        while True:
            try:
                done = call()
                self._flush_tls(self.server.tls_piece)
                return done
            except ssl.SSLWantReadError:
                self._flush_tls(self.server.tls_piece)
                data = self._socket.recv(65536)
                if not data:
                    raise _gone from None
                self._into.write(data)
            except ssl.SSLError:
                self._flush_tls()
                raise

    def _start_tls(self):
        self._tls = self.server.tls.wrap_bio(self._into, self._out, server_side=True)
        self._tls_call(self._tls.do_handshake)

    def _receive(self):
        if self._tls is None:
            data = self._socket.recv(65536)
        else:
            try:
                data = self._tls_call(lambda: self._tls.read(65536))
            except ssl.SSLZeroReturnError:
                data = b""
        if not data:
            raise _gone
        self._buffer += data

    def _send(self, data):
        if not data:
            return
        if self._tls is None:
            self._socket.sendall(data)
        else:
            self._tls_call(lambda: self._tls.write(data))

    def _line(self):
        while b"\r\n" not in self._buffer:
            self._receive()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def _request(self):
        head = self._line()
        if not head.startswith(b"*"):
            return head.split()
        arguments = []
        for _ in range(int(head[1:])):
            size = int(self._line()[1:])
            while len(self._buffer) < size + 2:
                self._receive()
            arguments.append(self._buffer[:size])
            self._buffer = self._buffer[size + 2:]
        return arguments

    # --- ends

    def reset(self):
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def end(self):
        # Another thread's close() would leave the one that reads where it is.
        self._socket.shutdown(socket.SHUT_RDWR)

    def _finish(self, then):
        if then == "reset":
            self.reset()
        elif then == "close":
            # Read to the end: a socket closed with bytes unread says RST, not FIN.
            self._socket.shutdown(socket.SHUT_WR)
            while self._socket.recv(65536):
                pass
        elif then == "stall":
            self.server.released.wait()
        raise _gone

    def run(self):
        try:
            if self.server.refusing:
                return
            if self.server.silent:
                self.server.released.wait()
                return
            if self.server.tls:
                self._start_tls()
            while True:
                arguments = self._request()
                if arguments:
                    self._answer(arguments)
        except (OSError, _gone, ssl.SSLError, ValueError):
            pass
        finally:
            self._socket.close()
            self.server.forget(self)

    def _answer(self, arguments):
        reply = self.server.reply(self, arguments)
        how = self.server.note(self, arguments) or HONEST
        data = (reply if how.instead is None else how.instead) * how.times
        cut = data if how.cut is None else data[:how.cut]
        for at in range(0, len(cut), how.piece or max(1, len(cut))):
            self._send(cut[at:at + (how.piece or len(cut))])
        if how.then != "go on":
            self._finish(how.then)


class faulty_redis:
    """`decide(connection, arguments)` gives the manner of the answer to a client's command, or None for an honest one; it is
    not asked about the commands of the control connection unless `control_too`. `tls` is an ssl.SSLContext of a server;
    with `tls_piece` its records leave in pieces of so many bytes. While `silent`, what connects is accepted and hears
    nothing; while `refusing`, it is closed at once."""

    def __init__(self, decide=None, *, tls=None, tls_piece=None, host="127.0.0.1", port=0, control_too=False):
        self.decide = decide or (lambda connection, arguments: None)
        self.tls = tls
        self.tls_piece = tls_piece
        self.control_too = control_too
        self.silent = False
        self.refusing = False
        self.password = None
        self.released = threading.Event()
        self.values = {}
        self.received = []   # (connection number, name of the connection, arguments)
        self.accepted = 0
        self._lock = threading.Lock()
        self._open = set()
        self._listening = socket.create_server((host, port), backlog=512)
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                connection = _connection(self, accepted, self.accepted)
                self._open.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def forget(self, connection):
        with self._lock:
            self._open.discard(connection)

    def note(self, connection, arguments):
        with self._lock:
            self.received.append((connection.number, connection.name, arguments))
        if connection.name.endswith(":control") and not self.control_too:
            return None
        return self.decide(connection, arguments)

    def commands(self, name):
        """The arguments of each command of that name so far."""
        with self._lock:
            return [arguments for _, _, arguments in self.received if arguments[0].upper() == name]

    def end_all(self):
        """Ends every connection, whatever its thread waits for."""
        with self._lock:
            still = list(self._open)
        for connection in still:
            with contextlib.suppress(OSError):
                connection.end()

    def close(self):
        # shutdown() wakes the thread that accepts; close() alone would not.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.released.set()
        self._thread.join()
        self.end_all()

    stop = close

    # --- honest answers

    def reply(self, connection, arguments):
        name = arguments[0].upper()
        if self.password is not None and name not in (b"AUTH", b"HELLO") and not getattr(connection, "logged_in", False):
            return b"-NOAUTH Authentication required.\r\n"
        answer = getattr(self, "_" + name.decode("latin-1").lower(), None)
        return answer(connection, arguments) if answer else b"+OK\r\n"

    def _auth(self, connection, arguments):
        connection.logged_in = arguments[-1] == self.password
        return b"+OK\r\n" if connection.logged_in else b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"

    def _hello(self, connection, arguments):
        return b"%3\r\n" + bulk("server") + bulk("redis") + bulk("proto") + b":3\r\n" + bulk("id") + b":1\r\n"

    def _client(self, connection, arguments):
        if arguments[1].upper() == b"SETNAME":
            connection.name = arguments[2].decode()
        return b"+OK\r\n"

    def _select(self, connection, arguments):
        connection.database = int(arguments[1])
        return b"+OK\r\n"

    def _info(self, connection, arguments):
        return bulk(INFO)

    def _role(self, connection, arguments):
        return b"*3\r\n" + bulk("master") + b":0\r\n*0\r\n"

    def _command(self, connection, arguments):
        return b"*0\r\n"

    def _expire(self, connection, arguments):
        return b":0\r\n"

    def _ping(self, connection, arguments):
        return b"+PONG\r\n"

    def _echo(self, connection, arguments):
        return bulk(arguments[1])

    def _set(self, connection, arguments):
        with self._lock:
            self.values[connection.database, arguments[1]] = arguments[2]
        return b"+OK\r\n"

    def _get(self, connection, arguments):
        with self._lock:
            value = self.values.get((connection.database, arguments[1]))
        return b"$-1\r\n" if value is None else bulk(value)


def black_hole():
    """A listening socket whose queue is full: the system drops what would connect, as a dead host's network does. Returns
    (port, close)."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    address = listening.getsockname()
    filling = []
    for _ in range(8):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(address)
        filling.append(one)

    def close():
        for one in [*filling, listening]:
            one.close()

    return address[1], close
