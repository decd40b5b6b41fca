"""An upstream that breaks off, stalls, repeats itself or talks nonsense: at each byte of a reply, in both poolings.

What holds whatever it does: a client gets a beginning of the replies that are due to it, in order, and then either the
documented error for each command that got none, or a close; never a byte of anything else. Clients on other connections
notice nothing, nothing is sent twice, and the next command is served.
"""

import contextlib
import itertools
import os
import re
import threading
import time
import unittest

from harness.exposition import metrics
from harness.faulty_case import LOST, faulty_case
from harness.faulty_redis import bulk, manner
from harness.processes import wait_until
from harness.wire import wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
LOST_LINE = f"-{LOST}\r\n".encode()
AT_ONCE = 12  # dbs, and with them lanes, that fail side by side

SHAPES = {
    "status": b"+OK\r\n",
    "error": b"-ERR no such thing\r\n",
    "integer": b":-12345678901234567890\r\n"[:18] + b"\r\n",
    "bulk": bulk("a value\r\n+OK\r\n$3\r\n"),
    "empty": b"$0\r\n\r\n",
    "nil": b"$-1\r\n",
    "no array": b"*-1\r\n",
    "array": b"*3\r\n" + bulk("one") + b":2\r\n" + b"*2\r\n+three\r\n" + bulk("\r\n"),
    "nothing in it": b"*0\r\n",
}


