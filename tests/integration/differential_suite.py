"""The same random words to a bare redis-server and through tidegate to another one: what comes back must be the same, byte
for byte, and so must what the servers hold in the end.

The words are written by tests/differential (C++, a process of its own) from a seed; a failure prints the line that
repeats it. The long form says a million commands in each way of serving.
"""

import json
import os
import pathlib
import subprocess
import unittest

from harness.processes import certificates, redis_server, tidegate

LONG = bool(os.environ.get("TIDEGATE_LONG"))
SEED = int(os.environ.get("TIDEGATE_SEED", "1"))
RECORD = os.environ.get("TIDEGATE_RECORD")  # a file for all that was said, which tests/differential/narrow.py narrows down
SECONDS_MAX = 1800 if LONG else 120
CLIENT = pathlib.Path(os.environ.get("TIDEGATE_DIFFERENTIAL_CLIENT") or pathlib.Path(
    os.environ["TIDEGATE_BINARY"]).parent / "tests/differential/differential_client")
FAR = {"ttl": [{"pattern": "tidegate-never:*", "default": "1h"}],
       "limits": [{"name": "far", "match": {"key": "tidegate-never:*"}, "rate": "1000/s"}]}


class differential(unittest.TestCase):
    """Told the same, they answer the same."""

    def say(self, commands, *, pooling="multiplex", tls=False, ttl_rules=False, configuration=FAR, workers=2):
        commands = 1_000_000 if LONG else commands
        shown = certificates() if tls else None
        if tls:
            self.addCleanup(shown.remove)
        # A blocking command's timeout is noticed at the server's next tick.
        ticking = [["hz", "500"]]
        with redis_server(arguments=ticking) as bare, redis_server(arguments=ticking) as behind, \
                tidegate(behind, tls=shown, pooling=pooling, workers=workers, more=configuration) as proxy:
            host, port = (proxy.tls_host, proxy.tls_port) if tls else (proxy.host, proxy.port)
            arguments = [CLIENT, "--bare", f"127.0.0.1:{bare.port}", "--behind", f"127.0.0.1:{behind.port}",
                         "--proxied", f"{host}:{port}", "--seed", SEED, "--commands", commands]
            if tls:
                arguments += ["--ca", shown.ca]
            if RECORD:
                arguments += ["--record", RECORD]
            if ttl_rules:
                arguments += ["--ttl-rules"]
            done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True,
                                  timeout=SECONDS_MAX, check=False)
            self.assertTrue(done.stdout, done.stderr)
            told = json.loads(done.stdout)
            print(self.id(), json.dumps({name: told[name] for name in ("seed", "commands", "scenes", "bytes", "seconds")}))
            if "difference" in told:
                self.fail(f"TIDEGATE_SEED={told['seed']}\n" + "\n".join(
                    f"{name}: {value}" for name, value in told["difference"].items()))
            self.assertGreaterEqual(told["commands"], commands)

    def test_over_shared_lanes(self):
        self.say(8_000)

    def test_with_a_connection_each(self):
        self.say(4_000, pooling="session")

    def test_over_tls(self):
        self.say(3_000, tls=True)

    def test_over_tls_with_a_connection_each(self):
        self.say(2_000, tls=True, pooling="session")

    def test_with_ttl_rules_but_for_the_ttls(self):
        self.say(4_000, ttl_rules=True, configuration={"ttl": [
            {"pattern": "s*", "default": "6h", "max": "60d"}, {"pattern": "q*", "default": "1h", "jitter": "20%"}]})
