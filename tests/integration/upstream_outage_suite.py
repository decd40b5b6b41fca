"""An upstream that is killed, stands still, is not there, or no longer knows our password.

Figures of time are printed and not judged: a test here fails on order and count alone, or on what came too early.
"""

import os
import resource
import signal
import socket
import threading
import time
import unittest

from harness.faulty_case import LOST, UNAVAILABLE, faulty_case
from harness.faulty_redis import black_hole, faulty_redis
from harness.processes import redis_server, tidegate, wait_until
from harness.wire import error_reply, wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
# lanes.cpp: the first retry after 50 ms, doubled each time to 5 s, each cut by a quarter at most.
RETRY_MIN, RETRY_MAX, RETRY_CUT = 0.05, 5.0, 0.75
# engine_state.hpp: connections of clients' own, once so many opened to nothing in a row, are tried this often for all.
OWN_FREE, OWN_ATTEMPT = 32, 0.02


def retries_within(seconds):
    """The most often that one who backs off so can have tried."""
    tried, at, step = 1, 0.0, RETRY_MIN
    while at <= seconds:
        at += step * RETRY_CUT
        step = min(step * 2, RETRY_MAX)
        tried += 1
    return tried


class counting_client(threading.Thread):
    """Increments keys that nobody else has, each once, and notes what it was told of each."""

    PIPELINE = 50

    def __init__(self, proxy, name):
        super().__init__(daemon=True)
        self.proxy = proxy
        self.own_name = name
        self.acknowledged, self.lost, self.refused, self.strange = [], [], [], []
        self.ended = threading.Event()

    def run(self):
        number = 0
        connection = None
        while not self.ended.is_set():
            keys = [f"{self.own_name}:{number + place}" for place in range(self.PIPELINE)]
            number += self.PIPELINE
            due = iter(keys)
            try:
                connection = connection or wire(self.proxy, timeout=60)
                connection.send_raw(b"".join(wire.encode("INCR", key) for key in keys))
                for key in due:
                    self.lost.append(key)  # until it is told otherwise
                    reply = connection.read()
                    self.lost.pop()
                    if isinstance(reply, error_reply) and reply.startswith("LOADING"):
                        reply = UNAVAILABLE  # Redis's own word, while it reads its file: nothing ran
                    {1: self.acknowledged, LOST: self.lost, UNAVAILABLE: self.refused}.get(reply, self.strange).append(key)
            except (OSError, EOFError):
                self.lost += list(due)
                if connection:
                    connection.close()
                connection = None
        if connection:
            connection.close()


class a_killed_upstream(unittest.TestCase):
    POOLING = "multiplex"
    KILLS = 12 if LONG else 2
    # Not everysec: while the disk is busy that puts off the write itself, for up to two seconds behind the replies
    # (flushAppendOnlyFile() in aof.c), and what was acknowledged dies with the server.
    DURABLE = [["appendonly", "yes"], ["appendfsync", "no"]]

    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(started.stop)
        return started

    def test_has_run_each_command_once_at_most_and_each_that_was_acknowledged(self):
        server = self.start(redis_server, arguments=self.DURABLE)
        folder, port = server.folder, server.port
        proxy = self.start(tidegate, server, pooling=self.POOLING,
                           more={"upstream": {"queue_timeout": "500ms", "connect_timeout": "500ms"}})
        clients = [counting_client(proxy, f"c{number}") for number in range(8)]
        for client in clients:
            client.start()
        answered = lambda: sum(len(client.acknowledged) for client in clients)
        back, rates = [], []
        for kill in range(self.KILLS):
            before, begun = answered(), time.monotonic()
            wait_until(lambda: answered() >= before + 10_000, 60, "10,000 increments")
            rates.append((answered() - before) / (time.monotonic() - begun))
            server.signal(signal.SIGKILL)
            server.wait()
            if kill % 2:
                refused = sum(len(client.refused) for client in clients)
                wait_until(lambda: sum(len(client.refused) for client in clients) > refused, what="a refusal")
            # What it wrote outlives it: the file is written before a reply is sent.
            server = self.start(redis_server, port=port, arguments=[*self.DURABLE, ["dir", str(folder)]])
            is_there, so_far = time.monotonic(), answered()
            wait_until(lambda: answered() > so_far, 30, "service after the restart")
            back.append(time.monotonic() - is_there)
        for client in clients:
            client.ended.set()
        for client in clients:
            client.join(60)
        self.assertEqual([client.strange[:3] for client in clients], [[]] * len(clients))
        self.judge(server, clients)
        print(f"{type(self).__name__}: {self.KILLS} kills at {min(rates):.0f} to {max(rates):.0f} increments/s, served "
              f"{max(back):.2f} s at most after the restart; {answered()} acknowledged, "
              f"{sum(len(client.lost) for client in clients)} lost, {sum(len(client.refused) for client in clients)} refused")

    def judge(self, server, clients):
        with wire(server) as bare:
            for client in clients:
                for wanted, keys in ((("1",), client.acknowledged), (("1", None), client.lost), ((None,), client.refused)):
                    for at in range(0, len(keys), 500):
                        bare.send("MGET", *keys[at:at + 500])
                        found = {value.decode() if value else None for value in bare.read()}
                        self.assertLessEqual(found, set(wanted), keys[at:at + 500])
        self.assertGreater(sum(len(client.lost) for client in clients), 0, "no command was ever in flight at a kill")


