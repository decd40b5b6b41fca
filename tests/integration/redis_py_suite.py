"""redis-py (Debian's python3-redis) through the proxy over TLS: what applications in Python do, unchanged."""

import threading
import time

import redis

from harness.cases import proxied_case
from harness.processes import wait_until
from harness.wire import wire


class through_redis_py(proxied_case):
    TLS = True

    def setUp(self):
        super().setUp()
        self.client = self.new_client()
        self.addCleanup(self.client.connection_pool.disconnect)

    def new_client(self, **options):
        return redis.Redis(host=self.proxy.tls_host, port=self.proxy.tls_port, ssl=True, ssl_ca_certs=str(self.tls.ca),
                           ssl_check_hostname=True, socket_timeout=30, **options)

    def test_reads_back_what_it_wrote(self):
        self.assertTrue(self.client.set("name", "value"))
        self.assertEqual(self.client.get("name"), b"value")
        self.assertIsNone(self.client.get("absent"))
        self.assertEqual(self.client.append("name", "!"), 6)
        self.assertEqual(self.client.incr("count", 5), 5)
        self.assertEqual(self.client.mset({"a": "1", "b": "2"}), True)
        self.assertEqual(self.client.mget("a", "b", "c"), [b"1", b"2", None])
        self.assertEqual(self.client.delete("a", "b", "c"), 2)

    def test_works_with_every_collection(self):
        self.assertEqual(self.client.hset("hash", mapping={"f": "1", "g": "2"}), 2)
        self.assertEqual(self.client.hgetall("hash"), {b"f": b"1", b"g": b"2"})
        self.assertEqual(self.client.rpush("list", "a", "b", "c"), 3)
        self.assertEqual(self.client.lrange("list", 0, -1), [b"a", b"b", b"c"])
        self.assertEqual(self.client.zadd("zset", {"m": 1.5, "n": 2}), 2)
        self.assertEqual(self.client.zrange("zset", 0, -1, withscores=True), [(b"m", 1.5), (b"n", 2.0)])
        self.assertEqual(self.client.sadd("set", "x", "y"), 2)
        self.assertEqual(self.client.smembers("set"), {b"x", b"y"})
        entry = self.client.xadd("stream", {"field": "value"})
        self.assertEqual(self.client.xrange("stream"), [(entry, {b"field": b"value"})])

    def test_raises_the_servers_own_errors(self):
        self.client.set("text", "x")
        with self.assertRaisesRegex(redis.ResponseError, "WRONGTYPE Operation against a key"):
            self.client.lpush("text", "y")
        with self.assertRaisesRegex(redis.ResponseError, "unknown command `NOSUCH`|unknown command 'NOSUCH'"):
            self.client.execute_command("NOSUCH", "a")

    def test_gets_5000_replies_of_a_pipeline_in_order(self):
        pipeline = self.client.pipeline(transaction=False)
        for number in range(5000):
            pipeline.set(f"key:{number}", number)
            pipeline.get(f"key:{number}")
        replies = pipeline.execute()
        self.assertEqual(replies, [reply for number in range(5000) for reply in (True, b"%d" % number)])

    def test_commits_a_transaction_of_5000_commands(self):
        pipeline = self.client.pipeline(transaction=True)
        for number in range(5000):
            pipeline.incr("count")
        self.assertEqual(pipeline.execute(), list(range(1, 5001)))

    def test_sees_a_conflict_on_a_watched_key(self):
        self.client.set("balance", 1)
        with self.client.pipeline() as pipeline:
            pipeline.watch("balance")
            seen = int(pipeline.get("balance"))
            self.new_client().set("balance", 100)
            pipeline.multi()
            pipeline.set("balance", seen + 1)
            with self.assertRaises(redis.WatchError):
                pipeline.execute()
        self.assertEqual(self.client.get("balance"), b"100")

    def test_increments_by_watch_without_losing_one(self):
        def work():
            client = self.new_client()
            for _ in range(25):
                client.transaction(self._increment, "n")
            client.connection_pool.disconnect()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.get("n"), b"100")

    @staticmethod
    def _increment(pipeline):
        seen = int(pipeline.get("n") or 0)
        pipeline.multi()
        pipeline.set("n", seen + 1)

    def test_receives_what_is_published(self):
        listener = self.client.pubsub()
        listener.subscribe("news")
        listener.psubscribe("n?ws.*")
        self.assertEqual([listener.get_message(timeout=10)["type"] for _ in range(2)], ["subscribe", "psubscribe"])
        publisher = self.new_client()
        self.assertEqual(publisher.publish("news", "one"), 1)
        self.assertEqual(publisher.publish("news.local", "two"), 1)
        first, second = listener.get_message(timeout=10), listener.get_message(timeout=10)
        self.assertEqual((first["type"], first["channel"], first["data"]), ("message", b"news", b"one"))
        self.assertEqual((second["type"], second["pattern"], second["data"]), ("pmessage", b"n?ws.*", b"two"))
        listener.unsubscribe("news")
        self.assertEqual(listener.get_message(timeout=10)["type"], "unsubscribe")
        listener.close()

    def test_blocks_until_an_item_comes(self):
        got = []
        waiter = threading.Thread(target=lambda: got.append(self.new_client().blpop(["queue"], 20)))
        waiter.start()
        self.wait_for_blocked(1)
        self.client.rpush("queue", "item")
        waiter.join(20)
        self.assertEqual(got, [(b"queue", b"item")])

    def wait_for_blocked(self, count):
        with wire(self.server) as bare:
            wait_until(lambda: f"blocked_clients:{count}\r" in bare.call("INFO", "clients").decode(),
                       what=f"blocked_clients:{count}")

    def test_takes_no_item_for_a_client_that_died_while_it_blocked(self):
        dying = wire(self.proxy, tls=True)
        dying.send("BLPOP", "queue", 0)
        self.wait_for_blocked(1)
        dying.reset()
        self.wait_for_blocked(0)
        self.client.rpush("queue", "kept")
        self.assertEqual(self.client.lrange("queue", 0, -1), [b"kept"])

    def test_leaves_nothing_of_a_transaction_whose_client_died(self):
        dying = wire(self.proxy, tls=True)
        self.assertEqual(dying.call("MULTI"), "OK")
        self.assertEqual(dying.call("SET", "half", "done"), "QUEUED")
        dying.reset()
        self.assertIsNone(self.client.get("half"))

    def test_times_out_a_blocking_pop_as_the_server_does(self):
        begun = time.monotonic()
        self.assertIsNone(self.client.blpop(["nothing"], 1))
        self.assertGreaterEqual(time.monotonic() - begun, 0.9)

    def test_runs_scripts_by_text_and_by_digest(self):
        script = self.client.register_script("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")
        self.assertEqual(script(keys=["k"], args=["v"]), b"v")
        self.assertEqual(script(keys=["k"], args=["w"]), b"w")
        self.assertEqual(self.client.script_exists(script.sha), [True])
        self.client.script_flush()
        with self.assertRaises(redis.exceptions.NoScriptError):
            self.client.evalsha(script.sha, 1, "k", "x")

    def test_carries_values_of_8_mib_both_ways(self):
        value = bytes(range(256)) * (8 * 4096)
        self.assertTrue(self.client.set("big", value))
        self.assertEqual(self.client.get("big"), value)
        pipeline = self.client.pipeline(transaction=False)
        for number in range(4):
            pipeline.set(f"big:{number}", value)
        self.assertEqual(pipeline.execute(), [True] * 4)
        self.assertEqual(self.client.strlen("big:3"), len(value))

    def test_carries_10000_arguments(self):
        members = [f"member:{number}" for number in range(10000)]
        self.assertEqual(self.client.sadd("many", *members), 10000)
        self.assertEqual(self.client.scard("many"), 10000)

    def test_scans_the_whole_keyspace(self):
        self.client.mset({f"scan:{number}": number for number in range(1000)})
        self.assertEqual(len(set(self.client.scan_iter("scan:*", count=100))), 1000)

    def test_keeps_databases_apart(self):
        third = self.new_client(db=3)
        third.set("where", "three")
        self.assertIsNone(self.client.get("where"))
        self.assertEqual(third.get("where"), b"three")

    def test_shows_the_name_that_it_set(self):
        named = self.new_client(client_name="orders-api")
        self.assertEqual(named.client_getname(), "orders-api")
        self.assertIsNone(self.client.client_getname())

    def test_locks_as_the_library_does(self):
        with self.client.lock("lock", timeout=10):
            self.assertFalse(self.new_client().lock("lock").acquire(blocking=False))
        self.assertTrue(self.new_client().lock("lock").acquire(blocking=False))


class through_redis_py_with_a_connection_each(through_redis_py):
    POOLING = "session"
