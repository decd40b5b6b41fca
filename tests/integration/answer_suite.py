"""Every rule of resp/answer_rules.hpp, all that breaks "one request, one reply", asked between commands whose replies are
known: pipelined, whole and one byte at a time, in RESP2 and RESP3, with a sentinel before, behind and between. What comes
back is byte for byte what a bare server answers; where the proxy answers by design otherwise, what is documented.

A rule without a case fails, so does a case whose sentinels a bare server does not answer as the case says.
"""

import itertools
import re
import unittest

from harness.cases import proxied_case, with_its_own_servers
from harness.exposition import metrics
from harness.faulty_case import faulty_case
from harness.faulty_redis import HONEST, manner
from harness.processes import ROOT, redis_server, tidegate, wait_until
from harness.wire import wire

E = wire.encode
QUIT = E("QUIT")
RULE = re.compile(r'^    \{"([a-z|-]+)", answer::(\w+)(?:, in_multi::(\w+))?\},', re.MULTILINE)
ANSWER_SECONDS_MAX = 20


def rules():
    """name -> (answers, in MULTI) as the table has them."""
    text = (ROOT / "resp/answer_rules.hpp").read_text()
    found = {name: (answers, multi or "queued") for name, answers, multi in RULE.findall(text)}
    assert len(found) == len(re.findall(r'^\s*\{"', text, re.MULTILINE)), "a rule that is written in another way"
    return found


class case:
    """Lines to say; `before` is said first, over a connection to the server itself. `ends`: nothing behind
    them is answered; `only`: the protocols that they are about."""

    def __init__(self, *lines, before=(), ends=False, only=(2, 3)):
        self.lines = [line.split(" ") if isinstance(line, str) else line for line in lines]
        self.before = [line.split(" ") for line in before]
        self.ends = ends
        self.only = only


