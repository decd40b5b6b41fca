"""The keys before a burst: so many as in the documents, as many of them without a TTL, and as full a memory."""

import random

import scenario
from scenario import RUN_ID, SEEDED_ID
from wire import encode

_FILLING = b"abcdefghijklmnopqrstuvwxyz012345" * 1024
VALUE_BYTES = (180, 400)
SMALL_VALUE_BYTES = (40, 160)  # the first burst's untimed keys stay and weigh; they must leave room up to the start
_BALLAST_BYTES = 8192
_BALLAST_ROUNDS_MAX = 6
_BALLAST = "goods:page:cache:"
RUN_KEYS = f"*:{str(RUN_ID)[0]}" + "?" * (len(str(RUN_ID)) - 1)


def plan(before, after):
    """(pattern, first id, how many, with a TTL) of the keys that lead from one (all, untimed) to the next; the known
    patterns come with the first."""
    keys, untimed = (scaled - had for scaled, had in zip(map(scenario.scaled_keys, after), before))
    timed = keys - untimed
    parts = []
    first = not any(before)
    if first:
        for pattern, count, has_ttl, _ in scenario.KNOWN_PATTERNS:
            number = scenario.scaled_keys(count)
            parts.append((pattern, SEEDED_ID, number, has_ttl))
            if has_ttl:
                timed -= number
            else:
                untimed -= number
    start = SEEDED_ID if first else SEEDED_ID + 5_000_000
    # Every second of the other patterns has a TTL.
    for has_ttl, count in ((True, timed), (False, untimed)):
        patterns = scenario.OTHER_PATTERNS[1::2] if has_ttl else scenario.OTHER_PATTERNS[0::2]
        for index, pattern in enumerate(patterns):
            share = count // len(patterns) + (1 if index < count % len(patterns) else 0)
            parts.append((pattern, start, share, has_ttl))
    return parts


def commands_of(parts, value_bytes):
    rng = random.Random(11)
    encoded = []
    for pattern, start, count, has_ttl in parts:
        prefix = pattern[:-1]
        for number in range(start, start + count):
            name = f"{prefix}{number}"
            value = _FILLING[:rng.randint(*value_bytes)]
            if prefix == "contact:userGroupLabel:set:":
                encoded.append(encode("SADD", name, value, "vip"))
            elif has_ttl:
                of_days = prefix == "contact:last:activity:"
                lasting = scenario.LAST_ACTIVITY_TTL if of_days else rng.randint(3600, 90_000)
                encoded.append(encode("SET", name, value, "EX", lasting))
            else:
                encoded.append(encode("SET", name, value))
    return encoded


def memory_used(connection):
    for line in connection.call("INFO", "memory").split(b"\r\n"):
        if line.startswith(b"used_memory:"):
            return int(line[12:])
    raise ValueError("INFO memory has no used_memory")


def fill_to(connection, share, label):
    """Adds cached pages (a TTL of hours) until used_memory is that share of maxmemory."""
    goal = share * scenario.MAXMEMORY
    number = 0
    for _ in range(_BALLAST_ROUNDS_MAX):
        missing = goal - memory_used(connection)
        if missing < 2000:
            break
        size = min(_BALLAST_BYTES, int(missing))
        count = max(1, int(missing / (size * 1.28)))
        connection.load([encode("SET", f"{_BALLAST}{label}:{SEEDED_ID + number + each}", _FILLING[:size], "EX", 90_000)
                         for each in range(count)])
        number += count
    return memory_used(connection) / scenario.MAXMEMORY


def forget_burst(connection, pattern):
    """Two days later the burst's keys with a TTL are gone; the ones without stay, as they do in production."""
    names = list(connection.scan(pattern))
    for start in range(0, len(names), 500):
        connection.call("UNLINK", *names[start:start + 500])


class run_keys:
    """What the run wrote and left: per known pattern how many keys, how many of them without a TTL or above its cap."""

    def __init__(self, connection):
        names = sorted(connection.scan(RUN_KEYS))
        ttls = connection.pipeline([("TTL", name) for name in names])
        self.known = {pattern: [0, 0] for pattern, *_ in scenario.KNOWN_PATTERNS}
        self.above_cap = 0
        self.untimed = 0
        self.count = 0
        caps = {pattern: round(told["max"] * scenario.DAY)
                for pattern, _, _, told in scenario.KNOWN_PATTERNS if "max" in told}
        for name, ttl in zip(names, ttls):
            if ttl == -2:
                continue  # expired since
            self.count += 1
            self.untimed += ttl == -1
            pattern = next((each for each in self.known if name.startswith(each[:-1].encode())), None)
            if pattern is None:
                continue
            self.known[pattern][0] += 1
            self.known[pattern][1] += ttl == -1
            self.above_cap += pattern in caps and ttl > caps[pattern]

    @property
    def known_untimed(self):
        return sum(untimed for _, untimed in self.known.values())
