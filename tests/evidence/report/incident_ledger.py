"""Writes a ledger of a known incident, so that a report can be held to its truth: the report of 10 February, the
runbook of 12 February, and variations. The schema is the product's own, read from evidence/ledger/schema.cpp."""

import dataclasses
import json
import pathlib
import re
import sqlite3

ROOT = pathlib.Path(__file__).resolve().parents[3]
MAXMEMORY = int(2.32 * 2**30)
BUCKET_MS = 10_000
MINUTE_MS = 60_000


def schema():
    text = (ROOT / "evidence/ledger/schema.cpp").read_text()
    return re.search(r'R"sql\((.*?)\)sql"', text, re.DOTALL).group(1)


def line_through(points, at):
    """Straight lines through (x, y); constant outside."""
    if at <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return points[-1][1]


@dataclasses.dataclass
class writer:
    name: str
    sources: tuple
    command: str
    pattern: str
    commands: object          # (minute) -> writes a second
    value_bytes: int
    elements: int = 1
    ttl_seconds: tuple = None
    untimed_share: float = 0.0
    connections: object = lambda minute: 5
    sums: dict = dataclasses.field(default_factory=dict)


class ledger:
    """A file of one run; rows are kept in memory and written at the end."""

    def __init__(self, path, started_at, instance="proxy-a"):
        self.path = path
        self.started_at = started_at
        self.database = sqlite3.connect(path)
        self.database.executescript("PRAGMA journal_mode=WAL;" + schema())
        self.database.executemany("INSERT INTO meta VALUES (?, ?)",
                                  [("schema_version", "1"), ("created_at", str(started_at))])
        self.database.execute("INSERT INTO run VALUES (1, ?, '0.1.0', ?, NULL, ?, ?)",
                              (instance, started_at, BUCKET_MS, started_at))
        self._ids = {}
        self.calls = 1_000_000

    def id_of(self, table, name):
        key = (table, name)
        if key not in self._ids:
            column = {"source": "address", "pattern": "glob"}.get(table, "name")
            cursor = self.database.execute(f"INSERT INTO {table} ({column}) VALUES (?)", (name,))
            self._ids[key] = cursor.lastrowid
        return self._ids[key]

    def write(self, at, one, commands, source, run=1):
        untimed = round(commands * one.untimed_share) if one.ttl_seconds else commands
        size = one.value_bytes + 40
        cells = {}
        if one.ttl_seconds and commands > untimed:
            low, high = one.ttl_seconds
            ttl_class = max(0, (int((low + high) / 2) - 1).bit_length())
            cells[str(ttl_class)] = [commands - untimed, (commands - untimed) * size]
        if untimed:
            cells["none"] = [untimed, untimed * size]
        low, high = (one.ttl_seconds[0] * 1000, one.ttl_seconds[1] * 1000) if one.ttl_seconds else (None, None)
        self.database.execute(
            "INSERT INTO write_bucket VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,?)",
            (run, at, self.id_of("client", one.name), self.id_of("source", source), self.id_of("command", one.command),
             self.id_of("pattern", one.pattern), commands, commands * one.elements, commands * size, untimed, low, high,
             commands, json.dumps(cells)))
        sums = one.sums.setdefault(at, [0, 0])
        sums[0] += commands
        sums[1] += commands * size
        self.calls += commands

    def connect(self, at, one, source, opened, is_open, run=1):
        self.database.execute("INSERT INTO connection_bucket VALUES (?,?,?,?,?,?)",
                              (run, at, self.id_of("client", one.name), self.id_of("source", source), opened, is_open))

    def upstream(self, at, used, keys, keys_with_ttl, clients, commands, evicted=0, run=1, bypass=0, calls=True,
                 policy="volatile-lfu"):
        self.database.execute(
            "INSERT INTO upstream_bucket VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,1)",
            (run, at, used, MAXMEMORY, keys, keys_with_ttl, 0, evicted, clients, commands,
             self.calls + 500 + bypass if calls else None, self.calls - 1_000_000 if calls else None, 500 if calls else None,
             policy))

    def finish(self, written_until, ended_at=None, run=1):
        self.database.execute("UPDATE run SET written_until = ?, ended_at = ? WHERE id = ?", (written_until, ended_at, run))
        self.database.commit()
        self.database.close()


def services():
    """The ordinary traffic: about 230 commands a second, half of them writes."""
    def steady(rate):
        return lambda minute: rate
    return [
        writer("order-api", ("10.0.3.11", "10.0.3.12"), "setex", "session:token:*", steady(48), 420, ttl_seconds=(1800, 1800),
               connections=lambda minute: 15),
        writer("member-service", ("10.0.3.21",), "set", "contact:last:activity:*", steady(32), 64, untimed_share=0.0,
               ttl_seconds=(31_449_600, 31_449_600), connections=lambda minute: 12),
        writer("coupon-service", ("10.0.3.31",), "sadd", "MARKETING:COUPON:UNREAD:*", steady(0.3), 32, elements=2,
               connections=lambda minute: 10),
        writer("goods-cache", ("10.0.3.41",), "setex", "goods:detail:cache:*", steady(22), 900, ttl_seconds=(600, 600),
               connections=lambda minute: 14),
    ]