SETS = ("SET a 1", "SET b 2")
# Commands by the rule that they are about. More than one case: the shapes that its answer has.
CASES = {
    "subscribe": [case("SUBSCRIBE a", "UNSUBSCRIBE"), case("SUBSCRIBE a b c d", "UNSUBSCRIBE a c", "UNSUBSCRIBE"),
                  case("SUBSCRIBE a a a", "SUBSCRIBE a", "UNSUBSCRIBE a a"), case("SUBSCRIBE"),
                  case("SUBSCRIBE a", "PUBLISH a m", "GET a", "PING", "PING x", "RESET"),
                  case("MULTI", "SUBSCRIBE a b", "GET a", "EXEC", "RESET"), case("MULTI", "SUBSCRIBE a", "DISCARD"),
                  case("MULTI", "SUBSCRIBE", "EXEC"), case("CLIENT REPLY OFF", "SUBSCRIBE a b", "RESET"),
                  case("CLIENT REPLY SKIP", "SUBSCRIBE a b", "UNSUBSCRIBE")],
    "psubscribe": [case("PSUBSCRIBE p* q*", "PUNSUBSCRIBE"), case("PSUBSCRIBE p*", "PUBLISH p1 m", "PUNSUBSCRIBE p*"),
                   case("PSUBSCRIBE"), case("MULTI", "PSUBSCRIBE p*", "EXEC", "RESET")],
    "ssubscribe": [case("SSUBSCRIBE a b", "SUNSUBSCRIBE"), case("SSUBSCRIBE a", "SPUBLISH a m", "SUNSUBSCRIBE a"),
                   case("SSUBSCRIBE"), case("MULTI", "SSUBSCRIBE a", "EXEC", "RESET")],
    "unsubscribe": [case("UNSUBSCRIBE"), case("UNSUBSCRIBE a b c"),
                    case("SUBSCRIBE a b", "PSUBSCRIBE p*", "UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE"),
                    case("MULTI", "UNSUBSCRIBE", "EXEC"), case("MULTI", "UNSUBSCRIBE a b", "GET a", "EXEC")],
    "punsubscribe": [case("PUNSUBSCRIBE"), case("PUNSUBSCRIBE p* q*"), case("PSUBSCRIBE p* q* r*", "PUNSUBSCRIBE"),
                     case("MULTI", "PUNSUBSCRIBE", "EXEC")],
    "sunsubscribe": [case("SUNSUBSCRIBE"), case("SUNSUBSCRIBE a b"), case("SSUBSCRIBE a b c", "SUNSUBSCRIBE"),
                     case("MULTI", "SUNSUBSCRIBE", "EXEC")],
    "client|reply": [case("CLIENT REPLY ON"), case("CLIENT REPLY SKIP", "GET a", before=SETS),
                     case("CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "GET a", before=SETS),
                     case("CLIENT REPLY OFF", "GET a", "SET a 2", "NOSUCH", "CLIENT REPLY ON", before=SETS),
                     case("CLIENT REPLY OFF", "GET a", "RESET", before=SETS),
                     case("CLIENT REPLY OFF", "CLIENT REPLY SKIP", "GET a", "CLIENT REPLY ON"),
                     case("CLIENT REPLY SKIP", "RESET", "GET a", before=SETS), case("CLIENT REPLY SKIP", "HELLO 2", "GET a"),
                     case("CLIENT REPLY OFF", "MULTI", "GET a", "EXEC", "CLIENT REPLY ON"),
                     case("CLIENT REPLY SKIP", "MULTI", "GET a", "EXEC"), case("CLIENT REPLY SKIP", "CLIENT GETNAME"),
                     case("MULTI", "CLIENT REPLY SKIP", "GET a", "EXEC", "PING"),
                     case("MULTI", "CLIENT REPLY OFF", "EXEC", "CLIENT REPLY ON"),
                     case("CLIENT REPLY"), case("CLIENT REPLY MAYBE"), case("CLIENT REPLY OFF now"),
                     case("CLIENT REPLY OFF", "BLPOP none 0.01", "CLIENT REPLY ON"), 
                     case("CLIENT REPLY SKIP", "BLPOP none 0.01"), case("CLIENT REPLY SKIP", "SELECT 3", "GET a")],
    "monitor": [case("MONITOR"), case("MONITOR now"), case("MULTI", "MONITOR", "EXEC"), case("MONITOR", "SET a 1", "RESET")],
    "sync": [case("SYNC now"), case("MULTI", "SYNC", "EXEC")],
    "psync": [case("PSYNC"), case("PSYNC x"), case("MULTI", "PSYNC ? -1", "EXEC")],
    "replconf": [case("REPLCONF"), case("REPLCONF ACK 1"), case("REPLCONF capa eof"), case("REPLCONF nosuch x"),
                 case("REPLCONF GETACK *"), case("REPLCONF listening-port 1"), case("REPLCONF capa"),
                 case("MULTI", "REPLCONF ACK 1", "GET a", "EXEC", before=SETS), case("MULTI", "REPLCONF capa eof", "EXEC"),
                 case("MULTI", "REPLCONF ACK 1", "DISCARD")],
    "quit": [case("QUIT", "SET a 2", ends=True), case("QUIT now", ends=True), case("MULTI", "GET a", "QUIT", ends=True),
             case("SUBSCRIBE a", "QUIT", ends=True), case("quit", ends=True)],
    "shutdown": [case("SHUTDOWN ABORT"), case("SHUTDOWN MAYBE"), case("SHUTDOWN SAVE NOSAVE"), case("MULTI", "SHUTDOWN", "EXEC")],
    "multi": [case("MULTI", "EXEC"), case("MULTI", "MULTI", "GET a", "EXEC"), case("MULTI now"),
              case("SUBSCRIBE a", "MULTI", "SUBSCRIBE b c", "GET a", "UNSUBSCRIBE", "RESET", only=(2,)),
              case("MULTI", "SET a 1", "INCR a", "NOSUCH", "EXEC"), case("MULTI", "GET", "EXEC"),
              case("MULTI", "BLPOP none 0", "WAIT 1 0", "XREAD BLOCK 0 STREAMS none $", "EXEC"),
              case("CLIENT SETNAME n", "MULTI", "CLIENT GETNAME", "PING", "UNWATCH", "EXEC"), case("MULTI", "SELECT 2", "SET a 2", "EXEC", "GET a"),
              case("MULTI", "PUBLISH a m", "EXEC"), case("MULTI", ["EVAL", "return {1,{2,'x'},false}", "0"], "EXEC"),
              case("MULTI", "CLIENT ID", "EXEC"), case("MULTI", "CLIENT LIST ID 999999", "CLIENT KILL ID 999999", "EXEC")],
    "exec": [case("EXEC"), case("EXEC now"), case("EXEC now", "MULTI", "CLIENT REPLY SKIP", "EXEC", "GET a", "GET a"),
             case("WATCH a", "SET a 2", "MULTI", "GET a", "EXEC"),
             case("WATCH a", "MULTI", "GET a", "EXEC"), case("MULTI", "INCR w", "GET a", "EXEC", before=["SET w x"]),
             case("MULTI", "GET a", "EXEC now", "EXEC"),
             case("MULTI", "GET a", "EXEC now", "CLIENT REPLY SKIP", "GET a", "HELLO 3", "GET none", "UNSUBSCRIBE")],
    "discard": [case("DISCARD"), case("DISCARD now"), case("MULTI", "GET a", "DISCARD"), case("MULTI", "DISCARD now", "EXEC")],
    "watch": [case("WATCH a b"), case("WATCH"), case("MULTI", "WATCH a", "EXEC"), case("WATCH a", "UNWATCH")],
    "reset": [case("RESET"), case("RESET now"), case("MULTI", "GET a", "RESET", "EXEC"), case("SELECT 3", "RESET", "GET a"),
              case("SUBSCRIBE a", "RESET", "GET a"), case("WATCH a", "SET a 3", "RESET", "MULTI", "EXEC"),
              case("CLIENT SETNAME n", "RESET", "CLIENT GETNAME")],
    "auth": [case("AUTH wrong"), case("AUTH guest wrong"), case("AUTH guest right"), case("AUTH nobody x"), case("AUTH"),
             case("AUTH a b c"), case("AUTH guest wrong", "AUTH guest right", "AUTH guest wrong", "ACL WHOAMI"),
             case("MULTI", "AUTH guest right", "ACL WHOAMI", "EXEC"), case("CLIENT REPLY SKIP", "AUTH guest wrong", "ACL WHOAMI")],
    "hello": [case("HELLO"), case("HELLO 2", "HGETALL none"), case("HELLO 3", "HGETALL none"), case("HELLO 9"), case("HELLO x"),
              case("HELLO 3", "GET none", "HELLO 2", "GET none", "HELLO 3", "GET none"), case("HELLO 3 AUTH guest wrong"),
              case("HELLO 3 AUTH guest right", "ACL WHOAMI"), case("HELLO 2 BAD"), case("HELLO 3 SETNAME n", "CLIENT GETNAME"),
              case("MULTI", "HELLO 3", "GET none", "EXEC", "GET none"), case("MULTI", "HELLO 2", "GET none", "EXEC", "GET none"),
              case("SUBSCRIBE a", "HELLO 3", "UNSUBSCRIBE")],
    "client": [case("CLIENT"), case("CLIENT NOSUCH"), case("CLIENT NOSUCH x"), case("MULTI", "CLIENT NOSUCH", "EXEC")],
    "client|caching": [case("CLIENT CACHING YES"), case("CLIENT CACHING MAYBE"),
                       case("CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES", "GET a", "SET a 1", "GET b", "SET b 1", only=(3,)),
                       case("CLIENT TRACKING ON OPTOUT", "CLIENT CACHING NO", "GET a", "SET a 1", "GET b", "SET b 1", only=(3,)),
                       case("MULTI", "CLIENT CACHING YES", "EXEC")],
    "client|capa": [case("CLIENT CAPA redirect")],
    "client|import-source": [case("CLIENT IMPORT-SOURCE ON")],
    "client|no-evict": [case("CLIENT NO-EVICT ON", "CLIENT NO-EVICT OFF"), case("CLIENT NO-EVICT"),
                        case("MULTI", "CLIENT NO-EVICT ON", "EXEC")],
    "client|no-touch": [case("CLIENT NO-TOUCH ON")],
    "client|setinfo": [case("CLIENT SETINFO LIB-NAME x"), case("CLIENT SETINFO"), case("MULTI", "CLIENT SETINFO LIB-NAME x", "EXEC")],
    "client|setname": [case("CLIENT SETNAME n", "CLIENT GETNAME"), case(["CLIENT", "SETNAME", "a b"]), case("CLIENT SETNAME"),
                       case("MULTI", "CLIENT SETNAME n", "CLIENT GETNAME", "EXEC", "CLIENT GETNAME"),
                       case("SUBSCRIBE a", "CLIENT SETNAME n", "UNSUBSCRIBE", "CLIENT GETNAME")],
    "client|tracking": [case("CLIENT TRACKING ON", "GET a", "SET a 1", "GET a", "SET a 2", "CLIENT TRACKING OFF", only=(3,)),
                        case("CLIENT TRACKING ON NOLOOP", "GET a", "SET a 1", only=(3,)),
                        case("CLIENT TRACKING ON", "GET a", "MULTI", "SET a 1", "GET a", "EXEC", "SET a 2", only=(3,)),
                        case("CLIENT TRACKING ON", "GET a", "FLUSHALL", "SET a 1", only=(3,)),
                        case("MULTI", "CLIENT TRACKING ON", "EXEC", "GET a", "SET a 1", only=(3,)),
                        case("CLIENT TRACKING ON", "GET a", "SET a 1", only=(2,)), case("CLIENT TRACKING MAYBE"),
                        case("CLIENT TRACKING ON REDIRECT 999999")],
    "blmove": [case("BLMOVE l m LEFT RIGHT 0", before=["RPUSH l 1 2"]), case("BLMOVE l m LEFT RIGHT 0.01"),
               case("BLMOVE l m LEFT"), case("BLMOVE l m LEFT RIGHT x"), case("MULTI", "BLMOVE l m LEFT RIGHT 0", "EXEC")],
    "blmpop": [case("BLMPOP 0 1 l LEFT", before=["RPUSH l 1 2"]), case("BLMPOP 0.01 1 l LEFT"), case("BLMPOP 0 x l LEFT")],
    "blpop": [case("BLPOP l m 0", before=["RPUSH l 1 2"]), case("BLPOP l 0.01", "BLPOP l 0.01"), case("BLPOP l x"),
              case("BLPOP l"), case("BLPOP s 0", before=["SET s x"]), case("MULTI", "BLPOP l 0", "EXEC")],
    "brpop": [case("BRPOP l 0", before=["RPUSH l 1 2"]), case("BRPOP l 0.01"), case("BRPOP l -1")],
    "brpoplpush": [case("BRPOPLPUSH l m 0", before=["RPUSH l 1 2"]), case("BRPOPLPUSH l m 0.01")],
    "bzmpop": [case("BZMPOP 0 1 z MIN", before=["ZADD z 1 m"]), case("BZMPOP 0.01 1 z MIN"), case("BZMPOP 0 0 z MIN")],
    "bzpopmax": [case("BZPOPMAX z 0", before=["ZADD z 1 m"]), case("BZPOPMAX z 0.01")],
    "bzpopmin": [case("BZPOPMIN z 0", before=["ZADD z 1 m"]), case("BZPOPMIN z 0.01")],
    "xread": [case("XREAD STREAMS x 0", before=["XADD x 1-1 f v"]), case("XREAD BLOCK 0 STREAMS x 0", before=["XADD x 1-1 f v"]),
              case("XREAD BLOCK 5 STREAMS x $"), case("XREAD STREAMS x"), case("XREAD BLOCK x STREAMS x 0")],
    "xreadgroup": [case("XREADGROUP GROUP g c BLOCK 0 STREAMS x >", before=["XADD x 1-1 f v", "XGROUP CREATE x g 0"]),
                   case("XREADGROUP GROUP g c BLOCK 5 STREAMS x >", before=["XGROUP CREATE x g 0 MKSTREAM"]),
                   case("XREADGROUP GROUP g c STREAMS none >")],
    "wait": [case("WAIT 0 0"), case("SET a 1", "WAIT 0 10"), case("WAIT 1 5"), case("WAIT x y"), case("WAIT 0"),
             case("MULTI", "WAIT 1 0", "EXEC"), case("CLIENT REPLY SKIP", "WAIT 1 5")],
    "waitaof": [case("WAITAOF 0 0 0"), case("WAITAOF 0")],
}

# What is no command's: requests that are none, replies that answer nothing or come in a form of their own.
OTHER_CASES = {
    "an empty array": [b"*0\r\n"], "a null array": [b"*-1\r\n"], "a negative array": [b"*-10\r\n"], "an empty line": [b"\r\n"],
    "a bare line feed": [b"\n"], "blanks": [b" \t \r\n"], "all of them": [b"*0\r\n\r\n*-1\r\n\n \r\n*0\r\n"],
    "empty requests in a transaction": [E("MULTI"), b"*0\r\n", E("GET", "a"), b"\r\n", b"*-1\r\n", E("EXEC")],
    "empty requests under CLIENT REPLY": [E("CLIENT", "REPLY", "SKIP"), b"*0\r\n\r\n*-1\r\n", E("GET", "a"), E("GET", "a")],
    "an empty request behind CLIENT CACHING": [E("CLIENT", "TRACKING", "ON", "OPTIN"), E("CLIENT", "CACHING", "YES"), b"*0\r\n",
                                               E("GET", "a"), E("SET", "a", "1"), E("CLIENT", "TRACKING", "OFF")],
    "an attribute": [E("DEBUG", "PROTOCOL", "attrib")], "a push": [E("DEBUG", "PROTOCOL", "push")],
    "an attribute and a push in a transaction": [E("MULTI"), E("DEBUG", "PROTOCOL", "attrib"), E("DEBUG", "PROTOCOL", "push"),
                                                 E("GET", "a"), E("EXEC")],
    "FAILOVER without a replica": [E("FAILOVER"), E("FAILOVER", "ABORT"), E("FAILOVER", "TO", "h", "x")],
    "events of one's own keys": [E("CONFIG", "SET", "notify-keyspace-events", "KEA"), E("SUBSCRIBE", "__keyevent@0__:set"),
                                 E("SET", "a", "2"), E("GET", "a"), E("UNSUBSCRIBE")],
}

VARYING = [(re.compile(rb"(\$2\r\nid\r\n:)\d+"), rb"\1?"),
           # MONITOR: when, and from which address
           (re.compile(rb"\+\d+\.\d{6} \[(\d+) [^\]]*\]"), rb"+TIME [\1 WHO]"),
           # EXEC's element of CLIENT ID
           (re.compile(rb"(\n\*\d+\r\n(?:\$\d+\r\nsentinel.*\r\n)?:)\d+"), rb"\1?")]
UNSUBSCRIBED = re.compile(rb"((?:[*>]3\r\n\$1\d\r\n[ps]?unsubscribe\r\n\$\d+\r\n.*\r\n:\d+\r\n){2,})")
CHANNEL = re.compile(rb"(?<=unsubscribe\r\n)\$\d+\r\n.*\r\n")


def same(data):
    """Without what is another thing each time: ids, times, and the order in which UNSUBSCRIBE goes through all channels."""
    for pattern, by in VARYING:
        data = pattern.sub(by, data)

    def in_order(run):
        channels = iter(sorted(CHANNEL.findall(run.group(1))))
        return CHANNEL.sub(lambda _: next(channels), run.group(1))

    return UNSUBSCRIBED.sub(in_order, data)


class told:
    """What one conversation says: sentinels before and behind it, and with `between` behind each of its requests."""

    def __init__(self, requests, protocol, number, between):
        def sentinel(place):
            return f"sentinel-{number}-{place}".encode()

        self.before, self.behind = sentinel("before"), sentinel("behind")
        parts = [E("HELLO", "3")] if protocol == 3 else []
        parts.append(E("ECHO", self.before))
        for place, request in enumerate(requests):
            parts.append(request)
            if between and place + 1 < len(requests):
                parts.append(E("ECHO", sentinel(place)))
        self.data = b"".join([*parts, E("ECHO", self.behind), QUIT])


def as_bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text), text)


