"""The two incidents as figures: what the documents say, the scale they are played at, and who takes part.

Nothing here reads a clock or opens a socket; tests/demo holds the arithmetic to the documents.
"""

import bisect
import dataclasses

# A minute of the documents lasts 60 / TIME seconds. Keys shrink by the same factor, so that commands/s, keys/s and
# connections are the documents' own; a key is twice as large as theirs, or the buffers of 134 connections (the same at
# any scale) would outweigh what the burst stores.
TIME = 45.0
KEYS = 45.0
MEMORY = 22.5
MINUTE = 60.0 / TIME

MAXMEMORY = int(2.32 * 2**30 / MEMORY)
KEY_SIZE = KEYS / MEMORY
BYTE_BUDGET = int(150 * 1024 * TIME / MEMORY)  # bytes/s a client: the 150 KB/s of stored growth of the recomputation
ALERT = 0.70
# Redis deletes what expired late: by sampling, while more than 1 % of all keys with a TTL are over time.
EXPIRY_LAG = 13.0


class curve:
    """Straight lines through points (seconds, value); constant before the first and after the last."""

    def __init__(self, points):
        self.points = sorted(points)
        self._times = [at for at, _ in self.points]
        self._sums = [0.0]
        for (t0, v0), (t1, v1) in zip(self.points, self.points[1:]):
            self._sums.append(self._sums[-1] + (t1 - t0) * (v0 + v1) / 2)

    def at(self, time):
        index = bisect.bisect_right(self._times, time)
        if index == 0:
            return self.points[0][1]
        if index == len(self.points):
            return self.points[-1][1]
        (t0, v0), (t1, v1) = self.points[index - 1], self.points[index]
        return v0 + (v1 - v0) * (time - t0) / (t1 - t0)

    def sum_to(self, time):
        """The integral from the first point on; nothing before it."""
        if time <= self._times[0]:
            return 0.0
        index = bisect.bisect_right(self._times, time) - 1
        before = self._times[index]
        return self._sums[index] + (time - before) * (self.points[index][1] + self.at(time)) / 2

    @property
    def end(self):
        return self._times[-1]


def of_minutes(points, offset=0.0):
    return curve([(minute * MINUTE, value + offset) for minute, value in points])


def alive_after(age, shortest, longest):
    """The share of keys with lives spread evenly over [shortest, longest] that live longer than `age`."""
    if age <= shortest:
        return 1.0
    return max(0.0, (longest - age) / (longest - shortest))


def writes_for(level, shortest, longest, kept_share, step):
    """How many units to write in each step for the living ones to follow the curve `level`, though those written
    before expire meanwhile (all but `kept_share`, which have no TTL)."""
    written = []
    for index in range(round(level.end / step)):
        now = (index + 1) * step
        alive = sum(amount * (kept_share + (1 - kept_share) * alive_after(now - (past + 1) * step, shortest, longest))
                    for past, amount in enumerate(written))
        written.append(max(0.0, level.at(now) - alive))
    return written


# Times are relative: -30 min of the report is 0 for incident 1, 13:56 of the runbook for incident 2.
BASELINE_RATE = 230  # commands/s, 170 to 280 in the documents; the probe sends its part of them
PROBE_RATE = 100
COMMANDS_1 = of_minutes([(0, 230), (5, 2034), (7, 4614), (10, 7597), (13, 10379), (15, 11091)], -BASELINE_RATE)
TAIL_1 = of_minutes([(15, 1712), (20, 1712), (30, 709)], -BASELINE_RATE)
CLIENTS_1 = of_minutes([(0, 51), (3, 58), (5, 92), (7, 122), (8, 134), (15, 118), (30, 103)], -51)
MEMORY_2 = of_minutes([(1, 0.0), (4, 9.8), (8, 20.2), (12, 26.3), (16, 26.1), (20, 28.2)])  # points above the start
CLIENTS_2 = of_minutes([(0, 0), (1, 10), (4, 50), (8, 60)])


@dataclasses.dataclass(frozen=True)
class burst:
    name: str                 # as tidegate is to book it
    user: str
    client_name: str          # a format of the connection's number; empty = it only logs in
    job_commands: int
    value_bytes: tuple        # from, to
    ttl_seconds: tuple
    untimed_share: float      # of its keys, written without a TTL
    connections: curve
    pattern: str
    jobs: tuple = ()          # cumulative jobs due at each STEP

    def jobs_due(self, time):
        """Whole jobs that are due `time` seconds into the burst."""
        if time <= 0:
            return 0
        return int(self.jobs[min(int(time / STEP), len(self.jobs) - 1)])

    @property
    def seconds(self):
        return (len(self.jobs) - 1) * STEP


