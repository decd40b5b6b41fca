"""What is seen of the two servers every quarter of a second, of the load more often, and of /metrics when asked."""

import collections
import dataclasses
import re
import threading
import time

import scenario
from board import PATHS, WITH

INTERVAL = 0.25
COUNTED_EVERY = 0.02
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass(frozen=True)
class reading:
    at: float
    memory: float        # share of maxmemory
    keys: int
    keys_with_ttl: int
    clients: int
    commands: int        # answered so far, as the load counted


def parse_info(text):
    fields = dict(re.findall(r"^(\w+):([^\r\n]*)", text, re.MULTILINE))
    counts = dict(re.findall(r"(\w+)=(\d+)", fields.get("db0", "")))
    return (int(fields["used_memory"]), int(counts.get("keys", 0)), int(counts.get("expires", 0)),
            int(fields["connected_clients"]))


class watcher:
    def __init__(self, servers, board):
        self._connections = [server.connect() for server in servers]
        self._board = board
        self.readings = ([], [])
        self.counted = []  # (Unix ms, what the load behind tidegate had counted), for the report's own begin and end
        self.error = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            next_turn = time.monotonic()
            while not self._ended.wait(COUNTED_EVERY):
                self.counted.append((time.time() * 1000, self._board.sides[WITH].written()))
                if time.monotonic() < next_turn:
                    continue
                next_turn = max(next_turn + INTERVAL, time.monotonic())
                for path in range(len(PATHS)):
                    # INFO takes several sections only from 7.0 on; that is what the demo starts.
                    text = self._connections[path].call("INFO", "memory", "keyspace", "clients").decode()
                    used, keys, expires, clients = parse_info(text)
                    self.readings[path].append(reading(time.monotonic(), used / scenario.MAXMEMORY, keys, expires,
                                                       clients, self._answered(path)))
        except Exception as error:  # whatever it is, the main thread must learn of it and stop everything
            self.error = error

    def _answered(self, path):
        side = self._board.sides[path]
        return side.get("commands") + side.get("commands of the probe")

    def stop(self):
        self._ended.set()
        self._thread.join(5)
        for connection in self._connections:
            connection.close()


def by_client(text, metric):
    """Sums of one metric of an exposition by its label `client`."""
    totals = collections.Counter()
    for line in text.splitlines():
        if line.startswith(metric):
            found = _SAMPLE.match(line)
            if found and found.group(1) == metric:
                totals[dict(_LABEL.findall(found.group(2) or ""))["client"]] += float(found.group(3))
    return totals


class books:
    """Who had written how much at one moment: as tidegate books it, and as the load itself counted."""

    def __init__(self, proxy, side):
        text = proxy.metrics()
        booked_writes = by_client(text, "tidegate_writes_total")
        booked_bytes = by_client(text, "tidegate_write_bytes_total")
        self.booked = {name: (booked_writes[name], booked_bytes[name]) for name in booked_writes}
        self.delayed = by_client(text, "tidegate_delayed_total")
        self.counted = side.written()