class answers(proxied_case):
    """A bare server and one behind the proxy are told the same."""

    SERVER_ARGUMENTS = (["hz", "500"], ["repl-diskless-sync-delay", "0"])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = redis_server(arguments=cls.SERVER_ARGUMENTS)
        cls.addClassCleanup(cls.other.stop)

    def setUp(self):
        super().setUp()
        self.numbers = itertools.count()
        self.sides = [wire(self.other), wire(self.server)]
        for side in self.sides:
            self.addCleanup(side.close)
            side.call("ACL", "SETUSER", "guest", "on", ">right", "~*", "&*", "+@all")
        # Another client of the same lanes: it must not hear a word that was said to somebody else.
        self.neighbour = wire(self.proxy)
        self.addCleanup(self.neighbour.close)

    def tearDown(self):
        self.assertEqual(metrics(self.proxy).sum("tidegate_upstream_desynchronised_total"), 0)
        super().tearDown()

    def answer(self, source, data, piece):
        with wire(source, timeout=ANSWER_SECONDS_MAX) as connection:
            try:
                for start in range(0, len(data), piece or len(data)):
                    connection.send_raw(data[start:start + (piece or len(data))])
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was told goodbye while it was still talking
            return connection.read_to_end()

    def compare(self, name, requests, protocol, *, before=(), between=False, piece=None, ends=False):
        what = f"{name} in RESP{protocol}{', with sentinels between' if between else ''}{', byte by byte' if piece else ''}"
        with self.subTest(what):
            for side in self.sides:
                side.call("FLUSHALL")
                side.call("CONFIG", "SET", "notify-keyspace-events", "")
                for line in before:
                    self.assertNotIn("ERR", str(side.call(*line)))
            say = told(requests, protocol, next(self.numbers), between)
            bare = same(self.answer(self.other, say.data, piece))
            self.assertEqual(same(self.answer(self.proxy, say.data, piece)), bare)
            self.assertEqual(bare.count(as_bulk(say.before)), 1)
            self.assertEqual(bare.count(as_bulk(say.behind)), 0 if ends else 1, bare)
            mark = f"neighbour-{next(self.numbers)}".encode()
            self.assertEqual(self.neighbour.call("ECHO", mark), mark)

    def walk(self, **how):
        for name, cases in CASES.items():
            for one in cases:
                for protocol in one.only:
                    self.compare(" ".join([f"{name}:", *map(str, itertools.chain(*one.lines))]),
                                 [E(*line) for line in one.lines], protocol, before=one.before, ends=one.ends, **how)
        for (name, requests), protocol in itertools.product(OTHER_CASES.items(), (2, 3)):
            self.compare(name, requests, protocol, **how)

    def test_every_rule_has_its_cases(self):
        self.assertEqual(sorted(CASES), sorted(rules()))

    def test_are_those_of_a_bare_server(self):
        self.walk()

    def test_are_those_of_a_bare_server_with_sentinels_between(self):
        self.walk(between=True)

    def test_are_those_of_a_bare_server_byte_by_byte(self):
        self.walk(between=True, piece=1)


