"""Caps in mid-incident: by the API and by the command line, in force on every worker when the answer comes, without a
dropped connection, over a reload and a restart, listed, lifted, ended and written down.

That a cap is in force is shown by the order of events alone: what is sent after the answer came meets it, on every
connection of every worker."""

import contextlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from harness.cases import proxied_case
from harness.exposition import metrics
from harness.processes import binary, tidegate, wait_until
from harness.wire import wire

THROTTLED = "THROTTLED rule={} client={} retry_after_ms="


def ask(proxy, method, path, document=None, token=tidegate.TOKEN, user=None):
    """Status and JSON body."""
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.admin_port}{path}", method=method,
                                     data=None if document is None else json.dumps(document).encode())
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if user:
        request.add_header("X-Tidegate-User", user)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


class caps(proxied_case):
    CONFIGURATION = {"limits": [{"name": "configured", "match": {"key": "configured:*"}, "rate": "1000/s"}]}

    def tearDown(self):
        for cap in ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"]:
            ask(self.proxy, "DELETE", "/api/v1/caps/" + urllib.parse.quote(cap["client"], safe=""))
        super().tearDown()

    def named(self, name, count=1):
        connections = [self.connect() for _ in range(count)]
        for connection in connections:
            self.assertEqual(connection.call("CLIENT", "SETNAME", name), "OK")
        return connections

    def set(self, **wish):
        status, cap = ask(self.proxy, "POST", "/api/v1/caps", wish)
        self.assertEqual(status, 200, cap)
        self.assertTrue(cap["in_force"], cap)
        return cap

    def run_command(self, *arguments, environment=None):
        """(status, stdout, stderr) of the command line, as a user would type it."""
        names = {"TIDEGATE_ADMIN": f"127.0.0.1:{self.proxy.admin_port}", "USER": "olga", **(environment or {})}
        done = subprocess.run([binary(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False, env={**os.environ, **names})
        return done.returncode, done.stdout, done.stderr

    def test_holds_every_connection_from_the_moment_of_the_answer(self):
        # Enough that each worker has some: the kernel spreads them.
        connections = self.named("everywhere", 16)
        for number, connection in enumerate(connections):
            self.assertEqual(connection.call("SET", f"k:{number}", "x"), "OK")
        cap = self.set(client="everywhere", action="block", **{"for": "30m"})
        self.assertEqual(cap["connections"], 16)
        for number, connection in enumerate(connections):
            reply = connection.call("SET", f"k:{number}", "y")
            self.assertTrue(reply.startswith(THROTTLED.format("block:everywhere", "everywhere")), reply)
            self.assertEqual(connection.call("GET", f"k:{number}"), b"x")
            self.assertEqual(connection.call("DEL", f"k:{number}"), 1)
        status, lifted = ask(self.proxy, "DELETE", "/api/v1/caps/everywhere")
        self.assertEqual((status, lifted["in_force"]), (200, True))
        for number, connection in enumerate(connections):
            self.assertEqual(connection.call("SET", f"k:{number}", "z"), "OK")
        self.assertEqual(metrics(self.proxy).sum("tidegate_rejected_total", rule="block:everywhere"), 16)

    def test_holds_a_burst_to_its_rate_without_a_dropped_connection(self):
        rate = 200
        connections = self.named("bursting", 8)
        end = threading.Event()
        spans, failures = [], []

        def flood(connection, number):
            data = wire.encode("SET", f"burst:{number}", "x")
            try:
                while not end.is_set():
                    sent = time.monotonic()
                    connection.send_raw(data)
                    reply = connection.read()
                    spans.append((sent, time.monotonic()))
                    if reply != "OK":
                        failures.append(reply)
            except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
                failures.append(repr(error))

        threads = [threading.Thread(target=flood, args=(c, n)) for n, c in enumerate(connections)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(spans) > 2000, what="a burst")
        asked = time.monotonic()
        self.set(client="bursting", rate=f"{rate}/s", **{"for": "30m"})
        answered = time.monotonic()
        held_from = len(spans)
        wait_until(lambda: len(spans) > held_from + 2 * rate, what="writes under the cap")
        end.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures[:3], [])
        # What was sent after the answer was handed over after it; the bucket began empty when the cap was asked for.
        sent_after = [(sent, got) for sent, got in spans if sent >= answered]
        self.assertGreater(len(sent_after), rate)
        for count, got in enumerate(sorted(got for _, got in sent_after), 1):
            self.assertLessEqual(count, rate * (got - asked) + rate / 10 + 1)

    def test_holds_whoever_comes_later(self):
        self.set(client="later-*", action="block", **{"for": "30m"})
        for name in ("later-1", "later-2"):
            late, = self.named(name)
            self.assertTrue(late.call("SET", "k", "x").startswith(THROTTLED.format("block:later-*", name)[:20]))
            self.assertEqual(late.call("CLIENT", "SETNAME", "somebody-else"), "OK")
            self.assertEqual(late.call("SET", "k", "x"), "OK")

    def test_holds_bytes_and_a_key_only(self):
        self.set(client="byter", bytes="1KiB/s", key="contact:*", **{"for": "30m"})
        byter, = self.named("byter")
        for number in range(200):
            self.assertEqual(byter.call("SET", f"other:{number}", "x" * 1000), "OK")
        refused = 0
        # 100,000 bytes at 1,024 a second: what would wait longer than two seconds is refused.
        byter.send_raw(b"".join(wire.encode("SET", f"contact:{n}", "x" * 20000) for n in range(5)))
        for _ in range(5):
            refused += byter.read() != "OK"
        self.assertGreaterEqual(refused, 4)

    def test_refuses_a_transaction_whole_and_lets_its_connection_live(self):
        transactor, = self.named("transactor")
        self.assertEqual(transactor.call("MULTI"), "OK")
        self.set(client="transactor", action="block", **{"for": "30m"})
        self.assertEqual(transactor.call("SET", "k", "x"), "QUEUED")
        self.assertRegex(transactor.call("EXEC"), "^EXECABORT Transaction discarded because of: THROTTLED "
                                                  "rule=block:transactor client=transactor retry_after_ms=")
        self.assertIsNone(transactor.call("GET", "k"))

    def test_is_listed_with_who_why_and_until_when(self):
        status, cap = ask(self.proxy, "POST", "/api/v1/caps", {
            "client": "listed", "rate": "500/s", "bytes": "150KiB/s", "key": "contact:*", "for": "30m",
            "why": "burst of 14:00"}, user="olga")
        self.assertEqual(status, 200)
        (shown,) = ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"]
        self.assertEqual({key: shown[key] for key in ("client", "action", "rate", "bytes", "key", "who", "why")}, {
            "client": "listed", "action": "cap", "rate": "500/s", "bytes": "150KiB/s", "key": "contact:*",
            "who": "olga by admin api from 127.0.0.1", "why": "burst of 14:00"})
        self.assertGreater(shown["seconds_left"], 1700)
        self.assertLessEqual(shown["seconds_left"], 1801)
        self.assertRegex(shown["until"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(shown["until"], cap["until"])

    def test_replaces_the_cap_of_a_client(self):
        writer, = self.named("replaced")
        self.set(client="replaced", action="block", **{"for": "30m"})
        self.assertIn("block:replaced", writer.call("SET", "k", "x"))
        self.set(client="replaced", rate="100/s", **{"for": "30m"})
        self.assertEqual(writer.call("SET", "k", "x"), "OK")
        self.assertEqual(len(ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"]), 1)

    def test_refuses_what_it_does_not_understand_and_changes_nothing(self):
        for wish, said in (({"client": "a", "rate": "500/s"}, "for: "),
                           ({"client": "a", "rate": "500", "for": "30m"}, "rate: "),
                           ({"client": "a", "rate": 500, "for": "30m"}, "rate: "),
                           ({"client": "a", "rates": "500/s", "for": "30m"}, "rates: "),
                           ({"client": "a b", "rate": "500/s", "for": "30m"}, "client: "),
                           ({"client": "a", "action": "block", "rate": "500/s", "for": "30m"}, "rate: "),
                           ([], "no JSON object")):
            status, answer = ask(self.proxy, "POST", "/api/v1/caps", wish)
            self.assertEqual(status, 400, wish)
            self.assertIn(said, answer["error"])
        self.assertEqual(ask(self.proxy, "DELETE", "/api/v1/caps/nobody")[0], 404)
        self.assertEqual(ask(self.proxy, "DELETE", "/api/v1/caps/%zz")[0], 400)
        self.assertEqual(ask(self.proxy, "PUT", "/api/v1/caps", {})[0], 405)
        wish = {"client": "a", "rate": "1/s", "for": "30m"}
        self.assertEqual(ask(self.proxy, "POST", "/api/v1/caps", wish, token=None)[0], 401)
        self.assertEqual(ask(self.proxy, "POST", "/api/v1/caps", wish, token="wrong")[0], 403)
        self.assertEqual(ask(self.proxy, "DELETE", "/api/v1/caps/a", token=None)[0], 401)
        self.assertEqual(ask(self.proxy, "GET", "/api/v1/caps")[1], {"caps": []})

    def test_ends_by_itself(self):
        writer, = self.named("brief")
        self.set(client="brief", action="block", **{"for": "1s"})
        wait_until(lambda: writer.call("SET", "k", "x") == "OK", what="the end of the block")
        wait_until(lambda: not ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"], what="its end in the list")
        self.assertEqual(self.audited("brief"), ["block", "ended"])

    def test_stays_over_a_reload(self):
        writer, = self.named("reloaded")
        self.set(client="reloaded", action="block", **{"for": "30m"})
        before = ask(self.proxy, "GET", "/api/v1/config")[1]["generation"]
        self.proxy.configuration["limits"][0]["rate"] = "1001/s"
        self.proxy.write_config()
        wait_until(lambda: ask(self.proxy, "GET", "/api/v1/config")[1]["generation"] > before, what="a reload")
        self.assertEqual(ask(self.proxy, "GET", "/api/v1/config")[1]["limits"][0]["rate"], 1001)
        self.assertIn("block:reloaded", writer.call("SET", "k", "x"))

    def audited(self, client):
        log = self.proxy.config_path.with_name("tidegate.audit.jsonl")
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)
        return [line["what"] for line in map(json.loads, log.read_text().splitlines()) if line["client"] == client]

    def test_each_change_is_written_down(self):
        self.set(client="audited", rate="500/s", why="burst", **{"for": "30m"})
        ask(self.proxy, "DELETE", "/api/v1/caps/audited", user="ivan")
        self.assertEqual(self.audited("audited"), ["cap", "uncap"])
        log = self.proxy.config_path.with_name("tidegate.audit.jsonl").read_text().splitlines()
        last = json.loads(log[-1])
        self.assertEqual((last["who"], last["set_by"], last["why"]),
                         ("ivan by admin api from 127.0.0.1", "admin api from 127.0.0.1", "burst"))
        self.assertNotIn(tidegate.TOKEN, "\n".join(log) + self.proxy.log)

    def audit_lines(self, what):
        log = self.proxy.config_path.with_name("tidegate.audit.jsonl")
        lines = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
        return [line for line in lines if line["what"] == what]

    def test_whoever_is_refused_is_written_down_and_a_flood_of_them_is_counted(self):
        before = len(self.audit_lines("refused"))
        tried = 60
        for number in range(tried):
            wrong = None if number % 2 else "the-wrong-token"
            status, _ = ask(self.proxy, "POST", "/api/v1/caps?token=in-a-query", {"client": "a", "rate": "1/s", "for": "1m"},
                            token=wrong, user="mallory")
            self.assertEqual(status, 401 if number % 2 else 403)
        wait_until(lambda: len(self.audit_lines("refused")) >= before + 2, what="lines of the refused")
        lines = self.audit_lines("refused")[before:]
        self.assertLess(len(lines), tried, "a flood is counted, not written")
        self.assertEqual({line["status"] for line in lines}, {401, 403})
        self.assertEqual({(line["who"], line["method"], line["path"]) for line in lines},
                         {("mallory by admin api from 127.0.0.1", "POST", "/api/v1/caps")})
        written = self.proxy.config_path.with_name("tidegate.audit.jsonl").read_text() + self.proxy.log
        self.assertNotIn("the-wrong-token", written)
        self.assertNotIn("in-a-query", written)
        self.assertEqual(ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"], [])

    def test_shows_the_configuration_without_a_secret(self):
        status, shown = ask(self.proxy, "GET", "/api/v1/config", token=None)
        self.assertEqual(status, 200)
        self.assertEqual(shown["instance"], "it")
        self.assertTrue(shown["admin"]["token_set"])
        self.assertNotIn(tidegate.TOKEN, json.dumps(shown))

    # --- the command line

    def test_is_set_listed_and_lifted_from_the_command_line(self):
        config = ("-c", str(self.proxy.config_path))
        writer, = self.named("typed")
        status, said, _ = self.run_command("cap", "typed", "500/s", "--for", "30m", "--bytes", "150KiB/s",
                                           "--key", "contact:*", "--why", "burst of 14:00", *config)
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"^typed: at most 500/s and 150KiB/s on contact:\* until \S+Z \((30m|29m 59s)\), "
                               r"1 connection held now\nlift it: tidegate uncap 'typed'\n$")
        status, said, _ = self.run_command("caps", *config)
        self.assertEqual(status, 0)
        self.assertRegex(said.splitlines()[1], r"^typed +at most 500/s and 150KiB/s on contact:\* .* burst of 14:00$")
        self.assertIn("olga by admin api", said)
        self.assertEqual(self.run_command("block", "typed", *config)[0], 0)
        self.assertIn("block:typed", writer.call("SET", "k", "x"))
        status, said, _ = self.run_command("uncap", "typed", *config)
        self.assertEqual((status, said), (0, "typed: no longer blocked\n"))
        self.assertEqual(writer.call("SET", "k", "x"), "OK")
        status, said, note = self.run_command("caps", *config)
        self.assertEqual((status, said, note), (0, "", "no client is capped or blocked\n"))

    def test_says_who_is_there_when_nobody_of_that_name_is(self):
        self.named("present")
        environment = {"TIDEGATE_TOKEN": tidegate.TOKEN}
        status, _, note = self.run_command("cap", "absent", "500/s", "--for", "1h", environment=environment)
        self.assertEqual(status, 0)
        self.assertIn("no client of this name is connected now", note)
        self.assertIn("present", note)

    def test_tells_wrong_usage_from_failure(self):
        config = ("-c", str(self.proxy.config_path))
        for wrong in (("cap", "a", "--for", "30m"), ("cap", "a", "500", "--for", "30m"), ("cap", "a", "500/s"),
                      ("cap", "a b", "500/s", "--for", "30m"), ("cap", "500/s"), ("block",), ("uncap",),
                      ("block", "a", "--for", "soon"), ("caps", "--format", "xml")):
            status, said, note = self.run_command(*wrong, *config)
            self.assertEqual((status, said), (2, ""), wrong)
            self.assertTrue(note)
        self.assertEqual(self.run_command("uncap", "nobody", *config)[0], 1)
        status, _, note = self.run_command("block", "a", environment={"TIDEGATE_TOKEN": "wrong"})
        self.assertEqual(status, 1)
        self.assertIn("the token is wrong", note)
        status, _, note = self.run_command("block", "a")
        self.assertEqual(status, 1)
        self.assertIn("TIDEGATE_TOKEN", note)
        status, _, note = self.run_command("caps", "-c", str(self.proxy.config_path) + ".none")
        self.assertEqual(status, 1)
        self.assertIn("cannot be read", note)


class caps_over_a_restart(proxied_case):
    @classmethod
    def start_proxy(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-caps-"))
        cls.addClassCleanup(lambda: shutil.rmtree(cls.folder, ignore_errors=True))
        cls.CONFIGURATION = {"ledger": {"path": str(cls.folder / "one.db"), "bucket": "1s"}}
        super().start_proxy()

    def restart(self):
        """Killed, and started anew with the same ledger."""
        self.proxy.kill()
        self.proxy.stop()
        type(self).proxy = tidegate(self.server, more=self.CONFIGURATION)

    def writer(self, name):
        connection = wire(self.proxy)
        self.addCleanup(connection.close)
        connection.call("CLIENT", "SETNAME", name)
        return connection

    def test_is_in_force_again_until_it_ends(self):
        for client in ("kept", "lifted"):
            wish = {"client": client, "action": "block", "for": "30m", "why": "burst"}
            self.assertEqual(ask(self.proxy, "POST", "/api/v1/caps", wish, user="olga")[0], 200)
        self.assertEqual(ask(self.proxy, "DELETE", "/api/v1/caps/lifted")[0], 200)
        before = ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"]
        state = self.folder / "one.caps.json"
        self.assertEqual(state.stat().st_mode & 0o777, 0o600)
        self.restart()
        after = ask(self.proxy, "GET", "/api/v1/caps")[1]["caps"]
        self.assertEqual([(cap["client"], cap["until"], cap["who"], cap["why"]) for cap in after],
                         [(cap["client"], cap["until"], cap["who"], cap["why"]) for cap in before])
        self.assertIn("block:kept", self.writer("kept").call("SET", "k", "x"))
        self.assertEqual(self.writer("lifted").call("SET", "k", "x"), "OK")
        self.assertIn("kept is still under a block", self.proxy.log)

    def test_is_in_the_ledger_with_who_and_what(self):
        wish = {"client": "ledgered", "rate": "500/s", "for": "30m", "why": "burst"}
        self.assertEqual(ask(self.proxy, "POST", "/api/v1/caps", wish, user="olga")[0], 200)
        self.assertEqual(ask(self.proxy, "DELETE", "/api/v1/caps/ledgered", user="ivan")[0], 200)

        def changes():
            with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'one.db'}?mode=ro", uri=True)) as ledger:
                return [row for row in ledger.execute("SELECT who, what, detail FROM change ORDER BY rowid")
                        if row[2].startswith("ledgered: ")]

        rows = wait_until(lambda: len(changes()) == 2 and changes(), what="two changes")
        self.assertEqual([(who.split()[0], what) for who, what, _ in rows], [("olga", "cap"), ("ivan", "uncap")])
        self.assertRegex(rows[0][2], r"^ledgered: cap 500/s until \S+Z, burst$")

    def test_starts_without_caps_and_says_so_when_their_file_is_broken(self):
        wish = {"client": "broken", "action": "block", "for": "30m"}
        self.assertEqual(ask(self.proxy, "POST", "/api/v1/caps", wish)[0], 200)
        state = self.folder / "one.caps.json"
        state.write_text(state.read_text()[:40])
        self.restart()
        self.assertEqual(self.writer("broken").call("SET", "k", "x"), "OK")
        self.assertIn("one.caps.json: is no JSON object; no cap is in force", self.proxy.log)
        self.assertTrue((self.folder / "one.caps.json.broken").exists())
