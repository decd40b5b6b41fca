"""Failover as ElastiCache does it: another node becomes the primary, the name of the endpoint leads to it a little later,
and the old primary stays up and answers -READONLY.

Writers go on all the while. What is judged is what became of each write; times are printed.
"""

import os
import shutil
import signal
import tempfile
import threading
import time
import unittest

from harness.faulty_case import LOST, UNAVAILABLE
from harness.name_server import name_server
from harness.processes import certificates, redis_server, tidegate, wait_until
from harness.wire import error_reply, wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
ENDPOINT, NODES = "primary.cache.test", {"node-a.cache.test": "127.0.0.1", "node-b.cache.test": "127.0.0.2"}


class writer(threading.Thread):
    """Increments keys of its own, each once, and notes what became of each and when the last one succeeded."""

    def __init__(self, proxy, name, pipeline):
        super().__init__(daemon=True)
        self.proxy, self.own_name, self.pipeline = proxy, name, pipeline
        self.done, self.lost, self.not_run, self.strange = [], [], [], []
        self.done_at = []
        self.reconnects = 0
        self.ended = threading.Event()

    def run(self):
        number, connection = 0, None
        while not self.ended.is_set():
            keys = [f"{self.own_name}:{number + place}" for place in range(self.pipeline)]
            number += self.pipeline
            told = 0
            try:
                if connection is None:
                    connection = wire(self.proxy, timeout=60)
                connection.send_raw(b"".join(wire.encode("INCR", key) for key in keys))
                for key in keys:
                    self.note(key, connection.read())
                    told += 1
            except (OSError, EOFError):
                self.lost += keys[told:]
                self.reconnects += 1
                if connection is not None:
                    connection.close()
                connection = None
            self.ended.wait(0.002)
        if connection is not None:
            connection.close()

    def note(self, key, reply):
        if reply == 1:
            self.done.append(key)
            self.done_at.append(time.monotonic())
        elif isinstance(reply, error_reply) and (reply == UNAVAILABLE or reply.startswith(("READONLY", "LOADING"))):
            self.not_run.append(key)
        elif reply == LOST:
            self.lost.append(key)
        else:
            self.strange.append((key, reply))


class two_nodes(unittest.TestCase):
    """A primary, its replica, and a proxy that knows the name of the endpoint alone."""

    POOLING = "multiplex"
    TLS = False
    maxDiff = None

    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(started.stop)
        return started

    def setUp(self):
        self.tls = None
        replication = []
        if self.TLS:
            self.tls = certificates()
            self.addCleanup(self.tls.remove)
            self.tls.server, self.tls.server_key = self.tls.issue("node", f"IP:127.0.0.1,IP:127.0.0.2,DNS:{ENDPOINT}")
            replication = [["tls-replication", "yes"]]
        self.names = self.start(name_server, {ENDPOINT: "node-a.cache.test"}, NODES)
        quick = [["repl-diskless-sync-delay", "0"], *replication]
        a = self.start(redis_server, host="127.0.0.1", tls=self.tls, arguments=[*quick, ["replica-announce-ip", "127.0.0.1"]])
        b = self.start(redis_server, host="127.0.0.2", port=a.port, tls=self.tls,
                       arguments=[*quick, ["replica-announce-ip", "127.0.0.2"], ["replicaof", a.host, str(a.port)]])
        self.nodes = {"node-a.cache.test": a, "node-b.cache.test": b}
        self.wait_for_replica(b)
        folder = tempfile.mkdtemp(prefix="tidegate-names-")
        self.addCleanup(shutil.rmtree, folder, True)
        scheme, ca = ("rediss", f"?ca={self.tls.ca}") if self.TLS else ("redis", "")
        self.proxy = self.start(tidegate, f"{scheme}://{ENDPOINT}:{a.port}{ca}", pooling=self.POOLING,
                                environment=self.names.environment(folder),
                                more={"upstream": {"queue_timeout": "5s", "connect_timeout": "500ms"}})

    @staticmethod
    def replication(server):
        with wire(server) as bare:
            return bare.call("INFO", "replication").decode()

    def wait_for_replica(self, server):
        wait_until(lambda: "master_link_status:up" in self.replication(server), what="a synchronised replica")

    def start_writers(self, count=6):
        writers = [writer(self.proxy, f"w{number}", pipeline=1 + 4 * (number % 3)) for number in range(count)]
        for one in writers:
            self.addCleanup(one.ended.set)
            one.start()
        wait_until(lambda: all(len(one.done) > 20 for one in writers), what="writes under way")
        return writers

    def judge(self, server, writers):
        for one in writers:
            one.ended.set()
        for one in writers:
            one.join(60)
        self.assertEqual([one.strange[:3] for one in writers], [[]] * len(writers))
        with wire(server) as bare:
            for one in writers:
                for wanted, keys in (({"1"}, one.done), ({"1", None}, one.lost), ({None}, one.not_run)):
                    for at in range(0, len(keys), 500):
                        found = {value.decode() if value else None for value in bare.call("MGET", *keys[at:at + 500])}
                        self.assertLessEqual(found, wanted)
        return (sum(len(one.done) for one in writers), sum(len(one.lost) for one in writers),
                sum(len(one.not_run) for one in writers))

    def fail_over(self):
        """The nodes change roles, with no write lost between them (FAILOVER); returns the names of old and new primary."""
        old = self.names.aliases[ENDPOINT]
        new = next(name for name in NODES if name != old)
        with wire(self.nodes[old]) as bare:
            self.assertEqual(bare.call("FAILOVER", "TO", self.nodes[new].host, self.nodes[new].port), "OK")
        wait_until(lambda: "role:master" in self.replication(self.nodes[new]) and
                   "role:slave" in self.replication(self.nodes[old]), what="changed roles")
        return old, new