class answers_with_a_connection_each(answers):
    POOLING = "session"


# Blocks a client, and lets it go; `$` and `>` mean what comes after it.
RELEASED = {
    "blmove": ("BLMOVE l m LEFT RIGHT 0", "RPUSH l 1"), "blmpop": ("BLMPOP 0 2 k l LEFT COUNT 2", "RPUSH l 1 2 3"),
    "blpop": ("BLPOP k l 0", "RPUSH l 1"), "brpop": ("BRPOP k l 0", "RPUSH l 1"),
    "brpoplpush": ("BRPOPLPUSH l m 0", "RPUSH l 1"), "bzmpop": ("BZMPOP 0 1 z MAX", "ZADD z 1 m"),
    "bzpopmax": ("BZPOPMAX z 0", "ZADD z 1 m"), "bzpopmin": ("BZPOPMIN z 0", "ZADD z 1 m"),
    "xread": ("XREAD BLOCK 0 STREAMS x $", "XADD x 1-1 f v"),
    "xreadgroup": ("XREADGROUP GROUP g c BLOCK 0 STREAMS x >", "XADD x 1-1 f v"),
    "wait": ("WAIT 1 0", "CLIENT UNBLOCK"),  # there is no replica
}
NOT_OF_THIS_SERVER = {"waitaof"}  # 7.2


