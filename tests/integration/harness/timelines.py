"""Both incidents as tidegate would have exported them: the rows of the two documents, turned into series.

Minute 0 is an hour before the burst begins. What the documents say of the whole server (memory, keys, connections,
commands) is taken row by row; what they could not say, who it was, is given to one client. Bytes written follow the growth
of memory, as in the recomputation of the incidents: a stored key costs about what was sent for it.
"""

import bisect

STEP = 15  # seconds between samples
QUIET = 60  # minutes before the burst
MAXMEMORY = 2.32 * 2**30


def line(rows, minute):
    """Straight between the rows, level outside them."""
    times = [at for at, _ in rows]
    index = bisect.bisect_right(times, minute)
    if index == 0:
        return rows[0][1]
    if index == len(rows):
        return rows[-1][1]
    (t0, v0), (t1, v1) = rows[index - 1], rows[index]
    return v0 + (v1 - v0) * (minute - t0) / (t1 - t0)


class incident:
    """`minutes` long. `memory`: (minute, percent); `keys`: (minute, all, with TTL); `connections` and `commands`:
    (minute, of the whole server). `culprit` writes what the baseline does not."""

    def __init__(self, *, culprit, minutes, memory, keys, timed, connections, commands, past_bytes):
        self.culprit = culprit
        self.samples = minutes * 60 // STEP + 1
        self._memory, self._keys, self._timed = memory, keys, timed
        self._connections, self._commands = connections, commands
        self._past_bytes = past_bytes  # a second, of the culprit before its burst; 0 = nobody knew it

    def minutes(self):
        return [sample * STEP / 60 for sample in range(self.samples)]

    def series(self):
        """Name with labels -> values, None where there is no sample."""
        made = dict(self._upstream())
        made.update(self._services())
        made.update(self._burst())
        return made

    def _upstream(self):
        minutes = self.minutes()
        yield "tidegate_upstream_memory_used_bytes", [round(line(self._memory, at) / 100 * MAXMEMORY) for at in minutes]
        yield "tidegate_upstream_memory_max_bytes", [round(MAXMEMORY)] * self.samples
        yield "tidegate_upstream_keys", [round(line(self._keys, at)) for at in minutes]
        yield "tidegate_upstream_keys_with_ttl", [round(line(self._timed, at)) for at in minutes]
        yield "tidegate_upstream_evicted_keys_total", [0] * self.samples
        yield "tidegate_upstream_up", [1] * self.samples
        yield "tidegate_upstream_info_stale", [0] * self.samples
        yield "tidegate_upstream_desynchronised_total", [0] * self.samples
        yield "tidegate_writes_unknown_total", [0] * self.samples
        yield "up", [1] * self.samples

    # Five services that do what they do all day: 170 to 280 commands a second between them, and their noise.
    SERVICES = (("order-api", 15, 0.35), ("member-service", 12, 0.25), ("coupon-service", 10, 0.20),
                ("push-gateway", 8, 0.12), ("goods-cache", 6, 0.08))

    def _services(self):
        for index, (name, open_, share) in enumerate(self.SERVICES):
            writes, bytes_, opened, without = [], [], [], []
            sums = [0.0, 0.0, float(open_), 0.0]
            for sample in range(self.samples):
                minute = sample * STEP / 60
                rate = share * (170 + (110 * ((sample * 7 + index * 3) % 11)) / 10) * 0.3  # a third of them write
                if name == "coupon-service" and 20 <= minute < 25:
                    rate *= 3  # a campaign page is opened: three times its usual, for five minutes
                if name == "order-api" and minute == 40:
                    sums[2] += open_  # a new version of it: every connection is opened anew
                if (name == "push-gateway" and sample % 40 == 0) or (name == "goods-cache" and 25 <= minute < 28 and
                                                                   sample % 4 == 0):
                    sums[2] += 1  # the document's 52 to 58 clients
                sums[0] += rate * STEP
                sums[1] += rate * STEP * 220
                sums[3] += share * 40_000 / 86_400 * STEP  # the leak of about 40,000 keys a day
                for values, value in zip((writes, bytes_, opened, without), sums):
                    values.append(round(value))
            labels = f'client="{name}",pattern="{name}:*",command="set"'
            yield f"tidegate_writes_total{{{labels}}}", writes
            yield f"tidegate_write_bytes_total{{{labels}}}", bytes_
            yield f"tidegate_writes_without_ttl_total{{{labels}}}", without
            yield f'tidegate_client_connections{{client="{name}"}}', [open_] * self.samples
            yield f'tidegate_client_connections_opened_total{{client="{name}"}}', opened

    def _burst(self):
        known = self._past_bytes > 0
        baseline_memory, baseline_commands, baseline_connections = (
            line(rows, QUIET) for rows in (self._memory, self._commands, self._connections))
        writes, bytes_, without, open_, opened = [], [], [], [], []
        sums = [0.0, 0.0, 0.0]
        peak = connections = 3 if known else 0
        memory_before = baseline_memory
        for minute in self.minutes():
            memory = line(self._memory, minute)
            if minute > QUIET:
                stored = max(0.0, (memory - memory_before) / 100 * MAXMEMORY)
                commands = max(0.0, line(self._commands, minute) - baseline_commands) * STEP
                keys = max(0.0, line(self._keys, minute) - line(self._keys, minute - STEP / 60))
                timed = max(0.0, line(self._timed, minute) - line(self._timed, minute - STEP / 60))
                sums[0] += commands * 0.5
                sums[1] += stored + self._past_bytes * STEP
                sums[2] += max(0.0, keys - timed)
                connections = (3 if known else 0) + max(0, round(line(self._connections, minute) - baseline_connections))
            elif known:
                sums[0] += self._past_bytes / 200 * STEP
                sums[1] += self._past_bytes * STEP
            memory_before = memory
            peak = max(peak, connections)
            there = known or minute > QUIET
            for values, value in zip((writes, bytes_, without, open_, opened), (*sums, connections, peak)):
                values.append(round(value) if there else None)
        labels = f'client="{self.culprit}",pattern="contact:*",command="set"'
        yield f"tidegate_writes_total{{{labels}}}", writes
        yield f"tidegate_write_bytes_total{{{labels}}}", bytes_
        yield f"tidegate_writes_without_ttl_total{{{labels}}}", without
        yield f'tidegate_client_connections{{client="{self.culprit}"}}', open_
        yield f'tidegate_client_connections_opened_total{{client="{self.culprit}"}}', opened


