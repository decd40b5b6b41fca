"""The table at the end, and the verdicts. Takes plain figures; prints nothing itself."""

import dataclasses

import evidence
import scenario

SHARE_TOLERANCE = 0.01
COVERAGE_MIN = 0.99
REPORT_SECONDS_MAX = 2.0
LINE = 96


@dataclasses.dataclass(frozen=True)
class incident:
    """One incident's figures; pairs are (without, with)."""
    burst: object
    before: tuple
    peak: tuple
    command_peak: tuple
    clients: tuple           # upstream connections at most
    added: tuple             # ((keys, share with a TTL), the same)
    done: tuple              # jobs done
    due: int
    booked: dict             # name -> share of the bytes, as tidegate books it
    counted: dict            # name -> share of the bytes, as the load counted
    booked_writes: dict
    counted_writes: dict
    delayed: tuple           # commands held back: the culprit's, all others'
    latency: tuple           # medians of (without, with, ratio), or None
    report: evidence.held = evidence.held(problem="it was not asked for")

    @property
    def culprit(self):
        return max(self.booked, key=self.booked.get) if self.booked else "nobody"

    @property
    def share_error(self):
        name = self.burst.name
        return max(abs(self.booked.get(name, 0.0) - self.counted.get(name, 0.0)),
                   abs(self.booked_writes.get(name, 0.0) - self.counted_writes.get(name, 0.0)))

    @property
    def reported(self):
        """The report names the one who did it and nobody else, with everybody's share right."""
        return (not self.report.problem and self.report.culprits == (self.burst.name,)
                and self.report.error <= SHARE_TOLERANCE)

    @property
    def named(self):
        return self.culprit == self.burst.name and self.share_error <= SHARE_TOLERANCE


@dataclasses.dataclass(frozen=True)
class outcome:
    incidents: tuple
    quiet_latency: tuple
    keys: tuple              # run_keys of both
    errors: tuple
    seconds: float


def _percent(share):
    return f"{share:.1%}"


def _milliseconds(seconds):
    return f"{seconds * 1000:.2f} ms"