class late_answers(proxied_case):
    """Each command that may wait without an end, while it does: what stands behind it waits too, a client that goes is let
    go."""

    def blocked(self):
        """Ids of the clients that the server keeps waiting."""
        listed = self.control.call("CLIENT", "LIST").decode()
        return [dict(field.split("=", 1) for field in line.split())["id"] for line in listed.splitlines() if " flags=b" in line]

    def setUp(self):
        super().setUp()
        self.control = self.bare()
        self.control.call("XGROUP", "CREATE", "x", "g", "0", "MKSTREAM")

    def test_every_rule_has_its_case(self):
        self.assertEqual(sorted(RELEASED.keys() | NOT_OF_THIS_SERVER),
                         sorted(name for name, (answers, _) in rules().items() if answers == "late"))

    def begin(self, source, protocol, words):
        connection = wire(source, timeout=ANSWER_SECONDS_MAX)
        self.addCleanup(connection.close)
        if protocol == 3:
            connection.call("HELLO", "3")
        connection.send_raw(E("ECHO", "before") + E(*words.split(" ")) + E("ECHO", "behind") + QUIT)
        self.assertEqual(connection.read(), b"before")
        wait_until(self.blocked, what=f"{words} blocks")
        return connection

    def test_come_when_they_come_and_what_is_behind_them_after_that(self):
        for (name, (words, release)), protocol in itertools.product(RELEASED.items(), (2, 3)):
            told = {}
            for side, source in (("redis", self.server), ("tidegate", self.proxy)):
                with self.subTest(f"{name} in RESP{protocol} through {side}"):
                    self.control.call("FLUSHALL")
                    self.control.call("XGROUP", "CREATE", "x", "g", "0", "MKSTREAM")
                    connection = self.begin(source, protocol, words)
                    waiting = self.blocked()
                    self.assertEqual(len(waiting), 1)
                    self.control.call(*release.split(" "), *(waiting if release == "CLIENT UNBLOCK" else []))
                    told[side] = connection.read_to_end()
                    self.assertTrue(told[side].endswith(as_bulk(b"behind") + b"+OK\r\n"), told[side])
            self.assertEqual(told["tidegate"], told["redis"], name)

    def test_are_not_waited_for_when_the_client_goes(self):
        for (name, (words, _)), source in itertools.product(RELEASED.items(), (self.server, self.proxy)):
            for how in ("finish_sending", "reset"):
                with self.subTest(f"{name}, {how}"):
                    getattr(self.begin(source, 2, words), how)()
                    wait_until(lambda: not self.blocked(), what=f"{words} is given up")


