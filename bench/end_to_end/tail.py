"""What 50 quiet clients notice of one that pipelines 512 deep with 64 KiB values.

Half of what the proxy can do is asked by 50 quiet clients in an open loop, first alone, then beside the loud one, several
times in turn; the figure is the ratio of their p99.9, median of the rounds. haproxy and the server itself are asked the same,
because what the machine and the server do to quiet clients is no proxy's doing.

  ./dev bench tail [--rounds N]
"""

import argparse
import contextlib
import json
import pathlib
import sys
import threading

import figures
import machine
import matrix
import measure
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUIET_SECONDS = 2.0
CAPACITY_COMMANDS = 100_000
LOUD = {"connections": 1, "pipeline": 512, "value": 65536, "keys": 300, "family": "loud"}
LOUD_ORDER = 1024
RATIO_MUST = 2.0


class noise:
    """Keeps the loud client talking while inside."""

    def __init__(self, loud):
        self.loud = loud
        self.commands = 0

    def __enter__(self):
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self._talk)
        self.thread.start()
        return self

    def _talk(self):
        while not self.enough.is_set():
            self.commands += self.loud.closed(LOUD_ORDER)["commands"]

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()


def run_peer(where, name, rounds):
    with contextlib.ExitStack() as started:
        peer = where.start(name)
        started.callback(peer.stop)
        quiet = where.load_on(peer)
        started.callback(quiet.stop)
        loud = where.load_on(peer, **LOUD)
        started.callback(loud.stop)
        quiet.closed(CAPACITY_COMMANDS // 4)
        told = quiet.closed(CAPACITY_COMMANDS)
        rate = int(told["commands"] / told["seconds"] / 2)
        loud.closed(LOUD_ORDER)
        alone, beside, talked = [], [], []
        for _ in range(rounds):
            alone.append(quiet.open(int(rate * QUIET_SECONDS), rate)["p999_us"])
            with noise(loud) as talking:
                beside.append(quiet.open(int(rate * QUIET_SECONDS), rate)["p999_us"])
            talked.append(talking.commands / QUIET_SECONDS)
    ratios = figures.ratios(beside, alone)
    return {"rate": rate, "alone_p999_us": vars(figures.spread.of(alone)), "beside_p999_us": vars(figures.spread.of(beside)),
            "ratio": vars(figures.spread.of(ratios)), "loud_commands_per_second": vars(figures.spread.of(talked))}


def lines_of(found):
    lines = [["who", "quiet commands/s", "p99.9 us alone", "beside the loud one", "ratio (min-max)", "loud commands/s", "must", ""]]
    for name, one in found["peers"].items():
        ours = name == matrix.ON
        lines.append([name, str(one["rate"]), table.number(one["alone_p999_us"]["median"]),
                      table.number(one["beside_p999_us"]["median"]), table.three(one["ratio"]),
                      table.number(one["loud_commands_per_second"]["median"]), f"<= {found['must']:.2f}" if ours else "-",
                      figures.words_of(found["met"] if ours else None)])
    return lines


def main():
    options = argparse.ArgumentParser(prog="./dev bench tail", description=__doc__,
                                      formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--binary", default=ROOT / "build/release/tidegate", type=pathlib.Path)
    options.add_argument("--generator", default=ROOT / "build/release/bench/tidegate_load", type=pathlib.Path)
    options.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/tail.json")
    options.add_argument("--readme", action="store_true", help="put the table into bench/README.md, too")
    chosen = options.parse_args()
    if chosen.rounds < 1:
        options.error("--rounds needs a whole number of at least 1")
    found = {"about": machine.describe(ROOT), "must": RATIO_MUST, "peers": {}}
    where = measure.bench(chosen.binary.resolve(), chosen.generator.resolve())
    try:
        for name in (matrix.ON, matrix.HAPROXY, matrix.DIRECT):
            print(name, file=sys.stderr, flush=True)
            found["peers"][name] = run_peer(where, name, chosen.rounds)
    finally:
        where.close()
    found["met"] = figures.verdict(found["peers"][matrix.ON]["ratio"]["median"], RATIO_MUST)
    lines = lines_of(found)
    print("\n".join(table.markdown(lines)))
    if chosen.readme:
        table.write_readme(ROOT / "bench/README.md", "tail", [machine.sentence(found["about"]), "", *table.markdown(lines)])
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