class each_byte(faulty_case):
    """A reply's every byte is once the last that comes. `first` and `last` are asked for around it in one write."""

    ENDS = ("reset", "close")
    PIPELINE = ((1, 1),)
    COMMAND = "GET"

    def cases(self):
        for (shape, reply), end, (before, behind) in itertools.product(SHAPES.items(), self.ENDS, self.PIPELINE):
            for cut in range(len(reply) + 1):
                yield shape, reply, cut, end, before, behind

    def decide(self, connection, arguments):
        if arguments[0] != self.COMMAND.encode():
            return None
        _, reply, cut, end, _, _ = self.planned[int(arguments[1])]
        return manner(instead=reply, cut=cut, then=end)

    def judge(self, number, got):
        """A sentence if the client saw what it never may."""
        shape, reply, cut, end, before, behind = self.planned[number]
        due = [bulk(f"{number}-before-{place}") for place in range(before)] + [reply]
        for whole in range(len(due) + 1):
            answered = b"".join(due[:whole])
            errors = got[len(answered):]
            if got.startswith(answered) and errors == LOST_LINE * (before + 1 + behind - whole):
                # Behind a FIN everything that was sent before it has been read.
                if end == "close" and (whole != before + (cut == len(reply))):
                    return f"{shape} cut at {cut} of {len(reply)}: {whole} replies and then errors"
                return None
        # The end of half a reply is a reset, which may take what was not read yet along.
        if 0 < cut < len(reply) and (b"".join(due[:-1]) + reply[:cut]).startswith(got):
            return None
        return f"{shape} cut at {cut} of {len(reply)} by {end}: {got!r}"

    def run_one(self, number, connection):
        _, _, _, _, before, behind = self.planned[number]
        connection.send_raw(b"".join(
            [wire.encode("ECHO", f"{number}-before-{place}") for place in range(before)] + [wire.encode(self.COMMAND, number, *["0"] * (self.COMMAND == "EVAL"))] +
            [wire.encode("ECHO", f"{number}-behind-{place}") for place in range(behind)]))
        with contextlib.suppress(OSError):  # it may be closed by now
            connection.finish_sending()
        return connection.read_to_end()

    def test_the_judge_sees_what_a_client_never_may(self):
        self.planned = [("bulk", SHAPES["bulk"], 5, "reset", 1, 1)]
        first = bulk("0-before-0")
        for honest in (b"", first, first + SHAPES["bulk"][:5], first + LOST_LINE * 2, LOST_LINE * 3):
            self.assertIsNone(self.judge(0, honest))
        for wrong in (LOST_LINE, first + LOST_LINE, first + SHAPES["bulk"][:6], first + SHAPES["bulk"], SHAPES["bulk"][:3],
                      first + SHAPES["bulk"][:5] + LOST_LINE, bulk("0-behind-0"), first + LOST_LINE * 3):
            self.assertIsNotNone(self.judge(0, wrong), wrong)

    def test_of_a_reply_may_be_the_last(self):
        self.planned = list(self.cases())
        self.start(self.decide)
        beside = self.beside()
        wrong = []
        numbers = iter(range(len(self.planned)))
        lock = threading.Lock()

        def work(database):
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                try:
                    with wire(self.proxy, timeout=60) as connection:
                        connection.call("SELECT", database)
                        found = self.judge(number, self.run_one(number, connection))
                except (OSError, EOFError, AssertionError) as failure:
                    found = f"{self.planned[number]}: {failure!r}"
                if found:
                    wrong.append(found)

        workers = [threading.Thread(target=work, args=(database,)) for database in range(1, AT_ONCE + 1)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        beside.end()
        self.assertEqual(wrong, [])
        self.assertEqual(beside.wrong, [])
        self.assertGreater(beside.answered, 0)
        self.nothing_was_sent_twice()
        self.nothing_was_sent_twice(self.COMMAND.encode())
        self.assertEqual(len(self.upstream.commands(self.COMMAND.encode())), len(self.planned))
        self.serves()
        print(f"{type(self).__name__}: {len(self.planned)} cuts, {beside.answered} replies beside them")


class each_byte_with_a_connection_each(each_byte):
    POOLING = "session"


class each_byte_of_a_dedicated_connection(each_byte):
    COMMAND = "EVAL"


class each_byte_under_tls(each_byte):
    TLS = True
    # A tenth of the cuts in the short form: what differs is the end of the connection, not the reply.

    def cases(self):
        return itertools.islice(super().cases(), 0, None, 1 if LONG else 10)


@unittest.skipUnless(LONG, "the long form")
class each_byte_of_deeper_pipelines(each_byte):
    PIPELINE = ((0, 0), (0, 5), (5, 0), (17, 40))

    def cases(self):
        yield from super().cases()
        large = bulk("x" * 200_000)  # some reads of the proxy's
        for end in self.ENDS:
            for cut in [*range(0, 12), *range(16_380, 16_390), *range(65_530, 65_545), 131_072, *range(199_990, 200_011)]:
                yield "large", large, cut, end, 3, 3


@unittest.skipUnless(LONG, "the long form")
class each_byte_of_deeper_pipelines_with_a_connection_each(each_byte_of_deeper_pipelines):
    POOLING = "session"




class a_shared_lane(faulty_case):
    """Clients on one lane that stops in the middle of a reply to one of them."""

    def decide(self, connection, arguments):
        return manner(cut=9, then="stall") if arguments[0] == b"GET" else None

    def test_that_stalls_and_ends_closes_only_who_was_given_half_a_reply(self):
        self.start(self.decide)
        beside = self.beside()
        half = self.connect(database=1)
        others = [self.connect(database=1) for _ in range(20)]
        for number, other in enumerate(others):
            self.assertEqual(other.call("ECHO", f"before-{number}"), f"before-{number}".encode())
        self.assertEqual(half.call("SET", "key", "a value"), "OK")
        half.send("GET", "key")
        self.assertEqual(half.socket.recv(100), b"$7\r\na val")
        for number, other in enumerate(others):
            other.send_raw(wire.encode("ECHO", f"in-flight-{number}") * 3)
        # Nobody is told anything before the lane ends, however much goes on elsewhere.
        for number in range(20):
            self.serves(f"meanwhile {number}")
        self.assertEqual(beside.wrong, [])
        beside.end()
        self.upstream.end_all()
        self.assertEqual(half.read_to_end(), b"")
        for number, other in enumerate(others):
            self.assertEqual([other.read() for _ in range(3)], [LOST] * 3)
            self.assertEqual(other.call("ECHO", f"after-{number}"), f"after-{number}".encode())


KINDS_OF_NONSENSE = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "text": b"OK\r\n",
    "nothing but zeros": b"\0" * 4096,
    "a length below zero": b"$-2\r\n",
    "a count below zero": b"*-7\r\n",
    "a length that is no number": b"$12a\r\nxxxxxxxxxxxx\r\n",
    "a length beyond all bounds": b"$99999999999999999999999\r\n",
    "a length beyond what it brings": b"$3\r\nabcdef\r\n",
    "a streamed string": b"$?\r\n;4\r\nabcd\r\n;0\r\n",
    "an integer that is none": b":twelve\r\n",
    "an unknown type within an array": b"*2\r\n+a\r\n@b\r\n",
}


