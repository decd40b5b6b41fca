"""A keyspace as the runbook found it: its patterns at their shares, others beside them, and each key's expiry read whole,
so that "none lengthened, no other touched" is compared key by key. And the base of suites that run commands on it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from harness.processes import binary, redis_server
from harness.wire import wire

DAY = 86_400
KEYS = 1_000_000 if os.environ.get("TIDEGATE_LONG") else 50_000
# Of 6,658,630 keys in the runbook: pattern, how many, TTL in seconds.
SHARES = [("MARKETING:COUPON:UNREAD:{}", 147_111, None), ("contact:userGroupLabel:set:{}", 177_450, None),
          ("exchange:coupon:high:commodity:price:{}", 473, None), ("contact:last:activity:{}", 374_639, 364 * DAY),
          ("user:profile:{}", 1_500_000, None), ("cart:{}:items", 798_675, None), ("session:{}", 3_660_282, 20 * 60 * 60)]
ALL = sum(share for _, share, _ in SHARES)
RULES = {"MARKETING:COUPON:UNREAD:*": ("60d", None), "contact:userGroupLabel:set:*": ("30d", None),
         "exchange:coupon:high:commodity:price:*": ("7d", None), "contact:last:activity:*": (None, "90d")}
SECONDS = {"7d": 7 * DAY, "30d": 30 * DAY, "60d": 60 * DAY, "90d": 90 * DAY}
CONFIGURED = [{"pattern": pattern, "jitter": "10%", **({"default": default} if default else {}), **({"max": most} if most else {})}
              for pattern, (default, most) in RULES.items()]


def pipelined(connection, commands, batch=1000):
    answers = []
    for begin in range(0, len(commands), batch):
        part = commands[begin:begin + batch]
        connection.send_raw(b"".join(wire.encode(*command) for command in part))
        answers += [connection.read() for _ in part]
    return answers


def fill(connection, keys=KEYS):
    commands = []
    for pattern, share, ttl in SHARES:
        for i in range(max(1, keys * share // ALL)):
            key = pattern.format(i)
            if ":set:" in key:
                commands.append(("SADD", key, "1", "2", "3"))
            else:
                commands.append(("SET", key, "x" * (i % 40), *(("EX", ttl) if ttl else ())))
    pipelined(connection, commands)
    return len(commands)


def expiries(connection):
    """Every key and the absolute time of its end in ms; -1 = none."""
    keys = connection.call("KEYS", "*")
    return dict(zip(keys, pipelined(connection, [("PEXPIRETIME", key) for key in keys])))


def rule_of(key):
    for pattern, rule in RULES.items():
        if key.startswith(pattern[:-1].encode()):
            return rule
    return None


class old_keyspace_case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-old-keys-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def start(self, **how):
        server = redis_server(**how)
        self.addCleanup(server.stop)
        return server

    def bare(self, server):
        connection = wire(server)
        self.addCleanup(connection.close)
        return connection

    def configured(self, server, **more):
        path = self.folder / "tidegate.yaml"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"listen": [{"address": "127.0.0.1:6380"}], "upstream": {"url": server.url},
                                    "ttl": CONFIGURED, "ledger": "off", **more}))
        return path

    def spawn(self, *arguments, environment=None):
        child = subprocess.Popen([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, "XDG_STATE_HOME": str(self.folder), **(environment or {})})
        self.addCleanup(child.kill)
        return child

    def run_tidegate(self, *arguments, status=0, environment=None):
        child = self.spawn(*arguments, environment=environment)
        out, err = child.communicate(timeout=550)
        self.assertEqual(child.returncode, status, f"{arguments}\n{out}\n{err}")
        return out, err

    def json_of(self, *arguments, **how):
        return json.loads(self.run_tidegate(*arguments, "--format", "json", "-q", **how)[0])

    def assert_mended(self, before, after, began):
        now = time.time() * 1000
        self.assertEqual(before.keys(), after.keys())
        for key, was in before.items():
            rule, is_now = rule_of(key), after[key]
            if rule is None:
                self.assertEqual(is_now, was, f"{key} is none of the patterns'")
                continue
            default, most = (SECONDS.get(ttl) for ttl in rule)
            self.assertNotEqual(is_now, -1, f"{key} has no TTL")
            if was != -1:
                self.assertLessEqual(is_now, was, f"{key} was lengthened")
            given = default or most
            self.assertLessEqual(is_now, now + given * 1000, key)
            self.assertGreaterEqual(is_now, began + given * 900 - 2000, key)
