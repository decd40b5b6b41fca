"""The ledger of a running tidegate: its sums are those of /metrics and of the upstream, whatever happens to the file."""

import collections
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import unittest

from harness.exposition import assert_books_are_exact, calls_of_writes, metrics
from harness.processes import redis_server, tidegate, wait_until
from harness.wire import wire

NAMES = [f"job-{number}" for number in range(12)]
FAMILIES = ["contact", "coupon", "session", "price"]


def write_some(proxy, seed, blocks):
    """A connection that changes its name and writes in every way that a ledger tells apart."""
    dice = random.Random(seed)
    with wire(proxy) as connection:
        for _ in range(blocks):
            connection.call("CLIENT", "SETNAME", dice.choice(NAMES))
            batch = []
            for _ in range(40):
                key = f"{dice.choice(FAMILIES)}:{dice.randrange(500)}"
                batch.append(dice.choice([
                    ("SET", key, "v" * dice.randrange(200), "EX", 600), ("SET", key, "v"), ("DEL", key),
                    ("SADD", "set:" + key, "a", "b", "c"), ("MSET", key, 1, key + ":n", 2), ("INCR", "n:" + key),
                    ("LPUSH", "n:" + key, "x"), ("EXPIRE", key, 50), ("GET", key)]))
            if dice.random() < 0.3:
                batch = [("MULTI",), *batch, ("EXEC",)]
            connection.send_raw(b"".join(wire.encode(*command) for command in batch))
            for _ in batch:
                connection.read()