class nonsense(faulty_case):
    """What the upstream sends is no reply."""

    def decide(self, connection, arguments):
        if arguments[0] != b"GET":
            return None
        return manner(instead=KINDS_OF_NONSENSE[arguments[1].decode()])

    def test_closes_both_sides_and_nobody_else(self):
        self.start(self.decide)
        beside = self.beside()
        for number, (kind, bytes_sent) in enumerate(KINDS_OF_NONSENSE.items()):
            with self.subTest(kind):
                before = metrics(self.proxy).sum("tidegate_upstream_errors_total", kind="desynchronised")
                connection = self.connect(database=1)
                connection.send("GET", kind)
                got = connection.read_to_end()
                # A reply that begins as one is passed on as it comes; the client that was given half of one is closed.
                self.assertTrue(bytes_sent.startswith(got), got[:80])
                self.assertLess(len(got), len(bytes_sent))
                self.assertEqual(metrics(self.proxy).sum("tidegate_upstream_errors_total", kind="desynchronised"), before + 1)
                self.serves(f"after {number}")
        beside.end()
        self.assertEqual(beside.wrong, [])
        self.nothing_was_sent_twice()
        # Said once a second at most, with how many it were.
        told = lambda: re.findall(r"sent on (\d+) connection\(s\) what answers no command", self.proxy.log)
        wait_until(lambda: sum(map(int, told())) == len(KINDS_OF_NONSENSE), what="the log to tell of each")


class nonsense_with_a_connection_each(nonsense):
    POOLING = "session"


class the_number_of_replies(faulty_case):
    """Replies that come alone, twice or never."""

    def decide(self, connection, arguments):
        if arguments[0] != b"GET":
            return None
        how, _, _ = arguments[1].partition(b":")
        return {b"twice": manner(times=2), b"never": manner(times=0), b"apart": manner(piece=1)}.get(how)

    def test_may_be_one_too_many_and_the_second_reaches_nobody(self):
        self.start(self.decide)
        beside = self.beside()
        for number in range(50):
            connection = self.connect(database=1)
            self.assertEqual(connection.call("SET", f"twice:{number}", "v"), "OK")
            connection.send("GET", f"twice:{number}")
            # The client that was answered may be served on a new connection or be closed; what it gets is its own.
            with contextlib.suppress(EOFError, ConnectionError):
                self.assertEqual(connection.read(), b"v")
                self.assertEqual(connection.call("ECHO", f"behind-{number}"), f"behind-{number}".encode())
            connection.close()
        beside.end()
        self.assertEqual(beside.wrong, [])
        self.serves()
        # In a bunch of replies the surplus one is seen when none is due any more; until then it would stand for its
        # neighbour's: only a server that miscounts can do that, and nothing in the protocol tells it.
        wait_until(lambda: metrics(self.proxy).sum("tidegate_upstream_errors_total", kind="desynchronised") == 50,
                   what="50 closed connections")

    def test_may_be_one_too_few_and_its_client_waits_without_harm_to_others(self):
        self.start(self.decide)
        beside = self.beside()
        waiting = self.connect(database=1)
        waiting.send("GET", "never:1")
        wait_until(lambda: self.upstream.commands(b"GET"), what="the command upstream")
        for number in range(20):
            self.serves(f"meanwhile {number}")
        self.upstream.end_all()
        if self.POOLING == "multiplex":
            self.assertEqual(waiting.read(), LOST)
            self.assertEqual(waiting.call("ECHO", "alive"), b"alive")
        else:
            self.assertEqual(waiting.read_to_end(), LOST_LINE)
        beside.end()  # its connection was ended with all others
        self.serves()

    def test_may_come_byte_by_byte(self):
        self.start(self.decide)
        connection = self.connect()
        value = "+OK\r\n$-1\r\n" * 300
        self.assertEqual(connection.call("SET", "apart:1", value), "OK")
        connection.send_raw(wire.encode("GET", "apart:1") + wire.encode("ECHO", "behind"))
        self.assertEqual([connection.read(), connection.read()], [value.encode(), b"behind"])


