"""What a command costs in instructions of ours has not changed by more than two in a hundred: counted by callgrind, never
timed. `python3 tests/integration/instruction_suite.py --renew build/release/tests/cost/cost_subjects` writes new numbers.

The numbers hold for one compiler and its flags; under another one the cases are skipped and say so."""

import json
import os
import pathlib
import shutil
import sys
import unittest

from harness import instructions

NUMBERS = pathlib.Path(__file__).resolve().parents[1] / "cost" / "instructions.json"
TOLERANCE = 0.02
RENEW = "python3 tests/integration/instruction_suite.py --renew build/release/tests/cost/cost_subjects"


def measure(binary):
    return {subject: round(instructions.instructions_each(binary, subject), 1) for subject in instructions.subjects_of(binary)}


class instruction_counts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.binary = pathlib.Path(os.environ["TIDEGATE_BINARY"]).parent / "tests/cost/cost_subjects"
        cls.known = json.loads(NUMBERS.read_text())
        if not cls.binary.exists():
            raise unittest.SkipTest(f"{cls.binary} is not built: ./dev test builds it")
        if not shutil.which("valgrind"):
            raise unittest.SkipTest("there is no valgrind")
        here = instructions.about(cls.binary)
        if here != cls.known["about"]:
            raise unittest.SkipTest(f"the numbers are those of \"{cls.known['about']}\", this build is \"{here}\"")

    def test_no_subject_costs_more_or_less_than_it_did(self):
        found = measure(self.binary)
        self.assertEqual(sorted(found), sorted(self.known["instructions"]), f"other subjects than known: {RENEW}")
        moved = [f"{subject}: {self.known['instructions'][subject]:,.0f} -> {now:,.0f} ({now / self.known['instructions'][subject] - 1:+.1%})"
                 for subject, now in found.items() if abs(now / self.known["instructions"][subject] - 1) > TOLERANCE]
        self.assertEqual(moved, [], "if that is meant, say so in the commit and renew the numbers:\n  " + RENEW)

    def test_counting_twice_gives_the_same(self):
        """Or a deviation would mean nothing."""
        for subject in ("parser: 16 SETs", "machine: 8 clients x 1 command"):
            self.assertEqual(instructions.instructions_each(self.binary, subject, 100),
                             instructions.instructions_each(self.binary, subject, 100), subject)

    def test_twice_the_work_is_twice_the_instructions(self):
        once = instructions.instructions_each(self.binary, "machine: 8 clients x 16 commands", 50)
        again = instructions.instructions_each(self.binary, "machine: 8 clients x 16 commands", 100)
        self.assertAlmostEqual(once / again, 1, delta=0.005)


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "--renew":
        print(f"usage: {RENEW}", file=sys.stderr)
        return 2
    binary = pathlib.Path(sys.argv[2])
    NUMBERS.write_text(json.dumps({"about": instructions.about(binary), "instructions": measure(binary)}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
