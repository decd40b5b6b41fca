"""Limits, measured from outside: each write was handed over between the moment its client sent it and the moment its reply
was read. So a window [a, b] held at least the writes sent at or after a and answered by b. That bound is sound whatever the
scheduler does: a slow machine can hide a violation of some milliseconds, and never makes one up."""

import bisect
import threading
import time

from harness.cases import proxied_case
from harness.exposition import metrics
from harness.wire import wire

RATE = 1000
BURST = 500


class limiter(proxied_case):
    CONFIGURATION = {"limits": [
        {"name": "held", "match": {"key": "held:*"}, "per": "client", "rate": f"{RATE}/s", "burst": BURST, "max_delay": "30s"},
        {"name": "refused", "match": {"key": "refused:*"}, "rate": "10/s", "burst": 20, "action": "reject"},
        {"name": "watched", "match": {"key": "watched:*"}, "rate": "10/s", "burst": 20, "action": "observe"},
        {"name": "members", "match": {"key": "members:*"}, "rate": "10/s", "burst": 100, "cost": "element",
         "action": "reject"},
        {"name": "bytes", "match": {"key": "bytes:*"}, "rate": "1KiB/s", "burst": "10KiB", "cost": "byte", "action": "reject"},
    ]}

    def flood(self, connections, seconds, name):
        """Sends as fast as replies come; returns (sent, answered) of every write."""
        spans = []
        failures = []
        lock = threading.Lock()
        end = time.monotonic() + seconds

        def work(number):
            mine = []
            try:
                with wire(self.proxy, timeout=60) as connection:
                    connection.call("CLIENT", "SETNAME", name)
                    data = wire.encode("SET", f"held:{name}:{number}", "x")
                    while True:
                        sent = time.monotonic()
                        if sent > end:
                            break
                        connection.send_raw(data)
                        reply = connection.read()
                        mine.append((sent, time.monotonic()))
                        if reply != "OK":
                            failures.append(reply)
            except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
                failures.append(repr(error))
            with lock:
                spans.extend(mine)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures[:3], [])
        return spans

    def assert_never_exceeded(self, spans):
        """Over every pair of a begin and an end that occur: counts of writes certainly inside."""
        spans = sorted(spans)
        begins = [sent for sent, _ in spans]
        worst = 0.0
        # For each begin, walk the ends in order: the k-th end among the writes sent since `begin` closes a window with k writes.
        for first in range(0, len(spans), max(1, len(spans) // 400)):
            ends = sorted(answered for _, answered in spans[first:])
            begin = begins[first]
            for count, end in enumerate(ends, 1):
                excess = count - (RATE * (end - begin) + BURST)
                worst = max(worst, excess)
        # One write of slack: the moment of a measurement against the moment of a debit.
        self.assertLessEqual(worst, 1.0, "more passed than rate x t + burst")

    def test_lets_no_window_exceed_its_rate_and_uses_it_up(self):
        seconds = 5.0
        spans = self.flood(8, seconds, "flooder")
        self.assert_never_exceeded(spans)
        begun = min(sent for sent, _ in spans)
        # Whoever asks all the time gets at least 95 % of the rate, the burst not counted.
        in_time = bisect.bisect_right(sorted(answered for _, answered in spans), begun + seconds)
        self.assertGreaterEqual(in_time - BURST, 0.95 * RATE * seconds)

    def test_shares_a_rate_evenly_between_connections(self):
        self.flood(8, 3.0, "sharer")
        with wire(self.server) as bare:
            self.assertEqual(bare.call("DBSIZE"), 8)
        seen = metrics(self.proxy)
        self.assertGreater(seen.sum("tidegate_delayed_total", rule="held", client="sharer"), 1000)
        self.assertGreater(seen.sum("tidegate_delay_seconds_count"), 1000)

    def test_delays_one_client_and_nobody_else(self):
        stop = threading.Event()

        def hold():
            with wire(self.proxy, timeout=60) as connection:
                connection.call("CLIENT", "SETNAME", "greedy")
                while not stop.is_set():
                    connection.send_raw(wire.encode("SET", "held:greedy", "x") * 200 + wire.encode("ECHO", "end"))
                    connection.read_until(b"$3\r\nend\r\n")

        thread = threading.Thread(target=hold)
        thread.start()
        try:
            with wire(self.proxy) as modest:
                modest.call("CLIENT", "SETNAME", "modest")
                begun = time.monotonic()
                for _ in range(300):
                    self.assertEqual(modest.call("SET", "held:modest", "x"), "OK")
                # Its own bucket holds 500: nothing of it waits. A shared one would hold these 300 for a long time.
                self.assertEqual(metrics(self.proxy).sum("tidegate_delayed_total", client="modest"), 0)
                self.assertLess(time.monotonic() - begun, 10)
        finally:
            stop.set()
            thread.join()

    def test_never_delays_reads_and_deletes(self):
        with wire(self.proxy) as connection:
            connection.call("CLIENT", "SETNAME", "reader")
            connection.send_raw(b"".join(wire.encode("GET", "refused:1") + wire.encode("DEL", "refused:1")
                                         for _ in range(500)) + wire.encode("ECHO", "end"))
            connection.read_until(b"$3\r\nend\r\n")
        self.assertEqual(metrics(self.proxy).sum("tidegate_rejected_total", client="reader"), 0)

    def test_rejects_in_its_place_in_the_pipeline(self):
        with wire(self.proxy) as connection:
            connection.call("CLIENT", "SETNAME", "refused-one")
            connection.send_raw(b"".join(wire.encode("SET", f"refused:{n}", "x") + wire.encode("ECHO", f"e{n}")
                                         for n in range(100)))
            passed = 0
            for number in range(100):
                reply = connection.read()
                if reply == "OK":
                    passed += 1
                else:
                    self.assertRegex(reply, r"^THROTTLED rule=refused client=refused-one retry_after_ms=\d+$")
                self.assertEqual(connection.read(), b"e%d" % number)
        self.assertGreaterEqual(passed, 20)
        self.assertLess(passed, 60)
        seen = metrics(self.proxy)
        self.assertEqual(seen.sum("tidegate_rejected_total", rule="refused", client="refused-one"), 100 - passed)
        with wire(self.server) as bare:
            self.assertEqual(bare.call("DBSIZE"), passed)

    def test_refuses_a_transaction_whole(self):
        with wire(self.proxy) as connection:
            connection.call("CLIENT", "SETNAME", "transactor")
            self.assertEqual(connection.call("MULTI"), "OK")
            for number in range(15):
                self.assertEqual(connection.call("SET", f"refused:{number}", "x"), "QUEUED")
            self.assertEqual(connection.call("EXEC"), ["OK"] * 15)
            connection.call("MULTI")
            for number in range(15, 30):
                self.assertEqual(connection.call("SET", f"refused:{number}", "x"), "QUEUED")
            self.assertRegex(connection.call("EXEC"), r"^EXECABORT Transaction discarded because of: THROTTLED rule=refused "
                                                      r"client=transactor retry_after_ms=\d+$")
            self.assertEqual(connection.call("DBSIZE"), 15)
            self.assertEqual(connection.call("SET", "free", "x"), "OK")

    def test_counts_elements_and_bytes(self):
        with wire(self.proxy) as connection:
            self.assertEqual(connection.call("SADD", "members:a", *range(100)), 100)
            self.assertTrue(connection.call("SADD", "members:a", *range(100, 150)).startswith("THROTTLED rule=members"))
            self.assertEqual(connection.call("SET", "bytes:a", "x" * 10000), "OK")
            self.assertTrue(connection.call("SET", "bytes:b", "x" * 2000).startswith("THROTTLED rule=bytes"))

    def test_only_counts_what_an_observing_rule_would_have_done(self):
        with wire(self.proxy) as connection:
            connection.call("CLIENT", "SETNAME", "observed")
            for _ in range(100):
                self.assertEqual(connection.call("SET", "watched:1", "x"), "OK")
        self.assertGreater(metrics(self.proxy).sum("tidegate_observed_total", rule="watched", client="observed"), 30)

    def test_gives_back_the_place_of_a_client_that_dies_while_it_waits(self):
        dying = wire(self.proxy)
        dying.call("CLIENT", "SETNAME", "mortal")
        dying.send_raw(wire.encode("SET", "held:dying", "x") * 20000)
        with wire(self.proxy) as watch:
            while metrics(self.proxy).sum("tidegate_delayed_total", client="mortal") == 0:
                watch.call("PING")
        dying.reset()
        with wire(self.proxy) as heir:
            heir.call("CLIENT", "SETNAME", "mortal")
            begun = time.monotonic()
            self.assertEqual(heir.call("SET", "held:heir", "x"), "OK")
            self.assertLess(time.monotonic() - begun, 5)  # behind 20,000 it would be 20 s


class limiter_with_a_connection_each(limiter):
    POOLING = "session"
