"""tidegate beside its peers: CPU a command, connections, memory, system calls. See bench/README.md.

  ./dev bench                      the whole table, three rounds
  ./dev bench --quick              a third of the commands: a first look
  ./dev bench --row plain --row tls-16 --rounds 5
"""

import argparse
import json
import pathlib
import sys
import time

import machine
import matrix
import measure
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK_SCALE = 0.3
LOAD_QUIET_MAX = 0.5


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    options = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--quick", action="store_true", help="fewer commands a window")
    options.add_argument("--rounds", type=int, default=3, help="rounds; the median counts (default 3)")
    options.add_argument("--row", action="append", default=[], metavar="WORD", help="only rows whose name contains WORD")
    options.add_argument("--scale", type=float, help="commands a window, as a multiple of the usual")
    options.add_argument("--binary", default=ROOT / "build/release/tidegate", type=pathlib.Path)
    options.add_argument("--generator", default=ROOT / "build/release/bench/tidegate_load", type=pathlib.Path)
    options.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/table.json", help="JSON of everything")
    options.add_argument("--readme", action="store_true", help="put the table into bench/README.md, too")
    chosen = options.parse_args()
    if chosen.rounds < 1:
        options.error("--rounds needs a whole number of at least 1")
    return chosen


def run(chosen):
    rate_rows, count_rows = matrix.rows_named(chosen.row)
    if not rate_rows and not count_rows:
        raise SystemExit("no row of that name; there are " +
                         ", ".join(row.name for row in (*matrix.RATE_ROWS, *matrix.COUNT_ROWS)))
    about = machine.describe(ROOT)
    if about["load_before"] > LOAD_QUIET_MAX:
        say(f"the machine is not quiet (load {about['load_before']:.1f}): ratios suffer less than absolute figures, but suffer")
    scale = chosen.scale or (QUICK_SCALE if chosen.quick else 1.0)
    begun = time.monotonic()
    results = []
    where = measure.bench(chosen.binary.resolve(), chosen.generator.resolve())
    try:
        for row in rate_rows:
            say(f"{time.monotonic() - begun:4.0f} s  {row.title}")
            results.append(where.run_rate_row(row, chosen.rounds, scale))
        for row in count_rows:
            say(f"{time.monotonic() - begun:4.0f} s  {row.title}")
            results.append(where.run_count_row(row))
    finally:
        where.close()
    return {"about": about | {"rounds": chosen.rounds, "scale": scale, "proxy_core": where.proxy_core,
                              "server_core": where.server_core, "seconds": round(time.monotonic() - begun)}, "rows": results}


def main():
    chosen = arguments()
    found = run(chosen)
    about = found["about"]
    lines = [*table.main_table(found["rows"]), "", *table.behind_table(found["rows"])]
    print("\n".join(lines))
    if chosen.readme:
        table.write_readme(ROOT / "bench/README.md", "table", [machine.sentence(about), "", *lines])
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    say(f"{about['seconds']} s; {chosen.out}")


if __name__ == "__main__":
    main()
