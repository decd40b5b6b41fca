"""From what was seen to the figures of the table: pure arithmetic over lists."""

import math
import statistics

WINDOW = 2.0
WINDOW_PAIRS_MIN = 100


def percentile(values, share):
    """Nearest rank; of at least one value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def shares(before, after, which):
    """name -> share of what was added between two books; `which` is 0 for writes, 1 for bytes."""
    added = {name: counts[which] - before.get(name, (0, 0))[which] for name, counts in after.items()}
    whole = sum(added.values())
    return {name: amount / whole for name, amount in added.items()} if whole else {}


def leader(shares_by_name):
    return max(shares_by_name, key=shares_by_name.get) if shares_by_name else None


def between(readings, begin, end):
    return [each for each in readings if begin <= each.at < end]


def command_rate_peak(readings, span=4):
    """The highest rate over `span` readings."""
    rates = [(b.commands - a.commands) / (b.at - a.at) for a, b in zip(readings, readings[span:]) if b.at > a.at]
    return max(rates, default=0.0)


def window_p99s(probes, periods):
    """(p99 without, p99 with) of each whole window of the periods [(begin, end)]; windows that a stall left nearly
    empty are left out, on both paths alike."""
    pairs = []
    for begin, end in periods:
        for index in range(int((end - begin) / WINDOW)):
            low = begin + index * WINDOW
            inside = [probe for probe in probes if low <= probe[0] < low + WINDOW]
            if len(inside) >= WINDOW_PAIRS_MIN:
                pairs.append((percentile([probe[1] for probe in inside], 0.99),
                              percentile([probe[2] for probe in inside], 0.99)))
    return pairs


def medians(pairs):
    """(without, with, ratio), each the median over paired windows; None where there is no window."""
    if not pairs:
        return None
    return (statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs),
            statistics.median(pair[1] / pair[0] for pair in pairs))


def new_keys(first, peak):
    """(how many, share with a TTL) of the keys added between two readings."""
    added = peak.keys - first.keys
    if added <= 0:
        return 0, 0.0
    return added, (peak.keys_with_ttl - first.keys_with_ttl) / added
