"""Byte strings sent to a bare redis-server and through tidegate: what comes back must be the same, byte for byte.

Each exchange goes over a fresh connection and ends with QUIT or a half-close, so that the end of the answer is the end of
the stream and no time has to be waited for. Two servers with the same configuration see the same exchanges in the same
order, one of them through the proxy, so that their data stay equal.
"""

import re
import time

from harness.cases import proxied_case
from harness.processes import redis_server
from harness.wire import wire

ANSWER_SECONDS_MAX = 10
QUIT = b"*1\r\n$4\r\nQUIT\r\n"
E = wire.encode


def commands(*lines):
    return b"".join(E(*line.split(" ")) if isinstance(line, str) else E(*line) for line in lines)


# name -> bytes; QUIT is appended unless the bytes end the connection themselves.
PLAIN = {
    "inline": b"PING\r\nSET a 1\r\nGET a\r\n",
    "inline with bare line feeds": b"PING\nSET a 1\nGET a\n",
    "inline with quotes and escapes": b"SET q \"a\\x41\\n\\\"b\"\r\nGET q\r\nSET r 'it\\'s'\r\nGET r\r\nECHO \"\"\r\n",
    "inline with many spaces and tabs": b"  PING  \r\n\tECHO\t x \r\n",
    "inline and multibulk mixed": b"PING\r\n" + E("ECHO", "x") + b"GET a\r\n" + E("PING"),
    "empty lines": b"\r\n\r\n\n" + E("PING") + b"\r\n",
    "empty and negative arrays": b"*0\r\n*-1\r\n*-10\r\n" + E("PING"),
    "an empty bulk as the name": b"*1\r\n$0\r\n\r\n",
    "names in any case": commands("pInG", "sEt k v", "GeT k"),
    "unknown commands": commands("NOSUCH", "nosuch a b c", ["NO\r\nSUCH", "x"], ["\x00\xff".encode("latin1"), "y"]),
    "an unknown command with long arguments": commands(["NOSUCH", "x" * 300, "y" * 300]),
    "an unknown command with a long name": commands(["N" * 300, "y"]),
    "unknown subcommands": commands("CLIENT NOSUCH", "CONFIG NOSUCH x", "XGROUP NOSUCH a b", "OBJECT NOSUCH k"),
    "bytes that are no protocol": bytes(range(128, 256)) + b"\r\n",
    "ping with and without": commands("PING", "PING hello", "PING a b"),
    "strings": commands("SET s v", "GET s", "SET s w NX", "SET s w XX GET", "SETRANGE s 2 zz", "GETRANGE s 0 -1",
                        "APPEND s !", "STRLEN s", "GETDEL s", "GET s", "INCR n", "INCRBYFLOAT n 0.5", "INCR n"),
    "wrong types": commands("SET t v", "LPUSH t x", "SADD t x", "HSET t f v", "ZADD t 1 m", "INCR t", "XADD t * f v"),
    "syntax errors": commands("SET k v EX", "SET k v EX 0", "SET k v EX abc", "SET k v NX XX", "EXPIRE k abc",
                              "ZADD z abc m", "LRANGE k a b", "GETEX k EX -1", "BITOP NOT a b c"),
    "collections": commands("RPUSH l a b c", "LRANGE l 0 -1", "LPOP l 2", "HSET h f 1 g 2", "HGETALL h", "SADD s a",
                            "SMEMBERS s", "ZADD z 1 a 2.5 b", "ZRANGE z 0 -1 WITHSCORES", "ZSCORE z b", "XADD x 1-1 f v",
                            "XRANGE x - +", "PFADD p a b", "PFCOUNT p", "GEOADD g 13.36 38.11 P", "GEOPOS g P",
                            "SETBIT b 7 1", "BITCOUNT b"),
    "nil replies": commands("GET none", "LPOP none", "LPOP none 3", "HGET none f", "ZSCORE none m", "MGET none none"),
    "a transaction": commands("MULTI", "SET a 1", "INCR a", "EXEC", "GET a"),
    "a discarded transaction": commands("MULTI", "SET a 1", "DISCARD", "GET a"),
    "a transaction with an unknown command": commands("MULTI", "NOSUCH", "SET a 1", "EXEC", "GET a"),
    "a transaction with a wrong arity": commands("MULTI", "SET a", "EXEC"),
    "a transaction with an error inside": commands("SET a x", "MULTI", "INCR a", "SET b 2", "EXEC", "GET b"),
    "an empty transaction": commands("MULTI", "EXEC"),
    "nested MULTI": commands("MULTI", "MULTI", "SET a 1", "EXEC"),
    "EXEC, DISCARD and WATCH out of place": commands("EXEC", "DISCARD", "MULTI", "WATCH a", "EXEC", "UNWATCH"),
    "WATCH that holds": commands("WATCH a", "MULTI", "SET a 1", "EXEC"),
    "WATCH that is broken by itself": commands("WATCH a", "SET a 1", "MULTI", "SET a 2", "EXEC", "GET a"),
    "WATCH and UNWATCH": commands("WATCH a", "SET a 1", "UNWATCH", "MULTI", "SET a 2", "EXEC", "GET a"),
    "SELECT": commands("SELECT 3", "SET a 3", "SELECT 0", "GET a", "SELECT 3", "GET a", "SELECT 99", "GET a",
                       "SELECT x", "SELECT -1"),
    "SELECT in a transaction": commands("SET a 0", "MULTI", "SELECT 2", "SET a 2", "EXEC", "GET a", "SELECT 0", "GET a"),
    "SELECT in a discarded transaction": commands("MULTI", "SELECT 2", "DISCARD", "SET a 0", "SELECT 2", "GET a"),
    "MOVE, COPY and SWAPDB": commands("SET m 1", "MOVE m 4", "COPY m n", "SET c 1", "COPY c d DB 5", "SELECT 5", "GET d",
                                      "SWAPDB 5 6", "GET d", "SELECT 6", "GET d"),
    "HELLO without a version twice": commands("HELLO 9", "HELLO x", "HELLO 1", "HELLO 2 BAD", "HELLO 2 AUTH a",
                                              "HELLO 3 SETNAME", "HELLO 3 SETNAME a\tb"),
    "HELLO 2": commands("HELLO 2", "HGETALL none"),
    "HELLO 3 and typed replies": commands("HELLO 3", "HSET h f 1", "HGETALL h", "GET none", "SADD s a", "SMEMBERS s",
                                          "ZADD z 1.5 m", "ZSCORE z m", "ZRANGE z 0 -1 WITHSCORES", "DEBUG PROTOCOL attrib",
                                          "DEBUG PROTOCOL push", "DEBUG PROTOCOL bignum", "DEBUG PROTOCOL verbatim",
                                          "DEBUG PROTOCOL double", "DEBUG PROTOCOL true", "DEBUG PROTOCOL null",
                                          "DEBUG PROTOCOL map", "DEBUG PROTOCOL set"),
    "2 to 3 to 2": commands("HGETALL none", "HELLO 3", "HSET h f 1", "HGETALL h", "HELLO 2", "HGETALL h", "GET none",
                            "HELLO 3", "GET none"),
    "a pipeline across HELLO": commands(*(["SET p 1", "GET none"] * 20), "HELLO 3", *(["GET none"] * 20), "HELLO 2",
                                        *(["GET none"] * 20)),
    "CLIENT SETNAME and GETNAME": commands("CLIENT GETNAME", "CLIENT SETNAME app", "CLIENT GETNAME",
                                           ["CLIENT", "SETNAME", "a b"], ["CLIENT", "SETNAME", ""], "CLIENT GETNAME",
                                           "CLIENT SETNAME", "CLIENT GETNAME x"),
    "CLIENT SETNAME after a dedicated command": commands("SUBSCRIBE c", "UNSUBSCRIBE c", "CLIENT SETNAME app",
                                                         "CLIENT GETNAME"),
    "CLIENT SETINFO, that 7.0 does not know": commands("CLIENT SETINFO LIB-NAME x", "CLIENT SETINFO NO y"),
    "CLIENT with wrong words": commands("CLIENT", "CLIENT REPLY", "CLIENT REPLY MAYBE", "CLIENT KILL", "CLIENT PAUSE x",
                                        "CLIENT TRACKING MAYBE", "CLIENT CACHING YES", "CLIENT NO-EVICT MAYBE",
                                        "CLIENT GETREDIR", "CLIENT UNBLOCK 999999999", "CLIENT TRACKINGINFO"),
    "CLIENT REPLY OFF and ON": commands("SET a 1", "CLIENT REPLY OFF", "SET a 2", "GET a", "CLIENT REPLY ON", "GET a"),
    "CLIENT REPLY SKIP": commands("CLIENT REPLY SKIP", "SET a 2", "GET a", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP",
                                  "GET a", "GET a"),
    "CLIENT REPLY OFF and the end": commands("SET a 1", "CLIENT REPLY OFF", "SET a 2"),
    "CLIENT REPLY in a transaction": commands("MULTI", "CLIENT REPLY SKIP", "SET a 1", "EXEC", "PING", "PING"),
    "pub/sub": commands("SUBSCRIBE a b", "PSUBSCRIBE p*", "UNSUBSCRIBE a", "PUNSUBSCRIBE", "UNSUBSCRIBE", "PING"),
    "what pub/sub forbids in RESP2": commands("SUBSCRIBE a", "GET x", "PING", "PING x", "SET a 1", "MULTI", "UNSUBSCRIBE",
                                              "GET x"),
    "UNSUBSCRIBE from nothing": commands("UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE a b", "PING", "SUNSUBSCRIBE"),
    "shard pub/sub": commands("SSUBSCRIBE a", "SPUBLISH a m", "SUNSUBSCRIBE a", "PING"),
    "pub/sub in RESP3 with commands between": commands("HELLO 3", "SUBSCRIBE a", "SET x 1", "GET x", "PUBLISH a m1",
                                                       "GET x", "PSUBSCRIBE a*", "PUBLISH a m2", "UNSUBSCRIBE", "PING"),
    "messages to oneself in a transaction": commands("HELLO 3", "SUBSCRIBE a", "MULTI", "PUBLISH a m", "GET x", "EXEC",
                                                     "PING"),
    "SUBSCRIBE in a transaction": commands("MULTI", "SUBSCRIBE a", "EXEC", "PING"),
    "pub/sub under CLIENT REPLY OFF": commands("CLIENT REPLY OFF", "SUBSCRIBE a", "UNSUBSCRIBE a", "CLIENT REPLY ON",
                                               "PING"),
    "tracking": commands("HELLO 3", "CLIENT TRACKING ON", "GET a", "SET a 1", "CLIENT TRACKINGINFO", "CLIENT GETREDIR",
                         "GET a", "CLIENT TRACKING OFF", "SET a 2"),
    "tracking with opt-in": commands("HELLO 3", "CLIENT TRACKING ON OPTIN", "GET a", "CLIENT CACHING YES", "GET b", "SET a 1",
                                     "SET b 1", "PING"),
    "tracking without RESP3": commands("CLIENT TRACKING ON", "CLIENT TRACKING ON REDIRECT 999999", "GET a"),
    "RESET": commands("RESET", "SET a 1", "SELECT 3", "CLIENT SETNAME n", "MULTI", "SET a 2", "RESET", "GET a",
                      "CLIENT GETNAME", "EXEC"),
    "RESET out of RESP3 and pub/sub": commands("HELLO 3", "SUBSCRIBE a", "RESET", "GET none", "HGETALL none"),
    "RESET out of WATCH": commands("WATCH a", "SET a 1", "RESET", "MULTI", "SET a 2", "EXEC"),
    "RESET out of CLIENT REPLY OFF": commands("CLIENT REPLY OFF", "SET a 1", "RESET", "PING"),
    "RESET with arguments": commands("RESET now"),
    "nothing after QUIT": commands("SET a 1", "QUIT", "SET a 2", "GET a"),
    "QUIT with arguments": commands("QUIT now", "PING"),
    "QUIT in a transaction": commands("MULTI", "SET a 1", "QUIT"),
    "AUTH without a password set": commands("AUTH x", "AUTH default x", "AUTH nobody x", "AUTH", "AUTH a b c", "PING"),
    "scripts": commands(["EVAL", "return {1,'two',{3},false}", "0"], ["EVAL", "return redis.call('SET',KEYS[1],'v')", "1", "k"],
                        ["EVAL", "return redis.error_reply('MY ERR')", "0"], ["EVAL", "syntax error", "0"],
                        ["EVAL", "return redis.call('NOSUCH')", "0"], ["EVALSHA", "f" * 40, "0"],
                        ["EVAL", "return 1", "-1"], ["EVAL", "return 1", "5", "a"],
                        ["EVAL_RO", "return redis.call('SET',KEYS[1],'v')", "1", "k"],
                        ["SCRIPT", "LOAD", "return 1"], ["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"]),
    "scripts in RESP3": commands("HELLO 3", ["EVAL", "redis.setresp(3); return redis.call('HGETALL',KEYS[1])", "1", "h"],
                                 ["EVAL", "return {double=3.5}", "0"], ["EVAL", "return {map={a=1}}", "0"],
                                 ["EVAL", "return {set={a=true}}", "0"]),
    "an error that looks like a redirection": commands(["EVAL", "return redis.error_reply('MOVED 1 10.0.0.1:6379')", "0"],
                                                       "PING"),
    "an error that looks like a failover": commands(
        ["EVAL", "return redis.error_reply('READONLY You cannot write')", "0"], "PING",
        ["EVAL", "return redis.error_reply('LOADING data')", "0"], "PING"),
    "deep nesting": commands(["EVAL", "local t={} local r=t for i=1,100 do t[1]={} t=t[1] end return r", "0"], "PING"),
    "functions": commands(["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function(k,a) return a[1] end)"],
                          "FCALL f 0 x", "FCALL nosuch 0", "FUNCTION LIST", "FUNCTION DELETE lib"),
    "blocking commands that need not wait": commands("RPUSH l a b c", "BLPOP l 0", "BLMOVE l m LEFT RIGHT 0", "BLMPOP 1 1 l LEFT",
                                                     "ZADD z 1 a", "BZPOPMIN z 0", "XADD x 1-1 f v",
                                                     "XREAD BLOCK 0 STREAMS x 0"),
    "blocking commands with bad timeouts": commands("BLPOP l x", "BLPOP l -1", "BRPOP l", "BLMPOP x 1 l LEFT"),
    "a blocking command that times out": commands("BLPOP none 0.01", "PING", "BZPOPMAX none 0.01", "XREAD BLOCK 5 STREAMS x $"),
    "blocking commands in a transaction": commands("MULTI", "BLPOP none 0", "EXEC"),
    "WAIT": commands("SET a 1", "WAIT 0 10", "WAIT 0", "WAIT x y", "WAIT 0 -1"),
    "REPLCONF ACK, that nobody answers": commands("REPLCONF ack 1", "PING"),
    "scans": commands("SET a 1", "SCAN 0 COUNT 1000", "SCAN x", "HSCAN none 0", "SSCAN none 0"),
    "sort and store": commands("RPUSH l 3 1 2", "SORT l", "SORT l STORE d", "LRANGE d 0 -1", "SORT l BY nosort GET # STORE e"),
    "set algebra": commands("SADD a 1 2", "SADD b 2 3", "SINTERSTORE c a b", "SMEMBERS c", "ZUNIONSTORE z 2 a b",
                            "ZRANGE z 0 -1 WITHSCORES", "SINTERCARD 2 a b"),
    "dump and restore": commands("SET d v", ["RESTORE", "e", "0", "bad"], "DUMP none", "OBJECT ENCODING d", "OBJECT HELP"),
    "memory and type": commands("SET k v", "TYPE k", "TYPE none", "TTL k", "PTTL none", "EXPIRE k 100", "PERSIST k", "TOUCH k",
                                "EXISTS k k none", "UNLINK k", "RENAME none x", "RENAMENX none x"),
    "COMMAND": commands("COMMAND COUNT", "COMMAND INFO get nosuch", "COMMAND GETKEYS mset a 1 b 2", "COMMAND GETKEYS get",
                        "COMMAND LIST FILTERBY MODULE x", "COMMAND DOCS nosuch"),
    "CONFIG": commands("CONFIG GET maxmemory-policy", "CONFIG SET nosuch 1", "CONFIG SET maxmemory abc", "CONFIG GET"),
    "ACL": commands("ACL WHOAMI", "ACL CAT nosuch", "ACL GETUSER nobody", "ACL SETUSER x bad", "ACL DRYRUN default get a"),
    "CLUSTER on a server without": commands("CLUSTER INFO", "CLUSTER SLOTS", "READONLY", "ASKING", "GET a"),
    "replication commands": commands("ROLE", "REPLICAOF", "REPLCONF capa", "REPLCONF nosuch x"),
    "DEBUG errors": commands("DEBUG OBJECT none", "DEBUG NOSUCH", "DEBUG STRINGMATCH-LEN 10 a"),
    "LATENCY and SLOWLOG": commands("SLOWLOG LEN x", "LATENCY NOSUCH", "MEMORY USAGE none", "MEMORY NOSUCH"),
    "binary keys and values": commands(["SET", b"\x00\r\n\xff", bytes(range(256))], ["GET", b"\x00\r\n\xff"]),
    "an empty key and value": commands(["SET", "", ""], ["GET", ""], ["STRLEN", ""]),
    "10,000 arguments": commands(["RPUSH", "many", *map(str, range(9998))], "LLEN many", "LRANGE many 0 -1"),
    "a pipeline of 5,000": commands(*(f"SET p:{n} {n}" for n in range(2500)), *(f"GET p:{n}" for n in range(2500))),
    "a value of 8 MiB": commands(["SET", "big", b"x" * (8 << 20)], "STRLEN big", "GET big"),
}

