"""Instructions of our own code that a subject of tests/cost/cost_subjects.cpp takes, counted by callgrind.

Counted is what lies in the binary itself: how many instructions memcpy and memchr of glibc take depends on the processor
that glibc finds, and is not ours. Two runs of different length are subtracted, so that the start costs nothing.
"""

import pathlib
import re
import subprocess
import tempfile


def subjects_of(binary):
    return subprocess.run([binary, "--list"], check=True, capture_output=True, text=True).stdout.splitlines()


def about(binary):
    return subprocess.run([binary, "--about"], check=True, capture_output=True, text=True).stdout.strip()


def own_instructions(profile, binary):
    """Sums the costs of the functions of one object in callgrind's own format (Callgrind Format Specification)."""
    names = {}  # "(1) path" says it once, "(1)" means it from then on
    own = False
    skip = False
    total = 0
    for line in profile.splitlines():
        found = re.match(r"(ob|fl|fi|fe|fn|cob|cfi|cfl|cfn|calls)=(.*)", line)
        if found:
            what, value = found.groups()
            if what == "ob":
                number, _, path = value.partition(" ")
                if path:
                    names[number] = path
                own = names[number] == str(binary)
            elif what == "cob":
                number, _, path = value.partition(" ")
                if path:
                    names[number] = path
            elif what == "calls":
                skip = True  # the next line is what the callee took
        elif line[:1] in "+-*0123456789" and line:
            if own and not skip:
                total += int(line.split()[1])
            skip = False
    return total


def count(binary, subject, times):
    binary = pathlib.Path(binary).resolve()
    with tempfile.TemporaryDirectory(prefix="tidegate-callgrind-") as folder:
        out = pathlib.Path(folder) / "out"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary, subject, str(times)],
                       check=True, capture_output=True)
        return own_instructions(out.read_text(), binary)


def instructions_each(binary, subject, times=200):
    """Of one time of the subject."""
    return (count(binary, subject, 2 * times) - count(binary, subject, times)) / times
