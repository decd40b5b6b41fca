"""The life of the process: files that are wrong, reloads under load, signals, ends that are asked for and ends that are not."""

import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import yaml

from harness.broken_configs import broken_documents, broken_files, broken_texts
from harness.cases import with_its_own_servers
from harness.exposition import metrics
from harness.measured import MIB, memory_of, say, short_or_long
from harness.processes import ROOT, binary, certificates, redis_server, tidegate, wait_until
from harness.wire import wire

ENVIRONMENT = {"UPSTREAM_PASSWORD": "u", "CONTROL_PASSWORD": "c", "ISALES_CAMPAIGN_TOKEN": "t", "ADMIN_TOKEN": "a"}
A_MISTAKE = re.compile(r"tidegate\.yaml(:\d+)?: (\S+: )?\S.{10,}")


class broken_configurations(with_its_own_servers):
    """C1."""

    @classmethod
    def setUpClass(cls):
        cls.tls = certificates()
        cls.addClassCleanup(cls.tls.remove)
        cls.folder = tempfile.TemporaryDirectory(prefix="tidegate-broken-")
        cls.addClassCleanup(cls.folder.cleanup)
        text = (ROOT / "deploy/tidegate.example.yaml").read_text()
        cls.good = yaml.safe_load(text)
        cls.good["limits"][0]["until"] = "2099-12-31"
        cls.good["listen"][0]["tls"].update(certificate=str(cls.tls.server), key=str(cls.tls.server_key),
                                            client_ca=str(cls.tls.ca))
        files = pathlib.Path(cls.folder.name)
        cls.broken = [(name, json.dumps(document, indent=1), key) for name, document, key in
                      [*broken_documents(cls.good), *broken_files(cls.good, cls.tls, files)]]
        cls.broken += [(name, text, None) for name, text in broken_texts(json.dumps(cls.good, indent=1))]

    def check(self, text):
        path = pathlib.Path(self.folder.name) / "tidegate.yaml"
        path.touch(mode=0o600)
        path.write_text(text)
        done = subprocess.run([binary(), "check", "--offline", "-c", path], env={**os.environ, **ENVIRONMENT}, text=True,
                              capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_are_made_of_one_that_is_right(self):
        status, said = self.check(json.dumps(self.good, indent=1))
        self.assertEqual(status, 0, said)
        self.assertGreaterEqual(len(self.broken), 200)

    def test_are_refused_by_check_with_the_key_and_what_to_write(self):
        for name, text, key in self.broken:
            with self.subTest(name):
                status, said = self.check(text)
                self.assertEqual(status, 1, said)
                self.assertRegex(said, A_MISTAKE)
                if key:
                    self.assertIn(key, said)
        say(f"C1: check refuses {len(self.broken)} broken configurations")

    def test_change_nothing_in_a_running_process(self):
        server = self.start(redis_server)
        proxy = self.start(with_environment, server, more={"ttl": [{"pattern": "a:*", "default": "100s"}]})
        clients = [self.connect(proxy) for _ in range(20)]
        generation = metrics(proxy).sum("tidegate_config_generation")
        for number, (name, text, key) in enumerate(self.broken):
            with self.subTest(name):
                refused = metrics(proxy).sum("tidegate_config_reloads_total", result="refused")
                read = len(proxy.log)
                proxy.write_config(text)
                proxy.signal(signal.SIGHUP)
                wait_until(lambda refused=refused: metrics(proxy).sum("tidegate_config_reloads_total", result="refused")
                           > refused, what="a refusal")
                said = proxy.log[read:]
                self.assertIn("nothing changed", said)
                self.assertRegex(said, A_MISTAKE)
                if key:
                    self.assertIn(key, said)
                client = clients[number % len(clients)]
                self.assertEqual(client.call("SET", "a:1", "v"), "OK")
                self.assertEqual(client.call("TTL", "a:1"), 100)
        seen = metrics(proxy)
        self.assertEqual(seen.sum("tidegate_config_generation"), generation)
        self.assertEqual(seen.sum("tidegate_config_reloads_total", result="done"), 0)
        self.assertEqual(seen.sum("tidegate_client_connections"), len(clients))
        proxy.configuration["ttl"][0]["default"] = "200s"
        proxy.write_config()
        proxy.signal(signal.SIGHUP)
        wait_until(lambda: metrics(proxy).sum("tidegate_config_generation") > generation, what="a good file taken")
        say(f"C1: {len(self.broken)} broken configurations in turn changed nothing; nobody was disconnected")


class a_certificate_that_was_broken(with_its_own_servers):
    def test_is_taken_when_it_is_mended_though_the_configuration_is_not_touched_again(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, tls=tls)
        fresh = tls.folder / "fresh.crt"
        fresh.write_text("nothing yet")
        proxy.configuration["listen"][1]["tls"]["certificate"] = str(fresh)
        proxy.write_config()
        wait_until(lambda: metrics(proxy).sum("tidegate_config_reloads_total", result="refused") == 1, what="a refusal")
        fresh.write_bytes(tls.server.read_bytes())
        wait_until(lambda: metrics(proxy).sum("tidegate_config_reloads_total", result="done") == 1, what="the mended one taken")
        self.assertEqual(self.connect(proxy, tls=True).call("PING"), "PONG")


class with_environment(tidegate):
    """The variables that the example names are there, so that their absence is not what is wrong."""

    def spawn(self, arguments, environment=None):
        super().spawn(arguments, {**ENVIRONMENT, **(environment or {})})


class writer(threading.Thread):
    """Writes numbers in order, in pipelines, until it is told to stop or cut off; knows what was acknowledged."""

    def __init__(self, proxy, number, depth=16):
        super().__init__(daemon=True)
        self.connection = wire(proxy)
        self.key, self.depth, self.ended = f"w:{number}", depth, threading.Event()
        self.sent = self.acknowledged = 0
        self.surprises = []

    def run(self):
        try:
            while not self.ended.is_set():
                self.connection.send_raw(wire.encode("INCR", self.key) * self.depth)
                self.sent += self.depth
                for _ in range(self.depth):
                    reply = self.connection.read()
                    if reply != self.acknowledged + 1:
                        self.surprises.append(reply)
                        return
                    self.acknowledged += 1
        except (EOFError, ConnectionResetError, BrokenPipeError) as end:
            if not self.ended.is_set():
                self.surprises.append(repr(end))
        finally:
            self.connection.close()


class reloads_under_load(with_its_own_servers):
    """C2."""

    def test_disturb_nobody_and_leave_no_memory_behind(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, more={
            "ttl": [{"pattern": "a:*", "default": "100s"}],
            "limits": [{"name": "one", "match": {"client": "somebody"}, "rate": "1000000/s"}],
            "users": [{"name": f"u{number}", "password": "p" * 100} for number in range(200)]})
        writers = [writer(proxy, number) for number in range(8)]
        for one in writers:
            one.start()
        count, warm = short_or_long((50, 10), (1000, 100))
        before = None
        for number in range(count):
            generation = metrics(proxy).sum("tidegate_config_generation")
            proxy.configuration["ttl"][0]["default"] = f"{100 + number}s"
            proxy.write_config()
            proxy.signal(signal.SIGHUP)
            wait_until(lambda generation=generation: metrics(proxy).sum("tidegate_config_generation") > generation,
                       what="the next generation")
            if number == warm:
                before = memory_of(proxy.pid)
        for one in writers:
            one.ended.set()
        for one in writers:
            one.join()
        self.assertEqual([one.surprises for one in writers], [[]] * len(writers))
        grown = memory_of(proxy.pid) - before
        written = sum(one.acknowledged for one in writers)
        say(f"C2: {count} reloads during {written} writes; {grown / MIB:.1f} MiB more after the last than after {warm}")
        self.assertGreater(written, count)
        self.assertLess(grown, 6 * MIB)
        with wire(server) as bare:
            self.assertEqual([int(bare.call("GET", one.key)) for one in writers], [one.acknowledged for one in writers])


class draining(with_its_own_servers):
    """C3: what Redis did is what the clients were told, to the last write."""

    def test_neither_loses_nor_invents_an_acknowledgement(self):
        server = self.start(redis_server)
        runs = short_or_long(5, 100)
        told = cut = 0
        for _ in range(runs):
            with wire(server) as bare:
                bare.call("FLUSHALL")
            proxy = self.start(tidegate, server)
            writers = [writer(proxy, number, depth=64) for number in range(6)]
            for one in writers:
                one.start()
            wait_until(lambda writers=writers: all(one.acknowledged > 200 for one in writers), what="load")
            for one in writers:
                one.ended.set()  # from here on an end is no surprise
            proxy.signal(signal.SIGTERM)
            self.assertEqual(proxy.wait(), 0, proxy.log)
            for one in writers:
                one.join()
            self.assertEqual([one.surprises for one in writers], [[]] * len(writers))
            with wire(server) as bare:
                self.assertEqual([int(bare.call("GET", one.key)) for one in writers],
                                 [one.acknowledged for one in writers])
            told += sum(one.acknowledged for one in writers)
            cut += sum(one.sent > one.acknowledged for one in writers)
        say(f"C3: {runs} drains; {told} writes acknowledged, as many executed; {cut} clients were cut off with writes "
            "that were not taken")


class a_kill(with_its_own_servers):
    """C5."""

    def test_at_any_moment_leaves_nothing_that_keeps_the_next_from_starting(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        server = self.start(redis_server)
        folder = tempfile.TemporaryDirectory(prefix="tidegate-killed-")
        self.addCleanup(folder.cleanup)
        slowest = 0.0
        for turn in range(short_or_long(6, 60)):
            begun = time.monotonic()
            with self.subTest(seed=seed, turn=turn):
                proxy = tidegate(server, more={
                    "ledger": {"path": f"{folder.name}/ledger.db", "bucket": "1s"},
                    "capture": {"directory": f"{folder.name}/captures", "values": True, "rotate": "64KiB"}})
                slowest = max(slowest, time.monotonic() - begun)
                self.addCleanup(proxy.stop)
                self.assertNotIn("corrupt", proxy.log)
                one = writer(proxy, turn)
                one.start()
                # The moment is chance; what is held against it is not.
                wait_until(lambda one=one, least=chance.randrange(1, 3000): one.acknowledged >= least, what="some writes")
                one.ended.set()
                proxy.kill()
                one.join()
                self.assertEqual([each for each in one.surprises if isinstance(each, int)], [])
                with wire(server) as bare:
                    executed = int(bare.call("GET", one.key))
                self.assertLessEqual(one.acknowledged, executed)
                self.assertLessEqual(executed, one.sent)
        say(f"C5: killed at random moments of seed {seed}; the slowest start took {slowest:.2f} s until it was ready")

    def test_in_the_middle_of_the_start_does_no_harm_either(self):
        server = self.start(redis_server)
        folder = tempfile.TemporaryDirectory(prefix="tidegate-killed-")
        self.addCleanup(folder.cleanup)
        first = self.start(tidegate, server, more={"ledger": {"path": f"{folder.name}/ledger.db"}})
        for steps in range(short_or_long(10, 100)):
            child = subprocess.Popen([binary(), "serve", "-c", first.config_path], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(steps * 0.002)  # somewhere in its start; wherever that is, the same must hold
            child.kill()
            child.wait()
        self.assertEqual(self.connect(first).call("PING"), "PONG")


class storms_of_signals(with_its_own_servers):
    """C6."""

    def test_while_serving_disturb_nobody(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        writers = [writer(proxy, number) for number in range(4)]
        for one in writers:
            one.start()
        kinds = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT)
        count = short_or_long(2000, 20_000)
        sent = collections.Counter()
        for number in range(count):
            proxy.signal(kinds[number % len(kinds)])
            sent[kinds[number % len(kinds)]] += 1
            if number % 100 == 0:
                time.sleep(0.01)  # some thousand a second, over a while
        # The last hangup counts: what it stands for is in force.
        proxy.configuration["ttl"] = [{"pattern": "a:*", "default": "100s"}]
        proxy.write_config()
        proxy.signal(signal.SIGHUP)
        client = self.connect(proxy)

        def ttl():
            client.call("SET", "a:1", "v")
            return client.call("TTL", "a:1")

        wait_until(lambda: ttl() == 100, what="the file of the last signal")
        for one in writers:
            one.ended.set()
        for one in writers:
            one.join()
        self.assertEqual([one.surprises for one in writers], [[]] * len(writers))
        reloads = metrics(proxy).sum("tidegate_config_reloads_total", result="done")
        say(f"C6: {count} signals, {sent[signal.SIGHUP]} of them SIGHUP, became {reloads:.0f} reloads")
        self.assertGreater(reloads, 0)
        self.assertLess(reloads, sent[signal.SIGHUP])

    def test_from_the_first_moment_on_end_nobody(self):
        """A hangup that comes before anybody listens to signals is kept for later."""
        server = self.start(redis_server)
        for _ in range(short_or_long(3, 30)):
            proxy = self.start(stormed_tidegate, server)
            self.assertEqual(self.connect(proxy).call("PING"), "PONG")
            proxy.storm.join()
            self.assertEqual(self.connect(proxy).call("PING"), "PONG")
            proxy.stop()

    def test_a_term_during_the_start_ends_it_in_order(self):
        server = self.start(redis_server)
        for _ in range(short_or_long(3, 30)):
            proxy = tidegate.__new__(termed_tidegate)
            with self.assertRaisesRegex(AssertionError, "ended|not come true|drain"):
                proxy.__init__(server)
            self.assertEqual(proxy.status, 0, proxy.last_log)


@unittest.skipUnless(shutil.which("strace"), "strace(1) holds one thread up")
class the_watchdog(with_its_own_servers):
    """C7, with a worker that is held up in its next wait."""

    def hold_up(self, proxy, seconds):
        thread = next(task for task in pathlib.Path(f"/proc/{proxy.pid}/task").iterdir()
                      if (task / "comm").read_text().strip() == "tidegate-w0")
        tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", thread.name, "-e", "trace=epoll_wait,epoll_pwait",
                                   "-e", f"inject=epoll_wait,epoll_pwait:delay_enter={int(seconds * 1e6)}:when=1"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.kill)
        return tracer

    def test_counts_a_loop_that_stands_still_and_says_that_it_turns_again(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        self.hold_up(proxy, 3)
        wait_until(lambda: metrics(proxy).sum("tidegate_loop_stalls_total") == 1, what="the stall counted")
        wait_until(lambda: "worker 0 turns again" in proxy.log, what="its end said")
        self.assertEqual(self.connect(proxy).call("PING"), "PONG")

    def test_ends_a_process_that_hangs_and_says_where(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        proxy.killed = True
        tracer = self.hold_up(proxy, 600)
        wait_until(lambda: "worker 0 hangs" in proxy.log, what="the verdict")
        tracer.kill()  # a thread that is traced gets its signal when it is let go
        self.assertEqual(proxy.wait(), -signal.SIGABRT)
        self.assertIn("tidegate aborts; the stack of the thread", proxy.log)


def is_ours_by_now(pid):
    """Whether SIGHUP is held back or listened to: before that, signals are the shell's or the loader's matter."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(int(mask, 16) & 1 for mask in re.findall(r"Sig(?:Blk|Cgt):\t(\w+)", status))


class stormed_tidegate(tidegate):
    def spawn(self, arguments, environment=None):
        super().spawn(arguments, environment)

        def blow():
            while not is_ours_by_now(self.pid):
                if not self.is_running():
                    return
            for number in range(2000):
                self.signal((signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)[number % 4])

        self.storm = threading.Thread(target=blow)
        self.storm.start()


class termed_tidegate(tidegate):
    def spawn(self, arguments, environment=None):
        super().spawn(arguments, environment)
        while not is_ours_by_now(self.pid) and self.is_running():
            pass
        self.signal(signal.SIGTERM)
        self.status = self.wait()
        self.last_log = self.log


if __name__ == "__main__":
    unittest.main()
