"""The boldest claim, under the worst treatment: a reply never reaches the wrong command or the wrong client."""

import random
import re
import signal
import threading
import time

from harness.cases import proxied_case
from harness.exposition import metrics
from harness.processes import redis_server, wait_until
from harness.wire import error_reply, wire

LOST = ("ERR upstream connection lost; the command may have been applied", "ERR upstream unavailable")


class quarrelsome_client:
    """Works on keys of its own and knows each reply in advance, but for those to commands of a lost connection."""

    def __init__(self, proxy, number, seed):
        self.proxy = proxy
        self.name = f"c{number}"
        self.random = random.Random(f"{seed}/{number}")
        self.wrong = []
        self.answered = 0
        self.lost = 0
        self.connection = None

    def run(self, until):
        while time.monotonic() < until:
            try:
                if self.connection is None:
                    self.connection = wire(self.proxy, timeout=30)
                self.random.choice([self.echoes, self.echoes, self.echoes, self.values, self.values, self.transaction, self.blocked,
                                    self.published, self.protocol, self.selected, self.go, self.watched])()
            except (EOFError, ConnectionResetError, BrokenPipeError):
                self.connection = None
                self.lost += 1
        if self.connection:
            self.connection.close()

    def expect(self, reply, wanted, of):
        if isinstance(reply, error_reply) and reply in LOST:
            self.lost += 1
            # What its connection was is unknown now; a new one is as any client would do it.
            self.connection.close()
            self.connection = None
            raise EOFError
        if reply != wanted:
            self.wrong.append(f"{self.name}: {of}: got {reply!r}, not {wanted!r}")
        self.answered += 1

    def mark(self):
        return f"{self.name}-{self.random.randrange(10 ** 9)}".encode()

    def echoes(self):
        marks = [self.mark() for _ in range(self.random.randrange(1, 60))]
        self.connection.send_raw(b"".join(wire.encode("ECHO", mark) for mark in marks))
        for mark in marks:
            self.expect(self.connection.read(), mark, "ECHO")

    def values(self):
        key, mark = f"{self.name}:v", self.mark() * self.random.choice([1, 10, 5000])
        self.connection.send_raw(wire.encode("SET", key, mark) + wire.encode("GET", key))
        self.expect(self.connection.read(), "OK", "SET")
        self.expect(self.connection.read(), mark, "GET")

    def transaction(self):
        mark = self.mark()
        self.connection.send_raw(wire.encode("MULTI") + wire.encode("SET", f"{self.name}:t", mark) +
                                 wire.encode("GET", f"{self.name}:t") + wire.encode("EXEC") + wire.encode("ECHO", mark))
        for wanted in ("OK", "QUEUED", "QUEUED", ["OK", mark], mark):
            self.expect(self.connection.read(), wanted, "MULTI")

    def watched(self):
        mark = self.mark()
        self.connection.send_raw(wire.encode("WATCH", f"{self.name}:w") + wire.encode("MULTI") +
                                 wire.encode("ECHO", mark) + wire.encode("EXEC"))
        for wanted in ("OK", "OK", "QUEUED", [mark]):
            self.expect(self.connection.read(), wanted, "WATCH")

    def blocked(self):
        # A list of its own each time: what a lost connection still had on its way may run after it, and take the item.
        mark = self.mark()
        key = f"{self.name}:q:{mark.decode()}"
        self.connection.send_raw(wire.encode("DEL", key) + wire.encode("RPUSH", key, mark) +
                                 wire.encode("BLPOP", key, "0") + wire.encode("BLPOP", key, "0.001"))
        self.connection.read()
        for wanted in (1, [key.encode(), mark], None):
            self.expect(self.connection.read(), wanted, "BLPOP")

    def published(self):
        channel = f"{self.name}:ch".encode()
        self.expect(self.connection.call("SUBSCRIBE", channel), [b"subscribe", channel, 1], "SUBSCRIBE")
        self.expect(self.connection.call("UNSUBSCRIBE", channel), [b"unsubscribe", channel, 0], "UNSUBSCRIBE")

    def protocol(self):
        hello = self.connection.call("HELLO", self.random.choice(["2", "3"]))
        if isinstance(hello, error_reply):
            self.expect(hello, None, "HELLO")

    def selected(self):
        # A key of the same name holds another value in each db.
        db, mark = self.random.randrange(4), self.mark()
        self.connection.send_raw(wire.encode("SELECT", db) + wire.encode("SET", f"{self.name}:db", mark) +
                                 wire.encode("GET", f"{self.name}:db") + wire.encode("SELECT", "0"))
        for wanted in ("OK", "OK", mark, "OK"):
            self.expect(self.connection.read(), wanted, "SELECT")

    def go(self):
        """Leaves in the middle of things, in one of the ways in which clients leave."""
        self.connection.send_raw(self.random.choice([
            wire.encode("BLPOP", f"{self.name}:none", "0"), wire.encode("MULTI") + wire.encode("SET", f"{self.name}:half", "x"),
            wire.encode("GET", f"{self.name}:v") * 50, b"*2\r\n$3\r\nGET\r\n$100\r\nhalf", wire.encode("SUBSCRIBE", "all"), b""]))
        self.random.choice([self.connection.close, self.connection.reset])()
        self.connection = None


