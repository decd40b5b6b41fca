"""The capture of a running tidegate: files that redis-check-aof and redis-server accept, and that hold what was written."""

import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from harness.exposition import assert_books_are_exact, metrics
from harness.processes import redis_server, tidegate, wait_until
from harness.wire import wire

WRITES = int(os.environ.get("TIDEGATE_CAPTURE_WRITES", "40000"))
SESSIONS = 4
BATCH = 200


def write_own_keys(proxy, session, count):
    """One session's writes to keys that nobody else writes: strings, sets, hashes, lists, sorted sets, transactions."""
    dice = random.Random(session)
    with wire(proxy) as connection:
        connection.call("CLIENT", "SETNAME", f"job-{session}")
        done = 0
        while done < count:
            batch = []
            for _ in range(min(BATCH, count - done)):
                key = f"own{session}:{dice.randrange(3000)}"
                batch.append(dice.choice([
                    ("SET", key + ":v", os.urandom(dice.randrange(1, 60))), ("SET", key + ":t", "v", "EX", 86400),
                    ("SADD", key + ":s", dice.randrange(100), "m"), ("HSET", key + ":h", dice.randrange(20), dice.random()),
                    ("RPUSH", key + ":l", done), ("ZADD", key + ":z", dice.random(), dice.randrange(50)), ("DEL", key + ":v"),
                    ("INCRBY", key + ":n", 3), ("LPOP", key + ":l"), ("APPEND", key + ":a", "x")]))
            done += len(batch)
            if dice.random() < 0.2:
                batch = [("MULTI",), *batch, ("EXEC",)]
            connection.send_raw(b"".join(wire.encode(*command) for command in batch))
            for _ in batch:
                connection.read()


def keyspace(server):
    """Every key's DUMP, with whether it has a TTL."""
    found = {}
    with wire(server) as connection:
        keys = connection.call("KEYS", "*")
        for start in range(0, len(keys), 500):
            part = keys[start:start + 500]
            connection.send_raw(b"".join(wire.encode("DEBUG", "DIGEST-VALUE", key) + wire.encode("TTL", key) for key in part))
            for key in part:
                found[key] = (tuple(connection.read()), connection.read() > 0)
    return found