class ledger_case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-ledger-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.path = self.folder / "ledger.db"
        self.server = redis_server()
        self.addCleanup(self.server.stop)

    def start(self, **how):
        wanted = how.pop("up", 1)
        ledger = {"path": str(how.pop("path", self.path)), "bucket": "1s", **how.pop("ledger", {})}
        proxy = tidegate(self.server, more={
            "ledger": ledger, "attribution": {"patterns": [family + ":*" for family in FAMILIES]},
            **how.pop("more", {})}, **how)
        self.addCleanup(self.stop, proxy)
        if wanted:
            wait_until(lambda: metrics(proxy).sum("tidegate_ledger_up") == 1, what="the ledger up")
        return proxy

    @staticmethod
    def stop(proxy):
        if proxy.child.poll() is None:
            proxy.stop()

    def rows(self, sql, *values, path=None):
        ledger = sqlite3.connect(f"file:{path or self.path}?mode=ro", uri=True)
        try:
            return ledger.execute(sql, values).fetchall()
        finally:
            ledger.close()

    def write_in_threads(self, proxy, threads=6, blocks=60):
        running = [threading.Thread(target=write_some, args=(proxy, seed, blocks)) for seed in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()


class ledger(ledger_case):
    FIELDS = {"commands": "tidegate_writes_total", "elements": "tidegate_write_elements_total",
              "bytes": "tidegate_write_bytes_total", "without_ttl": "tidegate_writes_without_ttl_total"}

    def booked(self, scrape, name):
        sums = collections.Counter()
        for labels, value in scrape.samples[name]:
            sums[labels["client"], labels["pattern"], labels["command"]] += int(value)
        return +sums

    def test_sums_equal_the_metrics_and_the_upstream_to_the_last_write(self):
        proxy = self.start(more={
            "limits": [{"name": "watched", "match": {"client": "job-1"}, "rate": "1/s", "burst": 1, "action": "observe"},
                       {"name": "refused", "match": {"client": "job-2", "command": ["INCR"]}, "rate": "1/h", "burst": 1,
                        "action": "reject"}],
            "ttl": [{"pattern": "set:*", "default": "1h"}, {"pattern": "contact:*", "max": "5m"}]})
        self.write_in_threads(proxy)
        booked = assert_books_are_exact(self, proxy, self.server)
        scrape = metrics(proxy)
        proxy.stop()

        self.assertEqual(self.rows("SELECT sum(commands) FROM write_bucket")[0][0], booked)
        for column, name in self.FIELDS.items():
            sums = {tuple(row[:3]): row[3] for row in self.rows(
                f"SELECT client, pattern, command, sum({column}) AS n FROM writes GROUP BY 1, 2, 3 HAVING n > 0")}
            self.assertEqual(sums, dict(self.booked(scrape, name)), column)
        limits = {row[:2]: row[2:] for row in self.rows(
            "SELECT rule, client, sum(delayed), sum(rejected), sum(observed) FROM limits GROUP BY 1, 2")}
        self.assertGreater(limits["watched", "job-1"][2], 0)
        self.assertGreater(limits["refused", "job-2"][1], 0)
        for (rule, client), counts in limits.items():
            for kind, count in zip(("delayed", "rejected", "observed"), counts):
                self.assertEqual(count, scrape.sum(f"tidegate_{kind}_total", rule=rule, client=client), (rule, client, kind))
        ttl = self.rows("SELECT sum(injected), sum(capped) FROM ttl_bucket")[0]
        self.assertEqual(ttl, (scrape.sum("tidegate_ttl_injected_total"), scrape.sum("tidegate_ttl_capped_total")))
        self.assertGreater(min(ttl), 0)

    def test_tells_sources_keys_ttls_and_connections(self):
        proxy = self.start()
        with wire(proxy) as connection:
            connection.call("CLIENT", "SETNAME", "burst")
            for number in range(1000):
                connection.call("SETEX", f"contact:{number % 250}", 60 + number % 3, "v" * 10)
            connection.call("SET", "coupon:1", "v")
        proxy.stop()
        found = self.rows("SELECT sum(commands), sum(distinct_keys), min(ttl_min_ms), max(ttl_max_ms), group_concat(DISTINCT "
                          "source) FROM writes WHERE pattern = 'contact:*'")[0]
        self.assertEqual((found[0], found[2], found[3], found[4]), (1000, 60_000, 62_000, "127.0.0.1"))
        self.assertAlmostEqual(found[1], 250, delta=250 * 0.15 * max(1, self.buckets()))
        classes = collections.Counter()
        for (text,) in self.rows("SELECT ttl_histogram FROM write_bucket WHERE ttl_histogram IS NOT NULL"):
            for name, writes in re.findall(r'"(\w+)":\[(\d+),', text):
                classes[name] += int(writes)
        self.assertEqual(dict(classes), {"6": 1000, "none": 1})
        self.assertEqual(self.rows("SELECT sum(opened) FROM connections WHERE client = 'burst'")[0][0], 1)

    def buckets(self):
        return self.rows("SELECT count(DISTINCT at) FROM write_bucket")[0][0]

    def test_covers_the_upstream_with_what_it_booked(self):
        proxy = self.start()
        self.write_in_threads(proxy, threads=2, blocks=10)
        calls = sum(calls_of_writes(self.server).values())

        def settled():
            row = self.rows("SELECT write_calls, booked_calls + own_calls, keys, used_memory, eviction_policy FROM "
                            "upstream_bucket WHERE complete ORDER BY at DESC LIMIT 1")
            return row and row[0][0] == calls and row[0]
        found = wait_until(settled, what="a bucket with the upstream's calls")
        self.assertEqual(found[0], found[1])
        self.assertGreater(found[2], 0)
        self.assertGreater(found[3], 0)
        self.assertEqual(found[4], "noeviction")

    def test_lacks_at_most_the_last_bucket_after_kill_9(self):
        proxy = self.start()
        self.write_in_threads(proxy, threads=2, blocks=10)
        booked = metrics(proxy).sum("tidegate_writes_total")
        wait_until(lambda: self.rows("SELECT sum(commands) FROM write_bucket")[0][0] == booked,
                   what="every write on disk")
        with wire(proxy) as connection:
            connection.call("SET", "contact:last", "v")
        proxy.kill()
        ended, until = self.rows("SELECT ended_at, written_until FROM run")[0]
        self.assertIsNone(ended)
        self.assertGreater(until, 0)
        self.assertGreaterEqual(self.rows("SELECT sum(commands) FROM write_bucket")[0][0], booked)
        self.assertEqual(self.rows("PRAGMA integrity_check")[0][0], "ok")
        second = self.start()
        second.stop()
        self.assertEqual(self.rows("SELECT count(*), count(ended_at) FROM run")[0], (2, 1))

    def test_begins_anew_beside_a_corrupt_file(self):
        self.path.write_bytes(b"nonsense" * 1000)
        proxy = self.start()
        self.assertRegex(proxy.log, r"ledger: .*ledger\.db was corrupt; it is now .*\.corrupt-\d{8}T\d{6}Z")
        self.assertEqual(len(list(self.folder.glob("ledger.db.corrupt-*"))), 1)
        with wire(proxy) as connection:
            connection.call("SET", "contact:1", "v")
        proxy.stop()
        self.assertEqual(self.rows("SELECT sum(commands) FROM write_bucket")[0][0], 1)

    def test_waits_for_the_process_that_holds_the_file(self):
        first = self.start()
        second = self.start(up=0)
        wait_until(lambda: "another process holds this ledger" in second.log, what="the second to wait")
        with wire(second) as connection:
            connection.call("SET", "contact:2", "v")
        self.assertEqual(metrics(second).sum("tidegate_ledger_up"), 0)
        first.stop()
        wait_until(lambda: metrics(second).sum("tidegate_ledger_up") == 1, what="the second ledger up")
        second.stop()
        self.assertEqual(self.rows("SELECT sum(commands) FROM write_bucket")[0][0], 1)

    def test_declares_its_metrics_where_it_is_off(self):
        proxy = tidegate(self.server)
        self.addCleanup(self.stop, proxy)
        text = metrics(proxy).text
        for name in ("ledger_up", "ledger_rows_total", "ledger_dropped_total", "ledger_bytes", "capture_up",
                     "capture_records_total", "capture_dropped_total", "capture_bytes_total"):
            self.assertIn(f"# TYPE tidegate_{name} ", text)

    def test_has_a_start_a_reload_and_a_stop_among_its_changes(self):
        proxy = self.start()
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: "configuration in force" in proxy.log, what="the reload")
        proxy.stop()
        self.assertEqual([row[0] for row in self.rows("SELECT what FROM change ORDER BY at, rowid")], ["start", "reload", "stop"])


@unittest.skipUnless(os.geteuid() == 0, "a small file system is mounted by root alone")
class full_disk(ledger_case):
    def setUp(self):
        super().setUp()
        self.small = self.folder / "small"
        self.small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(self.small)], capture_output=True,
                                 text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest(f"no tmpfs here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.small)], check=False)

    def test_stops_the_ledger_with_an_alarm_and_never_the_traffic(self):
        self.path = self.small / "ledger.db"
        proxy = self.start()
        ballast = self.small / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        self.write_in_threads(proxy, threads=2, blocks=20)
        wait_until(lambda: metrics(proxy).sum("tidegate_ledger_up") == 0, what="the ledger down")
        self.assertRegex(proxy.log, r"ledger: .*traffic goes on")
        with wire(proxy) as connection:
            self.assertEqual(connection.call("SET", "contact:1", "v"), "OK")
        booked = assert_books_are_exact(self, proxy, self.server)
        ballast.unlink()
        wait_until(lambda: metrics(proxy).sum("tidegate_ledger_up") == 1, what="the ledger up again")
        proxy.stop()
        self.assertEqual(self.rows("SELECT sum(commands) FROM write_bucket")[0][0], booked)


if __name__ == "__main__":
    unittest.main()
