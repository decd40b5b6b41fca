"""What /metrics says, and what INFO commandstats says, so that they can be held against each other."""

import collections
import re

from harness.wire import wire

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class metrics:
    """One scrape. Samples by name, each with its labels."""

    def __init__(self, proxy):
        status, self.text = proxy.get("/metrics")
        if status != 200:
            raise AssertionError(f"/metrics answered {status}")
        self.samples = collections.defaultdict(list)
        for line in self.text.splitlines():
            found = _SAMPLE.match(line)
            if found and not line.startswith("#"):
                name, labels, value = found.groups()
                self.samples[name].append((dict(_LABEL.findall(labels or "")), float(value)))

    def sum(self, name, **labels):
        """Of all samples that carry these labels; 0 where there is none."""
        return sum(value for have, value in self.samples[name]
                   if all(have.get(key) == wanted for key, wanted in labels.items()))

    def by(self, name, label):
        totals = collections.Counter()
        for have, value in self.samples[name]:
            totals[have[label]] += int(value)
        return totals


def calls_of_writes(server):
    """INFO commandstats of every command that COMMAND flags as a write: name -> calls."""
    with wire(server) as connection:
        writes = set()
        for entry in connection.call("COMMAND"):
            _note_writes(entry, writes)
        stats = connection.call("INFO", "commandstats").decode()
    calls = {}
    for name, count in re.findall(r"^cmdstat_([^:]+):calls=(\d+)", stats, re.MULTILINE):
        if name in writes and int(count) > 0:
            calls[name] = int(count)
    return calls


def _note_writes(entry, writes):
    if "write" in entry[2]:
        writes.add(entry[0].decode().lower())
    for child in entry[9]:
        _note_writes(child, writes)


def assert_books_are_exact(test, proxy, server, past_the_proxy=("flushall",), sent_directly=None):
    """The equality of the contract: for each write command, calls upstream = writes booked + our own commands.

    `past_the_proxy`: what the suites themselves send to the server directly, to clear it. `sent_directly`: how often a
    suite sent other commands there, by name.
    """
    seen = metrics(proxy)
    booked = seen.by("tidegate_writes_total", "command")
    own = seen.by("tidegate_own_commands_total", "command")
    calls = calls_of_writes(server)
    differences = []
    for name in sorted((set(calls) | set(booked)) - set(past_the_proxy)):
        ours = booked[name] + own[name] + (sent_directly or {}).get(name, 0)
        if calls.get(name, 0) != ours:
            differences.append(f"{name}: {calls.get(name, 0)} calls upstream, {booked[name]} booked + {own[name]} own")
    test.assertEqual(differences, [], "\n" + "\n".join(differences))
    return sum(booked.values())
