"""What the processes of the demo share: the phase, and what was sent and answered on each of the two paths.

Every number has one writer; a reader may see a number a moment old, never half of one. The clock is CLOCK_MONOTONIC,
which all processes read alike.
"""

import multiprocessing
import time

import scenario

FORK = multiprocessing.get_context("fork")
WITHOUT, WITH = 0, 1
PATHS = ("without", "with")
WRITERS = scenario.WRITERS + (scenario.PROBE,)
_TOTALS = ("commands", "commands of the probe", "errors", "connections", "jobs due 1", "jobs done 1", "jobs due 2",
           "jobs done 2", "ready")
_PROBES_MAX = 60_000


class side:
    """One path's numbers."""

    def __init__(self):
        self._writers = FORK.RawArray("q", 2 * len(WRITERS))
        self._totals = FORK.RawArray("q", len(_TOTALS))

    @staticmethod
    def slot(writer):
        return 2 * WRITERS.index(writer)

    def add_write(self, slot, size):
        self._writers[slot] += 1
        self._writers[slot + 1] += size

    def written(self):
        """writer -> (writes, bytes), as answered."""
        return {name: (self._writers[2 * i], self._writers[2 * i + 1]) for i, name in enumerate(WRITERS)}

    def add(self, total, count=1):
        self._totals[_TOTALS.index(total)] += count

    def set(self, total, count):
        self._totals[_TOTALS.index(total)] = count

    def get(self, total):
        return self._totals[_TOTALS.index(total)]


class board:
    def __init__(self):
        self.sides = (side(), side())
        self._phase = FORK.RawValue("i", 0)
        self._begun = FORK.RawArray("d", len(scenario.PHASES))
        self._probe_count = FORK.RawValue("q", 0)
        self._probes = FORK.RawArray("d", 3 * _PROBES_MAX)

    def enter(self, phase):
        index = scenario.PHASES.index(phase)
        self._begun[index] = time.monotonic()
        self._phase.value = index

    @property
    def phase(self):
        return scenario.PHASES[self._phase.value]

    def begun(self, phase):
        return self._begun[scenario.PHASES.index(phase)]

    def probed(self, at, without, with_):
        index = self._probe_count.value
        if index < _PROBES_MAX:
            self._probes[3 * index:3 * index + 3] = (at, without, with_)
            self._probe_count.value = index + 1

    def probes(self):
        """(time, seconds without, seconds with) of each pair."""
        count = self._probe_count.value
        flat = self._probes[:3 * count]
        return list(zip(flat[0::3], flat[1::3], flat[2::3]))
