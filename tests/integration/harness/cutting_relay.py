"""A relay between a proxy and its server that cuts connections in the middle of a reply, as a network or a dying server
does: so many bytes of replies pass, the last of them never the last of a reply, then the end, by RST or by FIN.
"""

import random
import selectors
import socket
import struct
import threading

CHUNK = 1 << 18
PENDING_MAX = 1 << 20


class _side:
    """One of the two sockets of a connection, and what waits to be written to it."""

    def __init__(self, raw):
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = raw
        self.pending = bytearray()
        self.has_ended = False   # it will send no more
        self.other = None
        self.pair = None


class _pair:
    def __init__(self, client, server, left, by_reset):
        self.client, self.server = client, server
        self.left = left           # bytes of replies until the cut; None: never
        self.by_reset = by_reset
        client.other, server.other = server, client
        client.pair = server.pair = self
        self.is_closed = False


class cutting_relay:
    """Listens in front of `server` (host and port, which may be away for a while). Of the connections, `share` are cut,
    each after a number of bytes between 2 to the power of `powers`, evenly in the power; `seed` repeats the choices, though
    not who connects when. `cuts` counts what was done."""

    def __init__(self, server, *, seed=1, share=0.5, powers=(9, 22)):
        self.server = server
        self.host = "127.0.0.1"
        self.cuts = 0
        self._dice = random.Random(seed)
        self._share, self._powers = share, powers
        self._listening = socket.create_server((self.host, 0), backlog=512)
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        self._waker, self._woken = socket.socketpair()
        self._all = selectors.DefaultSelector()
        self._all.register(self._listening, selectors.EVENT_READ, None)
        self._all.register(self._woken, selectors.EVENT_READ, None)
        self._pairs = set()
        self._failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}"

    def stop(self):
        self._waker.send(b"x")
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self):
        try:
            while True:
                for key, events in self._all.select():
                    if key.fileobj is self._woken:
                        return
                    if key.data is None:
                        self._accept()
                    else:
                        self._serve(key.data, events)
        except BaseException as failure:
            self._failure = failure
            raise
        finally:
            for pair in list(self._pairs):
                self._close(pair)
            self._listening.close()
            self._all.close()
            self._waker.close()
            self._woken.close()

    def _accept(self):
        accepted, _ = self._listening.accept()
        try:
            # On loopback this is done or refused at once.
            onward = socket.create_connection((self.server.host, self.server.port), 1)
        except OSError:
            accepted.close()
            return
        left = round(2 ** self._dice.uniform(*self._powers)) if self._dice.random() < self._share else None
        pair = _pair(_side(accepted), _side(onward), left, self._dice.random() < 0.5)
        self._pairs.add(pair)
        for side in (pair.client, pair.server):
            self._all.register(side.raw, selectors.EVENT_READ, side)

    def _serve(self, side, events):
        if side.pair.is_closed:
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._write(side)
            if events & selectors.EVENT_READ and not side.pair.is_closed:
                self._read(side)
        except BlockingIOError:
            pass
        except OSError:
            self._close(side.pair, by_reset=True)

    def _read(self, side):
        data = side.raw.recv(CHUNK)
        pair = side.pair
        if not data:
            side.has_ended = True
        elif side is pair.server and pair.left is not None:
            # What does not end as replies do is surely not the end of one.
            if len(data) >= pair.left and not data[:pair.left].endswith(b"\r\n"):
                return self._cut(pair, data[:pair.left])
            pair.left = max(1, pair.left - len(data))
        side.other.pending += data
        self._write(side.other)

    def _write(self, side):
        if side.pending:
            try:
                sent = side.raw.send(side.pending)
                del side.pending[:sent]
            except BlockingIOError:
                pass
        if not side.pending and side.other.has_ended:
            # All that came from the other side has been passed on, and there is no more.
            if side.has_ended:
                return self._close(side.pair)
            side.raw.shutdown(socket.SHUT_WR)
        self._watch(side)
        self._watch(side.other)

    def _watch(self, side):
        events = 0
        if not side.has_ended and len(side.other.pending) < PENDING_MAX:
            events |= selectors.EVENT_READ
        if side.pending:
            events |= selectors.EVENT_WRITE
        registered = side.raw in self._all.get_map()
        if not events:
            if registered:
                self._all.unregister(side.raw)
        elif not registered:
            self._all.register(side.raw, events, side)
        elif self._all.get_key(side.raw).events != events:
            self._all.modify(side.raw, events, side)

    def _cut(self, pair, last):
        self.cuts += 1
        # What was read before must arrive as well; a peer that takes nothing any more is cut off all the same.
        client = pair.client
        client.raw.settimeout(5)
        try:
            client.raw.sendall(bytes(client.pending) + last)
        except OSError:
            pass
        client.raw.settimeout(0)
        self._close(pair, by_reset=pair.by_reset)

    def _close(self, pair, by_reset=False):
        pair.is_closed = True
        self._pairs.discard(pair)
        for side in (pair.client, pair.server):
            if side.raw in self._all.get_map():
                self._all.unregister(side.raw)
            if by_reset:
                side.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.raw.close()
