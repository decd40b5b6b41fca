"""A pattern with a default TTL: after every form of write each of its keys has one, and every reply is the bare server's."""

import collections

from harness.cases import proxied_case
from harness.exposition import assert_books_are_exact, metrics
from harness.processes import redis_server
from harness.wire import error_reply, wire

DEFAULT_SECONDS = 3600
MAX_SECONDS = 7200

# Each form: what prepares it, and the write itself, as it would come from an application. K is a key of the pattern that is
# new for each form; L, M are others of the pattern; O is one outside.
FORMS = [
    ("", "SET K v"), ("", "SET K v NX"), ("SET K a", "SET K v XX"), ("SET K a", "SET K v GET"), ("SET K a", "SET K v KEEPTTL"),
    ("", "SET K v EX 100"), ("", "SET K v PX 100000"), ("", "SET K v EXAT 4102444800"), ("", "SETEX K 100 v"), ("", "SETNX K v"),
    ("", "GETSET K v"), ("", "PSETEX K 100000 v"), ("", "APPEND K v"), ("", "INCR K"), ("", "INCRBY K 5"),
    ("", "INCRBYFLOAT K 0.5"), ("", "DECR K"), ("", "DECRBY K 5"), ("", "SETRANGE K 3 v"), ("", "SETBIT K 7 1"),
    ("", "BITFIELD K SET u8 0 255"), ("SET O a", "BITOP NOT K O"), ("", "MSET K 1 L 2 O 3"), ("", "MSETNX K 1 L 2"),
    ("SET K v EX 100", "GETEX K PERSIST"), ("SET K v EX 100", "PERSIST K"), ("SET O v", "RENAME O K"), ("SET O v", "RENAMENX O K"),
    ("SET O v", "COPY O K"), ("SET K v", "COPY K L"), ("SET K v", "COPY K L REPLACE"), ("", "LPUSH K a b"), ("", "RPUSH K a"),
    ("RPUSH K z", "LPUSHX K a"), ("RPUSH K z", "RPUSHX K a"), ("RPUSH K a b", "LSET K 0 z"), ("RPUSH K b", "LINSERT K BEFORE b a"),
    ("RPUSH K a b", "LTRIM K 0 0"), ("RPUSH O a b", "LMOVE O K LEFT RIGHT"), ("RPUSH O a b", "RPOPLPUSH O K"),
    ("RPUSH O a b", "BLMOVE O K LEFT RIGHT 1"), ("RPUSH O a b", "BRPOPLPUSH O K 1"), ("", "SADD K a b"), ("SADD O a", "SMOVE O K a"),
    ("SADD O a", "SUNIONSTORE K O"), ("SADD O a", "SINTERSTORE K O"), ("SADD O a", "SDIFFSTORE K O"), ("", "HSET K f v"),
    ("", "HSETNX K f v"), ("", "HMSET K f v g w"), ("", "HINCRBY K f 1"), ("", "HINCRBYFLOAT K f 0.5"), ("", "ZADD K 1 a"),
    ("", "ZADD K NX 1 a"), ("", "ZINCRBY K 1 a"), ("ZADD O 1 a", "ZUNIONSTORE K 1 O"), ("ZADD O 1 a", "ZINTERSTORE K 1 O"),
    ("ZADD O 1 a", "ZDIFFSTORE K 1 O"), ("ZADD O 1 a", "ZRANGESTORE K O 0 -1"), ("", "PFADD K a"), ("PFADD O a", "PFMERGE K O"),
    ("", "GEOADD K 13.36 38.11 a"), ("GEOADD O 13.36 38.11 a", "GEOSEARCHSTORE K O FROMLONLAT 13 38 BYRADIUS 200 km"),
    ("GEOADD O 13.36 38.11 a", "GEORADIUS O 13 38 200 km STORE K"),
    ("GEOADD O 13.36 38.11 a", "GEORADIUSBYMEMBER O a 200 km STOREDIST K"), ("", "XADD K 1-1 f v"),
    ("", "XADD K NOMKSTREAM 1-1 f v"), ("", "XGROUP CREATE K g $ MKSTREAM"), ("RPUSH O 2 1", "SORT O STORE K"),
    ("SET K v EX 100", "EXPIRE K 200"), ("SET K v", "EXPIRE K 99999"), ("", "set K v"), ("", "hSeT K f v"),
]

# Writes whose TTL is beyond max, and what they become.
BEYOND_MAX = ["SET K v EX 999999", "SET K v PX 999999999", "SET K v EXAT 4102444800", "SET K v PXAT 4102444800000",
              "SETEX K 999999 v", "PSETEX K 999999999 v", "EXPIRE K 999999", "PEXPIRE K 999999999", "EXPIREAT K 4102444800",
              "PEXPIREAT K 4102444800000", "GETEX K EX 999999", "PERSIST K", "EXPIRE K 999999 NX", "EXPIRE K 999999 GT"]


