"""The generator (bench/load) at work on one peer, and a scraper that reads its metrics as Prometheus would."""

import json
import select
import threading
import urllib.request

from processes import process

SCRAPE_SECONDS = 1.0
ANSWER_SECONDS_MAX = 120.0


class load:
    """`connections` clients that are connected once and then take orders; idle between them."""

    def __init__(self, binary, core, port, *, ca=None, connections=50, pipeline=1, value=64, keys=3000, patterns=30,
                 names=0, family="family"):
        command = [binary, "--port", port, "--connections", connections, "--pipeline", pipeline, "--value", value,
                   "--keys", keys, "--patterns", patterns, "--names", names, "--family", family]
        if ca:
            command += ["--ca", ca]
        self.process = process("load", command, core, pipes=True)
        try:
            self._answer()  # "ready"
        except RuntimeError:
            self.stop()
            raise

    def _answer(self):
        stdout = self.process.child.stdout  # one line an order, so that nothing is left in Python's buffer
        if not select.select([stdout], [], [], ANSWER_SECONDS_MAX)[0]:
            raise RuntimeError(f"no answer of the generator in {ANSWER_SECONDS_MAX:.0f} s: a reply is missing")
        line = stdout.readline()
        if not line:
            self.process.child.wait()
            raise RuntimeError(f"the generator ended: {self.process.log.strip()}")
        return line

    def order(self, *words):
        self.begin(*words)
        return self.finish()

    def begin(self, *words):
        self.process.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.child.stdin.flush()

    def finish(self):
        return json.loads(self._answer())

    def closed(self, commands):
        return self.order("closed", commands)

    def open(self, commands, rate):
        return self.order("open", commands, rate)

    def stop(self):
        self.process.stop()


class scraper:
    """GET /metrics once a second while inside; at half seconds, so that a window of t seconds has t of them."""

    def __init__(self, port):
        self.port = port
        self.scrapes = 0

    def __enter__(self):
        self.ended = threading.Event()
        if self.port:
            self.thread = threading.Thread(target=self._run)
            self.thread.start()
        return self

    def _run(self):
        wait = SCRAPE_SECONDS / 2
        while not self.ended.wait(wait):
            wait = SCRAPE_SECONDS
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
                answer.read()
            self.scrapes += 1

    def __exit__(self, *_):
        self.ended.set()
        if self.port:
            self.thread.join()
