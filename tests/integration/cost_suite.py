"""The steady path asks nothing of malloc and of mutexes: counted from outside, in the real process, on its real worker
threads, over 100,000 commands with the policy on; plain, and over TLS on both sides with what OpenSSL does stated apart."""

import mmap
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from harness.cases import proxied_case
from harness.processes import tidegate
from harness.wire import wire

CONNECTIONS = 20
PIPELINE = 50
COMMANDS = 100_000
ROUNDS = COMMANDS // (CONNECTIONS * PIPELINE)
WARM_UP_ROUNDS = 20
# Buffers and rings grow to the largest backlog that timing ever made, and stay: until then it is not the steady state.
WINDOWS_MAX = 5


class counted_calls:
    """The counters of count_calls.c, compiled and mapped."""

    FIELDS = ("allocations", "openssl_allocations", "mutex_locks", "openssl_mutex_locks")

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-counts-"))
        source = pathlib.Path(__file__).with_name("harness") / "count_calls.c"
        self.library = self.folder / "count_calls.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.library, source, "-ldl"], check=True)
        self.file = self.folder / "counts"
        self.file.write_bytes(b"\0" * 4096)
        with open(self.file, "r+b") as opened:
            self.mapped = mmap.mmap(opened.fileno(), 4096)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "COUNT_CALLS_FILE": str(self.file)}

    def read(self):
        return dict(zip(self.FIELDS, struct.unpack_from("<4Q", self.mapped)))

    def remove(self):
        self.mapped.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class counted_tidegate(tidegate):
    def __init__(self, counts, *arguments, **named):
        self.counts = counts
        super().__init__(*arguments, **named)

    def spawn(self, arguments, environment=None):
        super().spawn(arguments, {**(environment or {}), **self.counts.environment()})


class plain_cost(proxied_case):
    CONFIGURATION = {
        "ledger": {"path": "ledger.db", "bucket": "1s"},
        "capture": {"directory": "captures", "values": True, "max_size": "128MiB"},
        "attribution": {"patterns": [f"family{number}:*" for number in range(30)]},
        "limits": [{"name": f"admits-{number}", "match": {"command": "write"}, "rate": "1000000000/s", "burst": 1000000000}
                   for number in range(5)],
        "ttl": [{"pattern": "family1:*", "default": "60s"}, {"pattern": "family2:*", "max": "90s"},
                {"pattern": "family3:*", "default": "1h", "jitter": "10%"}],
    }

    @classmethod
    def start_proxy(cls):
        cls.counts = counted_calls()
        cls.addClassCleanup(cls.counts.remove)
        cls.proxy = counted_tidegate(cls.counts, cls.server, tls=cls.tls, pooling=cls.POOLING, more=cls.CONFIGURATION)

    def batch(self, number):
        """One pipeline: reads, writes that are rewritten and followed, writes that are neither."""
        sent = b""
        for index in range(PIPELINE):
            key = f"family{index % 30}:{number}:{index}"
            sent += (wire.encode("SET", key, "x" * 64), wire.encode("GET", key), wire.encode("INCR", key + ":n"),
                     wire.encode("SADD", key + ":s", "a", "b"), wire.encode("SET", key, "y" * 64, "EX", "120"))[index % 5]
        return sent

    def test_the_steady_path_asks_nothing_of_malloc_and_of_mutexes(self):
        connections = [self.connect() for _ in range(CONNECTIONS)]
        batches = [self.batch(number) for number in range(CONNECTIONS)]

        def run(rounds):
            for _ in range(rounds):
                for connection, batch in zip(connections, batches):
                    connection.send_raw(batch)
                for connection in connections:
                    for _ in range(PIPELINE):
                        connection.read()

        run(WARM_UP_ROUNDS)
        self.assertGreater(self.counts.read()["allocations"], 0, "the counters do not count")
        for _ in range(WINDOWS_MAX):
            before = self.counts.read()
            run(ROUNDS)
            after = self.counts.read()
            asked = {name: after[name] - before[name] for name in after}
            print(f"over {COMMANDS} commands: {asked}", file=sys.stderr)
            if asked["allocations"] == 0 and asked["mutex_locks"] == 0:
                break
        self.assertEqual(asked["allocations"], 0)
        self.assertEqual(asked["mutex_locks"], 0)
        if not self.TLS:
            self.assertEqual(asked["openssl_allocations"], 0)


class tls_cost(plain_cost):
    TLS = True
