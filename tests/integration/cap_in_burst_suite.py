"""A cap typed while a burst runs, told by the ledger's own rows: what the writer did each second before and behind it, and
what the server's memory did."""

import json
import sqlite3
import subprocess
import threading
import time
import unittest

from harness.processes import binary, redis_server, tidegate, wait_until
from harness.wire import wire

CULPRIT = "isales-campaign"
VALUE = b"v" * 512
PIPELINE = 50
CAP = 200  # commands a second; the burst that a cap allows is one second of it
KEY_SECONDS = 4


class bursting_job(threading.Thread):
    """Writes as fast as it is let, on one connection, until told to stop."""

    def __init__(self, proxy, number, stop):
        super().__init__()
        self.proxy, self.number, self.stop = proxy, number, stop
        self.acknowledged = 0
        self.ended_by = None

    def run(self):
        try:
            with wire(self.proxy, timeout=60) as connection:
                connection.call("CLIENT", "SETNAME", CULPRIT)
                while not self.stop.is_set():
                    keys = range(self.acknowledged, self.acknowledged + PIPELINE)
                    connection.send_raw(b"".join(
                        wire.encode("SET", f"contact:{self.number}:{key}", VALUE, "EX", KEY_SECONDS) for key in keys))
                    for _ in keys:
                        # Held commands wait at most max_delay, then the writer is told; both are a cap at work.
                        if connection.read() == "OK":
                            self.acknowledged += 1
        except Exception as failure:  # noqa: BLE001: whatever it is, the case must know
            self.ended_by = failure


class cap_in_burst(unittest.TestCase):
    def setUp(self):
        self.server = redis_server(arguments=[["maxmemory", "256mb"]])
        self.addCleanup(self.server.stop)
        self.proxy = tidegate(self.server, more={"ledger": {"path": "tidegate.db", "bucket": "1s"}})
        self.addCleanup(self.proxy.stop)

    def tidegate(self, *words):
        return subprocess.run([binary(), *words, "-c", self.address_file], capture_output=True, text=True, timeout=60)

    def ledger(self, query, *values):
        with sqlite3.connect(f"file:{self.proxy.folder / 'tidegate.db'}?mode=ro", uri=True) as db:
            return db.execute(query, values).fetchall()

    def test_holds_it_and_memory_turns_by_the_ledgers_own_rows(self):
        # The configuration says port 0; the commands of the operator need the one that was chosen.
        self.address_file = self.proxy.folder / "operator.yaml"
        self.address_file.touch(mode=0o600)
        self.address_file.write_text(json.dumps({
            **self.proxy.configuration,
            "admin": {"address": f"127.0.0.1:{self.proxy.admin_port}", "token": tidegate.TOKEN}}))
        stop = threading.Event()
        jobs = [bursting_job(self.proxy, number, stop) for number in range(4)]
        for job in jobs:
            job.start()
        try:
            wait_until(lambda: len(self.seconds_of_the_culprit()) >= 3, what="a burst in the ledger")
            begun = time.time()
            typed = self.tidegate("cap", CULPRIT, f"{CAP}/s", "--for", "5m", "--why", "burst")
            held = time.time()
            self.assertEqual(typed.returncode, 0, typed.stderr)
            # Long enough for whole buckets behind the cap and for the burst's keys to expire.
            wait_until(lambda: self.buckets_behind(held) >= KEY_SECONDS + 6, seconds=60, what="buckets behind the cap")
        finally:
            stop.set()
            self.tidegate("uncap", CULPRIT)
            for job in jobs:
                job.join()
        self.assertEqual([job.ended_by for job in jobs], [None] * len(jobs), "a connection was dropped")
        print(f"the command took {1000 * (held - begun):.0f} ms, its process included", flush=True)
        self.judge(begun, held)

    def seconds_of_the_culprit(self):
        try:
            return self.ledger("SELECT w.at, sum(w.commands) FROM write_bucket w JOIN client c ON c.id = w.client "
                               "WHERE c.name = ? GROUP BY w.at ORDER BY w.at", CULPRIT)
        except sqlite3.OperationalError:  # the file is a moment younger than the proxy
            return []

    def buckets_behind(self, moment):
        return self.ledger("SELECT count(*) FROM upstream_bucket WHERE at > ?", 1000 * moment)[0][0]

    def judge(self, begun, held):
        rows = self.seconds_of_the_culprit()
        before = [commands for at, commands in rows if at + 1000 <= 1000 * begun]
        last = self.ledger("SELECT max(at) FROM upstream_bucket")[0][0]
        behind = [commands for at, commands in rows if 1000 * held <= at < last - 1000]
        self.assertGreaterEqual(len(behind), 4, rows)
        self.assertGreater(max(before), 5 * CAP, rows)
        # The limit is exact in every window; the bucket the cap fell into holds both, and is not judged.
        self.assertLessEqual(max(behind), 2 * CAP, rows)
        memory = dict(self.ledger("SELECT at, used_memory FROM upstream_bucket WHERE used_memory IS NOT NULL ORDER BY at"))
        peak_at = max(memory, key=memory.get)
        print(f"writes a second before {max(before)}, behind {max(behind)}; memory peaked {(peak_at - 1000 * held) / 1000:+.1f} s "
              f"from the cap at {memory[peak_at] >> 10} KiB, at last {memory[max(memory)] >> 10} KiB", flush=True)
        self.assertLess(memory[max(memory)], memory[peak_at], memory)
        change = self.ledger("SELECT what, detail FROM change WHERE what LIKE '%cap%' ORDER BY at")
        self.assertTrue(any(CULPRIT in detail for _, detail in change), change)


if __name__ == "__main__":
    unittest.main()
