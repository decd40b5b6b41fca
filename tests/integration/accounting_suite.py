"""For every write command, calls in the upstream's INFO commandstats = what tidegate booked + what it sent itself."""

import os
import random
import threading

from harness.cases import proxied_case
from harness.exposition import assert_books_are_exact, metrics
from harness.wire import wire

E = wire.encode
PATTERNS = ["order:*", "user:*", "session:*", "queue:*"]

# Every form of write that answers at once; {} is a number of a small range, so that keys meet and types clash.
WRITES = [
    "SET order:{} v", "SET order:{} v EX 100", "SET order:{} v NX", "SET order:{} v XX GET", "SETEX session:{} 100 v",
    "PSETEX session:{} 100000 v", "SETNX order:{} v", "GETSET order:{} v", "GETDEL order:{}", "GETEX order:{} EX 50",
    "APPEND order:{} v", "INCR user:{}", "INCRBY user:{} 3", "DECR user:{}", "DECRBY user:{} 2", "INCRBYFLOAT user:{} 0.5",
    "SETRANGE order:{} 3 v", "SETBIT user:bits:{} 7 1", "BITFIELD user:bits:{} SET u8 0 255", "BITOP OR user:bits:d user:bits:{}",
    "MSET order:{} 1 order:m 2", "MSETNX order:{} 1 order:n 2", "DEL order:{}", "UNLINK user:{}", "EXPIRE order:{} 100",
    "PEXPIRE order:{} 100000", "EXPIREAT order:{} 4102444800", "PERSIST order:{}", "RENAME order:{} order:r",
    "RENAMENX order:{} order:s", "COPY order:{} order:c REPLACE", "LPUSH queue:{} a b c", "RPUSH queue:{} a", "LPOP queue:{}",
    "RPOP queue:{} 2", "LPUSHX queue:{} a", "RPUSHX queue:{} a", "LSET queue:{} 0 z", "LREM queue:{} 0 a", "LTRIM queue:{} 0 50",
    "LINSERT queue:{} BEFORE a b", "LMOVE queue:{} queue:d LEFT RIGHT", "RPOPLPUSH queue:{} queue:d", "SADD user:s:{} a b c",
    "SREM user:s:{} a", "SPOP user:s:{}", "SMOVE user:s:{} user:s:d b", "SUNIONSTORE user:s:u user:s:{} user:s:d",
    "SINTERSTORE user:s:i user:s:{}", "SDIFFSTORE user:s:f user:s:{}", "HSET user:h:{} f v g w", "HSETNX user:h:{} f v",
    "HMSET user:h:{} f v", "HINCRBY user:h:{} n 1", "HINCRBYFLOAT user:h:{} n 0.5", "HDEL user:h:{} g", "ZADD user:z:{} 1 a 2 b",
    "ZINCRBY user:z:{} 1 a", "ZREM user:z:{} b", "ZPOPMIN user:z:{}", "ZPOPMAX user:z:{}", "ZREMRANGEBYRANK user:z:{} 100 200",
    "ZREMRANGEBYSCORE user:z:{} 900 901", "ZREMRANGEBYLEX user:z:{} [y [z", "ZUNIONSTORE user:z:u 1 user:z:{}",
    "ZINTERSTORE user:z:i 1 user:z:{}", "ZDIFFSTORE user:z:d 1 user:z:{}", "ZRANGESTORE user:z:r user:z:{} 0 10",
    "PFADD user:p:{} a b", "PFMERGE user:p:d user:p:{}", "GEOADD user:g:{} 13.36 38.11 a",
    "GEOSEARCHSTORE user:g:d user:g:{} FROMLONLAT 13 38 BYRADIUS 100 km", "XADD order:x:{} MAXLEN ~ 100 * f v",
    "XTRIM order:x:{} MAXLEN 50", "XDEL order:x:{} 1-1", "XGROUP CREATE order:x:{} g $ MKSTREAM", "XGROUP DESTROY order:x:{} g",
    "XSETID order:x:{} 9999999999999-1", "XACK order:x:{} g 1-1", "SORT queue:{} ALPHA STORE queue:t", "MOVE order:{} 9",
    "LMPOP 1 queue:{} LEFT", "ZMPOP 1 user:z:{} MIN", "BLPOP queue:full 1", "BRPOP queue:full 1", "BLMOVE queue:full queue:o LEFT LEFT 1",
    "BZPOPMIN user:z:full 1", "RESTORE order:bad:{} 0 nonsense",
]
# What is refused before it runs, or fails in it: booked exactly as the upstream counts.
FAILURES = ["SET order:{}", "LPUSH user:{} x", "INCR queue:{}", "MSET order:1 a order:2", "ZADD user:z:{} x y", "NOSUCH user:{}",
            "EXPIRE order:{} abc", "HSET user:{} f", "XADD order:{} * f v", "SADD queue:{} a"]
