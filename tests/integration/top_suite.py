"""`tidegate top` against a real proxy: in a terminal with keys and sizes, and where there is none."""

import json
import os
import subprocess
import threading
import unittest

from harness.cases import proxied_case
from harness.processes import binary, tidegate, wait_until
from harness.stand_in import stand_in
from harness.terminal import terminal
from harness.wire import wire

HOSTILE = "evil\x1b[31m\x07"


class top_case(proxied_case):
    SERVER_ARGUMENTS = (("maxmemory", "64mb"),)
    CONFIGURATION = {"attribution": {"patterns": ["job:*"]},
                     "limits": [{"name": "slow-lane", "match": {"client": "batch-job"}, "rate": "300/s", "burst": "10"}]}

    def setUp(self):
        super().setUp()
        self._done = threading.Event()
        self._writers = [threading.Thread(target=self.keep_writing, args=each) for each in
                         (("batch-job", "job:", 500), ("order-api", "goods:", 50), ("", "cart:", 10))]
        for each in self._writers:
            each.start()
        self.addCleanup(self.stop_writing)

    def stop_writing(self):
        self._done.set()
        for each in self._writers:
            each.join()

    def keep_writing(self, name, prefix, size):
        with wire(self.proxy) as connection:
            if name:
                connection.call("CLIENT", "SETNAME", name)
            number = 0
            while not self._done.is_set():
                for _ in range(20):
                    number += 1
                    connection.send("SET", f"{prefix}{number % 100}", "x" * size)
                for _ in range(20):
                    connection.read()
                self._done.wait(0.03)

    def configuration(self, port=None):
        """A file as an operator has it: with the port that the proxy was given."""
        path = self.proxy.folder / "client.yaml"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**self.proxy.configuration, "admin": {
            "address": f"127.0.0.1:{port or self.proxy.admin_port}", "token": self.proxy.TOKEN}}))
        return path

    def run_top(self, *arguments, environment=None):
        return subprocess.run([binary(), "top", "-c", self.configuration(), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, check=False, env={**os.environ, **(environment or {})})

    def open(self, *arguments, **how):
        screen = terminal([binary(), "top", "-c", self.configuration(), "--interval", "200ms", *arguments], **how)
        self.addCleanup(screen.close)
        return screen

    def shows(self, screen, *parts, gone=()):
        try:
            wait_until(lambda: all(part in screen.text for part in parts) and not any(part in screen.text for part in gone),
                       what=f"{parts} on the screen")
        except AssertionError as failure:
            raise AssertionError(f"{failure}:\n{screen.text}") from None


class a_terminal(top_case):
    def test_of_80_by_24_shows_it_all(self):
        screen = self.open()
        self.shows(screen, ">batch-job", "order-api", "unnamed@127.0.0.1", "limit slow-lane  holds", "of 64 MiB", "q:quit")
        self.assertEqual(len(screen.lines), 24)
        self.assertTrue(all(len(line) <= 80 for line in screen.lines))

    def test_may_change_its_size(self):
        screen = self.open()
        self.shows(screen, ">batch-job", gone=("BUSIEST PATTERN",))
        screen.resize(140, 40)
        self.shows(screen, "BUSIEST PATTERN", "job:*")
        screen.resize(50, 12)
        self.shows(screen, "batch-job", gone=("SHARE",))
        self.assertEqual(len(screen.lines), 12)
        screen.resize(80, 24)
        self.shows(screen, "SHARE")

    def test_gets_no_escape_sequence_from_a_name(self):
        # The proxy keeps such names out of its books; whoever answers in its place need not.
        live = json.loads(self.proxy.get("/api/v1/live")[1])
        live["instance"] = live["clients"][0]["client"] = HOSTILE
        other = stand_in(self.proxy, {"/api/v1/live": live})
        self.addCleanup(other.close)
        screen = terminal([binary(), "top", "-c", self.configuration(other.port)])
        self.addCleanup(screen.close)
        self.shows(screen, "evil?[31m?  ", ">evil?[31m?")

    def test_works_without_utf_8_and_without_colours(self):
        screen = self.open(environment={"LC_ALL": "C", "TERM": "vt100"})
        self.shows(screen, ">batch-job", "q:quit")

    def test_is_given_back_as_it_was(self):
        screen = self.open()
        self.shows(screen, ">batch-job")
        screen.keys("q")
        self.shows(screen, "status=0", gone=("batch-job",))

    def test_is_given_back_on_ctrl_c_too(self):
        screen = self.open()
        self.shows(screen, ">batch-job")
        screen.keys("C-c")
        self.shows(screen, "status=0")

    def test_that_is_dumb_gets_lines(self):
        screen = self.open("--once", environment={"TERM": "dumb"}, width=140, height=40)
        self.shows(screen, "batch-job", "status=0")


class keys(top_case):
    def test_choose_open_filter_and_sort(self):
        screen = self.open()
        self.shows(screen, ">batch-job", "by bytes")
        screen.keys("Down")
        self.shows(screen, ">order-api")
        screen.keys("Enter")
        self.shows(screen, "goods:*", "writer order-api", "COMMAND")
        screen.keys("Escape")
        self.shows(screen, "CLIENT", gone=("COMMAND",))
        screen.keys("s")
        self.shows(screen, "by writes")
        screen.keys("/")
        self.shows(screen, "part of a name:")
        screen.type("batch")
        screen.keys("Enter")
        self.shows(screen, ">batch-job", "filter batch", gone=("order-api",))
        screen.keys("?")
        self.shows(screen, "choose a writer")

    def test_cap_a_writer_and_lift_the_cap(self):
        screen = self.open()
        self.shows(screen, ">batch-job")
        screen.keys("c")
        self.shows(screen, "cap batch-job at")
        screen.type("50/s")
        screen.keys("Enter")
        self.shows(screen, "cap batch-job for [30m]")
        screen.type("10m")
        screen.keys("Enter")
        self.shows(screen, "why")
        screen.type("too loud")
        screen.keys("Enter")
        self.shows(screen, "capped: batch-job for 10m", "cap batch-job  at most 50/s", "too loud")
        caps = json.loads(self.proxy.get("/api/v1/caps")[1])["caps"]
        self.assertEqual([(cap["client"], cap["action"], cap["rate"], cap["why"]) for cap in caps],
                         [("batch-job", "cap", "50/s", "too loud")])
        self.shows(screen, "limit cap:batch-job  holds")
        screen.keys("u")
        self.shows(screen, "lift the cap on batch-job?")
        screen.type("y")
        screen.keys("Enter")
        self.shows(screen, "lifted: batch-job", gone=("at most 50/s",))
        self.assertEqual(json.loads(self.proxy.get("/api/v1/caps")[1])["caps"], [])

    def test_block_a_writer(self):
        screen = self.open()
        self.shows(screen, ">batch-job")
        screen.keys("Down", "b")
        self.shows(screen, "block order-api for [30m]")
        screen.keys("Enter")
        self.shows(screen, "why")
        screen.keys("Enter")
        self.shows(screen, "blocked: order-api for 30m")
        self.assertEqual(json.loads(self.proxy.get("/api/v1/caps")[1])["caps"][0]["action"], "block")
        subprocess.run([binary(), "uncap", "order-api", "-c", self.configuration()], check=True, capture_output=True)

    def test_say_what_was_refused(self):
        screen = self.open()
        self.shows(screen, ">batch-job")
        screen.keys("u")
        screen.type("y")
        screen.keys("Enter")
        self.shows(screen, "not done:")


class no_terminal(top_case):
    def test_gets_text_once(self):
        done = self.run_top("--once", "--interval", "500ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode()
        self.assertRegex(text, r"(?m)^ batch-job +\d+")
        self.assertIn("limit slow-lane", text)
        self.assertNotIn("\x1b", text)
        self.assertEqual(done.stderr, b"")

    def test_gets_json_once(self):
        done = self.run_top("--once", "--interval", "500ms", "--format", "json")
        document = json.loads(done.stdout)
        by_name = {row["client"]: row for row in document["writers"]}
        self.assertGreater(by_name["batch-job"]["bytes_per_second"], by_name["order-api"]["bytes_per_second"])
        self.assertEqual(by_name["order-api"]["patterns"][0]["pattern"], "goods:*")
        self.assertEqual(by_name["unnamed@127.0.0.1"]["patterns"][0]["pattern"], "cart:*")
        self.assertGreater(document["memory"]["used_bytes"], 0)

    def test_gets_a_look_an_interval_until_nobody_reads(self):
        child = subprocess.Popen([binary(), "top", "-c", self.configuration(), "--interval", "200ms", "--format", "json"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        looks = [json.loads(child.stdout.readline())["at"] for _ in range(3)]
        self.assertEqual(looks, sorted(set(looks)))
        child.stdout.close()
        self.assertNotEqual(child.wait(30), 0)

    def test_is_told_of_a_proxy_that_is_gone_and_of_wrong_usage(self):
        other = tidegate(self.server)
        configuration = self.configuration()
        configuration.write_text(json.dumps({**other.configuration, "admin": {
            "address": f"127.0.0.1:{other.admin_port}", "token": other.TOKEN}}))
        other.stop()
        done = subprocess.run([binary(), "top", "-c", configuration, "--once"], capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(other.admin_port).encode(), done.stderr)
        self.assertEqual(done.stdout, b"")
        for wrong in (("--interval", "1"), ("--interval", "0s"), ("--format", "yaml"), ("--nonsense",)):
            self.assertEqual(self.run_top(*wrong).returncode, 2, wrong)


if __name__ == "__main__":
    unittest.main()
