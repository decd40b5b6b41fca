"""The load of one path, in a process of its own: the services all the time, and each burst in its phase.

A burst is a queue of jobs that fall due by its curve, whether or not the ones before are done; each connection takes
the next job, sends it as one pipeline, and waits for all its replies. A server that delays makes the queue longer, as
it would in production.
"""

import collections
import os
import selectors
import signal
import socket
import ssl
import sys
import time

import commands
import scenario
import servers
import wire

TICK = 0.004
OPENED_A_TICK_MAX = 2
PHASES_OF_BURSTS = (("burst 1", "recovery 1"), ("burst 2", "recovery 2"))


class client:
    """One connection: logged in, named, then never blocking."""

    def __init__(self, load, user, name, slot):
        plain = socket.create_connection(("127.0.0.1", load.port), 30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = load.tls.wrap_socket(plain, server_hostname="localhost")
        greeting = wire.encode("AUTH", user, load.passwords[user])
        if name:
            greeting += wire.encode("CLIENT", "SETNAME", name)
        self._socket.sendall(greeting)
        self._replies = wire.replies()
        answered = b""
        while len(answered) < (2 if name else 1):
            data = self._socket.recv(4096)
            if not data:
                raise ConnectionError("closed while logging in")
            answered += bytes(self._replies.feed(data))
        if b"-" in answered:
            raise ConnectionError(f"{user} was refused")
        self._socket.setblocking(False)
        self._load = load
        self._slot = slot
        self._out = b""
        self._sizes = collections.deque()
        self._when_done = None
        load.selector.register(self._socket, selectors.EVENT_READ, self)

    @property
    def idle(self):
        return not self._sizes

    def send(self, batch, when_done=None):
        data, sizes = batch
        self._sizes.extend(sizes)
        self._when_done = when_done
        self._out += data
        self._flush()

    def _flush(self):
        try:
            sent = self._socket.send(self._out)
            self._out = self._out[sent:]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if self._load.selector.get_key(self._socket).events != wanted:
            self._load.selector.modify(self._socket, wanted, self)

    def ready(self, events):
        if events & selectors.EVENT_WRITE and self._out:
            self._flush()
        while True:
            try:
                data = self._socket.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not data:
                raise ConnectionError("the server closed a connection")
            self._take(self._replies.feed(data))
            if not self._socket.pending():
                break
        if not self._sizes and self._when_done:
            done, self._when_done = self._when_done, None
            done(self)

    def _take(self, kinds):
        side, slot, sizes = self._load.side, self._slot, self._sizes
        side.add("commands", len(kinds))
        for kind in kinds:
            size = sizes.popleft()
            if kind == 45:  # -
                side.add("errors")
            elif size is not None:
                side.add_write(slot, size)

    def close(self):
        self._load.selector.unregister(self._socket)
        self._socket.close()


class service_load:
    def __init__(self, load, index, service):
        slot = load.side.slot(service.name)
        self._clients = [client(load, service.user, service.client_name.format(number), slot)
                         for number in range(service.connections)]
        self._commands = commands.service_commands(index, service)
        self._rate = service.share * (scenario.BASELINE_RATE - scenario.PROBE_RATE)
        self._leak_rate = service.share * scenario.CHRONIC_RATE
        self._sent = 0
        self._leaked = 0
        self.connections = len(self._clients)

    def turn(self, running):
        # What fell due while every connection was busy (a stall) is not caught up in one go.
        for _ in range(self.connections):
            if self._sent >= running * self._rate:
                return
            free = next((each for each in self._clients if each.idle), None)
            if free is None:
                return
            self._clients.remove(free)
            self._clients.append(free)
            self._sent += 1
            if self._leaked < running * self._leak_rate:
                self._leaked += 1
                free.send(self._commands.leak())
            else:
                free.send(self._commands.next())


class burst_load:
    def __init__(self, load, index, burst):
        self._load = load
        self._number = index + 1
        self._burst = burst
        self._slot = load.side.slot(burst.name)
        self._jobs = commands.burst_jobs(index, burst)
        self._taken = 0
        self._tails_taken = 0
        self._opened = 0
        self._clients = []

    @property
    def connections(self):
        return len(self._clients)

    def turn(self, since):
        due = self._burst.jobs_due(since)
        self._load.side.set(f"jobs due {self._number}", due)
        self._match_connections(round(self._burst.connections.at(since)))
        tails = 0
        if self._number == 1 and since > self._burst.seconds:
            tails = int(scenario.TAIL_1.sum_to(since) / self._burst.job_commands)
        for each in self._clients:
            if not each.idle:
                continue
            if self._taken < due:
                self._taken += 1
                each.send(self._jobs.next(), self._done)
            elif self._tails_taken < tails:
                self._tails_taken += 1
                each.send(self._jobs.tail())
            else:
                return

    def _done(self, _):
        self._load.side.add(f"jobs done {self._number}")

    def _match_connections(self, wanted):
        for _ in range(min(wanted - len(self._clients), OPENED_A_TICK_MAX)):
            self._opened += 1
            self._clients.append(client(self._load, self._burst.user, self._burst.client_name.format(self._opened),
                                        self._slot))
        for each in [each for each in self._clients if each.idle][:max(0, len(self._clients) - wanted)]:
            self._clients.remove(each)
            each.close()

    def stop(self):
        for each in self._clients:
            each.close()
        self._clients = []


class path_load:
    def __init__(self, board, path, port, ca, passwords):
        self.board, self.port, self.passwords = board, port, passwords
        self.side = board.sides[path]
        self.tls = wire.context(ca)
        self.selector = selectors.DefaultSelector()
        self._services = [service_load(self, index, each) for index, each in enumerate(scenario.SERVICES)]
        self._bursts = [burst_load(self, index, each) for index, each in enumerate(scenario.BURSTS)]

    def run(self):
        begun = time.monotonic()
        self.side.set("ready", 1)
        while True:
            phase = self.board.phase
            if phase == "end":
                return
            now = time.monotonic()
            for each in self._services:
                each.turn(now - begun)
            for each, phases in zip(self._bursts, PHASES_OF_BURSTS):
                if phase in phases:
                    each.turn(now - self.board.begun(phases[0]))
                elif each.connections:
                    each.stop()
            self.side.set("connections", sum(each.connections for each in self._services + self._bursts))
            until = now + TICK
            while True:
                for key, events in self.selector.select(max(0.0, until - time.monotonic())):
                    key.data.ready(events)
                if time.monotonic() >= until:
                    break


def run(board, path, port, ca, passwords):
    """The body of the process."""
    servers.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(5)  # the servers under test come first
    try:
        path_load(board, path, port, ca, passwords).run()
    except (OSError, ValueError, wire.reply_error) as error:
        print(f"load of path {path}: {error!r}", file=sys.stderr, flush=True)
        sys.exit(1)