OTHERS = ["GET order:{}", "HGETALL user:h:{}", "PING", "TTL order:{}", "EXISTS user:{}", "LRANGE queue:{} 0 3"]


class generator:
    """One connection's traffic in blocks, each of which ends with an ECHO that says it was answered whole."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.writes = 0

    def line(self, templates):
        return self.random.choice(templates).replace("{}", str(self.random.randrange(40))).split(" ")

    def block(self, size):
        parts = []
        while size > 0:
            dice = self.random.random()
            if dice < 0.04:
                parts.append(E("RPUSH", "queue:full", *range(8)) + E("ZADD", "user:z:full", 1, self.random.randrange(10 ** 6)))
                self.writes += 2
            elif dice < 0.06:
                parts.append(E("CLIENT", "SETNAME", f"job-{self.random.randrange(20)}"))
            elif dice < 0.09:
                count = self.random.randrange(1, 6)
                inside = b"".join(E(*self.line(WRITES)) for _ in range(count))
                parts.append(E("MULTI") + inside + E(self.random.choice(["EXEC", "EXEC", "DISCARD"])))
                size -= count
                self.writes += count
            elif dice < 0.12:
                parts.append(E(*self.line(FAILURES)))
            elif dice < 0.16:
                parts.append(E(*self.line(OTHERS)))
            else:
                parts.append(E(*self.line(WRITES)))
                self.writes += 1
            size -= 1
        return b"".join(parts)


class accounting(proxied_case):
    TLS = True
    CONFIGURATION = {
        "attribution": {"patterns": PATTERNS, "names": [{"match": "job-1*", "as": "job-one"}]},
        "ttl": [{"pattern": "order:*", "default": "1h", "max": "2h"}, {"pattern": "user:s:*", "default": "10m"},
                {"pattern": "session:*", "max": "1m"}],
    }

    def setUp(self):
        super().setUp()
        # Books and calls are both kept since the start of their process: each case begins with equal ones.
        self.assert_equal()

    def assert_equal(self):
        return assert_books_are_exact(self, self.proxy, self.server)

    def drive(self, connections, commands_each, block=200):
        failures = []
        written = []

        def work(number):
            try:
                with wire(self.proxy, timeout=120, tls=True) as connection:
                    source = generator(number)
                    left = commands_each
                    round_number = 0
                    while left > 0:
                        marker = f"marker-{number}-{round_number}".encode()
                        connection.send_raw(source.block(block) + E("ECHO", marker))
                        connection.read_until(b"$%d\r\n%s\r\n" % (len(marker), marker))
                        left -= block
                        round_number += 1
                    written.append(source.writes)
            except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
                failures.append(f"connection {number}: {error!r}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        return sum(written)

    def test_is_exact_for_each_form_of_write_alone(self):
        connection = self.connect()
        for template in WRITES + FAILURES + OTHERS:
            if template.startswith("B"):
                connection.call("RPUSH", "queue:full", "x")
                connection.call("ZADD", "user:z:full", "1", "x")
            connection.call(*template.replace("{}", "1").split(" "))
            with self.subTest(template):
                self.assert_equal()

    def test_is_exact_after_a_million_mixed_writes_of_50_connections(self):
        before = metrics(self.proxy).sum("tidegate_writes_total")
        sent = self.drive(50, 22_000)
        self.assertGreater(sent, 1_000_000)
        booked = self.assert_equal() - before
        self.assertGreater(booked, 0.8 * sent)
        self.assertEqual(metrics(self.proxy).sum("tidegate_writes_unknown_total"), 0)

    def test_books_each_write_under_the_name_in_force_when_it_was_sent(self):
        connection = self.connect()
        connection.send_raw(E("CLIENT", "SETNAME", "first") + E("SET", "order:1", "a") * 10 +
                            E("CLIENT", "SETNAME", "job-17") + E("SET", "order:1", "a") * 5 +
                            E("CLIENT", "SETNAME", "first") + E("DEL", "order:1") + E("ECHO", "end"))
        connection.read_until(b"$3\r\nend\r\n")
        seen = metrics(self.proxy)
        self.assertEqual(seen.sum("tidegate_writes_total", client="first", command="set"), 10)
        self.assertEqual(seen.sum("tidegate_writes_total", client="job-one", command="set", pattern="order:*"), 5)
        self.assertEqual(seen.sum("tidegate_writes_total", client="first", command="del"), 1)
        self.assert_equal()

    def test_is_exact_for_transactions_that_are_aborted(self):
        connection, other = self.connect(), self.connect()
        connection.call("WATCH", "order:w")
        other.call("SET", "order:w", "x")
        for line in ("MULTI", "SET order:w y", "INCR order:w"):
            connection.call(*line.split())
        self.assertIsNone(connection.call("EXEC"))
        for line in ("MULTI", "SET order:w y", "NOSUCH", "EXEC", "MULTI", "SET order:w", "SET order:w y", "EXEC",
                     "MULTI", "LPUSH order:w y", "SET order:w z", "EXEC"):
            connection.call(*line.split())
        self.assert_equal()

    def test_is_exact_for_blocking_writes(self):
        waiter, other = self.connect(), self.connect()
        for line, feed in (("BLPOP queue:b 0", "RPUSH queue:b x"), ("BLMOVE queue:b queue:c LEFT RIGHT 0", "RPUSH queue:b x"),
                           ("BZPOPMIN user:z:b 0", "ZADD user:z:b 1 m"), ("BLMPOP 0 1 queue:b LEFT", "LPUSH queue:b y"),
                           ("BRPOP queue:none 0.01", "PING")):
            waiter.send(*line.split())
            other.call(*feed.split())
            waiter.read()
            with self.subTest(line):
                self.assert_equal()

    def test_is_exact_for_errors_of_the_server(self):
        connection, bare = self.connect(), self.bare()
        bare.call("CONFIG", "SET", "maxmemory", "1")
        self.assertTrue(connection.call("SET", "order:oom", "x").startswith("OOM"))
        connection.call("MULTI")
        connection.call("SET", "order:oom", "x")
        connection.call("EXEC")
        bare.call("CONFIG", "SET", "maxmemory", "0")
        bare.call("CONFIG", "SET", "min-replicas-to-write", "1")
        self.assertTrue(connection.call("SET", "order:1", "x").startswith("NOREPLICAS"))
        bare.call("CONFIG", "SET", "min-replicas-to-write", "0")
        bare.call("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+client")
        connection.call("AUTH", "reader", "secret")
        self.assertTrue(connection.call("SET", "order:1", "x").startswith("NOPERM"))
        connection.close()
        bare.call("ACL", "DELUSER", "reader")
        self.assert_equal()

    def test_is_exact_under_CLIENT_REPLY_OFF_and_says_that_it_assumes(self):
        connection = self.connect()
        connection.send_raw(E("CLIENT", "REPLY", "OFF") + E("SET", "order:o", "x") * 50 + E("CLIENT", "REPLY", "ON") +
                            E("CLIENT", "REPLY", "SKIP") + E("SADD", "user:s:o", "x") + E("ECHO", "end"))
        connection.read_until(b"$3\r\nend\r\n")
        self.assert_equal()
        self.assertEqual(metrics(self.proxy).sum("tidegate_writes_assumed_total"), 51)

    def test_counts_scripts_apart(self):
        connection = self.connect()
        for _ in range(7):
            connection.call("EVAL", "return redis.call('GET', KEYS[1])", "1", "order:7")
        self.assertEqual(metrics(self.proxy).sum("tidegate_script_calls_total", pattern="order:*", command="eval"), 7)
        self.assert_equal()

    def test_never_loses_a_write_that_overflows_the_labels(self):
        connection = self.connect()
        for start in range(0, 6000, 500):
            connection.send_raw(b"".join(E("CLIENT", "SETNAME", f"many-{number}") + E("SET", f"order:{number}", "x")
                                         for number in range(start, start + 500)) + E("ECHO", "end"))
            connection.read_until(b"$3\r\nend\r\n")
        self.assert_equal()
        self.assertGreater(metrics(self.proxy).sum("tidegate_writes_total", client="other"), 0)


class accounting_with_a_connection_each(accounting):
    POOLING = "session"

    def test_is_exact_after_a_million_mixed_writes_of_50_connections(self):
        """A tenth of it: the way of the bytes differs here, not the books."""
        self.drive(50, 22_000 if os.environ.get("TIDEGATE_LONG") else 2_200)
        self.assert_equal()
