"""What a command costs as each thing grows: connections, pipelines, values, identities, patterns, rules, workers.

  ./dev bench scaling              all sweeps; figures as JSON, plots in bench/plots/
  ./dev bench scaling --sweep rules --sweep patterns
"""

import argparse
import contextlib
import dataclasses
import json
import math
import pathlib
import sys
import time

import accounting
import figures
import machine
import measure
import peers
import plots
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
WINDOW_SECONDS = 0.4
PROBE_COMMANDS = 4000
CROWD = 9800  # what 20,000 descriptors allow
CONFIGURED_PATTERNS_MAX = 4096
# Logarithmic means that each doubling costs the same. What a doubling may cost: a twentieth of a command.
SHARE_A_DOUBLING_MAX = 0.05


@dataclasses.dataclass(frozen=True)
class point:
    x: int
    load: dict
    more: dict = dataclasses.field(default_factory=dict)  # of tidegate's configuration
    workers: int = 1


@dataclasses.dataclass(frozen=True)
class sweep:
    name: str
    title: str
    x_title: str
    curves: dict  # name -> [point]
    logarithmic: tuple = ()  # the curves that must not grow faster than the logarithm


def policy(patterns=peers.PATTERNS, names=peers.NAMES, rules=5, others=()):
    made = peers.policy_on(min(patterns, CONFIGURED_PATTERNS_MAX), names, rules)
    return made | {"limits": made["limits"] + list(others)}


def rules_of_others(count, match):
    """Rules that this load never matches, each for another client or key: what a large installation's file is full of."""
    return [{"name": f"other-{number}", "match": match(number), "rate": "1000/s"} for number in range(count)]


def powers(base, first, last):
    return [base ** power for power in range(first, last + 1)]


def sweeps():
    deep = {"pipeline": 16}
    rules = (1, 5, 20, 50, 100, 200)
    return [
        sweep("connections", "Connections", "connections", {
            f"pipeline {depth}": [point(count, {"connections": count, "pipeline": depth})
                                  for count in (10, 30, 100, 300, 1000, 3000, CROWD)] for depth in (1, 16)}),
        sweep("pipeline", "Depth of the pipeline", "commands in a batch", {
            "64 B": [point(depth, {"pipeline": depth}) for depth in powers(2, 0, 9)]}),
        sweep("value", "Size of the value", "bytes", {
            f"pipeline {depth}": [point(size, {"value": size, "pipeline": depth, "keys": 3000 if size < 8192 else 60})
                                  for size in (8, 64, 512, 4096, 32768, 262144, 1048576)] for depth in (1, 16)}),
        sweep("identities", "Identities", f"names among {CROWD} connections", {
            "pipeline 1": [point(count, {"connections": CROWD, "names": count}) for count in (1, 10, 100, 1000, CROWD)]},
            logarithmic=("pipeline 1",)),
        sweep("patterns", "Patterns", "families of keys", {
            "configured": [point(count, {**deep, "patterns": count, "keys": 20_000}, policy(patterns=count))
                           for count in (1, 10, 30, 100, 300, 1000, CONFIGURED_PATTERNS_MAX)],
            "inferred": [point(count, {**deep, "patterns": count, "keys": 20_000}, policy(patterns=1))
                         for count in (1, 10, 30, 100, 300, 1000, 10_000)]},
            logarithmic=("configured", "inferred")),
        sweep("rules", "Limit rules", "rules", {
            "of other clients": [point(count, deep, policy(rules=0, others=rules_of_others(
                count, lambda n: {"client": f"other{n}-*"}))) for count in rules],
            "of other keys": [point(count, deep, policy(rules=0, others=rules_of_others(
                count, lambda n: {"key": f"other{n}:*"}))) for count in rules],
            "of other commands": [point(count, deep, policy(rules=0, others=rules_of_others(
                count, lambda n: {"command": ["SADD", "ZADD", "HSET", "LPUSH"][n % 4]}))) for count in rules],
            "all match": [point(count, deep, policy(rules=count)) for count in rules]},
            logarithmic=("of other clients", "of other keys", "of other commands")),
        sweep("workers", "Workers", "workers", {
            f"pipeline {depth}": [point(count, {"pipeline": depth, "connections": 100}, workers=count) for count in (1, 2)]
            for depth in (1, 16)}),
    ]