class capture_case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-capture-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.captures = self.folder / "captures"
        self.server = redis_server()
        self.addCleanup(self.server.stop)

    def start(self, **rules):
        proxy = tidegate(self.server, more={
            "capture": {"directory": str(rules.pop("directory", self.captures)), **rules},
            "ttl": [{"pattern": "short:*", "default": "60s"}]})
        self.addCleanup(lambda: proxy.child.poll() is None and proxy.stop())
        return proxy

    def files(self):
        return sorted(self.captures.glob("tidegate-*.aof*"), key=lambda path: int(re.search(r"-(\d+)\.aof", path.name)[1]))

    def text(self):
        """All files one behind the other, as plain AOF."""
        whole = b""
        for path in self.files():
            if path.suffix == ".zst":
                whole += subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True).stdout
            else:
                whole += path.read_bytes()
        return whole

    def load(self, text):
        """A redis-server that began with this AOF."""
        folder = self.folder / "loaded"
        folder.mkdir(exist_ok=True)
        plain = folder / "appendonly.aof"
        plain.write_bytes(text)
        checked = subprocess.run(["redis-check-aof", str(plain)], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        loaded = redis_server(arguments=[("dir", str(folder)), ("appendonly", "yes"), ("appenddirname", "parts"),
                                         ("appendfilename", "appendonly.aof"), ("aof-load-truncated", "no")])
        self.addCleanup(loaded.stop)
        self.assertNotIn("CRITICAL", loaded.log)
        return loaded


@unittest.skipUnless(shutil.which("zstd"), "zstd(1) reads what was compressed")
class capture(capture_case):
    def test_loads_into_redis_as_the_keyspace_that_was_written(self):
        proxy = self.start(values=True, rotate="4MiB")
        writers = [threading.Thread(target=write_own_keys, args=(proxy, session, WRITES // SESSIONS)) for session in range(SESSIONS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        booked = assert_books_are_exact(self, proxy, self.server)
        self.assertGreaterEqual(booked, WRITES)
        wait_until(lambda: metrics(proxy).sum("tidegate_capture_records_total") == booked, what="every write in the capture")
        self.assertEqual(metrics(proxy).sum("tidegate_capture_dropped_total"), 0)
        proxy.stop()
        self.assertTrue(all(path.name.endswith(".aof.zst") for path in self.files()), self.files())
        loaded = self.load(self.text())
        expected, found = keyspace(self.server), keyspace(loaded)
        self.assertEqual(len(found), len(expected))
        self.assertEqual({key for key in expected if expected[key] != found.get(key)}, set())

    def test_keeps_no_value_and_no_credential_unless_asked(self):
        proxy = self.start()
        with wire(proxy) as connection:
            connection.call("CLIENT", "SETNAME", "job-1")
            connection.call("AUTH", "default", "correct-horse")
            connection.call("SET", "contact:1", "very-private", "EX", 600)
            connection.call("SADD", "contact:set", "member-of-mine", 17)
            connection.call("SADD", "contact:set", "member-of-mine")
            connection.call("HSET", "contact:hash", "field-of-mine", "1.5")
            connection.call("MIGRATE", "127.0.0.1", 1, "contact:1", 0, 10, "AUTH", "correct-horse")
        proxy.stop()
        text = self.text()
        for secret in (b"very-private", b"member-of-mine", b"field-of-mine", b"correct-horse"):
            self.assertNotIn(secret, text)
        self.assertRegex(text, rb"\$9\r\ncontact:1\r\n\$12\r\n[\w-]{12}\r\n\$2\r\nEX\r\n\$3\r\n600\r\n")
        members = re.findall(rb"\$11\r\ncontact:set\r\n\$14\r\n([\w-]{14})\r\n", text)
        self.assertEqual(len(members), 2)
        self.assertEqual(members[0], members[1], "the same member, the same digest")
        self.assertIn(b"\r\n$2\r\n17\r\n", text)
        self.assertIn(b"\r\n$3\r\n1.5\r\n", text)
        self.assertRegex(text, rb"#TG: values=digest client=job-1 source=127\.0\.0\.1 session=\d+ pattern=\S+ ms=\d{13}\r\n")
        with wire(self.load(text)) as loaded:
            self.assertEqual(sorted(loaded.call("KEYS", "*")), [b"contact:1", b"contact:hash", b"contact:set"])
            self.assertEqual(loaded.call("SCARD", "contact:set"), 2)

    def test_holds_what_was_executed_and_nothing_else(self):
        proxy = self.start(values=True)
        with wire(proxy) as connection:
            connection.call("SET", "a:1", "x")
            connection.call("SET", "a:1")  # wrong arity
            for command in (("MULTI",), ("SET", "a:2", "y"), ("GET", "a:2"), ("SELECT", 3), ("SET", "a:3", "z"), ("EXEC",)):
                connection.call(*command)
            for command in (("MULTI",), ("SET", "a:never", "1"), ("DISCARD",)):
                connection.call(*command)
            connection.call("SET", "a:4", "in db 3")
            connection.call("BLPOP", "a:empty", "0.05")
            connection.call("RPUSH", "a:list", "1", "2")
            connection.call("BLPOP", "a:list", "1")
            connection.call("SET", "short:1", "as sent")
        proxy.stop()
        text = self.text()
        self.assertNotIn(b"a:never", text)
        self.assertNotIn(b"a:empty", text)
        self.assertRegex(text, rb"MULTI\r\n[^*]*(#TG[^\n]*\n)?\*3\r\n\$3\r\nSET\r\n\$3\r\na:2\r\n")
        self.assertIn(b"*3\r\n$3\r\nSET\r\n$7\r\nshort:1\r\n$7\r\nas sent\r\n", text)
        loaded = self.load(text)
        with wire(loaded) as connection:
            self.assertEqual(connection.call("MGET", "a:1", "a:2", "a:3"), [b"x", b"y", None])
            connection.call("SELECT", 3)
            self.assertEqual(connection.call("MGET", "a:3", "a:4"), [b"z", b"in db 3"])
            self.assertEqual(connection.call("LRANGE", "a:list", 0, -1), [b"2"])

    def test_takes_only_what_its_rule_names(self):
        proxy = self.start(values=True, match={"client": "job-*", "key": "contact:*", "command": ["SET"]})
        for name in ("job-1", "other"):
            with wire(proxy) as connection:
                connection.call("CLIENT", "SETNAME", name)
                connection.call("SET", "contact:" + name, "v")
                connection.call("SET", "else:" + name, "v")
                connection.call("SADD", "contact:s:" + name, "v")
        proxy.stop()
        self.assertEqual(re.findall(rb"(?:contact|else):\S+?(?=\r\n\$)", self.text()), [b"contact:job-1"])

    def test_samples_keys_and_keeps_all_writes_of_one(self):
        proxy = self.start(values=True, sample=0.25)
        with wire(proxy) as connection:
            for _ in range(3):
                for number in range(1000):
                    connection.send("INCR", f"n:{number}")
                for number in range(1000):
                    connection.read()
        proxy.stop()
        counts = collections.Counter(re.findall(rb"\r\n(n:\d+)\r\n", self.text()))
        self.assertEqual(set(counts.values()), {3})
        self.assertAlmostEqual(len(counts), 250, delta=80)

    def test_deletes_the_oldest_files_beyond_its_size(self):
        proxy = self.start(values=True, rotate="64KiB", max_size="256KiB")
        with wire(proxy) as connection:
            for number in range(2000):
                connection.send("SET", f"k:{number}", os.urandom(500))
            for number in range(2000):
                connection.read()
        proxy.stop()
        files = self.files()
        self.assertNotIn("-1.aof", files[0].name[-8:])
        self.assertLess(sum(path.stat().st_size for path in files), (256 + 64 + 64) * 1024)
        self.assertIn(b"k:1999", self.text())

    def test_leaves_whole_commands_after_kill_9(self):
        proxy = self.start(values=True)
        with wire(proxy) as connection:
            for number in range(500):
                connection.call("SET", f"k:{number}", "v")
            wait_until(lambda: metrics(proxy).sum("tidegate_capture_records_total") == 500, what="500 records")
        proxy.kill()
        self.assertEqual([path.suffix for path in self.files()], [".aof"])
        with wire(self.load(self.text())) as loaded:
            self.assertEqual(loaded.call("DBSIZE"), 500)


@unittest.skipUnless(os.geteuid() == 0, "a small file system is mounted by root alone")
class full_disk(capture_case):
    def test_stops_the_capture_with_an_alarm_and_never_the_traffic(self):
        self.captures.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(self.captures)], capture_output=True,
                                 text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest(f"no tmpfs here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.captures)], check=False)
        proxy = self.start(values=True)
        with wire(proxy) as connection:
            for number in range(2000):
                connection.call("SET", f"k:{number}", "x" * 400)
            wait_until(lambda: metrics(proxy).sum("tidegate_capture_up") == 0, what="the capture down")
            self.assertGreater(metrics(proxy).sum("tidegate_capture_dropped_total", reason="disk"), 0)
            self.assertRegex(proxy.log, "capture: .*traffic goes on")
            for path in self.files():
                path.unlink()
            def again():
                connection.call("SET", "k:again", "v")
                return metrics(proxy).sum("tidegate_capture_up") == 1
            wait_until(again, what="the capture up again")
        assert_books_are_exact(self, proxy, self.server)
        proxy.stop()
        self.assertIn(b"k:again", self.text())


if __name__ == "__main__":
    unittest.main()