class failover(two_nodes):
    FAILOVERS = 10 if LONG else 2

    def test_takes_writes_to_the_new_primary_once_the_name_leads_there(self):
        writers = self.start_writers()
        after = []
        for _ in range(self.FAILOVERS):
            old, new = self.fail_over()
            # The old primary is up and refuses; the name still leads to it.
            refused = sum(len(one.not_run) for one in writers)
            wait_until(lambda: sum(len(one.not_run) for one in writers) > refused, what="-READONLY told to a client")
            self.names.aliases[ENDPOINT] = new
            moved = time.monotonic()
            wait_until(lambda: all(one.done_at[-1] > moved for one in writers), what="writes on the new primary")
            after.append(min(one.done_at[next(i for i, at in enumerate(one.done_at) if at > moved)] for one in writers) - moved)
            with wire(self.nodes[old]) as bare:
                # Nobody stays behind but replication and this very question.
                wait_until(lambda: " name=tidegate:" not in bare.call("CLIENT", "LIST", "TYPE", "normal").decode(),
                           what="nobody on the old primary")
            self.wait_for_replica(self.nodes[old])
        done, lost, not_run = self.judge(self.nodes[self.names.aliases[ENDPOINT]], writers)
        print(f"{type(self).__name__}: {self.FAILOVERS} failovers, first write {max(after):.2f} s at most after the name had "
              f"moved; {done} done, {lost} lost, {not_run} refused; {self.names.asked} questions for the name")

    def test_stays_where_it_is_while_the_name_server_fails(self):
        writers = self.start_writers(2)
        self.names.failing = True
        asked = self.names.asked
        with wire(self.proxy) as connection:
            for _ in range(3):
                connection.call("EVAL", "return redis.error_reply('READONLY forged')", "0")
        wait_until(lambda: self.names.asked > asked, what="a question for the name")
        before = sum(len(one.done) for one in writers)
        wait_until(lambda: sum(len(one.done) for one in writers) > before + 20, what="writes going on")
        self.judge(self.nodes["node-a.cache.test"], writers)

    def test_follows_the_name_of_a_primary_that_is_gone(self):
        writers = self.start_writers(2)
        old, new = self.names.aliases[ENDPOINT], "node-b.cache.test"
        self.nodes[old].signal(signal.SIGKILL)
        self.nodes[old].wait()
        with wire(self.nodes[new]) as bare:
            bare.call("REPLICAOF", "NO", "ONE")
        # For as long as nobody knows where to go the name is asked for again and again, however long that takes.
        if LONG:
            time.sleep(12)
        asked = self.names.asked
        wait_until(lambda: self.names.asked >= asked + 3, 10, "three questions for the name")
        self.names.aliases[ENDPOINT] = new
        moved = time.monotonic()
        wait_until(lambda: all(one.done_at[-1] > moved for one in writers), what="writes on the new primary")
        print(f"{type(self).__name__}: a dead primary is left {time.monotonic() - moved:.2f} s after its name has moved")
        for one in writers:
            one.done = [key for key, at in zip(one.done, one.done_at) if at > moved]  # the others died with their node
        self.judge(self.nodes[new], writers)


class failover_with_a_connection_each(failover):
    POOLING = "session"


class failover_under_tls(failover):
    TLS = True


class a_forged_readonly(two_nodes):
    """A script can say -READONLY as well as a replica."""

    def test_starts_no_storm_and_moves_nobody(self):
        def lanes():
            with wire(self.nodes["node-a.cache.test"]) as bare:
                lines = bare.call("CLIENT", "LIST").decode().splitlines()
            return sorted(line.split()[0] for line in lines if "name=tidegate:it:" in line and ":control" not in line and
                          "cmd=set" in line)

        with wire(self.proxy) as quiet, wire(self.proxy) as forger:
            self.assertEqual(quiet.call("SET", "a", "1"), "OK")
            before, asked, begun = lanes(), self.names.asked, time.monotonic()
            self.assertEqual(len(before), 1)
            for _ in range(50 if LONG else 10):
                forger.send_raw(wire.encode("EVAL", "return redis.error_reply('READONLY forged')", "0") * 100)
                self.assertEqual([forger.read() for _ in range(100)], ["READONLY forged"] * 100)
            wait_until(lambda: self.names.asked > asked, what="a probe")
            self.assertLessEqual(self.names.asked - asked, 1 + time.monotonic() - begun)
            self.assertEqual(quiet.call("SET", "a", "2"), "OK")
            self.assertEqual(lanes(), before)
