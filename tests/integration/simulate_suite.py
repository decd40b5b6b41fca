"""Recorded writes tried against other rules and played again: `tidegate simulate`, `tidegate replay`, the live forecast.

The recording is made here, command by command as they were sent to a proxy without rules, in the format of a capture. The
same workload then meets a proxy with the rules, and what that one counted is held against what the simulation foretold.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

from capture_suite import keyspace, write_own_keys
from harness.exposition import assert_books_are_exact, metrics
from harness.processes import binary, certificates, redis_server, tidegate, wait_until
from harness.wire import wire

WRITES = int(os.environ.get("TIDEGATE_REPLAY_WRITES", "40000"))
ATTRIBUTION = {"attribution": {"patterns": ["job:*", "tag:*", "cold:*", "seen:*"]}}
RULES = {
    **ATTRIBUTION,
    # Far below what the workload asks for on the slowest machine, so that its own pace hardly tells.
    "limits": [
        {"name": "job-writes", "match": {"client": "job", "key": "job:*"}, "rate": "800/s", "burst": 100,
         "max_delay": "60s"},
        {"name": "tags", "match": {"key": "tag:*"}, "rate": "1/s", "burst": 100, "cost": "element", "action": "reject"},
        {"name": "seen", "match": {"key": "seen:*"}, "rate": "1/s", "burst": 50, "action": "observe"},
    ],
    "ttl": [
        {"pattern": "cold:*", "default": "1h", "jitter": "10%"},
        {"pattern": "job:*", "max": "10m"},
    ],
}


def sessions_of_the_workload():
    """What each session sends: (client, commands). Random, and the same each time."""
    dice = random.Random(7)
    value = "v" * 100
    # Many at once, so that somebody always stands in line, also after the machine was busy elsewhere.
    for number in range(40):
        yield "job", [("SET", f"job:{number}:{n}", value, "EX", 300 if n % 2 else 3000) for n in range(100)]
    yield "tagger", [("SADD", f"tag:{n % 40}", f"member-{n}", "and-one-more") for n in range(300)]
    yield "watcher", [("SET", f"seen:{n}", value, "EX", 60) for n in range(200)]
    yield "keeper", [dice.choice([("SET", f"cold:{dice.randrange(300)}", value), ("SADD", f"cold:set:{n % 50}", str(n)),
                                  ("HSET", f"cold:hash:{n % 20}", str(n), value)]) for n in range(600)]
    yield "buyer", [command for n in range(50)
                    for command in (("MULTI",), ("INCR", f"count:{n}"), ("SET", f"cold:tx:{n}", value), ("EXEC",))]


class recording:
    """A capture file, as the proxy's own would say it."""

    def __init__(self):
        self._lines = []
        self._lock = threading.Lock()

    def add(self, client, session, commands):
        at = time.time()
        text = b"#TS:%d\r\n#TG:client=%s source=127.0.0.1 session=%d ms=%d\r\n" % (
            int(at), client.encode(), session, int(at % 1 * 1000))
        with self._lock:
            self._lines.append((at, text + b"".join(wire.encode(*command) for command in commands)))

    def write(self, path):
        path.write_bytes(b"".join(text for _, text in sorted(self._lines, key=lambda line: line[0])))
        return path


def run_workload(proxy, record=None):
    failures = []

    def work(number, client, commands):
        try:
            with wire(proxy, timeout=120) as connection:
                connection.call("CLIENT", "SETNAME", client)
                for first in range(0, len(commands), 48):
                    batch = commands[first:first + 48]
                    # What a transaction holds is recorded as one piece, as a capture does.
                    if record:
                        step = 4 if client == "buyer" else 1
                        for at in range(0, len(batch), step):
                            record.add(client, number, batch[at:at + step])
                    connection.send_raw(b"".join(wire.encode(*command) for command in batch))
                    for _ in batch:
                        connection.read()
        except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(repr(error))

    threads = [threading.Thread(target=work, args=(number, *session))
               for number, session in enumerate(sessions_of_the_workload())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise AssertionError(failures)


def run(*arguments, **how):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL, **how)


def values_of(server):
    """Every key with its value and whether it has a TTL."""
    found = {}
    with wire(server) as connection:
        for key in connection.call("KEYS", "*"):
            kind = connection.call("TYPE", key)
            value = {"string": lambda k: connection.call("GET", k),
                     "set": lambda k: sorted(connection.call("SMEMBERS", k)),
                     "hash": lambda k: sorted(connection.call("HGETALL", k))}[kind](key)
            found[key] = (kind, value, connection.call("TTL", key) > 0)
    return found


