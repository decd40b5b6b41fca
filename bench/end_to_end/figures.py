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


def void_without_evidence(result):
    """A price of evidence is none where the build wrote no evidence: said, and held to nothing."""
    if not any(len(found.get("evidence", ())) > 1 for found in result["peers"].values()):
        result |= {"void": "this build wrote no ledger or no capture", "met": None, "aim_met": None}
    return result