class late_answers_with_a_connection_each(late_answers):
    POOLING = "session"


class feeds(with_its_own_servers):
    """MONITOR, SYNC and PSYNC make the connection a feed, of its own: whatever comes on it, nobody else hears of it."""

    POOLING = "multiplex"

    def hear(self, source, control, *begin):
        """What comes behind the sentinel until a write was fed."""
        connection = self.connect(source, timeout=ANSWER_SECONDS_MAX)
        self.assertEqual(connection.call("ECHO", "before"), b"before")  # with replies pending SYNC is refused
        connection.send(*begin)
        got = b""
        while not (got.startswith(b"+OK") or re.search(rb"REDIS\d{4}", got)):
            got += connection.socket.recv(65536)

        def fed():  # a replica is fed only once the server is done with its copy
            nonlocal got
            control.call("SET", "fed", "fed-last")
            got += connection.socket.recv(65536)
            return b"fed-last" in got

        wait_until(fed, what=f"{begin[0]} feeds")
        return got

    def test_are_those_of_a_bare_server_and_nobody_elses(self):
        for begin, shape in ((("MONITOR",), rb'\+OK\r\n(?s:.*)\+[\d.]+ \[0 .*\] "SET" "fed" "fed-last"\r\n'),
                             (("SYNC",), rb"\n*\$\d+\r\nREDIS(?s:.*)fed-last\r\n"),
                             (("PSYNC", "?", "-1"), rb"\+FULLRESYNC \w{40} \d+\r\n\n*\$\d+\r\nREDIS(?s:.*)fed-last\r\n")):
            server = self.start(redis_server, arguments=(["repl-diskless-sync", "no"], ["repl-ping-replica-period", "1"]))
            proxy = self.start(tidegate, server, pooling=self.POOLING)
            control = self.connect(server)
            neighbour = self.connect(proxy)
            for side, source in (("redis", server), ("tidegate", proxy)):
                with self.subTest(f"{begin[0]} through {side}"):
                    self.assertEqual(neighbour.call("ECHO", "n"), b"n")
                    got = self.hear(source, control, *begin)
                    self.assertRegex(got, shape)
                    for number in range(50):
                        self.assertEqual(neighbour.call("ECHO", str(number)), str(number).encode())
            self.assertEqual(metrics(proxy).sum("tidegate_upstream_desynchronised_total"), 0)