# What ends the connection by itself: no QUIT behind it, except where the test is that nothing runs after the error.
MALFORMED = {
    "a bulk length that is no number": b"*2\r\n$3\r\nGET\r\n$x\r\n",
    "a negative bulk length": b"*2\r\n$3\r\nGET\r\n$-1\r\n",
    "a bulk length beyond 512 MB": b"*2\r\n$3\r\nGET\r\n$536870913\r\n",
    "a multibulk length that is no number": b"*x\r\n",
    "a multibulk length beyond the limit": b"*2147483648\r\n",
    "a multibulk length with a sign": b"*+1\r\n$4\r\nPING\r\n",
    "a missing dollar": b"*1\r\n:4\r\nPING\r\n",
    "a missing dollar after a good one": b"*2\r\n$3\r\nGET\r\nx\r\n",
    "unbalanced quotes": b"SET a \"unbalanced\r\n",
    "a quote that is followed by text": b"SET a \"b\"c\r\n",
    "a malformed frame behind good ones": commands("SET a 1", "GET a") + b"*1\r\n:4\r\nPING\r\n" + commands("SET a 2"),
    "a malformed frame behind a slow one": commands(["EVAL", "for i=1,100000 do end return 1", "0"]) + b"*1\r\n@\r\n",
    "a malformed frame in a transaction": commands("MULTI", "SET a 9") + b"*1\r\n@\r\n",
    "an inline line beyond 64 KiB": b"x" * (70 * 1024),
    "a multibulk count beyond 64 KiB": b"*" + b"1" * (70 * 1024),
    "a bulk count beyond 64 KiB": b"*1\r\n$" + b"1" * (70 * 1024),
    "HTTP POST": b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP Host": b"Host: x\r\n\r\nPING\r\n",
}