STEP = 0.1


def cumulative(amounts):
    sums = [0.0]
    for amount in amounts:
        sums.append(sums[-1] + amount)
    return tuple(sums)


def _incident_1():
    commands = 13  # with the baseline's own, the ~14 a new key of the report
    steps = round(COMMANDS_1.end / STEP)
    return burst(
        name="isales-campaign", user="isales", client_name="isales-campaign-7f9c-{}", job_commands=commands,
        value_bytes=(1600, 2560), ttl_seconds=(20 * MINUTE, 40 * MINUTE), untimed_share=0.07, connections=CLIENTS_1,
        pattern="contact:campaign:touch:*",
        jobs=tuple(COMMANDS_1.sum_to(step * STEP) / commands for step in range(steps + 1)))


def _incident_2():
    stored = 4650  # bytes of one key in memory, about; its values lie around it
    kept = 0.05
    level = curve([(0.0, 0.0)] + [(at, points / 100 * MAXMEMORY / stored) for at, points in MEMORY_2.points])
    ttl = (11 * MINUTE, 29 * MINUTE)
    lives = tuple(each + EXPIRY_LAG for each in ttl)
    return burst(
        name="contact-label-sync", user="contact-label-sync", client_name="", job_commands=6,
        value_bytes=(3400, 5000), ttl_seconds=ttl, untimed_share=kept, connections=CLIENTS_2,
        pattern="contact:segment:snapshot:*", jobs=cumulative(writes_for(level, *lives, kept, STEP)))


BURSTS = (_incident_1(), _incident_2())


@dataclasses.dataclass(frozen=True)
class service:
    name: str                 # as tidegate is to book it
    user: str
    client_name: str
    connections: int
    share: float              # of the baseline's commands


SERVICES = (
    service("order-api", "order-api", "", 15, 0.35),
    service("member-service", "isales", "member-service", 12, 0.25),
    service("coupon-service", "coupon-service", "", 10, 0.20),
    service("push-gateway", "isales", "push-gateway-{}", 8, 0.12),
    service("goods-cache", "goods-cache", "", 4, 0.08),
)  # 49 connections; with the probe's and the watcher's they are the report's 51
WRITERS = tuple(each.name for each in SERVICES) + tuple(each.name for each in BURSTS)
PROBE = "checkout-api"
USERS = sorted({each.user for each in SERVICES} | {each.user for each in BURSTS} | {PROBE, "tidegate", "ops"})
CHRONIC_RATE = 40_000 / 86_400 * TIME / KEYS  # keys/s without a TTL, day and night

# (pattern, keys in the documents, has a TTL when seeded, what tidegate is told)
DAY = 86_400 / TIME
KNOWN_PATTERNS = (
    ("MARKETING:COUPON:UNREAD:*", 147_111, False, {"default": 60}),
    ("contact:userGroupLabel:set:*", 177_450, False, {"default": 30}),
    ("exchange:coupon:high:commodity:price:*", 473, False, {"default": 7}),
    ("contact:last:activity:*", 374_639, True, {"max": 90}),
)
LAST_ACTIVITY_TTL = round(364 * DAY)
OTHER_PATTERNS = ("coupon:template:user:*", "session:token:*", "marketing:popup:shown:*", "goods:detail:cache:*",
                  "push:cursor:device:*", "member:profile:*")
# (all keys, those without TTL) before each burst. Of the second only the end is known (6,658,630 and 2,623,709); its
# start is that without the burst's own keys.
KEYS_BEFORE = ((5_988_144, 2_508_154), (6_345_000, 2_612_000))
MEMORY_BEFORE = (0.572, 0.612)
DOCUMENTED_PEAKS = (0.758, 0.894)
DOCUMENTED_RATES = (11_091, 3_817)

# Who wrote a key is told by its id: seeded ones have eight digits, the run's nine.
SEEDED_ID = 10_000_000
RUN_ID = 900_000_000


def scaled_keys(count):
    return round(count / KEYS)


PHASES = ("quiet 1", "burst 1", "recovery 1", "two days later", "quiet 2", "burst 2", "recovery 2", "afterwards",
          "end")
PHASE_SECONDS = {"quiet 1": 10.0, "burst 1": BURSTS[0].seconds, "recovery 1": 8.0, "quiet 2": 8.0,
                 "burst 2": BURSTS[1].seconds, "recovery 2": 6.0, "afterwards": 3.0}