class feeds_with_a_connection_each(feeds):
    POOLING = "session"


class a_shutdown(with_its_own_servers):
    """SHUTDOWN that succeeds is not answered, nor is what stands behind it; whoever sent it is disconnected."""

    def test_says_nothing_as_with_a_bare_server(self):
        for pooling, protocol in itertools.product(("multiplex", "session"), (2, 3)):
            told = []
            for proxied in (False, True):
                server = self.start(redis_server)
                source = self.start(tidegate, server, pooling=pooling) if proxied else server
                connection = self.connect(source, timeout=ANSWER_SECONDS_MAX)
                if protocol == 3:
                    connection.call("HELLO", "3")
                # Redis ends with what it has not written yet.
                self.assertEqual(connection.call("ECHO", "before"), b"before")
                connection.send_raw(E("SHUTDOWN", "NOSAVE") + E("ECHO", "behind") +
                                    E("CLIENT", "GETNAME") + E("ECHO", "behind") + QUIT)
                told.append(connection.read_to_end())
            self.assertEqual(told, [b""] * 2)


class answers_of_the_proxy(proxied_case):
    """What the proxy says itself, in its place between sentinels; with CLIENT REPLY it is silent like any other answer."""

    CONFIGURATION = {"ttl": [{"pattern": "must:*", "require": True}],
                     "limits": [{"name": "none", "match": {"key": "blocked:*"}, "rate": "1/h", "burst": 1, "action": "reject"}]}
    OURS = {"TTLREQUIRED": "SET must:1 v", "THROTTLED": "SET blocked:1 v", "TIDEGATE": "TIDEGATE QUOTA",
            "GETNAME": "CLIENT GETNAME", "SETNAME": "CLIENT SETNAME n", "an invalid name": "CLIENT SETNAME a\tb"}

    def test_take_their_place_and_spend_what_holds_for_one_answer(self):
        self.connect().call("SET", "blocked:0", "v")  # the burst
        for (name, words), protocol, piece in itertools.product(self.OURS.items(), (2, 3), (None, 1)):
            with self.subTest(f"{name} in RESP{protocol}{', byte by byte' if piece else ''}"):
                connection = self.connect(timeout=ANSWER_SECONDS_MAX)
                if protocol == 3:
                    connection.call("HELLO", "3")
                request = E(*words.split(" "))
                data = (E("ECHO", "1") + request + E("ECHO", "2") + E("CLIENT", "REPLY", "SKIP") + request + E("ECHO", "3") +
                        E("CLIENT", "REPLY", "OFF") + request + E("CLIENT", "REPLY", "ON") + E("ECHO", "4") + request +
                        E("ECHO", "5"))
                for start in range(0, len(data), piece or len(data)):
                    connection.send_raw(data[start:start + (piece or len(data))])
                got = [connection.read() for _ in range(8)]
                self.assertEqual([got[at] for at in (0, 2, 3, 4, 5, 7)], [b"1", b"2", b"3", "OK", b"4", b"5"], got)
                self.assertNotEqual(str(got[1]), "")


