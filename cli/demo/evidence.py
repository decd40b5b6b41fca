"""What the demo leaves in build/demo: of each incident the ledger, the capture, the configuration that names them, and
the report; and what `tidegate report` said of it, beside what the load itself counted.

Both incidents are one life of one tidegate: the first one's ledger is a copy made while it ran, the second's is the
whole, as it would be in production.
"""

import bisect
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import time

import servers

LEDGER_WAIT_SECONDS_MAX = 10.0
REPORT_SECONDS_MAX = 30.0
LANGUAGES = ("en", "zh")
KEPT_OF_TLS = ("ca.crt", "server.crt", "server.key")  # a configuration is only read where its files are there


class sums_over_time:
    """What the load had counted, sampled: (Unix ms, {name: (writes, bytes)}) in order."""

    def __init__(self, samples):
        self._times = [at for at, _ in samples]
        self._sums = [sums for _, sums in samples]

    def at(self, moment):
        """On a straight line between two samples."""
        after = bisect.bisect_left(self._times, moment)
        if after == 0 or after == len(self._times):
            return self._sums[max(0, min(after, len(self._times) - 1))]
        before = after - 1
        part = (moment - self._times[before]) / (self._times[after] - self._times[before])
        return {name: tuple(low + part * (high - low) for low, high in zip(self._sums[before].get(name, (0, 0)), counts))
                for name, counts in self._sums[after].items()}


def configuration_of(configuration, name):
    """The proxy's own with the incident's evidence, by paths from the folder that it lies in."""
    listen = [each | {"tls": {key: pathlib.Path(path).name for key, path in each["tls"].items()}}
              for each in configuration["listen"]]
    url, _, ca = configuration["upstream"]["url"].partition("?ca=")
    return configuration | {"listen": listen,
                            "upstream": configuration["upstream"] | {"url": f"{url}?ca={pathlib.Path(ca).name}"},
                            "ledger": configuration["ledger"] | {"path": f"{name}.db"},
                            "capture": configuration["capture"] | {"directory": f"{name}-capture"}}


def written_until(ledger):
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
        return database.execute("SELECT max(written_until) FROM run").fetchone()[0] or 0


def copy_ledger(ledger, to, until_ms, check):
    """As it stands once everything before `until_ms` is in it; reading does not hold up the one who writes it."""
    deadline = time.monotonic() + LEDGER_WAIT_SECONDS_MAX
    while written_until(ledger) < until_ms:
        check()
        if time.monotonic() > deadline:
            raise servers.failure(f"{ledger}: nothing of the last {LEDGER_WAIT_SECONDS_MAX:.0f} s came into the ledger")
        time.sleep(0.1)
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as source:
        with contextlib.closing(sqlite3.connect(to)) as copy:
            source.backup(copy)


def share_out(captures, second_begins):
    """The capture files of each incident, of {name: when it was last written}: the one at work when the second one's
    time began belongs to both."""
    files = sorted(captures, key=number)
    later = [each for each in files if captures[each] >= second_begins]
    return files[:len(files) - len(later)] + later[:1], later


def number(name):
    return int(name.split(".aof")[0].split("-")[-1])


def publish(folder, to, first_ledger, second_begins, configuration):
    """Moves what the run left into `to`, instead of what an earlier one left there; the configurations' paths."""
    if to.exists():
        shutil.rmtree(to)
    to.mkdir(parents=True)
    parts = share_out({each.name: each.stat().st_mtime for each in (folder / "captures").iterdir()}, second_begins)
    for each in KEPT_OF_TLS:
        shutil.copy(folder / each, to / each)
    made = []
    for index, ledger in enumerate((first_ledger, folder / "ledger.db"), 1):
        name = f"incident-{index}"
        shutil.copy(ledger, to / f"{name}.db")
        captures = to / f"{name}-capture"
        captures.mkdir(mode=0o700)
        for each in parts[index - 1]:
            shutil.copy(folder / "captures" / each, captures / each)
        path = to / f"{name}.yaml"
        servers.write_private(path, json.dumps(configuration_of(configuration, name), indent=2) + "\n")
        made.append(path)
    return made