# Half a frame and a half-close: nothing runs, nothing is answered.
UNFINISHED = {
    "half a multibulk": b"*2\r\n$3\r\nGET\r\n$1\r\n",
    "half a bulk": commands("PING") + b"*2\r\n$3\r\nGET\r\n$10\r\nabc",
    "an inline without an end": commands("PING") + b"SET a 1",
}


class transparency(proxied_case):
    SERVER_ARGUMENTS = (["hz", "10"],)
    CONFIGURATION = {"ttl": [{"pattern": "tidegate-never:*", "default": "1h"}],
                     "limits": [{"name": "far", "match": {"key": "tidegate-never:*"}, "rate": "1000/s"}]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = redis_server(arguments=cls.SERVER_ARGUMENTS)
        cls.addClassCleanup(cls.other.stop)

    def setUp(self):
        super().setUp()
        self.sides = [wire(self.other), wire(self.server)]
        for side in self.sides:
            self.addCleanup(side.close)

    def start_even(self):
        """Both servers as new, so that one difference makes no others."""
        for side in self.sides:
            side.call("FLUSHALL")
            side.call("SCRIPT", "FLUSH")
            side.call("FUNCTION", "FLUSH")

    def answer(self, source, data, piece=None, half_close=False):
        with wire(source, timeout=ANSWER_SECONDS_MAX) as connection:
            try:
                if piece is None:
                    connection.send_raw(data)
                else:
                    for start in range(0, len(data), piece):
                        connection.send_raw(data[start:start + piece])
                if half_close:
                    connection.finish_sending()
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server said what it had to and closed while we were still writing
            return connection.read_to_end()

    VARYING = re.compile(rb"(\$2\r\nid\r\n:)\d+|(run_id:)\w+")

    def compare(self, name, data, **how):
        with self.subTest(name):
            self.start_even()
            bare = self.VARYING.sub(rb"\1\2?", self.answer(self.other, data, **how))
            proxied = self.VARYING.sub(rb"\1\2?", self.answer(self.proxy, data, **how))
            if bare != proxied:
                at = next((i for i, (a, b) in enumerate(zip(bare, proxied)) if a != b), min(len(bare), len(proxied)))
                begin = max(0, at - 60)
                self.fail(f"differs at byte {at}:\n   redis {bare[begin:at + 200]!r}\ntidegate "
                          f"{proxied[begin:at + 200]!r}")
            return bare

    def test_answers_like_redis(self):
        for name, data in PLAIN.items():
            self.compare(name, data + QUIT)

    # Redis 7.0 closes at QUIT under REPLY OFF only if an earlier reply is still to be written: by chance, byte by byte.
    NOT_IN_PIECES = {"CLIENT REPLY OFF and the end"}

    def test_answers_like_redis_byte_by_byte(self):
        for name, data in PLAIN.items():
            if len(data) < 600 and name not in self.NOT_IN_PIECES:
                self.compare(name, data + QUIT, piece=1)

    def test_answers_a_malformed_frame_like_redis(self):
        for name, data in MALFORMED.items():
            self.compare(name, data)

    def test_answers_a_malformed_frame_like_redis_whatever_follows(self):
        for name, data in MALFORMED.items():
            if data.endswith(b"\n"):
                self.compare(name, data + commands("SET after 1", "QUIT"))
                with self.subTest(f"{name}, and what it left"):
                    self.assertIsNone(self.sides[1].call("GET", "after"))

    def test_runs_nothing_of_an_unfinished_frame(self):
        for name, data in UNFINISHED.items():
            self.compare(name, data, half_close=True)

    def test_answers_every_command_received_before_a_half_close(self):
        data = commands(*(f"SET h:{n} {n}" for n in range(500)), *(f"GET h:{n}" for n in range(500)))
        self.assertEqual(self.answer(self.proxy, data, half_close=True),
                         b"+OK\r\n" * 500 + b"".join(b"$%d\r\n%d\r\n" % (len(str(n)), n) for n in range(500)))

    def test_refuses_every_wrong_arity_like_redis(self):
        with wire(self.server) as bare:
            listed = bare.call("COMMAND")
        wrong = []
        for entry in listed:
            for command in [entry, *entry[9]]:
                words = command[0].decode().split("|")
                arity = command[1]
                fewer = abs(arity) - 1 - len(words)
                if fewer >= 0:
                    wrong.append(words + ["x"] * fewer)
                if arity > 0:
                    wrong.append(words + ["x"] * (arity + 1 - len(words)))
        self.assertGreater(len(wrong), 300)
        for words in wrong:
            self.compare(" ".join(words)[:60], commands(words) + QUIT)
        # All of them on one connection, and inside transactions that they abort.
        self.compare("all at once", commands(*wrong) + QUIT)
        self.compare("all in transactions",
                     commands(*(part for words in wrong for part in ("MULTI", words, "EXEC"))) + QUIT)

    def test_monitors_like_redis(self):
        seen = {}
        for name, source, server in (("redis", self.other, self.other), ("tidegate", self.proxy, self.server)):
            with wire(source) as monitor, wire(server) as bare:
                self.assertEqual(monitor.call("MONITOR"), "OK")
                bare.call("SET", "monitored", "v\r\n\x01")
                bare.call("GET", "monitored")
                lines = []
                while len(lines) < 2:
                    line = monitor.read()
                    if "monitored" in line:
                        lines.append(re.sub(r"^[\d.]+ \[0 [^\]]*\]", "TIME [0 WHO]", line))
                seen[name] = lines
        self.assertEqual(seen["tidegate"], seen["redis"])

    def test_tells_replies_and_pushes_apart_with_another_client_writing(self):
        with wire(self.proxy) as tracked, wire(self.proxy) as writer:
            tracked.call("HELLO", "3")
            self.assertEqual(tracked.call("CLIENT", "TRACKING", "ON"), "OK")
            for number in range(200):
                self.assertIn(tracked.call("GET", "cached"), (None, b"%d" % (number - 1)))
                self.assertEqual(writer.call("SET", "cached", number), "OK")
                self.assertEqual(tracked.read(), [b"invalidate", [b"cached"]])

    def test_broadcasts_invalidations_of_a_prefix(self):
        with wire(self.proxy) as tracked, wire(self.proxy) as writer:
            tracked.call("HELLO", "3")
            self.assertEqual(tracked.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "u:"), "OK")
            self.assertEqual(writer.call("MSET", "o:1", "x", "u:1", "x"), "OK")
            self.assertEqual(tracked.read(), [b"invalidate", [b"u:1"]])
            self.assertEqual(tracked.call("PING"), "PONG")

    def test_kills_what_CLIENT_KILL_names(self):
        with wire(self.proxy) as victim, wire(self.proxy) as killer:
            victim.call("CLIENT", "NO-EVICT", "ON")  # gives it a connection of its own
            number = victim.call("CLIENT", "ID")
            self.assertEqual(killer.call("CLIENT", "KILL", "ID", number), 1)
            with self.assertRaises((EOFError, ConnectionResetError)):
                victim.call("PING")
                victim.call("PING")

    def test_unblocks_what_CLIENT_UNBLOCK_names(self):
        with wire(self.proxy) as waiter, wire(self.proxy) as other, wire(self.server) as bare:
            waiter.call("CLIENT", "NO-EVICT", "ON")
            number = waiter.call("CLIENT", "ID")
            waiter.send("BLPOP", "nothing", "0")
            while "blocked_clients:1\r" not in bare.call("INFO", "clients").decode():
                time.sleep(0.005)
            self.assertEqual(other.call("CLIENT", "UNBLOCK", number, "ERROR"), 1)
            self.assertTrue(waiter.read().startswith("UNBLOCKED"))


class transparency_with_a_connection_each(transparency):
    POOLING = "session"
