"""TLS as it comes over the wire: every way to end, broken and tiny records, handshakes that never end and many that do,
certificates exchanged and connections closed under load."""

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from harness.certificate_kinds import certificate_kinds
from harness.exposition import metrics
from harness.processes import redis_server, tidegate, wait_until
from harness.wire import wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
REFUSED = (ssl.SSLError, ConnectionError, EOFError)
HANDSHAKE_SECONDS = 5  # worker.hpp: handshake_deadline


class raw_tls:
    """A client whose records and alerts are in the test's hand: OpenSSL over buffers, the socket apart."""

    def __init__(self, proxy, context):
        self.socket = socket.create_connection((proxy.tls_host, proxy.tls_port), 30)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=proxy.tls_host)

    def first_flight(self):
        """The ClientHello, not sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    def handshake(self):
        while True:
            try:
                self._tls.do_handshake()
                self.socket.sendall(self._out.read())
                return self
            except ssl.SSLWantReadError:
                self.socket.sendall(self._out.read())
                self._take()

    def _take(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._in.write(data)

    def records(self, data, size):
        """Those bytes as records of that size, not sent."""
        for at in range(0, len(data), size):
            self._tls.write(data[at:at + size])
        return self._out.read()

    def close_notify(self):
        """The alert, not sent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        return self._out.read()

    def read_to_end(self):
        """Everything that was said, and whether the end was said too."""
        pieces = []
        while True:
            try:
                data = self._tls.read(65536)
                if not data:
                    return b"".join(pieces), True
                pieces.append(data)
            except ssl.SSLWantReadError:
                try:
                    self._take()
                except (EOFError, ConnectionError):
                    return b"".join(pieces), False
            except ssl.SSLZeroReturnError:
                return b"".join(pieces), True

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def is_closed_by_the_peer(connection):
    """Reads until the end, whichever way it comes."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    connection.close()
    return True


class tls_case(unittest.TestCase):
    WORKERS = 1
    POLICY = {}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.kinds = certificate_kinds()
        cls.addClassCleanup(cls.kinds.remove)

    def setUp(self):
        self.server = redis_server()
        self.addCleanup(self.server.stop)
        self.certificate, self.key = (self.kinds.folder / f"shown.{end}" for end in ("crt", "key"))
        self.show("right")
        self.proxy = tidegate(self.server, workers=self.WORKERS, more={**self.POLICY, "listen": [
            {"address": "127.0.0.1:0"},
            {"address": "127.0.0.2:0", "tls": {"certificate": str(self.certificate), "key": str(self.key)}}]})
        self.proxy.tls = self.kinds
        self.addCleanup(self.proxy.stop)
        self.context = self.kinds.client_context()
        self.opened = []
        self.addCleanup(self.close_opened)

    def show(self, kind, anew=False):
        """Puts another certificate where the proxy looks for it, each file in one step."""
        pair = self.kinds.again(kind) if anew else self.kinds.pair(kind)
        for source, target in zip(pair, (self.certificate, self.key)):
            self.put(target, source.read_text())

    @staticmethod
    def put(target, text):
        fresh = target.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.rename(target)

    def raw(self):
        client = raw_tls(self.proxy, self.context)
        self.opened.append(client.socket)
        return client

    def close_opened(self):
        for one in self.opened:
            one.close()
        self.opened.clear()

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.proxy.pid}/fd").iterdir()))

    def nothing_is_left(self, before):
        self.close_opened()
        wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="0 client connections")
        wait_until(lambda: self.descriptors() <= before, what=f"{before} descriptors")

    def serves(self):
        with wire(self.proxy, tls=True) as connection:
            self.assertEqual(connection.call("PING"), "PONG")


class an_end(tls_case):
    """Each way for a TLS connection to end, with commands before it whose replies are known."""

    COMMANDS = b"".join(wire.encode("ECHO", f"value-{number}") for number in range(50))
    REPLIES = b"".join(b"$%d\r\n%s\r\n" % (len(b"value-%d" % number), b"value-%d" % number) for number in range(50))

    def setUp(self):
        super().setUp()
        self.serves()
        wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="0 client connections")
        self.before = self.descriptors()
        self.addCleanup(self.nothing_is_left, self.before)

    def test_by_close_notify_or_by_a_bare_fin_loses_no_reply(self):
        for version, alert in itertools.product((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), (True, False)):
            with self.subTest(version=version, close_notify=alert):
                self.context = self.kinds.client_context()
                self.context.minimum_version = self.context.maximum_version = version
                client = self.raw().handshake()
                client.socket.sendall(client.records(self.COMMANDS, 100) + (client.close_notify() if alert else b""))
                client.socket.shutdown(socket.SHUT_WR)
                if not alert:
                    self.assertEqual(client.read_to_end(), (self.REPLIES, True))
                    continue
                # OpenSSL reads no more behind its own close_notify, so the encrypted bytes are counted.
                received = b""
                while data := client.socket.recv(65536):
                    received += data
                self.assertGreater(len(received), len(self.REPLIES))

    def test_by_a_reset_or_in_the_middle_of_a_record_runs_no_half_command(self):
        with wire(self.server) as bare:
            for cut in (1, 4, 5, 20, 60, -17, -1):
                with self.subTest(cut=cut):
                    for how in ("reset", "fin"):
                        client = self.raw().handshake()
                        whole = client.records(wire.encode("SET", "whole", "x" * 40), 1 << 14)
                        half = client.records(wire.encode("SET", "half", "x" * 40), 1 << 14)
                        client.socket.sendall(whole + half[:cut])
                        if how == "reset":
                            client.reset()
                        else:
                            client.socket.shutdown(socket.SHUT_WR)
                            is_closed_by_the_peer(client.socket)
            wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="0 client connections")
            self.assertIsNone(bare.call("GET", "half"))

    def test_within_a_handshake_harms_nobody(self):
        hello = self.raw().first_flight()
        step = 1 if LONG else 37
        for cut in [*range(0, len(hello), step), len(hello)]:
            for how in ("fin", "reset"):
                with socket.create_connection((self.proxy.tls_host, self.proxy.tls_port), 30) as stray:
                    stray.sendall(hello[:cut])
                    if how == "fin":
                        stray.shutdown(socket.SHUT_WR)
                        is_closed_by_the_peer(stray)
                    else:
                        stray.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.serves()
        print(f"{type(self).__name__}: {2 * len(range(0, len(hello), step)) + 2} ends within a ClientHello of {len(hello)} bytes")

    def test_follows_a_flood_of_alerts(self):
        warning = b"\x15\x03\x03\x00\x02\x01\x5a"  # user_canceled, which says nothing
        for first in (b"", self.raw().first_flight()[:100]):
            with self.subTest(first=len(first)):
                stray = socket.create_connection((self.proxy.tls_host, self.proxy.tls_port), 30)
                with contextlib.suppress(ConnectionError):
                    stray.sendall(first + warning * 10_000)
                self.assertTrue(is_closed_by_the_peer(stray))
        # Once keys are agreed on, an alert in plain is a forgery.
        client = self.raw().handshake()
        with contextlib.suppress(ConnectionError):
            client.socket.sendall(warning * 10_000)
        self.assertTrue(is_closed_by_the_peer(client.socket))
        self.serves()

    def test_follows_what_is_no_tls(self):
        for kind, garbage in {"plain commands": wire.encode("SET", "plain", "x") * 100, "an inline command": b"PING\r\n",
                              "zeros": b"\0" * 4096, "HTTP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                              "a record of an impossible length": b"\x16\x03\x01\xff\xff" + b"x" * 1000,
                              "application data first": b"\x17\x03\x03\x00\x20" + b"x" * 32,
                              "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"x" * 40}.items():
            with self.subTest(kind):
                stray = socket.create_connection((self.proxy.tls_host, self.proxy.tls_port), 30)
                stray.sendall(garbage)
                self.assertTrue(is_closed_by_the_peer(stray))
        with wire(self.server) as bare:
            self.assertIsNone(bare.call("GET", "plain"))
        self.serves()

    def test_of_tls_on_the_plain_port_is_told_apart_by_the_client(self):
        hello = self.raw().first_flight()
        with wire(self.proxy) as neighbour:
            with wire(self.proxy) as stray:
                stray.send_raw(hello)
                stray.finish_sending()
                said = stray.read_to_end()
            with wire(self.server) as bare:
                bare.send_raw(hello)
                bare.finish_sending()
                self.assertEqual(said, bare.read_to_end())  # what a bare server makes of it
            self.assertEqual(neighbour.call("PING"), "PONG")


class records(tls_case):
    def test_of_every_size_carry_the_same(self):
        commands = an_end.COMMANDS + wire.encode("ECHO", "x" * 100_000)
        replies = an_end.REPLIES + b"$100000\r\n" + b"x" * 100_000 + b"\r\n"
        for size in (1, 2, 17, 1000, 1 << 14):
            with self.subTest(size):
                client = self.raw().handshake()
                sent = client.records(commands if size > 2 else an_end.COMMANDS, size)
                threading.Thread(target=client.socket.sendall, args=(sent,), daemon=True).start()
                expected = replies if size > 2 else an_end.REPLIES
                got = b""
                while len(got) < len(expected):
                    try:
                        got += client._tls.read(65536)
                    except ssl.SSLWantReadError:
                        client._take()
                self.assertEqual(got, expected)
                client.socket.close()

    def test_before_the_handshake_is_over_are_never_taken_as_commands(self):
        # No early data is offered: a ticket says how much of it the server would take.
        done = subprocess.run(["openssl", "s_client", "-connect", f"{self.proxy.tls_host}:{self.proxy.tls_port}", "-tls1_3",
                               "-CAfile", str(self.kinds.ca), "-ign_eof"], input=b"PING\r\nQUIT\r\n", capture_output=True,
                              timeout=60, check=False)
        self.assertIn(b"+PONG", done.stdout)
        self.assertIn(b"Max Early Data: 0", done.stdout)


class verified_client(threading.Thread):
    """Writes and reads back values of its own over TLS, on one connection for as long as it lives."""

    def __init__(self, proxy, name):
        super().__init__(daemon=True)
        self.own_name = name
        self.connection = wire(proxy, timeout=60, tls=True)
        self.wrong, self.answered = [], 0
        self.ended = threading.Event()

    def run(self):
        try:
            for number in itertools.count():
                if self.ended.is_set():
                    break
                marks = [f"{self.own_name}-{number}-{place}" for place in range(16)]
                self.connection.send_raw(b"".join(wire.encode("SET", f"{self.own_name}:{place}", mark) +
                                                  wire.encode("GET", f"{self.own_name}:{place}")
                                                  for place, mark in enumerate(marks)))
                for mark in marks:
                    replies = [self.connection.read(), self.connection.read()]
                    if replies != ["OK", mark.encode()]:
                        self.wrong.append((mark, replies))
                    self.answered += 2
                self.ended.wait(0.005)
        except (OSError, EOFError, AssertionError) as failure:
            self.wrong.append(f"{self.own_name} after {self.answered}: {failure!r}")
        self.connection.close()


class rotation(tls_case):
    EXCHANGES = 100 if LONG else 5
    CLIENTS = 16

    def serial(self):
        plain = socket.create_connection((self.proxy.tls_host, self.proxy.tls_port), 30)
        with self.context.wrap_socket(plain, server_hostname=self.proxy.tls_host) as connection:
            return connection.getpeercert()["serialNumber"]

    def load(self):
        clients = [verified_client(self.proxy, f"c{number}") for number in range(self.CLIENTS)]
        for client in clients:
            self.addCleanup(client.ended.set)
            client.start()
        return clients

    def end(self, clients):
        for client in clients:
            client.ended.set()
        for client in clients:
            client.join(60)
        self.assertEqual([client.wrong for client in clients], [[]] * len(clients))
        self.assertTrue(all(client.answered for client in clients))
        return sum(client.answered for client in clients)

    def test_under_load_drops_nobody_and_shows_the_new_one(self):
        clients, slowest = self.load(), 0.0
        for _ in range(self.EXCHANGES):
            before = self.serial()
            self.show("right", anew=True)
            self.proxy.signal(signal.SIGHUP)
            begun = time.monotonic()
            wait_until(lambda: self.serial() != before, what="the new certificate")
            slowest = max(slowest, time.monotonic() - begun)
        print(f"{type(self).__name__}: {self.EXCHANGES} exchanges, new leaf after {slowest:.2f} s at most, "
              f"{self.end(clients)} replies on connections that saw all of them")

    def test_happens_by_itself_when_the_files_change(self):
        before = self.serial()
        self.show("right", anew=True)
        wait_until(lambda: self.serial() != before, what="the new certificate")

    def test_to_what_cannot_be_used_keeps_the_old_one_and_says_why(self):
        clients, shown = self.load(), self.serial()
        certificate, key = (path.read_text() for path in (self.certificate, self.key))
        other_key = self.kinds.pair("right_with_rsa")[1].read_text()
        for kind, (new_certificate, new_key, reason) in {
                "a key of another certificate": (certificate, other_key, "shown.key"),
                "half a certificate": (certificate[:len(certificate) // 2], key, "shown.crt"),
                "half a key": (certificate, key[:len(key) // 2], "shown.key"),
                "an empty certificate": ("", key, "shown.crt"), "an empty key": (certificate, "", "shown.key"),
                "no PEM": ("hello\n", key, "shown.crt")}.items():
            with self.subTest(kind):
                logged = len(self.proxy.log)
                self.put(self.certificate, new_certificate)
                self.put(self.key, new_key)
                self.proxy.signal(signal.SIGHUP)
                wait_until(lambda: reason in self.proxy.log[logged:], what="the reason in the log")
                self.assertEqual(self.serial(), shown)
        self.put(self.certificate, certificate)
        self.put(self.key, key)
        self.end(clients)

    def test_of_the_upstreams_authority_happens_by_itself(self):
        ca = self.kinds.folder / "upstream-ca.crt"
        self.put(ca, (self.kinds.folder / "stranger.crt").read_text())
        tls = type("shown", (), {"server": self.kinds.pair("right")[0], "server_key": self.kinds.pair("right")[1],
                                 "ca": self.kinds.ca, "client_context": staticmethod(self.kinds.client_context)})
        server = redis_server(tls=tls)
        self.addCleanup(server.stop)
        proxy = tidegate(f"rediss://127.0.0.1:{server.port}?ca={ca}", ready=False,
                         more={"upstream": {"queue_timeout": "20s"}})
        self.addCleanup(proxy.stop)
        wait_until(lambda: "verify failed" in proxy.get("/readyz")[1], what="a refused upstream")
        self.put(ca, self.kinds.ca.read_text())
        wait_until(lambda: proxy.get("/readyz")[0] == 200, what="/readyz 200")
        with wire(proxy) as connection:
            self.assertEqual(connection.call("ECHO", "x"), b"x")

    def test_is_told_by_the_metric_of_the_end(self):
        def ends():
            return {labels["address"]: value for labels, value in
                    metrics(self.proxy).samples["tidegate_tls_certificate_not_after_seconds"]}
        self.assertEqual(ends(), {"127.0.0.2:0": ssl.cert_time_to_seconds("Jan  1 00:00:00 2049 GMT")})
        for kind, year in (("with_a_chain_that_ends_first", 2048), ("expired", 2025)):
            self.show(kind)
            self.proxy.signal(signal.SIGHUP)
            wait_until(lambda: ends() == {"127.0.0.2:0": ssl.cert_time_to_seconds(f"Jan  1 00:00:00 {year} GMT")},
                       what=f"the end in {year}")


class handshakes(tls_case):
    HELD = 1_000 if LONG else 60
    DONE = 50_000 if LONG else 1_500

    def resident(self):
        status = pathlib.Path(f"/proc/{self.proxy.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))

    def test_that_never_end_are_ended_and_harm_nobody(self):
        client = verified_client(self.proxy, "beside")
        self.addCleanup(client.ended.set)
        client.start()
        hello = self.raw().first_flight()
        before = metrics(self.proxy).sum("tidegate_tls_handshakes_total", side="client", result="refused")
        begun = time.monotonic()
        held = []
        for number in range(self.HELD):
            stray = socket.create_connection((self.proxy.tls_host, self.proxy.tls_port), 60)
            self.addCleanup(stray.close)
            stray.sendall((b"", hello[:1], hello[:len(hello) // 2], hello)[number % 4])
            held.append(stray)
        while_held = client.answered
        for stray in held:
            self.assertTrue(is_closed_by_the_peer(stray))
        seconds = time.monotonic() - begun
        self.assertGreaterEqual(seconds, HANDSHAKE_SECONDS * 0.9)
        refused = lambda: metrics(self.proxy).sum("tidegate_tls_handshakes_total", side="client", result="refused")
        wait_until(lambda: refused() - before >= self.HELD, what="all counted")
        self.assertGreaterEqual(metrics(self.proxy).sum("tidegate_tls_refused_total", side="client", reason="timeout"), self.HELD)
        answered = client.answered - while_held
        client.ended.set()
        client.join(60)
        self.assertEqual(client.wrong, [])
        self.assertGreater(answered, 0)
        print(f"{type(self).__name__}: {self.HELD} held, the last closed {seconds:.1f} s after the first was opened; "
              f"{answered} replies to a client beside them meanwhile")

    def test_in_great_number_leave_no_memory_behind(self):
        # CVE-2024-2511: sessions that nobody would resume were kept for ever.
        def run(count):
            numbers = iter(range(count))
            lock = threading.Lock()
            failed = []

            def work():
                context = self.kinds.client_context()
                session = None
                while True:
                    with lock:
                        if next(numbers, None) is None:
                            return
                    try:
                        plain = socket.create_connection((self.proxy.tls_host, self.proxy.tls_port), 60)
                        with context.wrap_socket(plain, server_hostname=self.proxy.tls_host, session=session) as connection:
                            connection.sendall(b"PING\r\n")
                            if connection.recv(100) != b"+PONG\r\n":
                                failed.append("no PONG")
                            # Every other one resumes.
                            session = connection.session if session is None else None
                    except (OSError, ValueError) as failure:
                        failed.append(repr(failure))

            workers = [threading.Thread(target=work) for _ in range(4)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            self.assertEqual(failed[:3], [])

        run(1_000)  # buffers and arenas have their size then
        before = self.resident()
        run(self.DONE)
        grown = self.resident() - before
        self.assertLess(grown, 5 * 1024, "KiB")
        print(f"{type(self).__name__}: {self.DONE} handshakes, half of them resumed: resident memory {grown:+d} KiB")


class closing_one_from_another(tls_case):
    """Connections are closed by what others do, while bytes of their own wait inside TLS."""

    WORKERS = 2
    ROUNDS = 300 if LONG else 8
    CLIENTS = 50
    POLICY = {"memory": {"session": "1MiB", "total": "8MiB"}}

    def test_while_its_bytes_are_pending_leaves_the_process_alone(self):
        closed = 0
        with wire(self.server) as killer:
            killer.call("SET", "large", "x" * 100_000)
            for number in range(self.ROUNDS):
                clients = [self.raw().handshake() for _ in range(self.CLIENTS)]
                for index, client in enumerate(clients):
                    opening = [wire.encode("MULTI"), wire.encode("SUBSCRIBE", "channel"), wire.encode("BLPOP", "none", "0"),
                               b""][index % 4]
                    # One record holds it all: what is behind the first command waits in OpenSSL when the end comes.
                    client.socket.sendall(client.records(opening + wire.encode("GET", "large") * 60, 1 << 14))
                # By the upstream's hand, by a message to a reader who does not read, or by the reader's own limit of memory.
                killer.call("CLIENT", "KILL", "TYPE", ("normal", "pubsub")[number % 2])
                killer.call("PUBLISH", "channel", "x" * 2_000_000)
                killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                for index, client in enumerate(clients):
                    if index % 2:
                        client.reset()
                    else:
                        client.socket.close()
                closed += len(clients)
                self.opened.clear()
        wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="0 client connections")
        wait_until(lambda: self.is_served_again(), what="service")
        print(f"{type(self).__name__}: {closed} connections closed")

    def is_served_again(self):
        with wire(self.proxy, tls=True) as connection:
            return connection.call("PING") == "PONG"
