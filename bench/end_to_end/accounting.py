"""What a process cost, read from the kernel's own books: CPU, memory, connections, system calls."""

import mmap
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
ESTABLISHED = "01"


def cpu_seconds(pid):
    """CPU of all threads that live: nanoseconds from the scheduler, or ticks where the kernel has no schedstat."""
    total = 0.0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
        except FileNotFoundError:
            total += cpu_of_stat((task / "stat").read_text())
    return total


def cpu_of_stat(line):
    """utime and stime of a stat line; the name before them may hold blanks and brackets."""
    fields = line.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def memory_bytes(pid):
    """The proportional share: what would come back if the process ended."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024


def connections_to(pid, port):
    """Established TCP connections of that process to that port."""
    inodes = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
        except FileNotFoundError:
            continue
    return count_connections(pathlib.Path("/proc/net/tcp").read_text(), inodes, port)


def count_connections(table, inodes, port):
    count = 0
    for line in table.splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) == port and fields[3] == ESTABLISHED and fields[9] in inodes:
            count += 1
    return count


class counted_system_calls:
    """System calls of a process between enter and exit. perf counts a tracepoint and hardly disturbs; strace stops the
    process at each call, so that more commands share a turn, and says less than is true. `tool` says which it was."""

    def __init__(self, pid):
        self.pid = pid
        self.tool = "perf stat" if perf_can_count() else "strace -c" if shutil.which("strace") else None
        self.count = None

    def __enter__(self):
        if self.tool is None:
            return self
        self.file = tempfile.NamedTemporaryFile("r")
        if self.tool == "perf stat":
            command = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", str(self.pid), "-o", self.file.name]
        else:
            command = ["strace", "-c", "-f", "-p", str(self.pid), "-o", self.file.name]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
        if self.tool == "strace -c":
            self.child.stderr.readline()  # "Process N attached"
        return self

    def __exit__(self, *_):
        if self.tool is None:
            return
        self.child.send_signal(signal.SIGINT)
        self.child.communicate(timeout=20)
        text = self.file.read()
        self.file.close()
        self.count = count_of_perf(text) if self.tool == "perf stat" else count_of_strace(text)


def count_of_perf(text):
    found = re.search(r"^(\d+),,raw_syscalls:sys_enter", text, re.MULTILINE)
    return int(found.group(1)) if found else None


def count_of_strace(text):
    found = re.search(r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total$", text, re.MULTILINE)
    return int(found.group(1)) if found else None


def perf_can_count():
    if not shutil.which("perf"):
        return False
    tried = subprocess.run(["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "true"],
                           capture_output=True, text=True, check=False)
    return tried.returncode == 0 and count_of_perf(tried.stderr) is not None


class counted_calls:
    """What the worker threads of a tidegate ask of malloc and of mutexes, counted by a library preloaded into it.
    What OpenSSL asks by itself is counted apart and left out here."""

    SOURCE = pathlib.Path(__file__).resolve().parents[2] / "tests/integration/harness/count_calls.c"
    FIELDS = ("allocations", "openssl_allocations", "locks", "openssl_locks")

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-bench-counts-"))
        self.library, file = self.folder / "count_calls.so", self.folder / "counts"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.library, self.SOURCE, "-ldl"], check=True)
        file.write_bytes(bytes(4096))
        with open(file, "r+b") as opened:
            self.mapped = mmap.mmap(opened.fileno(), 4096)
        self.environment = {"LD_PRELOAD": str(self.library), "COUNT_CALLS_FILE": str(file)}

    def read(self):
        return dict(zip(self.FIELDS, struct.unpack_from("<4Q", self.mapped)))

    def close(self):
        self.mapped.close()
        shutil.rmtree(self.folder, ignore_errors=True)