class answers_of_the_proxy_with_a_connection_each(answers_of_the_proxy):
    POOLING = "session"


class replies_that_are_none(faulty_case):
    """Streamed types, which no server sends, are refused: the client is disconnected, never told something untrue."""

    STREAMED = {"a streamed string": b"$?\r\n;4\r\nabcd\r\n;0\r\n", "a streamed array": b"*?\r\n:1\r\n:2\r\n.\r\n",
                "a streamed set": b"~?\r\n+a\r\n.\r\n", "a streamed map": b"%?\r\n+a\r\n:1\r\n.\r\n",
                "a streamed push": b">?\r\n+a\r\n.\r\n", "a part of a string": b";4\r\nabcd\r\n", "an end": b".\r\n"}

    def test_disconnect_whoever_asked(self):
        odd = {name.encode(): data for name, data in self.STREAMED.items()}

        def decide(_, arguments):
            return manner(instead=odd[arguments[1]]) if arguments[0] == b"ECHO" and arguments[1] in odd else HONEST

        self.start(decide)
        for name, protocol in itertools.product(odd, (2, 3)):
            with self.subTest(f"{name.decode()} in RESP{protocol}"):
                connection = self.connect()
                if protocol == 3:
                    connection.call("HELLO", "3")
                connection.send_raw(E("ECHO", "before"))
                self.assertEqual(connection.read(), b"before")
                connection.send_raw(E("ECHO", name) + E("ECHO", "behind"))
                try:
                    self.assertLess(len(connection.read_to_end()), 4)  # no whole frame
                except ConnectionResetError:
                    pass
                self.serves()


class replies_that_are_none_with_a_connection_each(replies_that_are_none):
    POOLING = "session"


if __name__ == "__main__":
    unittest.main()
