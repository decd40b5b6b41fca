"""narrow.py RECORD [--pooling session] [--ttl]: leaves out of a record of differential_client whatever is not needed for
tidegate to answer other than redis-server, and prints what is left, what both answered, and what tidegate logged.

Batches are said one after the other, so a difference that needs two sessions at the same instant is not found again.
"""

import argparse
import itertools
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness.processes import redis_server, tidegate  # noqa: E402
from harness.wire import wire  # noqa: E402

ANSWER_SECONDS_MAX = 0.7
EXCERPT_BYTES = 600
MARK = b"the-end-of-this-batch"
NUMBERS = re.compile(rb"(\$2\r\nid\r\n:)\d+")
TTL = {"ttl": [{"pattern": "s*", "default": "6h", "max": "60d"}, {"pattern": "q*", "default": "1h", "jitter": "20%"}]}
FAR = {"ttl": [{"pattern": "tidegate-never:*", "default": "1h"}],
       "limits": [{"name": "far", "match": {"key": "tidegate-never:*"}, "rate": "1000/s"}]}


def batches_of(data):
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        session, size, how = data[at:end].split()
        yield int(session), data[end + 1:end + 1 + int(size)], how.decode()
        at = end + 1 + int(size)


def commands_of(data):
    """A batch in parts that can be left out by themselves. What is no command is one part to the end."""
    at = 0
    while at < len(data):
        begun = at
        try:
            if data[at:at + 1] == b"*":
                end = data.index(b"\n", at)
                count, at = int(data[at + 1:end]), end + 1
                for _ in range(max(count, 0)):
                    end = data.index(b"\r\n", at)
                    at = end + 4 + int(data[at + 1:end])
            else:
                at = data.index(b"\n", at) + 1
        except ValueError:
            at = len(data)
        yield data[begun:at]


def joined(parts):
    """Commands of one batch are said in one go, as they were."""
    for _, same in itertools.groupby(parts, key=lambda part: part[0]):
        same = list(same)
        yield same[0][1], b"".join(part[2] for part in same), same[0][3]


class side:
    def __init__(self, source):
        self.source = source
        self.open = {}

    def say(self, session, data, how):
        if session not in self.open:
            self.open[session] = wire(self.source, timeout=ANSWER_SECONDS_MAX)
        connection = self.open[session]
        try:
            if how == "waits":
                connection.send_raw(data)  # its answer comes before that of the session's next batch
                return b""
            if how == "ends":
                connection.send_raw(data)
                del self.open[session]
                return connection.read_to_end()
            connection.send_raw(data + wire.encode("PING", MARK))
            said = b""
            while MARK not in said:
                more = connection.socket.recv(1 << 18)
                if not more:
                    raise EOFError
                said += more
            return said
        except OSError as error:
            return f"{type(error).__name__}".encode()
        except EOFError:
            return b"closed"

    def leave(self):
        for connection in self.open.values():
            connection.close()
        self.open = {}


class narrower:
    def __init__(self, options):
        self.bare, self.behind = (redis_server(arguments=[["hz", "500"]]) for _ in range(2))
        self.proxy = tidegate(self.behind, workers=1, pooling=options.pooling, more=TTL if options.ttl else FAR)

    def differs(self, parts):
        """Where a list of (session, bytes, how it ends) is answered differently; None if nowhere."""
        for server in (self.bare, self.behind):
            with wire(server) as connection:
                connection.call("FLUSHALL")
        sides = side(self.bare), side(self.proxy)
        try:
            for session, data, how in joined(parts):
                answers = [NUMBERS.sub(rb"\1?", each.say(session, data, how)) for each in sides]
                if answers[0] != answers[1]:
                    return answers
                if answers[0] == b"TimeoutError":
                    return None  # what is left keeps both silent
            return None
        finally:
            for each in sides:
                each.leave()

    def differs_alike(self, parts, kind):
        """Other bytes stay other bytes: a difference in who closed is another one."""
        answers = self.differs(parts)
        return answers and self.kind_of(answers) == kind

    @staticmethod
    def kind_of(answers):
        return [answer if answer in (b"closed", b"TimeoutError") else b"bytes" for answer in answers]

    def without_the_needless(self, parts, kind):
        for session in sorted({part[1] for part in parts}):
            fewer = [part for part in parts if part[1] != session]
            if self.differs_alike(fewer, kind):
                parts = fewer
        step = max(1, len(parts) // 2)
        while True:
            at = 0
            while at < len(parts):
                fewer = parts[:at] + parts[at + step:]
                if self.differs_alike(fewer, kind):
                    parts = fewer
                else:
                    at += step
            if step == 1:
                return parts
            step //= 2

    def stop(self):
        for one in (self.proxy, self.bare, self.behind):
            one.stop()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("record", type=pathlib.Path)
    options.add_argument("--pooling", default="multiplex")
    options.add_argument("--ttl", action="store_true")
    chosen = options.parse_args()
    os.environ.setdefault("TIDEGATE_BINARY", str(ROOT / "build/release/tidegate"))
    one = narrower(chosen)
    try:
        parts = [(number, *batch) for number, batch in enumerate(batches_of(chosen.record.read_bytes()))]
        answers = one.differs(parts)
        if not answers:
            print("no difference when said one after the other")
            return 1
        kind = one.kind_of(answers)
        parts = one.without_the_needless(parts, kind)
        parts = [(number, session, command, how) for number, session, data, how in parts for command in commands_of(data)]
        parts = one.without_the_needless(parts, kind)
        for session, data, how in joined(parts):
            print(session, how, data[:EXCERPT_BYTES])
        for who, answer in zip(("redis-server", "tidegate"), one.differs(parts) or ()):
            print(f"{who}: {answer[-EXCERPT_BYTES:]}")
        print(one.proxy.log[-2000:])
        return 0
    finally:
        one.stop()


if __name__ == "__main__":
    sys.exit(main())
