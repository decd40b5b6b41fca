"""The arithmetic of a measurement: medians, ratios of what was measured in the same round, and verdicts."""

import dataclasses
import statistics


@dataclasses.dataclass
class spread:
    minimum: float
    median: float
    maximum: float

    @staticmethod
    def of(values):
        return spread(min(values), statistics.median(values), max(values))


def ratios(values, reference):
    """Round by round, because a machine that slows down slows both of a round."""
    return [value / base for value, base in zip(values, reference, strict=True)]


def verdict(value, bound):
    """None where there is nothing to hold it to, or nothing was measured."""
    if value is None or bound is None:
        return None
    return value <= bound


def words_of(met):
    return {True: "met", False: "NOT MET", None: "-"}[met]


def rotated(names, round_number):
    """Each round begins with another peer, so that none is always the one after the pause."""
    turn = round_number % len(names)
    return names[turn:] + names[:turn]


def idle_bytes(before, after, connections):
    return max(0, after - before) / connections