class the_number_of_replies_with_a_connection_each(the_number_of_replies):
    POOLING = "session"


CODES = ("READONLY You can't write against a read only replica.", "LOADING Redis is loading the dataset in memory",
         "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "MOVED 3999 127.0.0.1:6381",
         "ASK 3999 127.0.0.1:6381", "CLUSTERDOWN The cluster is down", "OOM command not allowed when used memory > 'maxmemory'.",
         "NOAUTH Authentication required.", "NOPERM this user has no permissions", "BUSY Redis is busy running a script.",
         "NOREPLICAS Not enough good replicas to write.", "MISCONF Redis is configured to save RDB snapshots",
         "UNKILLABLE Sorry", "TRYAGAIN Multiple keys request during rehashing of slot", "EXECABORT Transaction discarded",
         "WRONGTYPE Operation against a key holding the wrong kind of value", "UPSTREAMS own code")


class errors_of_the_upstream(faulty_case):
    def decide(self, connection, arguments):
        if arguments[0] not in (b"SET", b"EVAL") or arguments[1] == b"honest":
            return None
        return manner(instead=b"-" + arguments[1] + b"\r\n")

    def test_pass_unchanged_and_move_nobody(self):
        self.start(self.decide)
        connection = self.connect()
        connection.call("SET", "honest", "1")
        for code in CODES:
            with self.subTest(code):
                self.assertEqual(connection.call("SET", code, "x"), code)
                self.assertEqual(connection.call("EVAL", code, "0"), code)
                self.assertEqual(connection.call("ECHO", code), code.encode())
        # Hints have been followed by probes by now, and no probe found anything moved.
        wait_until(lambda: len(self.upstream.commands(b"ROLE")) >= 2, what="a probe")
        self.assertEqual(connection.call("ECHO", "still here"), b"still here")
        echoed = {number for number, _, arguments in self.upstream.received if arguments[0] == b"ECHO"}
        self.assertEqual(len(echoed), 1, "the connection of the commands has changed")

    def test_that_a_script_forged_start_no_storm(self):
        self.start(self.decide)
        clients = [self.connect() for _ in range(8)]
        begun = time.monotonic()
        rounds = 2_000 if LONG else 100
        forged = "READONLY forged"
        for _ in range(rounds):
            for client in clients:
                client.send_raw(wire.encode("EVAL", forged, "0") * 4)
            for client in clients:
                self.assertEqual([client.read() for _ in range(4)], [forged] * 4)
        wait_until(lambda: len(self.upstream.commands(b"ROLE")) >= 2, what="a probe")
        seconds = time.monotonic() - begun
        # One look at the start; then a probe a second at most, whatever is forged.
        probes = len(self.upstream.commands(b"ROLE")) - 1
        self.assertLessEqual(probes, 1 + seconds)
        # The control connection, its probes, a lane, and a connection of each client's own.
        self.assertLessEqual(self.upstream.accepted, 2 + probes + len(clients))
        for client in clients:
            self.assertEqual(client.call("ECHO", "alive"), b"alive")
        print(f"{type(self).__name__}: {rounds * 32} forged errors, {probes} probes in {seconds:.1f} s")


class errors_of_the_upstream_with_a_connection_each(errors_of_the_upstream):
    POOLING = "session"
