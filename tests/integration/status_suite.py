"""`tidegate status` before, in and after a burst, against a real server with a real maxmemory; and memory pressure as the
writer sees it: tightened, relaxed, and at its plain rate while INFO is stale."""

import json
import os
import signal
import subprocess

from harness.cases import proxied_case
from harness.exposition import metrics
from harness.processes import binary, wait_until

# With its header it fills just one of the allocator's classes.
VALUE = "x" * ((1 << 20) - 1024)


def run_status(proxy, *arguments):
    """(status, stdout, stderr)"""
    done = subprocess.run([binary(), "status", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False,
                          env={**os.environ, "TIDEGATE_ADMIN": f"127.0.0.1:{proxy.admin_port}"})
    return done.returncode, done.stdout, done.stderr


def document(proxy, *arguments):
    return json.loads(run_status(proxy, "--format", "json", *arguments)[1])


def flat(answer):
    return dict(zip(answer[::2], answer[1::2]))


class filled_case(proxied_case):
    SERVER_ARGUMENTS = (("maxmemory", "64mb"),)
    CONFIGURATION = {"limits": [{"name": "pressed", "match": {"client": "pressed"}, "rate": "1000/s",
                                 "memory": {"from": "50%", "to": "90%", "floor": "10%"}}]}

    def fill(self, name, mebibytes, ttl=None):
        connection = self.connect()
        connection.call("CLIENT", "SETNAME", name)
        for number in range(mebibytes):
            how = ("EX", ttl) if ttl else ()
            self.assertEqual(connection.call("SET", f"contact:{name}:{number}", VALUE, *how), "OK")
        return connection

    def until(self, true, what, *arguments):
        def look():
            seen = document(self.proxy, *arguments)
            return seen if true(seen) else None
        return wait_until(look, what=what)


class status(filled_case):
    def test_is_well_in_quiet_times(self):
        self.until(lambda seen: seen["verdict"] == "ok", "a known memory")
        code, said, _ = run_status(self.proxy)
        self.assertEqual(code, 0, said)
        self.assertRegex(said, r"(?m)^memory +\d+\.\d %  \S+ MiB of 64\.00 MiB$")
        self.assertRegex(said, r"(?m)^verdict   OK: memory at ")

    def test_watches_until_it_has_recovered(self):
        self.fill("isales-campaign", 47)
        self.until(lambda now: now["verdict"] == "critical", "a burst")
        watch = subprocess.Popen([binary(), "status", "--watch", "--format", "json"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "TIDEGATE_ADMIN": f"127.0.0.1:{self.proxy.admin_port}"})
        first = json.loads(watch.stdout.readline())
        self.assertEqual(first["verdict"], "critical")
        self.assertEqual(self.bare().call("FLUSHALL"), "OK")
        readings = [json.loads(line)["verdict"] for line in watch.stdout]
        self.assertEqual(watch.wait(60), 0)
        self.assertEqual(readings[-3:], ["ok"] * 3)

    def test_tells_wrong_usage(self):
        for wrong in (("--warn", "x"), ("--critical", "170%"), ("--warn", "80%", "--critical", "70%"), ("more",)):
            self.assertEqual(run_status(self.proxy, *wrong)[0], 2, wrong)

    def test_pressure_tightens_at_once_and_relaxes_when_it_has_passed(self):
        writer = self.connect()
        writer.call("CLIENT", "SETNAME", "pressed")

        def share():
            return float(flat(flat(writer.call("TIDEGATE", "QUOTA"))[b"limits"][0])[b"memory_share"])

        self.assertEqual(share(), 1)
        self.fill("filler", 45)  # some 71 %: half way from 50 to 90
        tightened = wait_until(lambda: share() < 0.7 and share(), what="pressure")
        self.assertGreater(tightened, 0.3)
        self.assertEqual(self.bare().call("FLUSHALL"), "OK")
        wait_until(lambda: share() == 1, what="relief")

    def test_runs_at_the_plain_rate_and_says_so_while_info_is_stale(self):
        self.fill("filler", 45)
        self.until(lambda now: now["verdict"] == "critical", "a known memory")
        name = "tidegate_upstream_info_stale"
        self.assertEqual(metrics(self.proxy).sum(name), 0)
        self.server.signal(signal.SIGSTOP)
        try:
            wait_until(lambda: metrics(self.proxy).sum(name) == 1, what="stale INFO")
            self.until(lambda now: now["verdict"] == "unknown", "a verdict that knows nothing")
            self.assertEqual(run_status(self.proxy)[0], 1)
            limits = json.loads(self.proxy.get("/api/v1/limits")[1])["limits"]
            wait_until(lambda: json.loads(self.proxy.get("/api/v1/limits")[1])["limits"][0]["rate_now"] == limits[0]["rate"],
                       what="the plain rate")
            wait_until(lambda: "its memory is unknown" in self.proxy.log, what="a line in the log")
        finally:
            self.server.signal(signal.SIGCONT)
        wait_until(lambda: metrics(self.proxy).sum(name) == 0, what="fresh INFO")


class status_in_a_burst(filled_case):
    # A proxy of its own: the trend is not that of another case's memory.

    def test_names_the_writer_and_the_command_in_a_burst(self):
        self.fill("isales-campaign", 47)
        seen = self.until(lambda now: now["verdict"] == "critical" and len(now["next"]) > 1, "a verdict")
        self.assertGreaterEqual(seen["upstream"]["used_percent"], 70)
        self.assertEqual(seen["writers"][0]["client"], "isales-campaign")
        self.assertEqual(seen["upstream"]["keys_without_ttl"], 47)
        self.assertRegex(seen["next"][0], r"^tidegate cap 'isales-campaign' --bytes \d+KiB/s --for 30m --why 'memory at 7\d %'$")
        code, said, _ = run_status(self.proxy)
        self.assertEqual(code, 1)
        self.assertRegex(said, r"(?m)^writers   isales-campaign ")
        self.assertRegex(said, r"(?m)^verdict   CRITICAL: memory at 7\d\.\d %")
        self.until(lambda now: now["verdict"] == "ok", "a forecast without the burst", "--warn", "80%", "--critical", "90%")
        self.assertEqual(document(self.proxy, "--warn", "50%", "--critical", "90%")["verdict"], "warn")
        self.assertEqual(run_status(self.proxy, "--warn", "50%", "--critical", "90%")[0], 1)


class status_without_maxmemory(proxied_case):
    def test_is_never_well_where_nothing_is_known(self):
        code, said, _ = run_status(self.proxy)
        self.assertEqual(code, 1)
        self.assertIn("verdict   UNKNOWN: the upstream's memory is not known", said)


del filled_case
