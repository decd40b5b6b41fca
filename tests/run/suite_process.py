"""Runs one file of unittest cases in a process of its own and writes what came of each case, as JSON lines.

A process a suite: a suite that hangs is killed by itself, and what it had found until then is already written.
"""

import importlib.util
import json
import pathlib
import re
import sys
import time
import unittest


class recorder(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self._out = out
        self._begun = 0.0
        self._under_way = None
        self._failures = []
        self._skip_reason = None

    def startTest(self, test):
        super().startTest(test)
        self._begun = time.monotonic()
        self._under_way = test
        self._failures = []
        self._skip_reason = None
        self._write({"begun": self._name(test)})

    @staticmethod
    def _name(test):
        # Cases are methods of classes; what fails in setUpClass or a class's cleanup comes with a description alone.
        method = getattr(test, "_testMethodName", None)
        return f"{type(test).__name__}.{method}" if method else str(test)

    def _write(self, fields):
        print(json.dumps(fields), file=self._out, flush=True)

    def _fail(self, test, error):
        text = self._exc_info_to_string(error, test)
        if self._under_way is None:
            self._write({"name": self._name(test), "outcome": "failed", "text": text, "seconds": 0.0})
        else:
            self._failures.append(text)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._fail(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._fail(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._failures.append(f"{subtest}\n{self._exc_info_to_string(error, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self._under_way is None:
            self._write({"name": self._name(test), "outcome": "skipped", "text": reason, "seconds": 0.0})
        self._skip_reason = reason

    def stopTest(self, test):
        # One line a case, whatever failed in it: the case, its parts, its clean-up.
        outcome = "failed" if self._failures else "passed" if self._skip_reason is None else "skipped"
        self._write({"name": self._name(test), "outcome": outcome, "text": "\n".join(self._failures) or
                     self._skip_reason or "", "seconds": round(time.monotonic() - self._begun, 3)})
        self._under_way = None
        super().stopTest(test)


def main():
    path, out, pattern = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    cases = unittest.TestSuite()
    for group in unittest.defaultTestLoader.loadTestsFromModule(module):
        chosen = [case for case in group if re.search(pattern, f"{path.stem}.{recorder._name(case)}")]
        if chosen:
            cases.addTest(unittest.TestSuite(chosen))
    with open(out, "w", encoding="utf-8") as lines:
        result = recorder(lines)
        cases.run(result)
        print(json.dumps({"end": True}), file=lines)


if __name__ == "__main__":
    main()
