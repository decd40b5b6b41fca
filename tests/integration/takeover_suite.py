"""A new process takes the place of a running one: nobody is refused, nothing acknowledged is lost, no burst is given
twice."""

import collections
import os
import signal
import threading
import unittest

from harness.processes import free_port, redis_server, tidegate, wait_until
from harness.wire import wire

TAKEOVERS = 10
CLIENTS = 4


class knocking_client(threading.Thread):
    """Connects anew for every write and counts what became of each. Keys are its own, so each write can be found again."""

    def __init__(self, port, number, stop):
        super().__init__()
        self.port, self.number, self.stop = port, number, stop
        self.outcomes = collections.Counter()
        self.acknowledged = []

    def run(self):
        written = 0
        while not self.stop.is_set():
            key = f"t:{self.number}:{written}"
            written += 1
            try:
                connection = wire(self)
            except ConnectionRefusedError:
                self.outcomes["refused"] += 1
                continue
            try:
                reply = connection.call("SET", key, "v")
                self.outcomes[str(reply)] += 1
                if reply == "OK":
                    self.acknowledged.append(key)
            except (EOFError, ConnectionResetError, BrokenPipeError):
                self.outcomes["closed"] += 1
            finally:
                connection.close()

    def connect(self, timeout):
        import socket
        return socket.create_connection(("127.0.0.1", self.port), timeout)


class takeover(unittest.TestCase):
    def setUp(self):
        self.server = redis_server()
        self.addCleanup(self.server.stop)
        self.port, self.admin = free_port(), free_port()

    def start(self, workers=2, **more):
        proxy = tidegate(self.server, workers=workers, more={
            "listen": [{"address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"127.0.0.1:{self.admin}", "token": tidegate.TOKEN}, **more})
        self.addCleanup(proxy.stop)
        return proxy

    def test_refuses_nobody_and_loses_nothing_ten_times_over(self):
        running = self.start()
        stop = threading.Event()
        clients = [knocking_client(self.port, number, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for turn in range(TAKEOVERS):
                # As many sockets pass on as the old one had workers, whatever the new one has.
                successor = self.start(workers=1 + turn % 3)
                self.assertEqual(running.wait(), 0, running.log)
                self.assertIn(f"taking over from process {running.pid}", successor.log)
                running = successor
        finally:
            stop.set()
            for client in clients:
                client.join()
        outcomes = sum((client.outcomes for client in clients), collections.Counter())
        self.assertEqual(outcomes["refused"], 0, outcomes)
        # A connection that the old process had accepted and not yet heard from is closed at its drain, as at a SIGTERM;
        # everything else is answered.
        self.assertEqual(set(outcomes) - {"OK", "closed"}, set(), outcomes)
        self.assertGreater(outcomes["OK"], 100 * TAKEOVERS // 10, outcomes)
        with wire(self.server) as bare:
            for client in clients:
                for key in client.acknowledged:
                    self.assertEqual(bare.call("GET", key), b"v", key)

    def test_answers_what_was_received_before_it(self):
        old = self.start()
        with wire(old) as waiting:
            self.assertEqual(waiting.call("PING"), "PONG")
            waiting.send("BLPOP", "q", "0")
            wait_until(lambda: self.blocked() == 1, what="a blocked client")
            self.start()
            with wire(self.server) as bare:
                bare.call("RPUSH", "q", "item")
            self.assertEqual(waiting.read(), [b"q", b"item"])
        self.assertEqual(old.wait(), 0)

    def blocked(self):
        with wire(self.server) as bare:
            text = bare.call("INFO", "clients").decode()
        return int(text.split("blocked_clients:")[1].split()[0])

    def test_gives_no_second_burst(self):
        limits = [{"name": "few", "match": {"command": "incr"}, "rate": "1/h", "burst": 5, "action": "reject"}]

        def admitted(proxy):
            with wire(proxy) as connection:
                return sum(isinstance(connection.call("INCR", "n"), int) for _ in range(10))

        old = self.start(limits=limits)
        self.assertEqual(admitted(old), 5)
        successor = self.start(limits=limits)
        old.wait()
        self.assertEqual(admitted(successor), 0)

    def test_leaves_the_old_one_serving_when_the_new_one_cannot_start(self):
        old = self.start()
        with self.assertRaises(AssertionError):
            tidegate(self.server, more={
                "listen": [{"address": f"127.0.0.1:{self.port}", "tls": {"certificate": "missing.crt", "key": "missing.key"}}],
                "admin": {"address": f"127.0.0.1:{self.admin}", "token": tidegate.TOKEN}})
        with wire(old) as connection:
            self.assertEqual(connection.call("PING"), "PONG")
        self.assertNotIn("has taken over", old.log)

    def test_is_not_stopped_by_what_a_killed_process_left(self):
        old = self.start()
        old.killed = True
        os.kill(old.pid, signal.SIGKILL)
        old.wait()
        again = self.start()
        self.assertNotIn("taking over", again.log)
        with wire(again) as connection:
            self.assertEqual(connection.call("PING"), "PONG")

    def test_names_another_configurations_port_as_in_use(self):
        self.start()
        with self.assertRaisesRegex(AssertionError, "another process serves this port"):
            tidegate(self.server, more={"listen": [{"address": f"127.0.0.1:{self.port}"},
                                                   {"address": f"127.0.0.2:{free_port('127.0.0.2')}"}],
                                        "admin": {"address": f"127.0.0.1:{free_port()}", "token": tidegate.TOKEN}})


if __name__ == "__main__":
    unittest.main()