def _at(offset, rows):
    return [(minute + offset, value) for minute, value in rows]


# The report of 10 February: its minutes run from -60 to now; the first that move are those after -30.
FIRST = incident(
    culprit="isales-campaign", minutes=90, past_bytes=0,
    memory=_at(90, [(-90, 57.4), (-75, 57.6), (-60, 57.5), (-40, 57.5), (-30, 57.2), (-25, 59.5), (-20, 67.1), (-17, 72.7),
                    (-15, 75.8), (-10, 74.9), (0, 74.4)]),
    keys=_at(90, [(-60, 6_022_668), (-40, 6_024_447), (-30, 5_988_144), (-25, 6_016_181), (-23, 6_087_321),
                  (-20, 6_161_394), (-17, 6_262_569), (-15, 6_331_293), (0, 6_296_289)]),
    timed=_at(90, [(-60, 3_515_000), (-40, 3_516_500), (-30, 3_479_990), (-15, 3_799_155), (0, 3_761_445)]),
    connections=_at(90, [(-60, 51), (-40, 53), (-30, 58), (-25, 92), (-23, 122), (-22, 134), (-15, 118), (0, 103)]),
    commands=_at(90, [(-60, 225), (-40, 245), (-30, 230), (-25, 2034), (-23, 4614), (-20, 7597), (-17, 10_379),
                      (-15, 11_091), (-10, 1712), (0, 709)]))

# The runbook of 12 February: 13:57 is its minute of the burst; the rows before, with their uptick of 13:52, are the hour.
SECOND = incident(
    culprit="contact-label-sync", minutes=91, past_bytes=4000,
    memory=_at(60, [(-57, 61.3), (-41, 61.1), (-25, 61.2), (-9, 61.2), (-5, 61.5), (0, 61.5), (3, 71.0), (7, 81.4),
                    (11, 87.5), (15, 87.3), (19, 89.4), (23, 87.7), (27, 86.8), (31, 85.5)]),
    keys=_at(60, [(-57, 6_345_000), (0, 6_345_000), (11, 6_690_000), (19, 6_700_023), (31, 6_658_630)]),
    timed=_at(60, [(-57, 3_733_000), (0, 3_733_000), (11, 4_068_000), (19, 4_077_000), (31, 4_034_921)]),
    connections=_at(60, [(-57, 51), (0, 51), (4, 101), (8, 111)]),
    commands=_at(60, [(-57, 230), (0, 230), (3, 3817), (19, 3817), (22, 212)]))