class default_ttl(proxied_case):
    CONFIGURATION = {
        "attribution": {"patterns": ["kept:*", "capped:*", "must:*"]},
        "ttl": [{"pattern": "kept:*", "default": f"{DEFAULT_SECONDS}s"},
                {"pattern": "capped:*", "max": f"{MAX_SECONDS}s"},
                {"pattern": "must:*", "require": True},
                {"pattern": "jitter:*", "default": "1000s", "jitter": "10%"},
                {"pattern": "seen:*", "default": "1h", "mode": "observe"}],
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = redis_server()
        cls.sent_directly = collections.Counter()  # to the proxied server, by the cases of this class
        cls.addClassCleanup(cls.other.stop)

    def setUp(self):
        super().setUp()
        self.twin = wire(self.other)
        self.addCleanup(self.twin.close)
        self.twin.call("FLUSHALL")

    def named(self, line, number, prefix="kept"):
        names = {"K": f"{prefix}:{number}", "L": f"{prefix}:l{number}", "M": f"{prefix}:m{number}", "O": f"free:{number}"}
        return [names.get(word, word) for word in line.split(" ")]

    def assert_all_have_a_ttl(self, pattern, most):
        with wire(self.server) as bare:
            keys = bare.call("KEYS", pattern)
            without = [(key, ttl) for key in keys for ttl in [bare.call("PTTL", key)] if not 0 < ttl <= most * 1000]
        self.assertEqual(without, [])
        return len(keys)

    def run_forms(self, proxied, wrap=False):
        for number, (before, write) in enumerate(FORMS):
            for line in filter(None, [before, write]):
                words = self.named(line, number)
                replies = []
                for connection in (proxied, self.twin):
                    if wrap:
                        replies.append([connection.call("MULTI"), connection.call(*words), connection.call("EXEC")])
                    else:
                        replies.append(connection.call(*words))
                with self.subTest(line):
                    self.assertEqual(replies[0], replies[1])
                    self.assertNotIsInstance(replies[1], error_reply)

    def test_is_given_by_every_form_of_write(self):
        self.assertGreaterEqual(len(FORMS), 60)
        self.run_forms(self.connect())
        # EXAT and the second EXPIRE set one of their own; the default lengthens and shortens nothing.
        with wire(self.server) as bare:
            self.assertGreater(bare.call("PTTL", "kept:7"), DEFAULT_SECONDS * 1000)
        self.assertGreater(self.assert_all_have_a_ttl("kept:*", 4102444800), 60)
        assert_books_are_exact(self, self.proxy, self.server, sent_directly=self.sent_directly)

    def test_is_given_in_RESP3(self):
        proxied = self.connect()
        for connection in (proxied, self.twin):
            connection.call("HELLO", "3")
        self.run_forms(proxied)
        self.assert_all_have_a_ttl("kept:*", 4102444800)

    def test_is_given_inside_transactions(self):
        self.run_forms(self.connect(), wrap=True)
        self.assert_all_have_a_ttl("kept:*", 4102444800)
        assert_books_are_exact(self, self.proxy, self.server, sent_directly=self.sent_directly)

    def test_is_given_in_one_pipeline_whose_replies_are_the_bare_servers(self):
        data = b"".join(wire.encode(*self.named(line, number)) for number, form in enumerate(FORMS) for line in filter(None, form))
        data += wire.encode("QUIT")
        answers = []
        for source in (self.proxy, self.other):
            with wire(source) as connection:
                connection.send_raw(data)
                answers.append(connection.read_to_end())
        self.assertEqual(answers[0], answers[1])
        self.assert_all_have_a_ttl("kept:*", 4102444800)

    def test_is_given_before_the_next_command_of_the_session_reads_it(self):
        connection = self.connect()
        for number, (before, write) in enumerate(FORMS):
            words = self.named(write, number)
            if before:
                connection.call(*self.named(before, number))
            connection.send_raw(wire.encode(*words) + wire.encode("PTTL", words[1] if words[1].startswith("kept") else "kept:none"))
            connection.read()
            self.assertNotEqual(connection.read(), -1, write)

    def test_is_given_before_what_is_pipelined_behind_EXEC_reads_it(self):
        connections = [self.connect() for _ in range(10)]
        for turn in range(30):
            for number, connection in enumerate(connections):
                keys = [f"kept:{turn}:{number}:{key}" for key in range(30)]
                adds = b"".join(wire.encode("SADD", key, "x") for key in keys)
                connection.send_raw(wire.encode("MULTI") + adds + wire.encode("EXEC") + wire.encode("TTL", keys[-1]))
            for connection in connections:
                self.assertEqual([connection.read() for _ in range(33)][-1], DEFAULT_SECONDS)

    def test_keeps_the_keys_of_others_without(self):
        connection = self.connect()
        connection.call("MSET", "free:1", "1", "kept:1", "2")
        self.assertEqual(connection.call("TTL", "free:1"), -1)
        self.assertEqual(connection.call("TTL", "kept:1"), DEFAULT_SECONDS)

    def test_never_lengthens_one(self):
        connection = self.connect()
        connection.call("SET", "kept:1", "v", "EX", "10")
        for line in ("APPEND kept:1 x", "SETRANGE kept:1 0 y", "SET kept:1 z KEEPTTL"):
            connection.call(*line.split())
            self.assertLessEqual(connection.call("TTL", "kept:1"), 10)

    def test_is_cut_to_the_maximum(self):
        for number, write in enumerate(BEYOND_MAX):
            with self.subTest(write):
                proxied = self.connect()
                words = self.named(write, number, "capped")
                replies = []
                for connection, server in ((proxied, self.bare()), (self.twin, self.twin)):
                    connection.call("SET", words[1], "v", "EX", "100")
                    if "NX" in words:
                        server.call("PERSIST", words[1])  # past the proxy: through it the key would get its maximum
                        self.sent_directly["persist"] += 1 if server is not self.twin else 0
                    replies.append(connection.call(*words))
                self.assertEqual(replies[0], replies[1])
        self.assert_all_have_a_ttl("capped:*", MAX_SECONDS)
        assert_books_are_exact(self, self.proxy, self.server, sent_directly=self.sent_directly)

    def test_lets_zero_and_negative_ones_delete(self):
        connection = self.connect()
        for line in ("EXPIRE kept:1 0", "PEXPIRE kept:1 -5", "EXPIREAT kept:1 1"):
            connection.call("SET", "kept:1", "v")
            self.assertEqual(connection.call(*line.split()), 1)
            self.assertEqual(connection.call("EXISTS", "kept:1"), 0)

    def test_is_required_where_the_rule_says_so(self):
        connection = self.connect()
        self.assertEqual(connection.call("SET", "must:1", "v"), "TTLREQUIRED pattern=must:*")
        self.assertEqual(connection.call("SADD", "must:1", "v"), "TTLREQUIRED pattern=must:*")
        self.assertEqual(connection.call("SET", "must:1", "v", "EX", "10"), "OK")
        connection.call("MULTI")
        self.assertEqual(connection.call("SET", "free:1", "v"), "QUEUED")
        self.assertEqual(connection.call("SET", "must:2", "v"), "TTLREQUIRED pattern=must:*")
        self.assertTrue(connection.call("EXEC").startswith("EXECABORT"))
        self.assertEqual(connection.call("EXISTS", "free:1", "must:2"), 0)

    def test_is_only_shortened_by_jitter(self):
        connection = self.connect()
        seen = set()
        for number in range(200):
            connection.call("SET", f"jitter:{number}", "v")
            seen.add(connection.call("PTTL", f"jitter:{number}"))
        self.assertGreater(min(seen), 900_000 - 5_000)
        self.assertLessEqual(max(seen), 1_000_000)
        self.assertGreater(max(seen) - min(seen), 30_000)

    def test_is_only_counted_in_mode_observe(self):
        connection = self.connect()
        connection.call("SET", "seen:1", "v")
        self.assertEqual(connection.call("TTL", "seen:1"), -1)
        self.assertGreater(metrics(self.proxy).sum("tidegate_ttl_observed_total", command="set"), 0)

    def test_is_counted_when_it_was_given(self):
        before = metrics(self.proxy).sum("tidegate_ttl_injected_total", pattern="kept:*")
        connection = self.connect()
        connection.call("SET", "kept:c1", "v")
        connection.call("SADD", "kept:c2", "v")
        connection.call("SADD", "kept:c2", "w")  # has one by now
        self.assertEqual(metrics(self.proxy).sum("tidegate_ttl_injected_total", pattern="kept:*") - before, 2)

    def test_follows_a_user_that_may_not_expire_without_harming_his_transaction(self):
        with wire(self.server) as bare:
            bare.call("ACL", "SETUSER", "writer", "on", ">secret", "~*", "+@all", "-expire", "-pexpire")
        before = metrics(self.proxy).sum("tidegate_ttl_failed_total", pattern="kept:*")
        connection = self.connect()
        self.assertEqual(connection.call("AUTH", "writer", "secret"), "OK")
        connection.call("MULTI")
        connection.call("SADD", "kept:w", "a")
        connection.call("SET", "kept:x", "a")
        self.assertEqual(connection.call("EXEC"), [1, "OK"])
        self.assertEqual(connection.call("PTTL", "kept:w"), -1)
        self.assertEqual(metrics(self.proxy).sum("tidegate_ttl_failed_total", pattern="kept:*") - before, 1)


class default_ttl_with_a_connection_each(default_ttl):
    POOLING = "session"
