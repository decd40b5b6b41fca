"""Both known incidents against a real tidegate and real servers, in a short time: what each rule makes of the server's memory.

As in tests/limiter/incidents_test.cpp: 343,000 keys in ten minutes from 57.2 % of memory; two days later 0.65 GiB in 16
minutes, at a third of the command rate, from 61.2 %. A minute of theirs lasts 60 / TIME seconds here; keys and commands
are KEYS times fewer, memory MEMORY times less, so that bytes a second are TIME / MEMORY of theirs. A batch job is not
shorter for being held: what falls due waits. All cases of an incident and a rule run side by side, each with a server and
a tidegate of its own. TIDEGATE_LONG plays it four times slower, on four times the memory.
"""

import collections
import os
import selectors
import time
import unittest

from harness.exposition import metrics
from harness.processes import redis_server, tidegate
from harness.wire import wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
TIME, KEYS, MEMORY = (20.0, 150.0, 12.0) if LONG else (80.0, 600.0, 48.0)
MINUTE = 60 / TIME
MINUTES_PLAYED = 40
MAXMEMORY = int(2.32 * 2**30 / MEMORY)
ALERT = 0.70
CONNECTIONS = 8
MEMBER = b"m" * int(25 * KEYS / MEMORY)  # of the small commands, always the same: larger as the values are
KIB = 1024

incident = collections.namedtuple("incident", "before commands minutes commands_a_key stored_bytes ttl_minutes peak")
INCIDENTS = {
    "first": incident(.572, 343_000 * 14, 10, 14, 1350, (20, 40), .758),
    "second": incident(.612, 16 * 60 * 3817, 16, 6, 1205, (11, 29), .894),
}


def bytes_a_second(rate, **more):
    return [{"name": "writers", "rate": f"{round(rate * TIME / MEMORY)}B/s", "burst": "32KiB", "cost": "byte", "max_delay": "60m",
             **more}]


RULES = {
    "no limit": [],
    # The highest that keeps the first under the alert is about 1,800/s: tests/limiter/incidents_test.cpp searches for it.
    "1,650 commands/s": [{"name": "writers", "rate": f"{round(1650 * TIME / KEYS)}/s", "burst": 20, "max_delay": "60m"}],
    "150 KiB/s": bytes_a_second(150 * KIB),
    # Above what either burst writes (690 KiB/s): what holds it is pressure alone.
    "1 MiB/s under pressure": bytes_a_second(KIB * KIB, memory={"from": "60%", "to": "68%", "floor": "2%"}),
}