class torture(proxied_case):
    CONFIGURATION = {"ttl": [{"pattern": "c1*", "default": "1h"}], "upstream": {"queue_timeout": "10s"}}
    SECONDS = 6

    def drive(self, count, disturb):
        until = time.monotonic() + self.SECONDS
        clients = [quarrelsome_client(self.proxy, number, type(self).__name__) for number in range(count)]
        threads = [threading.Thread(target=client.run, args=(until,)) for client in clients]
        for thread in threads:
            thread.start()
        with wire(self.server) as bare:
            while time.monotonic() < until:
                disturb(bare)
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive(), "a client waits for a reply that never comes")
        wrong = [line for client in clients for line in client.wrong]
        self.assertEqual(wrong[:5], [], f"{len(wrong)} wrong replies")
        self.assertGreater(sum(client.answered for client in clients), 2000)
        self.assertEqual(metrics(self.proxy).sum("tidegate_upstream_desynchronised_total"), 0)
        wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="0 client connections")
        with wire(self.server) as bare:
            wait_until(lambda: "blocked_clients:0\r" in bare.call("INFO", "clients").decode(), what="no dead client that blocks")
            wait_until(lambda: bare.call("PUBSUB", "CHANNELS") == [], what="no subscription of a client that left")

    def test_of_clients_that_come_and_go_gives_no_one_anothers_reply(self):
        self.drive(16, lambda bare: time.sleep(0.05))

    def test_of_upstream_connections_that_are_killed_gives_no_one_anothers_reply(self):
        dice = random.Random(1)

        def kill(bare):
            listed = bare.call("CLIENT", "LIST", "TYPE", "normal").decode()
            own = bare.call("CLIENT", "ID")
            numbers = [number for number in map(int, re.findall(r"^id=(\d+)", listed, re.MULTILINE)) if number != own]
            if numbers:
                bare.call("CLIENT", "KILL", "ID", dice.choice(numbers))
            time.sleep(0.03)

        self.drive(16, kill)

    def test_of_a_reader_that_does_not_read_harms_nobody(self):
        with wire(self.proxy) as writer:
            writer.call("SET", "big", b"x" * (1 << 20))
            lazy = [wire(self.proxy) for _ in range(4)]
            for reader in lazy:
                self.addCleanup(reader.close)
                reader.socket.setblocking(False)
                try:
                    reader.socket.sendall(wire.encode("GET", "big") * 500)
                except BlockingIOError:
                    pass
            begun = time.monotonic()
            for _ in range(200):
                self.assertEqual(writer.call("SET", "small", "x"), "OK")
            self.assertLess(time.monotonic() - begun, 20)
        resident = metrics(self.proxy).sum("process_resident_memory_bytes")
        # Four sessions with 64 MiB each at most, and what the process is by itself.
        self.assertLess(resident, 4 * (64 << 20) * 1.5 + (100 << 20))


class torture_with_a_connection_each(torture):
    POOLING = "session"


class waiting_for_replicas(proxied_case):
    def test_does_not_count_a_replica_that_has_stopped(self):
        replica = redis_server(arguments=[["replicaof", f"127.0.0.1 {self.server.port}"], ["repl-diskless-sync-delay", "0"]])
        self.addCleanup(replica.stop)
        self.addCleanup(lambda: replica.signal(signal.SIGCONT))
        bare = self.bare()
        wait_until(lambda: re.search(r"slave0:.*state=online", bare.call("INFO", "replication").decode()), what="the replica")
        connection = self.connect()
        self.assertEqual(connection.call("SET", "a", "1"), "OK")
        self.assertEqual(connection.call("WAIT", "1", "10000"), 1)
        replica.signal(signal.SIGSTOP)
        self.assertEqual(connection.call("SET", "a", "2"), "OK")
        self.assertEqual(connection.call("WAIT", "1", "200"), 0)
        # A session whose write went over a lane, long before it asks: the answer must be about that write too.
        other = self.connect()
        self.assertEqual(other.call("SET", "b", "1"), "OK")
        self.assertEqual(other.call("WAIT", "1", "200"), 0)
        replica.signal(signal.SIGCONT)
        self.assertEqual(other.call("WAIT", "1", "10000"), 1)