class simulate_case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-simulate-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def server(self, **how):
        made = redis_server(**how)
        self.addCleanup(made.stop)
        return made

    def proxy(self, server, **how):
        made = tidegate(server, workers=1, more=how)
        self.addCleanup(made.stop)
        return made

    def config(self, **sections):
        path = self.folder / "try.yaml"
        path.write_text(json.dumps({"listen": [{"address": "127.0.0.1:0"}], "upstream": {"url": "redis://127.0.0.1:1"},
                                    "ledger": "off", **sections}))
        path.chmod(0o600)
        return path

    def recorded(self, server):
        record = recording()
        run_workload(self.proxy(server), record)
        return record.write(self.folder / "tidegate-it-20260210T090000Z-1.aof")


class simulate(simulate_case):
    def assert_foretells_the_limited_run(self, capture):
        told = run("simulate", "-c", self.config(**RULES), "--capture", capture, "--format", "json")
        self.assertEqual(told.returncode, 0, told.stderr)
        told = json.loads(told.stdout)

        limited = self.proxy(self.server(), **RULES)
        run_workload(limited)
        seen = metrics(limited)

        def assert_close(foretold, counted, what):
            self.assertGreater(counted, 0, what)
            self.assertLessEqual(abs(foretold - counted), max(1, 0.02 * counted), f"{what}: {foretold} for {counted}")

        for rule, word in (("job-writes", "delayed"), ("tags", "rejected"), ("seen", "observed")):
            foretold = sum(line[word] for line in told["limits"] if line["rule"] == rule)
            assert_close(foretold, seen.sum(f"tidegate_{word}_total", rule=rule), f"{rule} {word}")
        for pattern, word in (("cold:*", "injected"), ("job:*", "capped")):
            foretold = sum(line[word] for line in told["ttl"] if line["pattern"] == pattern)
            assert_close(foretold, seen.sum(f"tidegate_ttl_{word}_total", pattern=pattern), f"{pattern} {word}")
        self.assertEqual(told["rejected"], sum(line["rejected"] for line in told["limits"]))
        return told

    def test_foretells_the_counts_of_the_limited_run_to_two_percent(self):
        self.assert_foretells_the_limited_run(self.recorded(self.server()))

    def test_foretells_them_from_what_a_running_proxy_captured(self):
        captures = self.folder / "captures"
        proxy = self.proxy(self.server(), capture={"directory": str(captures), "values": True}, **ATTRIBUTION)
        run_workload(proxy)
        self.assertEqual(metrics(proxy).sum("tidegate_capture_dropped_total"), 0)
        proxy.stop()
        told = self.assert_foretells_the_limited_run(captures)
        self.assertEqual({line["client"] for line in told["limits"]}, {"job", "tagger", "watcher"})

    def test_says_so_where_there_is_nothing_to_simulate(self):
        config = self.config()
        empty = run("simulate", "-c", config, "--capture", self.folder)
        self.assertEqual(empty.returncode, 1)
        self.assertIn("there is no capture file", empty.stderr)
        self.assertEqual(run("simulate", "-c", config).returncode, 1)
        self.assertEqual(run("simulate").returncode, 2)
        self.assertEqual(run("simulate", "-c", config, "--capture", config, "--since", "yesterday").returncode, 2)

    def test_suggests_limits_that_hold_and_that_check_accepts(self):
        record = recording()
        for second in range(60):
            for number in range(20):
                record._lines.append((second + number / 20, b"#TS:%d\r\n#TG:client=%s session=%d ms=%d\r\n" % (
                    1_770_000_000 + second, b"big-job" if number % 10 else b"small-job", number, number * 50)
                    + wire.encode("SET", f"job:{second}:{number}", "v" * 10_000, "EX", 3600)))
        capture = record.write(self.folder / "tidegate-it-20260210T090000Z-1.aof")
        memory = ("--maxmemory", "100MiB", "--used-before", "62MiB")
        config = self.config()
        told = run("simulate", "-c", config, "--capture", capture, "--suggest", "--under", "70%", *memory)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("big-job", told.stdout)
        self.assertNotIn('"small-job"', told.stdout, "one budget is enough")
        self.assertRegex(told.stdout, r"# Keeps the memory at (69\.\d|70\.0) % where it was \d\d\.\d %")

        pasted = self.folder / "pasted.yaml"
        pasted.write_text("listen: [ { address: \"127.0.0.1:0\" } ]\nupstream: { url: \"redis://127.0.0.1:1\" }\n"
                          "ledger: off\n" + told.stdout)
        pasted.chmod(0o600)
        checked = run("check", "-c", pasted, "--offline")
        self.assertEqual(checked.returncode, 0, checked.stdout)
        held = json.loads(run("simulate", "-c", pasted, "--capture", capture, "--format", "json", *memory).stdout)
        self.assertGreater(held["memory"]["peak_before"]["percent"], 72)
        self.assertLessEqual(held["memory"]["peak_after"]["percent"], 70.01)
        self.assertEqual(held["rejected"], 0)

        impossible = run("simulate", "-c", config, "--capture", capture, "--suggest", "--under", "60%", *memory)
        self.assertEqual(impossible.returncode, 1)
        self.assertIn("before the first of these writes", impossible.stderr)

    def test_draws_the_memory_in_one_file(self):
        capture = self.recorded(self.server())
        for ending in ("svg", "html"):
            plot = self.folder / f"memory.{ending}"
            self.assertEqual(run("simulate", "-c", self.config(**RULES), "--capture", capture, "--plot", plot).returncode, 0)
            text = plot.read_text()
            self.assertIn("<polyline", text)
            self.assertEqual([line for line in text.splitlines() if "src=" in line or "href=" in line], [])

    def test_reads_a_ledger_where_there_is_no_capture(self):
        ledger = self.folder / "ledger.db"
        server = self.server(arguments=[["maxmemory", "64mb"]])
        proxy = tidegate(server, workers=1, more={"ledger": {"path": str(ledger), "bucket": "1s"}})
        try:
            run_workload(proxy)
        finally:
            proxy.stop()
        slow = {**RULES, "limits": [{**RULES["limits"][0], "rate": "100/s"}, *RULES["limits"][1:]]}
        told = run("simulate", "-c", self.config(**slow), "--ledger", ledger, "--format", "json")
        self.assertEqual(told.returncode, 0, told.stderr)
        told = json.loads(told.stdout)
        self.assertEqual(told["commands"], 4000 + 300 + 200 + 600 + 100)
        by_rule = {line["rule"]: line for line in told["limits"]}
        self.assertGreater(by_rule["job-writes"]["delayed"], 1000)
        self.assertGreater(by_rule["tags"]["rejected"], 200)
        self.assertEqual(told["memory"]["max_bytes"], 64 << 20)