class a_killed_upstream_with_a_connection_each(a_killed_upstream):
    POOLING = "session"


class an_upstream_that_stands_still(unittest.TestCase):
    SILENCE = 1.0

    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(started.stop)
        return started

    def started(self, pooling):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, pooling=pooling, more={"upstream": {
            "silence": f"{int(self.SILENCE * 1000)}ms", "connect_timeout": "500ms", "queue_timeout": "500ms"}})
        self.addCleanup(lambda: server.signal(signal.SIGCONT))  # or it could not be stopped
        return server, proxy

    def connect(self, proxy):
        connection = wire(proxy, timeout=60)
        self.addCleanup(connection.close)
        return connection

    def test_is_given_up_after_its_silence_but_not_by_who_blocks(self):
        server, proxy = self.started("multiplex")
        blocked, waiting = self.connect(proxy), [self.connect(proxy) for _ in range(10)]
        blocked.send("BLPOP", "queue", "0")
        with wire(server) as bare:
            wait_until(lambda: "blocked_clients:1\r" in bare.call("INFO", "clients").decode(), what="the block")
        for connection in waiting:
            self.assertEqual(connection.call("SET", "a", "1"), "OK")
        server.signal(signal.SIGSTOP)
        begun = time.monotonic()
        for connection in waiting:
            connection.send_raw(wire.encode("SET", "a", "2") * 3)
        for connection in waiting:
            for _ in range(3):
                self.assertEqual(connection.read(), LOST)
        seconds = time.monotonic() - begun
        self.assertGreaterEqual(seconds, self.SILENCE * 0.9)
        # Who comes now is told after `queue_timeout`, and the process itself answers.
        self.assertEqual(self.connect(proxy).call("GET", "a"), UNAVAILABLE)
        self.assertEqual(proxy.get("/healthz")[0], 200)
        server.signal(signal.SIGCONT)
        resumed = time.monotonic()
        wait_until(lambda: self.connect(proxy).call("RPUSH", "queue", "item") == 1, what="service")
        self.assertEqual(blocked.read(), [b"queue", b"item"])
        for connection in waiting:
            self.assertEqual(connection.call("GET", "a"), b"2")
        print(f"{type(self).__name__}: given up {seconds:.2f} s after the first silent command (silence {self.SILENCE} s), "
              f"served {time.monotonic() - resumed:.2f} s after it went on")

    def test_is_waited_for_by_who_has_a_connection_of_his_own(self):
        server, proxy = self.started("session")
        connection = self.connect(proxy)
        self.assertEqual(connection.call("SET", "a", "1"), "OK")
        server.signal(signal.SIGSTOP)
        connection.send("INCR", "a")
        # A reading of the process's own that fails shows that it has noticed.
        wait_until(lambda: proxy.get("/readyz")[0] == 503, what="/readyz 503")
        server.signal(signal.SIGCONT)
        self.assertEqual(connection.read(), 2)


class an_upstream_that_does_not_answer(unittest.TestCase):
    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(started.stop)
        return started

    def is_told_in_time(self, url):
        proxy = self.start(tidegate, url, ready=False, more={"upstream": {
            "connect_timeout": "150ms", "queue_timeout": "300ms"}})
        begun = time.monotonic()
        with wire(proxy) as connection:
            connection.send_raw(wire.encode("SET", "secret", "x") + wire.encode("EVAL", "return 1", "0"))
            self.assertEqual(connection.read(), UNAVAILABLE)
            self.assertGreaterEqual(time.monotonic() - begun, 0.3)
            self.assertEqual(connection.read(), UNAVAILABLE)
        print(f"{type(self).__name__}: both told within {time.monotonic() - begun:.2f} s where 0.3 s are allowed each")
        self.assertEqual(proxy.get("/readyz")[0], 503)

    def test_because_nobody_listens(self):
        with socket.socket() as taken:  # bound and deaf: nobody else can get the port
            taken.bind(("127.0.0.1", 0))
            self.is_told_in_time(f"redis://127.0.0.1:{taken.getsockname()[1]}")

    def test_because_the_network_drops_what_it_is_sent(self):
        port, close = black_hole()
        self.addCleanup(close)
        self.is_told_in_time(f"redis://127.0.0.1:{port}")

    def test_because_it_accepts_and_says_nothing(self):
        upstream = self.start(faulty_redis)
        upstream.silent = True
        for scheme in ("redis", "rediss"):
            with self.subTest(scheme):
                self.is_told_in_time(f"{scheme}://127.0.0.1:{upstream.port}")
        self.assertEqual(upstream.received, [])


