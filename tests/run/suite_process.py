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
        self._sub_failures = []

    def startTest(self, test):
        super().startTest(test)
        self._begun = time.monotonic()
        self._sub_failures = []
        self._write({"begun": self._name(test)})

    @staticmethod
    def _name(test):
        # Kinds are classes, cases are methods; setUpClass failures come as an _ErrorHolder with a description.
        method = getattr(test, "_testMethodName", None)
        return f"{type(test).__name__}.{method}" if method else str(test)

    def _write(self, fields):
        print(json.dumps(fields), file=self._out, flush=True)

    def _done(self, test, outcome, text=""):
        self._write({"name": self._name(test), "outcome": outcome, "text": text,
                     "seconds": round(time.monotonic() - self._begun, 3) if self._begun else 0.0})

    def addSuccess(self, test):
        super().addSuccess(test)
        self._done(test, "passed")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._done(test, "failed", self._exc_info_to_string(error, test))

    def addError(self, test, error):
        super().addError(test, error)
        self._done(test, "failed", self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._done(test, "skipped", reason)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._sub_failures.append(f"{subtest}\n{self._exc_info_to_string(error, test)}")

    def stopTest(self, test):
        # A case with failed parts is one failed case; unittest calls neither addSuccess nor addFailure for it.
        if self._sub_failures:
            self._done(test, "failed", "\n".join(self._sub_failures))
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
