"""No reply reaches the wrong command or the wrong client: some hundred clients in one C++ process (tests/torture), each of
whose replies is known to the byte, against a real redis-server, in peace and under whatever goes wrong.

The long form verifies ten million replies, and some under the sanitizers' builds.
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time
import unittest

from harness.cutting_relay import cutting_relay
from harness.exposition import metrics
from harness.processes import certificates, redis_server, tidegate, wait_until
from harness.wire import wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
SEED = int(os.environ.get("TIDEGATE_SEED", "1"))
CLIENT = pathlib.Path(os.environ.get("TIDEGATE_TORTURE_CLIENT") or pathlib.Path(
    os.environ["TIDEGATE_BINARY"]).parent / "tests/torture/torture_client")
PATIENT = {"upstream": {"queue_timeout": "20s"}}
# Lets one through in a minute: of all that the customers say, this many percent are refused, whatever the time it takes.
HARDLY = {"name": "hardly", "match": {"command": ["SET"], "key": "*/refused"}, "rate": "1/m", "burst": 1, "per": "rule",
          "action": "reject"}
REFUSED_PERCENT = 32


def version_of(server):
    with wire(server) as bare:
        return re.search(r"redis_version:(\S+)", bare.call("INFO", "server").decode()).group(1)


class customers:
    """The C++ process."""

    def __init__(self, proxy, replies, *options, seconds=900):
        arguments = [CLIENT, "--plain", f"{proxy.host}:{proxy.port}", "--seed", SEED, "--replies", replies, "--seconds", seconds,
                     *options]
        if proxy.tls:
            arguments += ["--tls", f"{proxy.tls_host}:{proxy.tls_port}", "--ca", proxy.tls.ca]
        self.child = subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)

    def are_busy(self):
        return self.child.poll() is None

    def told(self):
        out, errors = self.child.communicate(timeout=180)
        if not out:
            raise AssertionError(f"the customers ended with {self.child.returncode}: {errors}")
        return json.loads(out)


class crosstalk(unittest.TestCase):
    maxDiff = None
    PEACE = 1_500_000 if LONG else 120_000
    CHAOS = 2_500_000 if LONG else 300_000

    def judge(self, told, proxy, replies):
        print(self.id(), json.dumps(told))
        for what in ("wrong", "never_answered"):
            if told[what]:
                self.fail(f"TIDEGATE_SEED={SEED} {what}: {told[what]}\n{proxy.log[-2000:]}")
        self.assertGreaterEqual(told["verified"], replies)
        # One of the right reply, an error that says why, or the end of the connection; and nothing beside.
        self.assertEqual(told["sent"], told["verified"] - told["messages"] + told["lost"] + told["unanswered"])
        self.assertGreater(told["hellos"], 0)
        self.assertEqual(metrics(proxy).sum("tidegate_upstream_desynchronised_total"), 0)
        wait_until(lambda: metrics(proxy).sum("tidegate_client_connections") == 0, what="0 client connections")

    def in_peace(self, pooling, replies, binary=None):
        shown = certificates()
        self.addCleanup(shown.remove)
        with redis_server(arguments=[["hz", "100"]]) as server, \
                self.proxy_of(binary, server, tls=shown, pooling=pooling, more=PATIENT) as proxy:
            told = customers(proxy, replies, "--customers", 100, "--leaves", "--version", version_of(server)).told()
            self.judge(told, proxy, replies)
            self.assertEqual((told["lost"], told["closed"], told["rejected"]), (0, 0, 0))

    @staticmethod
    def proxy_of(binary, *arguments, **more):
        before = os.environ["TIDEGATE_BINARY"]
        os.environ["TIDEGATE_BINARY"] = binary or before
        try:
            return tidegate(*arguments, **more)
        finally:
            os.environ["TIDEGATE_BINARY"] = before

    def test_in_peace_over_shared_lanes(self):
        self.in_peace("multiplex", self.PEACE)

    def test_in_peace_with_a_connection_each(self):
        self.in_peace("session", self.PEACE)

    # --- what goes wrong

    def under_chaos(self, pooling, replies, binary=None):
        dice = random.Random(SEED)
        shown = certificates()
        self.addCleanup(shown.remove)
        rule = {"name": "third", "match": {"command": ["SET"]}, "rate": "9000/s", "burst": 2000, "per": "rule", "action": "reject"}
        server = redis_server(arguments=[["hz", "100"]])
        self.addCleanup(lambda: server.stop())
        relay = cutting_relay(server, seed=SEED)
        self.addCleanup(relay.stop)
        events = {}
        with self.proxy_of(binary, relay.url, tls=shown, pooling=pooling,
                           more={"limits": [rule, HARDLY], **PATIENT}) as proxy:
            begun = time.monotonic()
            busy = customers(proxy, replies, "--customers", 100, "--leaves", "--losses", "--amnesia", "--rejects",
                             "--refused", REFUSED_PERCENT, "--version", version_of(server), "--value", 4 << 20)
            # The first blow falls in the thick of it, however soon they would be done without.
            wait_until(lambda: metrics(proxy).sum("tidegate_writes_total") > 500, what="customers at work")
            kill_at = time.monotonic()
            reload_at = certificate_at = kill_at + 1
            while busy.are_busy():
                now = time.monotonic()
                what = dice.choice(["client kill", "client kill", "client kill", "stop", "nothing", "nothing"])
                if now > kill_at and ("kill -9" not in events or dice.random() < 0.2):
                    what, kill_at = "kill -9", now + 4
                elif now > reload_at:
                    what, reload_at = "reload", now + 2
                elif now > certificate_at:
                    what, certificate_at = "new certificate", now + 5
                events[what] = events.get(what, 0) + 1
                if what == "client kill":
                    self.kill_one_of(server, dice)
                elif what == "stop":
                    server.signal(signal.SIGSTOP)
                    time.sleep(dice.choice([0.02, 0.1, 0.4]))
                    server.signal(signal.SIGCONT)
                elif what == "reload":
                    rule["rate"] = f"{dice.choice([6000, 9000, 12000])}/s"
                    proxy.configuration["limits"] = [rule, HARDLY]
                    proxy.write_config()
                elif what == "new certificate":
                    certificate, key = shown.issue(f"again{events[what]}", "IP:127.0.0.1,IP:127.0.0.2,DNS:localhost")
                    shutil.copy(key, shown.server_key)
                    shutil.copy(certificate, shown.server)
                    proxy.signal(signal.SIGHUP)
                elif what == "kill -9":
                    server.signal(signal.SIGKILL)
                    server.wait()
                    port = server.port
                    server.stop()
                    server = redis_server(port=port, arguments=[["hz", "100"]])
                time.sleep(0.08)
            told = busy.told()
            seconds = time.monotonic() - begun
            events["replies cut at a byte"] = relay.cuts
            print(self.id(), json.dumps(events))
            self.judge(told, proxy, replies)
            self.assertGreater(told["lost"] + told["closed"], 0, "nothing was ever lost")
            self.assertGreater(relay.cuts, 0, "no reply was ever cut")
            self.assertLessEqual(told["passed"], HARDLY["burst"] + seconds / 60, "more was let through than a minute allows")
            share = told["rejected"] / (told["verified"] - told["messages"])
            print(self.id(), f"rejected: {share:.1%} of all replies")
            self.assertGreater(share, 0.25)
            self.assertLess(told["refused"] / told["sent"], 0.35)

    @staticmethod
    def kill_one_of(server, dice):
        try:
            with wire(server, timeout=5) as bare:
                listed = bare.call("CLIENT", "LIST", "TYPE", "normal").decode()
                own = bare.call("CLIENT", "ID")
                numbers = [number for number in map(int, re.findall(r"^id=(\d+)", listed, re.MULTILINE)) if number != own]
                if numbers:
                    bare.call("CLIENT", "KILL", "ID", dice.choice(numbers))
        except (OSError, EOFError):
            pass

    def test_under_chaos_over_shared_lanes(self):
        self.under_chaos("multiplex", self.CHAOS)

    def test_under_chaos_with_a_connection_each(self):
        self.under_chaos("session", self.CHAOS)

    @unittest.skipUnless(LONG, "takes the sanitizers' builds, which ./dev test --long makes")
    def test_of_a_build_with_the_address_sanitizer(self):
        self.with_a_sanitizer("TIDEGATE_BINARY_ASAN")

    @unittest.skipUnless(LONG, "takes the sanitizers' builds, which ./dev test --long makes")
    def test_of_a_build_with_the_thread_sanitizer(self):
        self.with_a_sanitizer("TIDEGATE_BINARY_TSAN")

    def with_a_sanitizer(self, name):
        if name not in os.environ:
            self.skipTest(f"{name} names no binary")
        for pooling in ("multiplex", "session"):
            self.in_peace(pooling, 500_000, os.environ[name])
            self.under_chaos(pooling, 500_000, os.environ[name])