# Minutes from the report's -60; its tables, row by row.
RATE_1 = [(0, 0), (30, 0), (35, 1804), (37, 4384), (40, 7367), (43, 10149), (45, 10861), (50, 1482), (60, 479)]
KEYS_1 = [(0, 6_022_668), (20, 6_024_447), (30, 5_988_144), (35, 6_016_181), (37, 6_087_321), (40, 6_161_394),
          (43, 6_262_569), (45, 6_331_293), (60, 6_296_289)]
MEMORY_1 = [(0, .575), (20, .575), (30, .572), (35, .595), (40, .671), (43, .727), (45, .758), (50, .749), (60, .744)]
CLIENTS_1 = [(0, 0), (20, 2), (30, 7), (35, 41), (37, 71), (38, 83), (45, 67), (60, 52)]
TIMED_1 = [(0, .581), (30, .581), (45, .600), (60, .597)]

# Minutes from 13:00; the runbook's trend.
MEMORY_2 = [(0, .613), (16, .611), (32, .612), (52, .612), (56, .615), (60, .71), (64, .814), (68, .875), (72, .873), (76, .894),
            (80, .877), (84, .868), (88, .855), (95, .846)]
KEYS_2 = [(0, 6_345_000), (56, 6_352_000), (64, 6_560_000), (76, 6_715_000), (80, 6_700_023), (95, 6_658_630)]
RATE_2 = [(0, 0), (56, 0), (57, 3600), (68, 3560), (76, 3100), (78, 60), (80, 0)]


def play(path, start, minutes, memory, keys, timed, rate, clients, burst, evicted=None, bypass=None, extra=(), ended=True,
         written_minutes=None, calls=True):
    """Writes the ledger; returns the writers with their true sums by bucket."""
    made = ledger(path, start)
    everybody = services() + [burst, *extra]
    total = 50_000_000
    opened = {one.name: 0 for one in everybody}
    for at in range(start, start + int(minutes * MINUTE_MS), BUCKET_MS):
        minute = (at - start) / MINUTE_MS
        seconds = BUCKET_MS / 1000
        for one in everybody:
            commands = round((line_through(rate, minute) * 0.92 if one is burst else one.commands(minute)) * seconds)
            share = len(one.sources)
            for index, source in enumerate(one.sources):
                part = commands // share + (1 if index < commands % share else 0)
                if part:
                    made.write(at, one, part, source)
            open_now = round(line_through(clients, minute)) if one is burst else one.connections(minute)
            new = max(0, open_now - opened[one.name]) if minute > 0 else 0
            if open_now or new:
                made.connect(at, one, one.sources[0], new, open_now)
            opened[one.name] = open_now
        total += round((230 + line_through(rate, minute)) * seconds)
        end_minute = minute + seconds / 60
        count = round(line_through(keys, end_minute))
        made.upstream(at, round(line_through(memory, end_minute) * MAXMEMORY), count,
                      round(count * line_through(timed, end_minute)), 6, total,
                      evicted(end_minute) if evicted else 0, bypass=bypass(end_minute) if bypass else 0, calls=calls)
    until = start + int((written_minutes or minutes) * MINUTE_MS)
    made.finish(until, until if ended else None)
    return {one.name: one.sums for one in everybody}


def campaign(name="isales-campaign"):
    return writer(name, ("10.0.7.31", "10.0.7.32", "10.0.7.33"), "setex", "contact:campaign:touch:*", None, 120,
                  ttl_seconds=(1200, 2400), untimed_share=0.07)


def label_sync(name="contact-label-sync"):
    return writer(name, ("10.0.9.8",), "setex", "contact:segment:snapshot:*", None, 190, ttl_seconds=(1800, 3600),
                  untimed_share=0.05)  # the runbook's 11 to 29 minutes are what was left at 14:35


# 2026-02-10 08:00 UTC, so that -15 min of the report is 08:45; the alert came at about 09:00.
FIRST_START = 1_770_710_400_000
SECOND_START = 1_770_901_200_000  # 2026-02-12 13:00 UTC


def first_incident(path, **more):
    return play(path, FIRST_START, 60, MEMORY_1, KEYS_1, TIMED_1, RATE_1, CLIENTS_1, more.pop("burst", campaign()), **more)


def second_incident(path, **more):
    timed = [(0, .589), (56, .589), (76, .609), (95, .606)]
    clients = [(0, 0), (56, 0), (57, 10), (60, 50), (64, 60), (78, 60), (80, 2)]
    return play(path, SECOND_START, 95, MEMORY_2, KEYS_2, timed, RATE_2, clients, more.pop("burst", label_sync()), **more)


CONFIGURATION = {
    "listen": [{"address": "127.0.0.1:0"}],
    "upstream": {"url": "rediss://master.luckyus-isales-market.vyllrs.use1.cache.amazonaws.com:6379"},
    "limits": [{"name": "batch-writers", "match": {"client": "isales-*"}, "rate": "100000/s", "action": "observe",
                "owner": "#isales-dev"}],
}


def configuration(folder, ledger_path, **more):
    path = pathlib.Path(folder) / "tidegate.yaml"
    path.touch(mode=0o600)
    path.write_text(json.dumps(CONFIGURATION | {"ledger": {"path": str(ledger_path)}} | more, indent=2) + "\n")
    return path