class reported:
    """`tidegate report` of one incident: what it says, and how long it took."""

    def __init__(self, binary, configuration):
        self.problem = ""
        self.facts = {}
        begun = time.monotonic()
        text = self._run(binary, configuration, "--format", "json")
        self.seconds = time.monotonic() - begun
        if not self.problem:
            self.facts = json.loads(text)
        for language in LANGUAGES:
            self._run(binary, configuration, "--format", "html", "--lang", language, "--output",
                      configuration.with_suffix(f".{language}.html"))
        self._run(binary, configuration, "--output", configuration.with_suffix(".md"))

    def _run(self, binary, configuration, *arguments):
        done = subprocess.run([str(each) for each in (binary, "report", "-c", configuration, *arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=REPORT_SECONDS_MAX, start_new_session=True)
        if done.returncode != 0:
            self.problem = self.problem or done.stderr.strip() or f"status {done.returncode}"
        return done.stdout


def shares_between(counted, begin_ms, end_ms):
    """name -> (share of the writes, share of the bytes) of what the load counted."""
    before, after = counted.at(begin_ms), counted.at(end_ms)
    added = {name: [after[name][which] - before.get(name, (0, 0))[which] for which in (0, 1)] for name in after}
    whole = [sum(each[which] for each in added.values()) for which in (0, 1)]
    return {name: tuple(amount / of if of else 0.0 for amount, of in zip(each, whole)) for name, each in added.items()}


@dataclasses.dataclass(frozen=True)
class held:
    """What a report says of its burst, and the same as the load counted it in the report's own seconds."""
    problem: str = ""
    seconds: float = 0.0      # to make it
    burst_seconds: float = 0.0
    culprits: tuple = ()
    share: float = 0.0        # the culprit's, of the bytes
    true_share: float = 0.0
    error: float = 1.0        # the largest of all writers' shares of bytes and of writes
    new_keys: float = 0.0     # the culprit's different keys
    coverage: float = 0.0


def held_to(report, counted):
    facts = report.facts
    burst = facts.get("burst")
    if not burst:
        return held(problem=report.problem or "it knows of no burst", seconds=report.seconds)
    true = shares_between(counted, burst["begin_ms"], burst["end_ms"])
    writers = {each["client"]: each for each in facts["writers"]}
    said = {name: (each["share_of_writes"], each["share_of_bytes"]) for name, each in writers.items()}
    error = max(abs(mine - theirs) for name in true.keys() | said.keys()
                for mine, theirs in zip(said.get(name, (0, 0)), true.get(name, (0, 0))))
    culprits = tuple(name for name, each in writers.items() if each["culprit"])
    first = culprits[0] if culprits else None
    return held(problem=report.problem, seconds=report.seconds,
                burst_seconds=(burst["end_ms"] - burst["begin_ms"]) / 1000, culprits=culprits,
                share=said.get(first, (0, 0))[1], true_share=true.get(first, (0, 0))[1], error=error,
                new_keys=writers[first]["distinct_keys"] or 0 if first else 0,
                coverage=facts["coverage"].get("share") or 0)


def commands(root, binary, configurations):
    """What to type now, from the repository's root."""
    def short(path):
        with contextlib.suppress(ValueError):
            return pathlib.Path(os.path.abspath(path)).relative_to(root)
        return path
    lines = []
    for each in configurations:
        lines += [f"  {short(binary)} report -c {short(each)}",
                  f"      {short(each.with_suffix('.en.html'))}  {short(each.with_suffix('.zh.html'))}"]
    lines.append(f"  {short(binary)} report -c {short(configurations[-1])} --format slack --lang zh")
    return lines