def _row(name, *cells):
    return (f"  {name:<38}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()


def _heading(title, *columns):
    text = _row("", *columns)
    return [title + text[len(title):], "-" * LINE]


def _paired(incidents, name, cells):
    return _row(name, *(cell for each in incidents for cell in cells(each)))


def _documented(figures, shape):
    return _row("  in the documents", *(cell for each in figures for cell in (shape(each), "")))


def incident_lines(incidents):
    lines = [" " * 40 + "".join(f"{'incident ' + str(number):>28}" for number in range(1, len(incidents) + 1))]
    lines += _heading("What happened", *("without", "with") * len(incidents))
    lines.append(_paired(incidents, "memory before", lambda each: map(_percent, each.before)))
    lines.append(_paired(incidents, "memory at its peak", lambda each: map(_percent, each.peak)))
    lines.append(_documented(scenario.DOCUMENTED_PEAKS, _percent))
    lines.append(_paired(incidents, "commands/s at the peak", lambda each: map("{:,.0f}".format, each.command_peak)))
    lines.append(_documented(scenario.DOCUMENTED_RATES, "{:,}".format))
    lines.append(_paired(incidents, "connections of redis at most", lambda each: each.clients))
    lines.append(_paired(incidents, "new keys in the burst", lambda each: (f"{count:,}" for count, _ in each.added)))
    lines.append(_paired(incidents, "  of them with a TTL", lambda each: (_percent(share) for _, share in each.added)))
    lines.append(_paired(incidents, "culprit's load done in the end",
                         lambda each: (f"{done / each.due:.0%}" if each.due else "-" for done in each.done)))
    return lines


def culprit_lines(incidents):
    lines = _heading("Who did it, by /metrics", "of the bytes", "truly", "of the writes", "truly")
    for number, each in enumerate(incidents, 1):
        for name in sorted(each.booked, key=each.booked.get, reverse=True)[:2]:
            lines.append(_row(f"incident {number}: {name}", _percent(each.booked[name]),
                              _percent(each.counted.get(name, 0.0)), _percent(each.booked_writes.get(name, 0.0)),
                              _percent(each.counted_writes.get(name, 0.0))))
    for number, each in enumerate(incidents, 1):
        lines.append(f"  incident {number}: tidegate held back {each.delayed[0]:,} commands of {each.burst.name} "
                     f"and {each.delayed[1]:,} of everybody else")
    return lines


def report_lines(incidents):
    lines = _heading("Who did it, by `tidegate report`", "of the bytes", "truly", "new keys", "coverage")
    for number, each in enumerate(incidents, 1):
        said = each.report
        lines.append(_row(f"incident {number}: {', '.join(said.culprits) or 'nobody'}", _percent(said.share),
                          _percent(said.true_share), f"{said.new_keys:,.0f}", _percent(said.coverage)))
    return lines


def key_lines(keys):
    lines = _heading("Keys that the run wrote", "without", "no TTL", "with", "no TTL")
    for pattern in keys[0].known:
        lines.append(_row(pattern, *(f"{number:,}" for each in keys for number in each.known[pattern])))
    unnamed = (f"{each.untimed - each.known_untimed:,}" for each in keys)
    lines.append(_row("unnamed patterns, no TTL", "", *_spread(unnamed)))
    lines.append(_row("contact:last:activity above 90 days", "", *_spread(f"{each.above_cap:,}" for each in keys)))
    return lines


def _spread(pair):
    first, second = pair
    return first, "", second


def latency_lines(result):
    lines = _heading("The baseline's p99", "without", "with", "with/without")
    periods = [("no burst", result.quiet_latency)]
    periods += [(f"burst of incident {number}", each.latency) for number, each in enumerate(result.incidents, 1)]
    for name, medians in periods:
        cells = ("-",) * 3 if medians is None else (*map(_milliseconds, medians[:2]), f"{medians[2]:.2f}")
        lines.append(_row(name, *cells))
    return lines


def verdicts(result):
    """(sentence, holds, why) of what does not depend on how fast the machine is."""
    culprits = ", ".join(f"{each.culprit} {100 * each.share_error:.2f}" for each in result.incidents)
    culprits += " points off"
    peaks = ", ".join(_percent(each.peak[1]) for each in result.incidents)
    left = result.keys[1].known_untimed
    seen = sum(count for count, _ in result.keys[1].known.values())
    reports = ", ".join(each.report.problem or f"{'+'.join(each.report.culprits) or 'nobody'} "
                        f"{100 * each.report.error:.2f}" for each in result.incidents)
    return [
        ("culprit named, share right to 1%", all(each.named for each in result.incidents), culprits),
        (f"memory with tidegate under {scenario.ALERT:.0%} in both incidents",
         all(each.peak[1] < scenario.ALERT for each in result.incidents), peaks),
        # Where nothing was written nothing was proven.
        ("no new key of a known pattern without a TTL", left == 0 and seen > 0 and result.keys[0].known_untimed > 0,
         f"{left} of {seen:,}; without tidegate {result.keys[0].known_untimed:,}"),
        ("no client got an error from tidegate", result.errors[1] == 0, f"{result.errors[1]} errors"),
        ("reports name them, shares to 1%", all(each.reported for each in result.incidents),
         reports + " points off"),
        (f"reports know of at least {COVERAGE_MIN:.0%} of what was written",
         all(each.report.coverage >= COVERAGE_MIN for each in result.incidents),
         ", ".join(f"{each.report.coverage:.2%}" for each in result.incidents)),
        (f"each report in under {REPORT_SECONDS_MAX:.0f} s",
         all(0 < each.report.seconds < REPORT_SECONDS_MAX for each in result.incidents),
         ", ".join(f"{each.report.seconds:.2f} s" for each in result.incidents)),
    ]


def lines(result):
    parts = [incident_lines(result.incidents), culprit_lines(result.incidents),
             report_lines(result.incidents), key_lines(result.keys),
             latency_lines(result)]
    text = [line for part in parts for line in [*part, ""]]
    text.append("  p99: medians over paired windows of 2 s, one command at a time; shown, never judged: it is this")
    text.append("  machine's, which runs both servers, the proxy and all the load. Seeded keys keep what they had.")
    text.append("")
    text += [f"{sentence}: {'yes' if holds else 'NO'} ({why})" for sentence, holds, why in verdicts(result)]
    return text


def holds(result):
    return all(each for _, each, _ in verdicts(result))