class replay(simulate_case):
    def test_makes_an_equal_keyspace_in_every_session_order(self):
        original = self.server()
        capture = self.recorded(original)
        copy = self.server()
        told = run("replay", "--capture", capture, "--to", f"redis://127.0.0.1:{copy.port}", "--speed", "0", "--format", "json")
        self.assertEqual(told.returncode, 0, told.stderr)
        told = json.loads(told.stdout)
        self.assertEqual(told["errors"], 0)
        self.assertEqual(told["sessions"], 44)
        self.assertEqual(told["commands"], 4000 + 300 + 200 + 600 + 200)
        self.assertEqual(values_of(copy), values_of(original))

    def test_makes_an_equal_keyspace_of_what_a_running_proxy_captured(self):
        original, copy = self.server(), self.server()
        captures = self.folder / "captures"
        proxy = tidegate(original, more={"capture": {"directory": str(captures), "values": True, "rotate": "1MiB"}})
        self.addCleanup(lambda: proxy.child.poll() is None and proxy.stop())
        sessions = range(4)
        writers = [threading.Thread(target=write_own_keys, args=(proxy, session, WRITES // len(sessions)))
                   for session in sessions]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        # Each key passes from one session to the next, which must not overtake it when it is played again.
        turns = range(10)
        for turn in turns:
            with wire(proxy) as connection:
                for number in range(100):
                    connection.send("APPEND", f"passed:{number}", f"{turn},")
                for _ in range(100):
                    connection.read()
            booked = assert_books_are_exact(self, proxy, original)
            self.assertEqual(metrics(proxy).sum("tidegate_capture_dropped_total"), 0)
            wait_until(lambda: metrics(proxy).sum("tidegate_capture_records_total") == booked,
                       what="the turn in the capture")
        self.assertGreaterEqual(booked, WRITES + 100 * len(turns))
        proxy.stop()
        self.assertGreater(len(list(captures.glob("*.aof.zst"))), 1)

        told = run("replay", "--capture", captures, "--to", f"redis://127.0.0.1:{copy.port}", "--speed", "0", "--format", "json")
        self.assertEqual(told.returncode, 0, told.stderr)
        told = json.loads(told.stdout)
        self.assertEqual((told["errors"], told["digested"], told["truncated_files"]), (0, 0, 0))
        # An EXEC and its MULTI count as commands here, and as none in the books.
        self.assertGreaterEqual(told["commands"], booked)
        self.assertEqual(told["sessions"], len(sessions) + len(turns))
        expected, found = keyspace(original), keyspace(copy)
        self.assertEqual(len(found), len(expected))
        self.assertEqual({key for key in expected if expected[key] != found.get(key)}, set())

    def test_refuses_a_server_that_holds_keys_but_for_a_yes(self):
        server = self.server()
        with wire(server) as connection:
            connection.call("SET", "precious", "1")
        capture = self.folder / "a.aof"
        capture.write_bytes(wire.encode("SET", "precious", "2"))
        to = ("--capture", capture, "--to", f"redis://127.0.0.1:{server.port}")
        refused = run("replay", *to)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--yes", refused.stderr)
        with wire(server) as connection:
            self.assertEqual(connection.call("GET", "precious"), b"1")
            self.assertEqual(run("replay", *to, "--yes").returncode, 0)
            self.assertEqual(connection.call("GET", "precious"), b"2")

    def test_counts_errors_by_their_kind_and_goes_on(self):
        server = self.server()
        capture = self.folder / "a.aof"
        capture.write_bytes(wire.encode("SET", "k", "v") + wire.encode("SADD", "k", "m") * 3 + wire.encode("NOSUCH", "x")
                            + wire.encode("SELECT", "3") + wire.encode("SET", "last", "v") + b"*3\r\n$3\r\nSE")
        told = run("replay", "--capture", capture, "--to", f"redis://127.0.0.1:{server.port}", "--format", "json")
        self.assertEqual(told.returncode, 1)
        told = json.loads(told.stdout)
        self.assertEqual(told["errors_by_kind"], {"WRONGTYPE": 3, "ERR": 1})
        self.assertEqual(told["commands"], 6)
        self.assertEqual(told["truncated_files"], 1)
        with wire(server) as connection:
            connection.call("SELECT", "3")
            self.assertEqual(connection.call("GET", "last"), b"v")

    def test_speaks_tls_and_verifies_it(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        server = self.server(tls=tls)
        capture = self.folder / "a.aof"
        capture.write_bytes(wire.encode("SET", "k", "v"))
        url = f"rediss://127.0.0.1:{server.port}"
        self.assertEqual(run("replay", "--capture", capture, "--to", f"{url}?ca={tls.ca}").returncode, 0)
        unknown = run("replay", "--capture", capture, "--to", url)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("certificate", unknown.stderr)

    def test_says_what_is_wrong_with_what_it_was_given(self):
        self.assertEqual(run("replay").returncode, 2)
        self.assertEqual(run("replay", "--capture", self.folder, "--to", "http://x").returncode, 2)
        nobody = run("replay", "--capture", self.folder / "none", "--to", "redis://127.0.0.1:1")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("no such file", nobody.stderr)


class the_forecast(simulate_case):
    def test_is_served_live(self):
        server = self.server(arguments=[["maxmemory", "100mb"]])
        proxy = self.proxy(server, ledger={"path": str(self.folder / "ledger.db")})

        def forecast():
            status, text = proxy.get("/api/v1/forecast")
            self.assertEqual(status, 200)
            return json.loads(text)

        quiet = wait_until(lambda: (said := forecast())["known"] and said, what="a forecast")
        self.assertFalse(quiet["burst"])
        self.assertEqual(quiet["seconds_to"], {"70": None, "85": None, "100": None})
        with wire(proxy) as connection:
            def grow():
                for number in range(40):
                    connection.call("SET", f"k:{time.monotonic_ns()}:{number}", "v" * 20_000, "EX", 600)
                said = forecast()
                return (said["burst"] and said["peak_percent"] > said["used_percent"] + 1
                        and (said["stored_per_written"] or 0) > 0.5 and said)
            burst = wait_until(grow, what="a burst in the forecast")
        self.assertGreaterEqual(burst["if_it_goes_on"]["peak_bytes"], burst["peak_bytes"])
        self.assertGreaterEqual(burst["peak_bytes"], burst["if_it_stops_now"]["peak_bytes"])
        self.assertLess(burst["stored_per_written"], 2)
        self.assertGreater(metrics(proxy).sum("tidegate_forecast_peak_bytes"), 0)


if __name__ == "__main__":
    unittest.main()
