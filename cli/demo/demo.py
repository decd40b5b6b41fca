"""`./dev demo`: the two incidents against real servers, without tidegate and with it, side by side in one run.

Everything is on loopback and ends with the demo: two redis-servers, a tidegate, two load generators, a probe. What
tidegate wrote down of each incident stays in build/demo, and `tidegate report` is held to what the load counted. Status 0
if the figures that do not depend on the machine's speed hold, 1 if not, 130 after Ctrl-C.
"""

import os
import signal

if __name__ == "__main__":
    # Before the rest is loaded there is nothing to stop, and Ctrl-C has the same status.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import argparse
import contextlib
import dataclasses
import pathlib
import shutil
import sys
import tempfile
import threading
import time

import display
import evidence
import figures
import keyspace
import outcome
import probe
import scenario
import servers
import traffic
import watch
from board import FORK, PATHS, WITH, WITHOUT, board

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEFT_BEHIND = ROOT / "build/demo"
BUFFERS_SHRINK_SECONDS = 7.0
CHILD_SECONDS_MAX = 5.0


class child:
    """A process of our own making: its function, ended by its pid."""

    def __init__(self, name, body, *arguments):
        self.name = name
        self._process = FORK.Process(target=body, args=arguments, daemon=True)
        self._process.start()

    def is_running(self):
        return self._process.is_alive()

    def stop(self):
        self._process.join(CHILD_SECONDS_MAX)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class stage:
    """What was started, the board between, and the clock of the phases."""

    def __init__(self, stack, binary, status):
        self._stack = stack
        self._status = status
        self.board = board()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.passwords = servers.new_passwords()
        tls = servers.certificates(self.folder)
        self.ca = tls.ca
        self.redis = []
        self.children = []
        for path in PATHS:
            self._started(servers.redis_server(f"redis-{path}", self.folder, tls, self.passwords))
            self.redis.append(self.children[-1])
        self.proxy = self._started(servers.tidegate(binary, self.folder, tls, self.redis[WITH], self.passwords))
        self.first_ledger = self.folder / "first-ledger.db"
        self.ports = (self.redis[WITHOUT].port, self.proxy.port)
        self.phase_seconds_done = 0.0

    def _started(self, one):
        self.children.append(one)
        self._stack.callback(one.stop)
        return one

    def seed(self, before, after, share, label, value_bytes=keyspace.VALUE_BYTES):
        """Both keyspaces at once; each ends at `share` of its memory."""
        encoded = keyspace.commands_of(keyspace.plan(before, after), value_bytes)
        errors = []

        def one(server):
            try:
                with contextlib.closing(server.connect()) as connection:
                    connection.load(encoded)
                    keyspace.fill_to(connection, share, label)
            except Exception as error:  # told to the thread that waits
                errors.append(error)
        threads = [threading.Thread(target=one, args=(server,), daemon=True) for server in self.redis]
        for each in threads:
            each.start()
        for each in threads:
            while each.is_alive():
                each.join(0.1)
                self.check()
        if errors:
            raise errors[0]

    def start_load(self):
        for path in (WITHOUT, WITH):
            self._started(child(f"load {PATHS[path]}", traffic.run, self.board, path, self.ports[path], self.ca,
                                self.passwords))
        self._started(child("probe", probe.run, self.board, self.ports, self.ca, self.passwords))
        # First of all callbacks to run: the load ends by itself, before its servers do.
        self._stack.callback(self.board.enter, "end")
        while not all(side.get("ready") for side in self.board.sides):
            self.check()
            time.sleep(0.05)
        self.loaded_at = time.monotonic()
        self.watcher = watch.watcher(self.redis, self.board)
        self._stack.callback(self.watcher.stop)

    def end(self):
        """The load first, then the watcher and tidegate, whose ledger and capture are then whole."""
        self.board.enter("end")
        for each in self.children:
            if isinstance(each, child):
                each.stop()
        self.watcher.stop()
        self.proxy.stop()

    def check(self):
        for each in self.children:
            if not each.is_running():
                raise servers.failure(f"{each.name} ended in the middle of the run\n{getattr(each, 'log', '')[-2000:]}")
        if getattr(self, "watcher", None) and self.watcher.error:
            raise servers.failure(f"watching failed: {self.watcher.error!r}")

    def enter(self, phase):
        self.board.enter(phase)
        self.show()

    def wait(self, phase):
        """Enters a phase and stays for its seconds."""
        self.enter(phase)
        end = self.board.begun(phase) + scenario.PHASE_SECONDS[phase]
        while time.monotonic() < end:
            self.check()
            self.show()
            time.sleep(max(0.0, min(0.1, end - time.monotonic())))
        self.phase_seconds_done += scenario.PHASE_SECONDS[phase]

    def show(self):
        phase = self.board.phase
        within = min(time.monotonic() - self.board.begun(phase), scenario.PHASE_SECONDS.get(phase, 0.0))
        done = (self.phase_seconds_done + within) / sum(scenario.PHASE_SECONDS.values())
        last = [each[-5:] for each in self.watcher.readings]
        if all(last):
            self._status.show(done, phase, [each[-1].memory for each in last],
                              [figures.command_rate_peak(each, max(1, len(each) - 1)) for each in last])

    def books(self):
        return watch.books(self.proxy, self.board.sides[WITH])


