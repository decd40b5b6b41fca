"""Secrets and names: what is confidential appears nowhere, and what a client calls itself forges nothing."""

import json
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest
import uuid

from harness.admin import ask_admin, set_cap
from harness.exposition import metrics
from harness.measured import say, short_or_long
from harness.processes import binary, certificates, redis_server, tidegate, wait_until
from harness.wire import wire

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (trace|debug|info |warn |error) ")
API = ("clients", "patterns", "limits", "writes", "config", "status", "live", "forecast", "caps")


class canary_nest:
    """Words that are found again wherever they turn up. An id's digits, so that no pattern is taken from one."""

    def __init__(self):
        self.words = {}

    def __call__(self, what):
        return self.words.setdefault(what, uuid.uuid4().hex)

    def found_in(self, text, but=()):
        data = text if isinstance(text, bytes) else text.encode(errors="replace")
        return sorted(what for what, word in self.words.items() if what not in but and word.encode() in data)


class with_a_folder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-secrets-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(lambda: started.stop())
        return started

    def evidence(self, **capture):
        return {"ledger": {"path": str(self.folder / "ledger.db"), "bucket": "1s"},
                "capture": {"directory": str(self.folder / "captures"), **capture}}


class canaries(with_a_folder):
    """S1."""

    def assert_nowhere(self, proxy, canary):
        """In nothing that was printed, shown or kept; keys may stand in the capture, whose purpose they are."""
        everything = {"the log": proxy.log, "/metrics": proxy.get("/metrics")[1], "/readyz": proxy.get("/readyz")[1]}
        for name in API:
            everything[name] = proxy.get(f"/api/v1/{name}")[1]
        for path in self.folder.rglob("*"):
            if path.is_file():
                text = path.read_bytes()
                if path.suffix == ".zst":
                    text = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
                everything[str(path.relative_to(self.folder))] = text
        found = {where: kinds for where, text in everything.items()
                 if (kinds := canary.found_in(text, but=("key",) if where.startswith("captures") else ()))}
        self.assertEqual(found, {})
        return len(everything)

    def drive(self, proxy, canary, password=None):
        """Everything that may carry something confidential, in ways that succeed and ways that fail."""
        def say_all(connection, *commands):
            for command in commands:
                connection.send(*command)
            for _ in commands:
                connection.read()

        key = f"canary:{canary('key')}"
        with wire(proxy) as client:
            if password:
                client.call("AUTH", "app", password)
            say_all(client, ("SET", key, canary("value")), ("APPEND", key, canary("value")), ("LPUSH", key, canary("value")),
                    ("HSET", key + ":h", "f", canary("value")), ("SADD", key + ":s", canary("value")),
                    ("SET", key, canary("value"), "EX", "nonsense"), ("SETEX", key, canary("value"), "x"),
                    ("GETSET", key, canary("value")), ("INCR", key), ("MSET", key, canary("value"), key),
                    ("EVAL", f"return '{canary('value')}'", "1", key), ("EVAL", canary("value"), "0"),
                    ("FROBNICATE", canary("value"), canary("key")), ("PUBLISH", "c", canary("value")),
                    ("ECHO", canary("value")), ("MULTI",), ("SET", key, canary("value")), ("EXEC",),
                    ("ACL", "SETUSER", "somebody", ">" + canary("acl")), ("ACL", "SETUSER", "x", "nonsense" + canary("acl")),
                    ("ACL", "SETUSER", "somebody", "<" + canary("acl")), ("ACL", "DELUSER", "somebody"),
                    ("CONFIG", "SET", "masterauth", canary("masterauth")), ("CONFIG", "SET", "masterauth", ""),
                    ("CONFIG", "SET", "no-such", canary("masterauth")),
                    ("MIGRATE", "127.0.0.1", "1", key, "0", "10", "AUTH", canary("migrate")),
                    ("MIGRATE", "127.0.0.1", "1", key, "0", "10", "AUTH2", "u", canary("migrate")))
        for attempt in (["AUTH", canary("password")], ["AUTH", "app", canary("password")], ["AUTH", "app", canary("password"), "x"],
                        ["HELLO", "3", "AUTH", "app", canary("hello")], ["HELLO", "9", "AUTH", "app", canary("hello")],
                        ["HELLO", "3", "AUTH", "app", canary("hello"), "SETNAME", "a b"],
                        ["HELLO", "3", "SETNAME", "ok", "AUTH", canary("hello")]):
            with wire(proxy) as client:
                client.call(*attempt)
        for raw in (b"AUTH " + canary("password").encode() + b"\r\n", b'AUTH "' + canary("password").encode() + b"\r\n",
                    b"*2\r\n$4\r\nAUTH\r\n$" + canary("password").encode() + b"\r\n",
                    b"*" + canary("value").encode() + b"\r\n", b"*3\r\n$3\r\nSET\r\n" + canary("value").encode() + b"\r\n",
                    b"*2\r\n$4\r\nAUTH\r\n$32\r\n" + canary("password").encode()):
            with wire(proxy) as client:
                client.send_raw(raw)
                client.finish_sending()
                client.read_to_end()
        for path in ("/api/v1/clients", "/api/v1/caps", "/" + canary("token")):
            status, said = ask_admin(proxy, "POST", path, {"Authorization": "Bearer " + canary("token")}, b"{}")
            self.assertIn(status, (401, 403, 404, 405))
            self.assertEqual(canary.found_in(said), [])
        wait_until(lambda: metrics(proxy).sum("tidegate_writes_total") > 0, what="writes on the books")

    def test_appear_nowhere_where_the_upstream_verifies(self):
        for level in short_or_long(("trace",), ("trace", "debug", "info", "warn", "error")):
            for form in ("text", "json"):
                with self.subTest(level=level, form=form):
                    self.setUp()
                    canary = canary_nest()
                    server = self.start(redis_server, arguments=[["requirepass", canary("requirepass")]])
                    with wire(server) as bare:
                        bare.call("AUTH", canary("requirepass"))
                        bare.call("ACL", "SETUSER", "app", "on", ">" + canary("good password"), "~*", "&*", "+@all")
                    proxy = self.start(tidegate, server, more={
                        "log": {"level": level, "format": form}, **self.evidence(values=False),
                        "upstream": {"control": {"username": "default", "password": canary("requirepass")}},
                        "admin": {"token": canary("admin token")}})
                    self.drive(proxy, canary, canary("good password"))
                    # The secret is changed under it: its own login is refused from here on.
                    with wire(server) as bare:
                        bare.call("AUTH", canary("requirepass"))
                        bare.call("CONFIG", "SET", "requirepass", canary("new requirepass"))
                        bare.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    wait_until(lambda proxy=proxy: proxy.get("/readyz")[0] == 503, what="/readyz 503")
                    self.finish(proxy, canary)

    def test_appear_nowhere_where_the_proxy_verifies(self):
        canary = canary_nest()
        server = self.start(redis_server, arguments=[["requirepass", canary("requirepass")]])
        proxy = self.start(tidegate, server, more={
            "log": {"level": "trace"}, **self.evidence(values=False),
            "upstream": {"auth": {"username": "default", "password": canary("requirepass")}},
            "users": [{"name": "app", "password": canary("good password")}], "admin": {"token": canary("admin token")}})
        self.drive(proxy, canary, canary("good password"))
        # Reloads, right and wrong, with secrets in the places where mistakes are.
        proxy.configuration["users"].append({"name": "app", "password": canary("second password")})
        proxy.configuration["upstream"]["auth"]["pasword"] = canary("misspelt key")
        proxy.configuration["upstream"]["url"] = f"redis://:{canary('password in the URL')}@127.0.0.1:1"
        proxy.configuration["listen"][0]["address"] = canary("password as an address")
        proxy.write_config()
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: "nothing changed" in proxy.log, what="a refusal")
        checked = subprocess.run([binary(), "check", "--offline", "-c", proxy.config_path], capture_output=True, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertEqual(canary.found_in(checked.stdout + checked.stderr), [])
        self.finish(proxy, canary)

    def finish(self, proxy, canary):
        looked = self.assert_nowhere(proxy, canary)
        # What a crash prints is part of it.
        proxy.killed = True
        proxy.signal(signal.SIGABRT)
        proxy.wait()
        self.assertIn("tidegate aborts", proxy.log)
        self.assert_nowhere_after(proxy, canary)
        say(f"S1: {len(canary.words)} kinds of canaries in none of {looked} outputs, nor in what an abort prints")

    def assert_nowhere_after(self, proxy, canary):
        self.assertEqual(canary.found_in(proxy.log), [])
        self.assertEqual([path for path in proxy.folder.iterdir() if path.name.startswith("core")], [])


class names(with_a_folder):
    """S2, S4."""

    HOSTILE = ["a\r\nb", "2026-01-01T00:00:00.000Z error forged", "\x1b[2J\x1b[31m", "a\0b", "\u202e" "drowssap", "\x9b2J", '"} 1\nx 1',
               "{}", "%s%n{}", "\\", "x" * 300, "\xff\xfe", "\u8425\u9500"]

    def start_both(self, form):
        server = self.start(redis_server)
        return server, self.start(tidegate, server, more={"log": {"level": "trace", "format": form}, **self.evidence()})

    def test_forge_no_line_and_cannot_flood_the_log(self):
        for form in ("text", "json"):
            with self.subTest(form):
                _, proxy = self.start_both(form)
                before = len(proxy.log.splitlines())
                rounds = short_or_long(40, 2000)
                with wire(proxy) as client:
                    for _ in range(rounds):
                        for name in self.HOSTILE:
                            data = name.encode("utf-8", "surrogateescape")
                            for words in (["CLIENT", "SETNAME", data], ["AUTH", data, data], ["HELLO", "2", "SETNAME", data],
                                          ["SET", data, data], [data, data], ["EVAL", b"return redis.error_reply('READONLY " +
                                                                              data.replace(b"'", b"").replace(b"\\", b"") + b"')", "0"]):
                                client.send(*words)
                            for _ in range(6):
                                client.read()
                for name in self.HOSTILE:  # by a way that is written down
                    set_cap(proxy, client="nobody", rate="5/s", why=name, **{"for": "1m"})
                lines = proxy.log.split("\n")[before:]
                for line in lines[:-1]:
                    if form == "text":
                        self.assertRegex(line, LOG_LINE)
                        self.assertNotRegex(line, r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
                    else:
                        self.assertEqual(set(json.loads(line)), {"time", "level", "message"})
                        self.assertTrue(line.isascii())
                self.assertFalse([line for line in lines if line.startswith("2026-01-01")])
                # Two for each of the operator's own caps; a client's commands write none.
                self.assertGreater(len(lines), 1)
                self.assertLess(len(lines), 2 * len(self.HOSTILE) + 8, "\n".join(lines[:60]))
                say(f"S2 {form}: {rounds * 6 * len(self.HOSTILE)} hostile commands of one client gave {len(lines) - 1} log lines, "
                    "those of the caps that were set with them included")

    def test_make_no_label_that_breaks_and_no_more_than_there_is_room_for(self):
        _, proxy = self.start_both("text")
        count = short_or_long(6000, 20_000)
        with wire(proxy) as client:
            for start in range(0, count, 500):
                for number in range(start, start + 500):
                    client.send("CLIENT", "SETNAME", f"job-{uuid.uuid4().hex}-{number}")
                    client.send("SET", f"{uuid.uuid4().hex[:6]}:{chr(97 + number % 26)}:{number}", "v")
                for _ in range(1000):
                    self.assertEqual(client.read(), "OK")
            for name in self.HOSTILE:
                data = name.encode("utf-8", "surrogateescape")
                client.call("SET", data + b":1", "v")
        text = proxy.get("/metrics")[1]
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        labels = {kind: set(re.findall(kind + r'="((?:[^"\\]|\\.)*)"', text)) for kind in ("client", "pattern")}
        self.assertLessEqual(len(labels["client"]), 4097)
        self.assertLessEqual(len(labels["pattern"]), 4097)
        self.assertEqual(metrics(proxy).sum("tidegate_writes_total"), count + len(self.HOSTILE))
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]")
        say(f"S4: {count} names and as many keys made {len(labels['client'])} clients and {len(labels['pattern'])} patterns, "
            f"{len(text) // 1024} KiB of metrics")


class kept_files(with_a_folder):
    """S3, S6."""

    def test_are_for_their_owner_alone_whatever_the_umask(self):
        server = self.start(redis_server)

        class careless(tidegate):
            def spawn(self, arguments, environment=None):
                super().spawn(["sh", "-c", 'umask 0000; exec "$@"', "sh", *arguments], environment)

        proxy = self.start(careless, server, more=self.evidence(values=True, rotate="64KiB"))
        with wire(proxy) as client:
            for number in range(2000):
                client.send("SET", f"k:{number}", "x" * 100)
            for _ in range(2000):
                self.assertEqual(client.read(), "OK")
        self.assertEqual(set_cap(proxy, client="nobody", rate="5/s", **{"for": "1m"})[0] // 100, 2)
        wait_until(lambda: metrics(proxy).sum("tidegate_capture_records_total") == 2000, what="the capture")
        wait_until(lambda: list((self.folder / "captures").glob("*.zst")), what="a compressed file")
        open_ones = {}
        kept = 0
        for path in [*self.folder.rglob("*"), *proxy.folder.rglob("*")]:
            if path.is_file() and path.name not in ("log", "tidegate.yaml"):
                kept += 1
                if stat.S_IMODE(path.stat().st_mode) & 0o077:
                    open_ones[path.name] = oct(path.stat().st_mode)
        self.assertGreaterEqual(kept, 3)
        self.assertEqual(open_ones, {})
        self.assertIn("values are kept", proxy.log)

    def test_of_the_operator_that_are_open_to_others_are_refused_at_the_start(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        document = {"listen": [{"address": "127.0.0.1:0", "tls": {"certificate": str(tls.server), "key": str(tls.server_key)}}],
                    "upstream": {"url": "redis://127.0.0.1:1"}, "admin": "off", "ledger": "off",
                    "users": [{"name": "a", "password": f"file:{self.folder}/secret"}]}
        secret, path = self.folder / "secret", self.folder / "tidegate.yaml"
        secret.write_text("s3cr3t")
        path.write_text(json.dumps(document))

        def status(key_mode=0o600, secret_mode=0o600, config_mode=0o644):
            tls.server_key.chmod(key_mode)
            secret.chmod(secret_mode)
            path.chmod(config_mode)
            done = subprocess.run([binary(), "check", "--offline", "-c", path], capture_output=True, text=True, check=False)
            self.assertNotIn("s3cr3t", done.stdout + done.stderr)
            return done.returncode, done.stdout

        self.assertEqual(status()[0], 0, status()[1])
        for mode in (0o640, 0o604, 0o644, 0o666, 0o620, 0o602):
            with self.subTest(oct(mode)):
                for how in ({"key_mode": mode}, {"secret_mode": mode}):
                    code, said = status(**how)
                    self.assertEqual(code, 1, how)
                    self.assertIn("chmod 600", said)
        for mode in (0o602, 0o646, 0o666):
            code, said = status(config_mode=mode)
            self.assertEqual(code, 1)
            self.assertIn("chmod o-w", said)
        tls.server_key.chmod(0o600)
        secret.chmod(0o600)
        path.chmod(0o666)
        done = subprocess.run([binary(), "serve", "-c", path], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("anybody may write this file", done.stderr)


if __name__ == "__main__":
    unittest.main()