def run_point(where, one, rounds):
    """CPU a command, microseconds, of each round."""
    core = where.proxy_core if one.workers == 1 else {where.proxy_core, where.server_core}
    with contextlib.ExitStack() as started:
        peer = peers.start_tidegate("tidegate", core, where.server, where.tls, False, False,
                                    binary=where.tidegate, workers=one.workers, more=one.more)
        started.callback(peer.stop)
        asked = where.load_on(peer, **one.load)
        started.callback(asked.stop)
        least = max(PROBE_COMMANDS, 4 * one.load.get("connections", 50) * one.load.get("pipeline", 1))
        if one.load.get("value", 0) > 16384:
            least = 1000
        asked.closed(least)
        commands = commands_for(asked.closed(least), least)
        samples = []
        for _ in range(rounds):
            before = accounting.cpu_seconds(peer.process.pid)
            told = asked.closed(commands)
            samples.append((accounting.cpu_seconds(peer.process.pid) - before) / told["commands"] * 1e6)
        return samples


def commands_for(told, least):
    return max(least, int(told["commands"] / told["seconds"] * WINDOW_SECONDS))


def growth_a_doubling(curve):
    """How much of the first point's cost each doubling of x added, in the mean, up to the dearest point."""
    x0, base = curve[0][0], curve[0][2]
    x1, top = max(((x, median) for x, _, median, _ in curve[1:]), key=lambda found: found[1])
    return (top - base) / base / math.log2(x1 / x0)


def run_sweep(where, one, rounds):
    curves, judged = {}, {}
    for name, points in one.curves.items():
        curve = []
        for at in points:
            found = figures.spread.of(run_point(where, at, rounds))
            curve.append((at.x, found.minimum, found.median, found.maximum))
        curves[name] = curve
        if name in one.logarithmic:
            growth = growth_a_doubling(curve)
            judged[name] = {"share_a_doubling": growth, "must": SHARE_A_DOUBLING_MAX, "met": growth <= SHARE_A_DOUBLING_MAX}
    return {"name": one.name, "title": one.title, "curves": curves, "logarithmic": judged}


HEADING = ["sweep", "curve", "CPU us a command at each", "a doubling costs", "at most", ""]


def lines_of(result):
    lines = []
    for name, curve in result["curves"].items():
        judged = result["logarithmic"].get(name)
        lines.append([result["name"], name, ", ".join(f"{plots.tick_text(x)}: {median:.2f}" for x, _, median, _ in curve),
                      f"{judged['share_a_doubling']:+.1%}" if judged else "-", f"{judged['must']:.0%}" if judged else "-",
                      figures.words_of(judged["met"] if judged else None)])
    return lines


def readme_lines(folder):
    """Of all sweeps that were ever taken, each with the commit of its own: they need not be run together."""
    lines, commits = [HEADING], set()
    for one in sweeps():
        path = folder / f"scaling-{one.name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            lines += lines_of(result)
            commits.add(result["about"]["commit"])
            about = result["about"]
    return [machine.sentence(about | {"commit": ", ".join(sorted(commits))}), "", *table.markdown(lines)]


def main():
    options = argparse.ArgumentParser(prog="./dev bench scaling", description=__doc__,
                                      formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--sweep", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--binary", default=ROOT / "build/release/tidegate", type=pathlib.Path)
    options.add_argument("--generator", default=ROOT / "build/release/bench/tidegate_load", type=pathlib.Path)
    options.add_argument("--out", type=pathlib.Path, default=ROOT / "bench", help="where plots/ and results/ are")
    options.add_argument("--readme", action="store_true", help="put the table into bench/README.md, too")
    chosen = options.parse_args()
    wanted = [one for one in sweeps() if not chosen.sweep or one.name in chosen.sweep]
    if not wanted or chosen.rounds < 1:
        options.error("nothing to do; sweeps are " + ", ".join(one.name for one in sweeps()))
    for folder in ("plots", "results"):
        (chosen.out / folder).mkdir(parents=True, exist_ok=True)

    about = machine.describe(ROOT)
    lines = [HEADING]
    begun = time.monotonic()
    where = measure.bench(chosen.binary.resolve(), chosen.generator.resolve())
    try:
        for one in wanted:
            print(f"{time.monotonic() - begun:4.0f} s  {one.title}", file=sys.stderr, flush=True)
            result = run_sweep(where, one, chosen.rounds)
            lines += lines_of(result)
            (chosen.out / f"plots/{one.name}.svg").write_text(
                plots.svg(f"{one.title}: CPU of the proxy a command", one.x_title, "microseconds", result["curves"]))
            (chosen.out / f"results/scaling-{one.name}.json").write_text(
                json.dumps({"about": about, **result}, indent=1) + "\n")
    finally:
        where.close()
    print("\n".join(table.markdown(lines)))
    if chosen.readme:
        table.write_readme(ROOT / "bench/README.md", "scaling", readme_lines(chosen.out / "results"))


if __name__ == "__main__":
    main()
