"""The baseline's latency, as one application sees it: one command at a time, on both paths in turn.

A process of its own, so that what is measured is the servers and the proxy, not the load generator.
"""

import gc
import os
import signal
import sys
import time

import scenario
import servers
import wire
from board import PATHS

INTERVAL = 1 / scenario.PROBE_RATE
VALUE = b"v" * 300


def _commands(number):
    """Four reads, one write."""
    if number % 5:
        return ("GET", f"session:token:{scenario.SEEDED_ID + number % 1000}"), None
    command = ("SET", f"checkout:basket:{scenario.RUN_ID + number % 200}", VALUE, "EX", 3600)
    return command, sum(len(str(each)) if not isinstance(each, bytes) else len(each) for each in command[1:])


def run(board, ports, ca, passwords):
    servers.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        _measure(board, [wire.connection(port, ca, scenario.PROBE, passwords[scenario.PROBE]) for port in ports])
    except (OSError, wire.reply_error) as error:
        print(f"probe: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def _measure(board, connections):
    gc.disable()
    number = 0
    slot = board.sides[0].slot(scenario.PROBE)
    next_turn = time.monotonic()
    while board.phase != "end":
        number += 1
        took = [0.0] * len(PATHS)
        command, size = _commands(number)
        # Who goes first changes, so that neither path profits from the other's warm caches.
        for path in (0, 1) if number % 2 else (1, 0):
            begun = time.perf_counter()
            connections[path].call(*command)
            took[path] = time.perf_counter() - begun
            if size is not None:
                board.sides[path].add_write(slot, size)
            board.sides[path].add("commands of the probe")
        board.probed(time.monotonic(), *took)
        next_turn = max(next_turn + INTERVAL, time.monotonic())
        time.sleep(max(0.0, next_turn - time.monotonic()))
