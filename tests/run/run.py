"""Runs all tests and counts cases: the C++ ones through ctest, the Python suites each in a process of its own.

The last line is always `N passed, N failed`; the status is 1 if a case failed or none ran. What a run printed is kept
under --logs. A case that was skipped counts as neither and is named, so that nobody takes it for a pass.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE_SECONDS_MAX = 600
UNIT_SECONDS_MAX = 900
UNIT_TEST_SECONDS_MAX = 300  # one case
LONG_FACTOR = 12  # what all of them may take longer in the long mode
TAIL_LINES = 60


def is_long():
    return "TIDEGATE_LONG" in os.environ


def at_most(seconds):
    return seconds * (LONG_FACTOR if is_long() else 1)


class tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, name, outcome, seconds, text=""):
        mark = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}[outcome]
        print(f"{mark} {seconds:8.2f} s  {name}", flush=True)
        if outcome == "passed":
            self.passed += 1
        elif outcome == "skipped":
            self.skipped.append((name, text))
        else:
            self.failed.append((name, text))
            print("\n".join(text.splitlines()[-TAIL_LINES:]), flush=True)


def run_units(preset, pattern, logs, count, with_long_forms):
    """One build's ctest. The long form of a unit test is for one build: a sanitizer sees as much in the short one."""
    report = logs / f"unit-{preset}.xml"
    report.unlink(missing_ok=True)
    log = logs / f"unit-{preset}.log"
    command = ["ctest", "--test-dir", str(ROOT / "build" / preset), "--output-junit", str(report), "-j",
               str(os.cpu_count() or 1), "--timeout", str(at_most(UNIT_TEST_SECONDS_MAX)), "--no-tests=ignore"]
    if pattern:
        command += ["-R", pattern]
    environment = {name: value for name, value in os.environ.items() if with_long_forms or name != "TIDEGATE_LONG"}
    begun = time.monotonic()
    print(f"-- unit tests, {preset}", flush=True)
    with open(log, "wb") as out:
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                    env=environment, timeout=at_most(UNIT_SECONDS_MAX), check=False).returncode
        except subprocess.TimeoutExpired:
            status = None
    if not report.exists():
        if status != 0 or not pattern:
            count.add(f"{preset}: ctest", "failed", time.monotonic() - begun, log.read_text(errors="replace"))
        return
    before = count.passed
    failures = 0
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{preset}: {case.get('name')}"
        seconds = float(case.get("time") or 0)
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.get("status") in ("fail", "notrun"):
            failures += 1
            count.add(name, "failed", seconds, case.findtext("system-out") or "")
        elif skipped is not None or case.get("status") == "disabled":
            count.add(name, "skipped", seconds, "GTEST_SKIP")
        else:
            count.passed += 1  # one line for all that passed: there are hundreds
    print(f"ok   {time.monotonic() - begun:8.2f} s  {preset}: {count.passed - before} unit tests", flush=True)
    if status != 0 and failures == 0:
        count.add(f"{preset}: ctest", "failed", time.monotonic() - begun, log.read_text(errors="replace"))


def run_suite(path, pattern, logs, count):
    found = logs / f"{path.stem}.jsonl"
    found.unlink(missing_ok=True)
    log = logs / f"{path.stem}.log"
    with open(log, "wb") as out:
        child = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("suite_process.py")), str(path),
                                  str(found), pattern], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            child.wait(at_most(SUITE_SECONDS_MAX))
            ended = "ended without finishing"
        except subprocess.TimeoutExpired:
            child.kill()  # its servers die with it
            child.wait()
            ended = f"took longer than {at_most(SUITE_SECONDS_MAX)} s and was killed"
    lines = [json.loads(line) for line in found.read_text().splitlines()] if found.exists() else []
    under_way = None
    finished = False
    for line in lines:
        if "begun" in line:
            under_way = line["begun"]
        elif "name" in line:
            under_way = None
            count.add(f"{path.stem}.{line['name']}", line["outcome"], line["seconds"], line["text"])
        else:
            finished = True
    if not finished:
        count.add(f"{path.stem}.{under_way or 'suite'}", "failed", 0.0,
                  f"the suite {ended}\n{log.read_text(errors='replace')}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--unit", action="append", default=[], metavar="PRESET")
    options.add_argument("--binary", required=True)
    options.add_argument("--instrumented", action="append", default=[], metavar="NAME=BINARY",
                         help="a tidegate built with a sanitizer, for the suites that can use one in the long mode")
    options.add_argument("--logs", required=True, type=lambda text: pathlib.Path(text).resolve())
    options.add_argument("--long", action="store_true")
    options.add_argument("--filter", default="", type=lambda text: re.compile(text).pattern)
    chosen = options.parse_args()
    chosen.logs.mkdir(parents=True, exist_ok=True)
    os.environ["TIDEGATE_BINARY"] = str(pathlib.Path(chosen.binary).resolve())
    if chosen.long:
        os.environ["TIDEGATE_LONG"] = "1"  # what a test looks at to take its long form, C++ and Python alike
    for name, _, binary in (entry.partition("=") for entry in chosen.instrumented):
        os.environ[f"TIDEGATE_BINARY_{name.upper()}"] = str(pathlib.Path(binary).resolve())

    count = tally()
    begun = time.monotonic()
    for path in sorted([*(ROOT / "tests/structure").glob("*_test.py"), *(ROOT / "tests/demo").glob("*_test.py"),
                        *(ROOT / "tests/bench").glob("*_test.py")]):
        run_suite(path, chosen.filter, chosen.logs, count)
    for number, preset in enumerate(chosen.unit):
        run_units(preset, chosen.filter, chosen.logs, count, number == 0)
    for path in sorted((ROOT / "tests/integration").glob("*_suite.py")):
        run_suite(path, chosen.filter, chosen.logs, count)

    for name, reason in count.skipped:
        print(f"skipped: {name}: {reason}")
    for name, _ in count.failed:
        print(f"failed: {name}")
    print(f"{time.monotonic() - begun:.0f} s; logs in {chosen.logs}")
    print(f"{count.passed} passed, {len(count.failed)} failed")
    return 1 if count.failed or count.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
