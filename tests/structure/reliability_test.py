"""Holds docs/reliability.md to the tests: every id has one line, and whatever a line names is there to be run."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNTS = {"P": 11, "X": 6, "U": 7, "T": 7, "M": 10, "L": 6, "C": 7, "S": 10}
IDS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
HEAD = ["id", "what is run", "where", "short form", "long form, figure reached", "not run"]
CPP_CASE = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
PYTHON_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
PYTHON_CASE = re.compile(r"^    def (test_\w+)\(", re.MULTILINE)


def cells_of(text):
    """The cells of each line of a table but its rule."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def known_tests():
    """All that a line may name: Suite and Suite.Case of C++, suite, suite.class and suite.class.case of Python."""
    known = set()
    for path in (ROOT / "tests").rglob("*.cpp"):
        for suite, case in CPP_CASE.findall(path.read_text(errors="replace")):
            known |= {suite, f"{suite}.{case}"}
    for path in (ROOT / "tests").rglob("*.py"):
        if not path.stem.endswith(("_suite", "_test")):
            continue
        known.add(path.stem)
        found = None
        for line in path.read_text().splitlines():
            if of_class := PYTHON_CLASS.match(line):
                found = f"{path.stem}.{of_class.group(1)}"
                known.add(found)
            elif (case := PYTHON_CASE.match(line)) and found:
                known.add(f"{found}.{case.group(1)}")
    return known


def mistakes(text, known):
    """What is wrong with the page, as sentences."""
    seen = []
    for cells in cells_of(text):
        if cells == HEAD:
            continue
        if len(cells) != len(HEAD):
            yield f"{cells[0]}: {len(cells)} cells instead of {len(HEAD)}"
            continue
        if cells[0] not in IDS:
            yield f"{cells[0]}: no id of the list"
        if cells[0] in seen:
            yield f"{cells[0]}: twice"
        seen.append(cells[0])
        named = re.findall(r"`([^`]+)`", cells[2])
        if not named and cells[2] != "not yet":
            yield f"{cells[0]}: names neither a test nor `not yet`"
        if not all(cells[index] for index in (1, 3, 4)):
            yield f"{cells[0]}: an empty cell"
        for name in named:
            if not ((ROOT / name).exists() if "/" in name else name in known):
                yield f"{cells[0]}: there is no {name}"
    yield from (f"{one}: no line" for one in IDS if one not in seen)


class the_reliability_page(unittest.TestCase):
    maxDiff = None

    def test_has_a_line_for_each_id_and_names_only_what_there_is(self):
        page = (ROOT / "docs/reliability.md").read_text()
        self.assertEqual(list(mistakes(page, known_tests())), [])


class the_check(unittest.TestCase):
    @staticmethod
    def page(**lines):
        return "\n".join(f"| {one} | a | {lines.get(one, '`suite`')} | b | c | |" for one in IDS)

    def found(self, text):
        return list(mistakes(text, {"suite", "suite.case"}))

    def test_is_content_with_a_whole_page(self):
        self.assertEqual(self.found(self.page(P1="`suite` `suite.case`", S10="not yet", M1="`tests/run`")), [])

    def test_sees_a_missing_line_and_one_that_stands_twice(self):
        self.assertEqual(self.found("\n".join(self.page().splitlines()[1:])), ["P1: no line"])
        self.assertEqual(self.found(self.page() + "\n| U1 | a | `suite` | b | c | |"), ["U1: twice"])

    def test_sees_a_name_that_nothing_has(self):
        self.assertEqual(self.found(self.page(U3="`suite.gone`")), ["U3: there is no suite.gone"])
        self.assertEqual(self.found(self.page(U3="`tests/gone.cpp`")), ["U3: there is no tests/gone.cpp"])

    def test_sees_a_line_that_names_nothing(self):
        self.assertEqual(self.found(self.page(T2="some")), ["T2: names neither a test nor `not yet`"])

    def test_sees_an_id_of_no_list_and_a_line_that_is_cut(self):
        self.assertEqual(self.found(self.page() + "\n| U99 | a | `suite` | b | c | |"), ["U99: no id of the list"])
        self.assertEqual(self.found(self.page() + "\n| U1 | a |"), ["U1: 2 cells instead of 6"])


if __name__ == "__main__":
    unittest.main()
