#!/usr/bin/python3
"""Runs a program under the system call filter of deploy/tidegate.service, and kills it at the first call outside.

    sandboxed.py PROGRAM ARGUMENT …

The unit would answer EPERM; killing finds out more. What systemd's names stand for is asked of systemd-analyze. As
TIDEGATE_BINARY (with the real one in TIDEGATE_SANDBOXED) whole suites run under it.
"""

import ctypes
import os
import pathlib
import re
import subprocess
import sys

UNIT = pathlib.Path(__file__).resolve().parents[3] / "deploy/tidegate.service"
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # EPERM
_MASKED_EQUAL = 7
_PROT_WRITE, _PROT_EXEC = 2, 4


class _comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def _members(name, seen):
    """Names of calls that a set of systemd's stands for."""
    if not name.startswith("@"):
        return {name}
    if name in seen:
        return set()
    seen.add(name)
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    calls = set()
    for line in listed.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            calls |= _members(word, seen)
    return calls


def allowed_calls(unit=UNIT):
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.MULTILINE):
        named = set().union(*(_members(word, set()) for word in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed | _members("@default", set())


def confine():
    """From here on this process is under the filter."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                               ctypes.POINTER(_comparison)]
    calls = allowed_calls()

    def number(name):
        return library.seccomp_syscall_resolve_name(name.encode())

    def load(filter_of, what):
        if library.seccomp_load(filter_of) != 0:
            sys.exit(f"sandboxed.py: the filter of {what} cannot be loaded")

    # MemoryDenyWriteExecute=yes
    write_xor_execute = library.seccomp_init(_ALLOW)
    for name, bits in (("mmap", _PROT_WRITE | _PROT_EXEC), ("mprotect", _PROT_EXEC), ("pkey_mprotect", _PROT_EXEC)):
        rule = _comparison(2, _MASKED_EQUAL, bits, bits)
        library.seccomp_rule_add_array(write_xor_execute, _KILL, number(name), 1, ctypes.byref(rule))
    load(write_xor_execute, "MemoryDenyWriteExecute")
    listed = library.seccomp_init(_KILL)
    for name in sorted(calls):
        if number(name) >= 0:
            library.seccomp_rule_add_array(listed, _ALLOW, number(name), 0, None)
    # SQLite gives its files to the database's owner where it runs as root, which under the unit it does not.
    for name in sorted(_members("@chown", set()) - calls):
        if number(name) >= 0:
            library.seccomp_rule_add_array(listed, _REFUSE, number(name), 0, None)
    load(listed, "SystemCallFilter")


def main():
    program = os.environ.get("TIDEGATE_SANDBOXED")
    arguments = [program, *sys.argv[1:]] if program else sys.argv[1:]
    confine()
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main()