class a_dead_upstream(unittest.TestCase):
    """Nobody asks it more often than the waits between two attempts allow, however many clients there are."""

    CLIENTS = 9_900 if LONG else 100
    SECONDS = 10.0 if LONG else 1.5

    def hammer(self, pooling):
        upstream = faulty_redis()
        self.addCleanup(upstream.stop)
        upstream.refusing = True
        proxy = tidegate(upstream.url, pooling=pooling, workers=1, ready=False,
                         more={"upstream": {"queue_timeout": "200ms", "connect_timeout": "500ms"}})
        self.addCleanup(proxy.stop)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        connections = [wire(proxy, timeout=60) for _ in range(self.CLIENTS)]
        for connection in connections:
            self.addCleanup(connection.close)
        begun, used = time.monotonic(), proxy.cpu_seconds
        rounds = 0
        while time.monotonic() < begun + self.SECONDS:
            for connection in connections:
                connection.send("GET", "a")
            for connection in connections:
                self.assertEqual(connection.read(), UNAVAILABLE)
            rounds += 1
        seconds = time.monotonic() - begun
        load = (proxy.cpu_seconds - used) / seconds
        accepted = upstream.accepted
        # Asked for after the count: whatever ran on meanwhile makes the bound larger, never smaller.
        return accepted, time.monotonic() - begun + 2.0, rounds, load

    def test_is_not_stormed_by_its_lanes(self):
        accepted, seconds, rounds, load = self.hammer("multiplex")
        # The lane, and the control connection with as much patience.
        self.assertLessEqual(accepted, 2 * retries_within(seconds))
        print(f"{type(self).__name__}: {self.CLIENTS} clients, {rounds} rounds: {accepted} connects, {load:.1%} of a core")

    def test_is_not_stormed_by_clients_with_a_connection_each(self):
        accepted, seconds, rounds, load = self.hammer("session")
        # All may ask once, as nobody knows yet; then one of them at a time, and the control connection.
        self.assertLessEqual(accepted, self.CLIENTS + OWN_FREE + seconds / OWN_ATTEMPT + retries_within(seconds))
        print(f"{type(self).__name__}: {self.CLIENTS} clients with a connection each, {rounds} rounds: {accepted} connects, "
              f"{load:.1%} of a core")


class a_password_that_is_no_longer_right(faulty_case):
    SECRETS = ("the-first-secret", "the-second-secret")

    def login(self, secret):
        return {"username": "proxy", "password": secret}

    def test_is_not_tried_in_a_loop_nor_told_and_a_reload_brings_the_next(self):
        begun = time.monotonic()
        self.upstream = faulty_redis()
        self.addCleanup(self.upstream.stop)
        self.upstream.password = self.SECRETS[0].encode()
        self.proxy = tidegate(self.upstream.url, workers=1, more={
            "upstream": {"auth": self.login(self.SECRETS[0]), "queue_timeout": "300ms", "connect_timeout": "500ms"},
            "users": [{"name": "app", "password": "the-apps-own"}]})
        self.addCleanup(self.proxy.stop)
        clients = [self.connect() for _ in range(20)]
        for client in clients:
            self.assertEqual(client.call("AUTH", "app", "the-apps-own"), "OK")
            self.assertEqual(client.call("ECHO", "here"), b"here")
        tried_before = len(self.upstream.commands(b"AUTH"))
        self.upstream.password = self.SECRETS[1].encode()
        self.upstream.end_all()
        wait_until(lambda: self.proxy.get("/readyz")[0] == 503, what="/readyz 503")
        # They go on asking as applications do.
        until = time.monotonic() + (5.0 if LONG else 1.0)
        asked = 0
        while time.monotonic() < until:
            with self.connect() as client:
                client.send_raw(wire.encode("AUTH", "app", "the-apps-own") + wire.encode("GET", "a"))
                self.assertIn(self.answer(client), ("OK", UNAVAILABLE, None))
                self.assertIn(self.answer(client), (UNAVAILABLE, LOST, None))
            asked += 1
        tried = len(self.upstream.commands(b"AUTH")) - tried_before
        seconds = time.monotonic() - begun
        self.assertLessEqual(tried, 2 * retries_within(seconds) + asked)
        said = self.proxy.log + self.proxy.get("/metrics")[1] + self.proxy.get("/readyz")[1]
        for secret in (*self.SECRETS, "the-apps-own"):
            self.assertNotIn(secret, said)
        self.proxy.configuration["upstream"]["auth"] = self.login(self.SECRETS[1])
        self.proxy.write_config()
        self.proxy.signal(signal.SIGHUP)
        wait_until(lambda: self.proxy.get("/readyz")[0] == 200, what="/readyz 200")
        with self.connect() as client:
            self.assertEqual(client.call("AUTH", "app", "the-apps-own"), "OK")
            wait_until(lambda: client.call("ECHO", "again") == b"again", what="service")
        print(f"{type(self).__name__}: {tried} logins for {asked} clients in {seconds:.1f} s")

    @staticmethod
    def answer(client):
        try:
            return client.read()
        except (EOFError, ConnectionError):
            return None