@dataclasses.dataclass(frozen=True)
class played:
    """One burst, as it was seen while it lasted."""
    begin: float
    end: float
    recovered: float
    before: object
    after: object


def play_burst(on_stage, number):
    before = on_stage.books()
    begin = time.monotonic()
    on_stage.wait(f"burst {number}")
    after, end = on_stage.books(), time.monotonic()
    on_stage.wait(f"recovery {number}")
    return played(begin, end, time.monotonic(), before, after)


def settle(on_stage, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        on_stage.check()
        time.sleep(0.05)


def play(on_stage, status):
    first, second = (tuple(map(scenario.scaled_keys, keys)) for keys in scenario.KEYS_BEFORE)
    status.say(f"seeding {first[0]:,} keys, {first[1] / first[0]:.1%} of them without a TTL, into both servers …")
    # The services come first: a new connection's reply buffer of 16 KiB is counted, and shrinks only after five seconds.
    on_stage.start_load()
    on_stage.seed((0, 0), scenario.KEYS_BEFORE[0], scenario.MEMORY_BEFORE[0] - 0.02, "a")
    settle(on_stage, BUFFERS_SHRINK_SECONDS - (time.monotonic() - on_stage.loaded_at))
    on_stage.seed(first, scenario.KEYS_BEFORE[0], scenario.MEMORY_BEFORE[0], "b")
    on_stage.wait("quiet 1")
    bursts = [play_burst(on_stage, 1)]
    on_stage.enter("two days later")
    on_stage.second_begins = time.time()
    # The burst's last connections have gone; its ledger is to show the end of it.
    settle(on_stage, scenario.PHASE_SECONDS["afterwards"])
    evidence.copy_ledger(on_stage.proxy.ledger, on_stage.first_ledger, time.time() * 1000, on_stage.check)
    for server in on_stage.redis:
        with contextlib.closing(server.connect()) as connection:
            keyspace.forget_burst(connection, scenario.BURSTS[0].pattern)
    on_stage.seed(first, scenario.KEYS_BEFORE[1], scenario.MEMORY_BEFORE[1], "c", keyspace.SMALL_VALUE_BYTES)
    on_stage.wait("quiet 2")
    bursts.append(play_burst(on_stage, 2))
    on_stage.wait("afterwards")
    return bursts


def measured(on_stage, number, burst, seen):
    """The figures of one incident."""
    readings = [figures.between(each, seen.begin - 1.0, seen.recovered) for each in on_stage.watcher.readings]
    bursts = [figures.between(each, seen.begin, seen.end) for each in readings]
    sides = on_stage.board.sides
    delayed = seen.after.delayed - seen.before.delayed
    return outcome.incident(
        burst=burst,
        before=tuple(each[0].memory for each in readings),
        peak=tuple(max(each.memory for each in all_of) for all_of in readings),
        command_peak=tuple(map(figures.command_rate_peak, readings)),
        clients=tuple(max(each.clients for each in all_of) for all_of in readings),
        added=tuple(figures.new_keys(each[0], max(each, key=lambda reading: reading.keys)) for each in bursts),
        done=tuple(side.get(f"jobs done {number}") for side in sides),
        due=sides[WITHOUT].get(f"jobs due {number}"),
        booked=figures.shares(seen.before.booked, seen.after.booked, 1),
        counted=figures.shares(seen.before.counted, seen.after.counted, 1),
        booked_writes=figures.shares(seen.before.booked, seen.after.booked, 0),
        counted_writes=figures.shares(seen.before.counted, seen.after.counted, 0),
        delayed=(int(delayed[burst.name]), int(sum(delayed.values()) - delayed[burst.name])),
        latency=figures.medians(figures.window_p99s(on_stage.board.probes(), [(seen.begin, seen.end)])))


def conclude(on_stage, bursts, begun):
    quiet = [(on_stage.board.begun(phase), on_stage.board.begun(phase) + scenario.PHASE_SECONDS[phase])
             for phase in ("quiet 1", "quiet 2")]
    keys = []
    for server in on_stage.redis:
        with contextlib.closing(server.connect()) as connection:
            keys.append(keyspace.run_keys(connection))
    return outcome.outcome(
        incidents=tuple(measured(on_stage, number, burst, seen)
                        for number, (burst, seen) in enumerate(zip(scenario.BURSTS, bursts), 1)),
        quiet_latency=figures.medians(figures.window_p99s(on_stage.board.probes(), quiet)),
        keys=tuple(keys),
        errors=tuple(side.get("errors") for side in on_stage.board.sides),
        seconds=time.monotonic() - begun)


def report(on_stage, binary, result):
    """(the outcome with what the reports say, the configurations that name the evidence)"""
    left = evidence.publish(on_stage.folder, LEFT_BEHIND, on_stage.first_ledger, on_stage.second_begins,
                            on_stage.proxy.told)
    counted = evidence.sums_over_time(on_stage.watcher.counted)
    held = [evidence.held_to(evidence.reported(binary, each), counted) for each in left]
    incidents = tuple(dataclasses.replace(each, report=one) for each, one in zip(result.incidents, held))
    return dataclasses.replace(result, incidents=incidents), left


def introduction(on_stage):
    return "\n".join((
        "The incidents of 10 and 12 February, without and with tidegate: the same traffic at the same time.",
        f"  scale     time and keys 1/{scenario.TIME:.0f}: commands/s and connections are the documents' own",
        f"            memory 1/{scenario.MEMORY:g}: maxmemory {scenario.MAXMEMORY / 2**20:.1f} MiB, each key"
        f" {scenario.KEY_SIZE:.0f} times as large,",
        f"            and 150 KiB/s for each client become {scenario.BYTE_BUDGET // 1024} KiB/s",
        f"  without   rediss://localhost:{on_stage.ports[WITHOUT]}",
        f"  with      rediss://localhost:{on_stage.ports[WITH]} -> rediss://localhost:{on_stage.redis[WITH].port}",
        f"  config    {on_stage.proxy.configuration}",
        f"  metrics   http://127.0.0.1:{on_stage.proxy.admin_port}/metrics",
        "  figures   without | with"))


def run(binary):
    begun = time.monotonic()
    status = display.status_line()
    with contextlib.ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGINT, signal.default_int_handler)
        try:
            on_stage = stage(stack, binary, status)
            status.say(introduction(on_stage))
            bursts = play(on_stage, status)
            result = conclude(on_stage, bursts, begun)
            status.say("tidegate stops, and reports what it wrote down …")
            on_stage.end()
            result, left = report(on_stage, binary, result)
        finally:
            # Nothing may cut the cleaning up short.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            status.clear()
    print("\n" + "\n".join(outcome.lines(result)))
    print("\nWhat tidegate wrote down is in build/demo; ask it, also with --format html, json or slack, and --lang zh:")
    print("\n".join(evidence.commands(ROOT, binary, left)))
    print(f"{result.seconds:.0f} s")
    ended_with = on_stage.proxy.child.returncode
    if ended_with != 0:
        print(f"tidegate ended with status {ended_with} when it was told to stop\n{on_stage.proxy.last_words}")
    return 0 if outcome.holds(result) and ended_with == 0 else 1


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    options = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n\n")[0])
    options.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/tidegate",
                         help="the tidegate to show (default: build/release/tidegate)")
    chosen = options.parse_args()
    if not chosen.binary.is_file():
        options.error(f"{chosen.binary} is not there; ./dev build makes it")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return run(chosen.binary.resolve())
    except KeyboardInterrupt:
        print("stopped; nothing is left behind", file=sys.stderr)
        return 130
    except (servers.failure, OSError, ConnectionError) as error:
        print(f"the demo failed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
