"""What a process costs, as the kernel counts it; and whether this run takes the long forms."""

import os
import pathlib
import resource
import sys

KIB = 1024
MIB = 1024 * KIB
_TICKS = os.sysconf("SC_CLK_TCK")


def is_long():
    return "TIDEGATE_LONG" in os.environ


def short_or_long(short, long):
    return long if is_long() else short


def memory_of(pid):
    """Bytes of memory that the process asked for: pages of its files come and go as others run them and the kernel needs
    room, and buffers of sockets are not its memory at all."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * KIB
    raise AssertionError(f"no Pss_Anon of process {pid}")


def unread_of(server, connection):
    """Bytes of a client's plain connection that the process listening there has not read yet."""
    ends = (f":{server.port:04X}", f":{connection.socket.getsockname()[1]:04X}")
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1][8:], fields[2][8:]) == ends:
            return int(fields[4].partition(":")[2], 16)
    raise AssertionError(f"no connection from port {ends[1]} to {ends[0]}")


def cpu_seconds_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def descriptors_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def connections_possible(wanted):
    """How many of `wanted` a process of ours can hold: a proxy gives half of its descriptors to clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, (hard - 64) // 2 - 32)


def say(figure):
    """A figure for whoever reads the log; no test depends on it."""
    print(figure, file=sys.stderr, flush=True)
