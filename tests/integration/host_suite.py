"""What the host sees of the process: the administration's listener, privileges, the unit's sandbox, the binary's hardening."""

import contextlib
import grp
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from harness.admin import ask_admin, set_cap
from harness.cases import proxied_case
from harness.measured import say, short_or_long
from harness.processes import ROOT, binary, certificates, free_port, redis_server, tidegate, wait_until
from harness.wire import wire

SANDBOX = ROOT / "tests/integration/harness/sandboxed.py"


class the_administrations_listener(proxied_case):
    """S5."""

    def test_changes_nothing_without_the_token(self):
        self.connect().call("SET", "a", "1")
        for method, path in (("POST", "/api/v1/caps"), ("PUT", "/api/v1/caps/x"), ("DELETE", "/api/v1/caps/x"),
                             ("DELETE", "/api/v1/caps"), ("PATCH", "/api/v1/config"), ("POST", "/api/v1/anything")):
            with self.subTest(f"{method} {path}"):
                self.assertEqual(ask_admin(self.proxy, method, path, body=b"{}")[0], 401)
                for wrong in ("wrong", self.proxy.TOKEN[:-1], self.proxy.TOKEN + "x", ""):
                    status, said = ask_admin(self.proxy, method, path, {"Authorization": f"Bearer {wrong}"}, b"{}")
                    self.assertIn(status, (401, 403), said)
                    self.assertNotIn(self.proxy.TOKEN, said)

    def test_beyond_loopback_is_a_mistake_without_a_token_and_asks_for_it_with_one(self):
        folder = tempfile.TemporaryDirectory(prefix="tidegate-admin-")
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "tidegate.yaml"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**self.proxy.configuration, "admin": {"address": "0.0.0.0:0"}}))
        checked = subprocess.run([binary(), "check", "--offline", "-c", path], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stdout, r"admin\.address: .*token")
        open_one = open_to_all(self.server, more={"admin": {"address": "0.0.0.0:0", "token": tidegate.TOKEN}})
        self.addCleanup(open_one.stop)
        for name in ("clients", "patterns", "limits", "writes", "config", "status", "live", "forecast", "caps"):
            with self.subTest(name):
                self.assertEqual(ask_admin(open_one, "GET", f"/api/v1/{name}")[0], 401)
                self.assertEqual(ask_admin(open_one, "GET", f"/api/v1/{name}",
                                           {"Authorization": f"Bearer {tidegate.TOKEN}"})[0], 200)
        self.assertEqual(ask_admin(open_one, "GET", "/healthz")[0], 200)

    def test_held_by_slow_clients_does_not_hold_the_data_up(self):
        client = self.connect()
        slow = []
        for number in range(100):
            slow.append(socket.create_connection(("127.0.0.1", self.proxy.admin_port), 30))
            self.addCleanup(slow[-1].close)
            if number % 2:
                slow[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")  # never goes on
            else:
                slow[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)  # never reads
        for number in range(2000):
            self.assertEqual(client.call("SET", "a", number), "OK")
        self.assertEqual(client.call("GET", "a"), b"1999")
        for one in slow:
            one.close()
        wait_until(lambda: self.answers(), what="an answer for the next")

    def answers(self):
        with contextlib.suppress(OSError):
            return self.proxy.get("/healthz")[0] == 200
        return False

    def test_survives_whatever_is_sent_to_it(self):
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        words = [b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"PRI", b" ", b"  ", b"\t", b"/", b"/metrics",
                 b"/api/v1/caps", b"/api/v1/clients?client=", b"/api/v1/status?warn=", b"/healthz", b"/../..", b"%00", b"%2e%2e",
                 b"%zz", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b":", b"Host: x",
                 b"Content-Length: ", b"Transfer-Encoding: chunked", b"Authorization: Bearer ", b"Connection: keep-alive",
                 b"-1", b"0", b"5", b"18446744073709551616", b"\0", b"\xff\xfe", b"{", b"}", b'{"client":"a","rate":',
                 b"A" * 300, b"a: " + b"b" * 5000 + b"\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n"]
        count = short_or_long(600, 20_000)
        answered = 0
        with self.subTest(seed=seed):
            for _ in range(count):
                message = b"".join(dice.choice(words) for _ in range(dice.randrange(1, 30)))
                if dice.random() < 0.7:
                    message = b"%s %s HTTP/1.1\r\n" % (dice.choice(words[:8]), dice.choice(words[11:19])) + message
                with socket.create_connection(("127.0.0.1", self.proxy.admin_port), 30) as connection:
                    with contextlib.suppress(OSError):
                        connection.sendall(message)
                        connection.shutdown(socket.SHUT_WR)
                        answered += connection.recv(4096).startswith(b"HTTP/1.1 ")
            self.assertEqual(ask_admin(self.proxy, "GET", "/api/v1/caps")[1].count('"client"'), 0)
            self.assertTrue(self.answers())
        say(f"S5: {count} random requests of seed {seed}, {answered} of them answered")
        self.assertGreater(answered, count // 10)


class open_to_all(tidegate):
    """Its admin address is 0.0.0.0."""

    def _listening(self):
        found = re.search(r"^listening .*127\.0\.0\.1:(\d+) \(plain\).*admin 0\.0\.0\.0:(\d+)$", self.log, re.MULTILINE)
        if not found:
            return False
        self.host, self.port, self.admin_port = "127.0.0.1", int(found[1]), int(found[2])
        return True


def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


@unittest.skipUnless(os.geteuid() == 0, "only root can give root up")
class root(unittest.TestCase):
    """S7, S8."""

    def start(self, user):
        server = redis_server()
        self.addCleanup(server.stop)

        class as_somebody(tidegate):
            def spawn(self, arguments, environment=None):
                for path in (self.folder, self.config_path):
                    shutil.chown(path, user)
                super().spawn([*arguments, "--user", user], environment)

        proxy = as_somebody(server)
        self.addCleanup(proxy.stop)
        return proxy

    def test_is_given_up_for_good(self):
        proxy = self.start("nobody")
        somebody = pwd.getpwnam("nobody")
        status = status_of(proxy.pid)
        self.assertEqual(status["Uid"].split(), [str(somebody.pw_uid)] * 4)
        self.assertEqual(status["Gid"].split(), [str(somebody.pw_gid)] * 4)
        groups = {str(one.gr_gid) for one in grp.getgrall() if "nobody" in one.gr_mem} | {str(somebody.pw_gid)}
        self.assertLessEqual(set(status["Groups"].split()), groups)
        self.assertEqual([int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh")], [0, 0, 0])
        with wire(proxy) as client:
            self.assertEqual(client.call("SET", "a", "1"), "OK")
        self.assertNotIn("running as root", proxy.log)
        # A reload works without root too.
        proxy.configuration["ttl"] = [{"pattern": "a:*", "default": "100s"}]
        proxy.write_config()
        shutil.chown(proxy.config_path, "nobody")
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: "configuration in force" in proxy.log, what="a reload")

    def test_memory_is_closed_to_others_of_the_same_user(self):
        proxy = self.start("nobody")
        # proc(5): a process that is not dumpable belongs to root here, whoever it runs as.
        self.assertEqual(os.stat(f"/proc/{proxy.pid}/environ").st_uid, 0)
        look = f"import os; os.setuid({pwd.getpwnam('nobody').pw_uid}); open('/proc/{proxy.pid}/mem', 'rb')"
        done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
        self.assertIn("PermissionError", done.stderr)

    def test_kept_is_warned_of_and_a_wrong_name_refused(self):
        server = redis_server()
        self.addCleanup(server.stop)
        proxy = tidegate(server)
        self.addCleanup(proxy.stop)
        self.assertIn("running as root", proxy.log)
        for name, word in (("root", "root again"), ("no-such-user-here", "no such user")):
            done = subprocess.run([binary(), "serve", "-c", proxy.config_path, "--user", name], capture_output=True, text=True,
                                  timeout=20, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stderr)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze knows what the unit's names stand for")
class the_unit(unittest.TestCase):
    """S9."""

    def test_is_as_closed_as_the_best(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=12",
                               ROOT / "deploy/tidegate.service"], capture_output=True, text=True, check=False)
        exposure = re.search(r"exposure level for \S+ (\d+\.\d)", done.stdout + done.stderr)
        self.assertIsNotNone(exposure, done.stdout + done.stderr)
        say(f"S9: exposure {exposure[1]}")
        self.assertLessEqual(float(exposure[1]), 1.2)
        self.assertEqual(done.returncode, 0)

    def test_has_a_filter_that_ends_who_leaves_it(self):
        for call in ("os.chroot('/')", "os.sched_setaffinity(0, [0])", "__import__('mmap').mmap(-1, 4096, prot=7)"):
            done = subprocess.run([SANDBOX, sys.executable, "-c", f"import os; {call}"], capture_output=True, check=False)
            self.assertEqual(done.returncode, -signal.SIGSYS, call)
        self.assertEqual(subprocess.run([SANDBOX, "/bin/true"], check=False).returncode, 0)

    def test_lets_everything_that_is_needed_through(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        server = redis_server(tls=tls)
        self.addCleanup(server.stop)
        folder = tempfile.TemporaryDirectory(prefix="tidegate-sandboxed-")
        self.addCleanup(folder.cleanup)

        class sandboxed_tidegate(tidegate):
            def spawn(self, arguments, environment=None):
                super().spawn([SANDBOX, *arguments], environment)

        proxy = sandboxed_tidegate(server, tls=tls, more={
            "ledger": {"path": f"{folder.name}/ledger.db", "bucket": "1s"},
            "capture": {"directory": f"{folder.name}/captures", "values": True, "rotate": "64KiB"},
            "limits": [{"name": "slow", "match": {"key": "slow:*"}, "rate": "100/s"}],
            "ttl": [{"pattern": "t:*", "default": "100s"}]})
        self.addCleanup(proxy.stop)
        self.assertEqual(int(status_of(proxy.pid)["Seccomp"]), 2)
        with wire(proxy) as plain, wire(proxy, tls=True) as secret:
            for number in range(3000):
                plain.send("SET", f"t:{number}", "x" * 100)
            for number in range(3000):
                self.assertEqual(plain.read(), "OK")
            self.assertEqual(secret.call("TTL", "t:1"), 100)
            self.assertEqual([secret.call(*words) for words in (["MULTI"], ["INCR", "n"], ["EXEC"])], ["OK", "QUEUED", [1]])
            self.assertEqual(secret.call("SET", "big", "x" * (40 << 20)), "OK")
            self.assertEqual(len(secret.call("GET", "big")), 40 << 20)
            proxy.configuration["ttl"][0]["default"] = "200s"
            proxy.write_config()
            proxy.signal(signal.SIGHUP)
            wait_until(lambda: (plain.call("SET", "t:1", "v"), plain.call("TTL", "t:1"))[1] == 200, what="the reload")
            for path in ("/metrics", "/api/v1/status", "/api/v1/clients", "/api/v1/forecast", "/"):
                self.assertEqual(proxy.get(path)[0], 200)
            self.assertEqual(set_cap(proxy, client="nobody", rate="5/s", **{"for": "1m"})[0] // 100, 2)
        proxy.signal(signal.SIGTERM)
        self.assertEqual(proxy.wait(), 0, proxy.log)
        same = {"listen": [{"address": f"127.0.0.1:{free_port()}"}], "admin": {"address": f"127.0.0.1:{free_port()}"}}
        before = sandboxed_tidegate(server, more=same)
        self.addCleanup(before.stop)
        after = sandboxed_tidegate(server, more=same)
        self.addCleanup(after.stop)
        self.assertEqual(before.wait(), 0, before.log)
        self.assertIn(f"taking over from process {before.pid}", after.log)

    def test_lets_whole_suites_through(self):
        if not short_or_long(False, True):
            self.skipTest("runs other suites a second time; the long form does")
        for suite in ("transparency_suite", "torture_suite", "operations_suite", "ledger_suite", "capture_suite",
                      "takeover_suite", "limiter_suite"):
            with self.subTest(suite):
                done = subprocess.run([sys.executable, "-m", "unittest", suite], cwd=ROOT / "tests/integration", text=True,
                                      env={**{name: value for name, value in os.environ.items() if name != "TIDEGATE_LONG"},
                                           "TIDEGATE_BINARY": str(SANDBOX), "TIDEGATE_SANDBOXED": str(pathlib.Path(binary()).resolve())},
                                      capture_output=True, timeout=900, check=False)
                said = done.stderr[-3000:]
                self.assertEqual(done.returncode, 0, said)
                say(f"S9: under the unit's filter, {suite}: {re.findall(r'^Ran .*', said, re.MULTILINE)}")


class the_binary(unittest.TestCase):
    """S10. Of what is shipped: an instrumented or unoptimised build is not."""

    @classmethod
    def setUpClass(cls):
        cls.path = os.environ.get("TIDEGATE_RELEASE_BINARY") or str(ROOT / "build/release/tidegate")
        if not os.path.exists(cls.path):
            raise unittest.SkipTest(f"there is no {cls.path}")

    def read(self, *options):
        return subprocess.run(["readelf", "-W", *options, self.path], capture_output=True, text=True, check=True).stdout

    def test_can_be_loaded_anywhere(self):
        self.assertRegex(self.read("-h"), r"Type:\s+DYN")
        self.assertRegex(self.read("-d"), r"FLAGS_1\).*PIE")

    def test_has_no_writable_table_of_functions(self):
        self.assertIn("GNU_RELRO", self.read("-l"))
        self.assertRegex(self.read("-d"), r"BIND_NOW|FLAGS_1\).*NOW")

    def test_has_neither_an_executable_stack_nor_memory_that_is_writable_and_executable(self):
        segments = self.read("-l")
        self.assertRegex(segments, r"GNU_STACK(\s+0x\w+){5}\s+RW\s")
        self.assertNotRegex(segments, r"LOAD(\s+0x\w+){5}\s+RWE")

    def test_guards_its_stack_and_its_copies(self):
        symbols = self.read("--dyn-syms")
        self.assertIn("__stack_chk_fail", symbols)
        self.assertRegex(symbols, r"__mem\w+_chk|__\w*printf_chk")

    def test_looks_for_libraries_in_no_place_of_its_own(self):
        self.assertNotRegex(self.read("-d"), r"RPATH|RUNPATH")
        self.assertNotIn("TEXTREL", self.read("-d"))


if __name__ == "__main__":
    unittest.main()
