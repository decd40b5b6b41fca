"""The base of suites whose upstream fails on purpose, and the clients who must not notice."""

import itertools
import threading
import unittest

from harness.faulty_redis import faulty_redis
from harness.processes import certificates, tidegate
from harness.wire import wire

LOST = "ERR upstream connection lost; the command may have been applied"
UNAVAILABLE = "ERR upstream unavailable"


class witness:
    """Clients on lanes of their own, from before a fault until after it: whatever happens elsewhere, nothing happens here."""

    def __init__(self, proxy):
        self.wrong = []
        self.answered = 0
        self._ended = threading.Event()
        self._connection = wire(proxy)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            for number in itertools.count():
                if self._ended.is_set():
                    break
                marks = [b"witness-%d-%d" % (number, place) for place in range(20)]
                self._connection.send_raw(b"".join(wire.encode("ECHO", mark) for mark in marks))
                replies = [self._connection.read() for _ in marks]
                if replies != marks:
                    self.wrong.append((marks, replies))
                self.answered += len(marks)
        except (OSError, EOFError, AssertionError) as failure:
            self.wrong.append(repr(failure))
        self._connection.close()

    def end(self):
        self._ended.set()
        self._thread.join()


class faulty_case(unittest.TestCase):
    POOLING = "multiplex"
    TLS = False
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tls = None
        if cls.TLS:
            cls.tls = certificates()
            cls.addClassCleanup(cls.tls.remove)

    def start(self, decide=None, *, ready=True, more=None, **how):
        if self.tls:
            how.setdefault("tls", self.tls.server_context())
        self.upstream = faulty_redis(decide, **how)
        self.addCleanup(self.upstream.stop)
        url = self.upstream.url if not self.tls else f"rediss://127.0.0.1:{self.upstream.port}?ca={self.tls.ca}"
        settings = {"queue_timeout": "20s", "connect_timeout": "2s", **(more or {})}
        self.proxy = tidegate(url, pooling=self.POOLING, workers=1, ready=ready, more={"upstream": settings})
        self.addCleanup(self.proxy.stop)

    def beside(self):
        started = witness(self.proxy)
        self.addCleanup(started.end)
        return started

    def connect(self, database=None):
        connection = wire(self.proxy, timeout=60)
        self.addCleanup(connection.close)
        if database is not None:
            self.assertEqual(connection.call("SELECT", database), "OK")
        return connection

    def serves(self, what="a served command"):
        """A fresh client is served, as soon as the upstream is connected again."""
        self.assertEqual(self.connect().call("ECHO", what), what.encode())

    def nothing_was_sent_twice(self, name=b"ECHO"):
        sent = [arguments[1] for arguments in self.upstream.commands(name)]
        self.assertEqual(len(sent), len(set(sent)))