def memory_of(bare):
    return int(bare.call("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])


class connection:
    """One of the job's: a whole job at a time, as one pipeline; then it waits for every reply."""

    def __init__(self, play):
        self.socket = wire(play.proxy).socket
        self.socket.sendall(wire.encode("CLIENT", "SETNAME", "isales-campaign"))
        assert self.socket.recv(64) == b"+OK\r\n"
        self.socket.setblocking(False)
        self.play, self.out, self.waiting = play, b"", 0

    def send(self, commands, data):
        self.waiting, self.out = commands, data
        self.flush()

    def flush(self):
        try:
            self.out = self.out[self.socket.send(self.out):] if self.out else b""
        except BlockingIOError:
            pass

    def take(self):
        try:
            replies = self.socket.recv(65536)
        except BlockingIOError:
            return
        assert replies, "a connection was dropped"
        assert b"-" not in replies, replies
        self.waiting -= replies.count(b"\r\n")
        if self.waiting == 0 and not self.out:
            self.play.jobs_done += 1


class play:
    """One incident under one rule."""

    def __init__(self, what, rules, selector):
        self.what, self.selector = what, selector
        self.server = redis_server(arguments=[["maxmemory", str(MAXMEMORY)], ["maxmemory-policy", "noeviction"], ["hz", "100"]])
        self.proxy = tidegate(self.server, workers=1, more={"limits": rules})
        self.bare = wire(self.server)
        self.fill()
        self.connections = [connection(self) for _ in range(CONNECTIONS)]
        for each in self.connections:
            selector.register(each.socket, selectors.EVENT_READ, each)
        self.jobs = round(what.commands / KEYS / what.commands_a_key)
        self.jobs_sent = self.jobs_done = 0
        self.before = self.peak = memory_of(self.bare) / MAXMEMORY

    def fill(self):
        number = 0
        while (missing := self.what.before * MAXMEMORY - memory_of(self.bare)) > 20_000:
            for _ in range(max(1, int(missing // 70_000))):
                number += 1
                self.bare.call("SET", f"filler:{number}", b"f" * min(65_000, int(missing) - 10_000))

    def job(self, number):
        stored = self.what.stored_bytes * KEYS / MEMORY
        # Sizes around the mean, and lives spread by golden-section steps: as many of each at any time.
        value = b"v" * int(stored * (0.66 + 0.48 * (number * 0.755 % 1)))
        shortest, longest = self.what.ttl_minutes
        life = (shortest + (number * 0.618034 % 1) * (longest - shortest)) * MINUTE
        small = wire.encode("SADD", "contact:campaign:members", MEMBER) * (self.what.commands_a_key - 1)
        return small + wire.encode("SET", f"contact:{number}", value, "PX", int(life * 1000))

    def turn(self, minute):
        due = min(self.jobs, int(self.jobs * minute / self.what.minutes))
        for each in self.connections:
            if each.out:
                each.flush()
            if not each.waiting and self.jobs_sent < due:
                each.send(self.what.commands_a_key, self.job(self.jobs_sent))
                self.jobs_sent += 1

    def read_memory(self):
        self.peak = max(self.peak, memory_of(self.bare) / MAXMEMORY)

    def stop(self):
        for each in self.connections:
            each.socket.close()
        self.bare.close()
        self.proxy.stop()
        self.server.stop()


class incidents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        selector = selectors.DefaultSelector()
        cls.plays = {}
        for name, what in INCIDENTS.items():
            for rule, rules in RULES.items():
                cls.plays[rule, name] = one = play(what, rules, selector)
                cls.addClassCleanup(one.stop)
        begun = time.monotonic()
        look_at = begun
        while (now := time.monotonic()) - begun < MINUTES_PLAYED * MINUTE:
            for one in cls.plays.values():
                one.turn((now - begun) / MINUTE)
                if now >= look_at:
                    one.read_memory()
            if now >= look_at:
                look_at = now + 0.1
            for key, _ in selector.select(0.005):
                key.data.take()
        for rule in RULES:
            told = [f"{name}: {one.before:.1%} -> {one.peak:.1%} ({one.jobs_done * 100 // one.jobs} % of the job done)"
                    for (which, name), one in cls.plays.items() if which == rule]
            print(f"{rule:24}{'   '.join(told)}", flush=True)

    def held(self, rule):
        for name in INCIDENTS:
            one = self.plays[rule, name]
            seen = metrics(one.proxy)
            self.assertLess(one.peak, ALERT, f"{name} under {rule}")
            self.assertGreater(one.peak, one.before + 0.02, "it writes all the same")
            self.assertGreater(one.jobs_done, one.jobs // 10, "the job goes on")
            self.assertGreater(seen.sum("tidegate_delayed_total", rule="writers", client="isales-campaign"), 0)
            self.assertEqual(seen.sum("tidegate_rejected_total", rule="writers"), 0)

    def test_pass_the_alert_where_nothing_holds_them(self):
        for name in INCIDENTS:
            self.assertGreater(self.plays["no limit", name].peak, ALERT, name)

    def test_the_second_passes_a_command_rate_that_holds_the_first(self):
        self.assertLess(self.plays["1,650 commands/s", "first"].peak, ALERT)
        self.assertGreater(self.plays["1,650 commands/s", "second"].peak, ALERT)

    def test_are_both_held_by_a_byte_budget(self):
        self.held("150 KiB/s")

    def test_are_both_held_by_memory_pressure(self):
        self.held("1 MiB/s under pressure")


if __name__ == "__main__":
    unittest.main()
