"""The commands of services and bursts, made from a seed: both paths get the same ones in the same order.

A batch is (bytes to send, sizes): for each command what tidegate is to book of it, the lengths of the arguments after
its name for a write, None for anything else.
"""

import random

import scenario
from scenario import RUN_ID, SEEDED_ID
from wire import encode

_FILLING = (b"0123456789abcdefghijklmnopqrstuvwxyz-_" * 400)[:14_000]
_WRITES = {"SET", "SADD", "HINCRBY", "EXPIRE", "INCR"}
_OVERWRITTEN_IDS = 400  # the services refresh the same keys again and again: the baseline is flat in the documents


def batch(commands):
    sizes = [sum(len(each) if isinstance(each, bytes) else len(str(each)) for each in command[1:])
             if command[0] in _WRITES else None for command in commands]
    return b"".join(encode(*command) for command in commands), sizes


def key(pattern, number):
    return pattern[:-1] + str(number)


def seeded(rng, pattern, count):
    return key(pattern, SEEDED_ID + rng.randrange(max(1, count)))


class untimed_writes:
    """A new key without a TTL, three of four times of a known pattern and each time in another form."""

    def __init__(self):
        self._count = 0

    def next(self, number, value):
        self._count += 1
        form = self._count % 4
        if form == 0:
            return ("SET", key("marketing:popup:shown:*", number), value)
        if form == 1:
            return ("SADD", key("contact:userGroupLabel:set:*", number), value, "vip")
        if form == 2:
            return ("SET", key("MARKETING:COUPON:UNREAD:*", number), value)
        return ("SET", key("exchange:coupon:high:commodity:price:*", number), value)


class burst_jobs:
    """The jobs of one burst: each looks a member up, decides, and writes one new key."""

    def __init__(self, index, burst):
        self._rng = random.Random(7000 + index)
        self._burst = burst
        self._first_id = RUN_ID + (index + 1) * 10_000_000
        self._made = 0
        self._untimed = untimed_writes()
        self._untimed_owed = 0.0

    def _reads(self, count):
        profiles = scenario.scaled_keys(100_000)
        return [("GET", seeded(self._rng, "member:profile:*", profiles)) for _ in range(count)]

    def next(self):
        burst, rng = self._burst, self._rng
        number = self._first_id + self._made
        self._made += 1
        value = _FILLING[:rng.randint(*burst.value_bytes)]
        # Spread evenly, so that the share is right however far the burst comes.
        self._untimed_owed += burst.untimed_share
        if self._untimed_owed >= 1.0:
            self._untimed_owed -= 1.0
            write = self._untimed.next(number, value)
        else:
            low, high = burst.ttl_seconds
            write = ("SET", key(burst.pattern, number), value, "PX", round(1000 * rng.uniform(low, high)))
        progress = key("job:progress:*", burst.name)
        around = [("SISMEMBER", seeded(rng, "contact:userGroupLabel:set:*", 100), "vip"),
                  ("HINCRBY", progress, "written", 1)]
        if burst.job_commands >= 8:
            around += [("EXISTS", write[1]), ("EXPIRE", progress, 3600)]
        reads = self._reads(burst.job_commands - len(around) - 1)
        return batch(reads + around + [write])

    def tail(self):
        """What the job still reads when it has written everything."""
        return batch(self._reads(self._burst.job_commands))


class service_commands:
    """A service's next command; now and then one that leaks a key without a TTL."""

    def __init__(self, index, service):
        self._rng = random.Random(100 + index)
        self._service = service
        self._untimed = untimed_writes()
        self._made = 0

    def next(self):
        rng = self._rng
        if rng.random() < 0.75:
            return batch([("GET", seeded(rng, "session:token:*", 1000))])
        number = RUN_ID + rng.randrange(_OVERWRITTEN_IDS)
        if self._service.name == "member-service":
            return batch([("SET", key("contact:last:activity:*", number), b"2026-02-10T08:59:00Z/app/checkout",
                           "EX", scenario.LAST_ACTIVITY_TTL)])
        pattern = {"order-api": "session:token:*", "coupon-service": "coupon:template:user:*",
                   "push-gateway": "push:cursor:device:*"}.get(self._service.name, "goods:detail:cache:*")
        return batch([("SET", key(pattern, number), _FILLING[:rng.randint(200, 500)], "EX", 3600)])

    def leak(self):
        self._made += 1
        return batch([self._untimed.next(RUN_ID + 1_000_000 + self._made, _FILLING[:self._rng.randint(200, 500)])])
