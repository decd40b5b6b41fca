"""Session pooling: commands that arrive in pieces reach Redis in pieces, where no rule has to see the rest first."""

import time

from harness.cases import proxied_case
from harness.exposition import metrics

SIZE = 1_000_000
FIRST = 50_000


class partial_commands(proxied_case):
    POOLING = "session"

    def query_buffer_of(self, name):
        listed = self.bare().call("CLIENT", "LIST")
        for line in (listed if isinstance(listed, str) else listed.decode()).splitlines():
            fields = dict(field.split("=", 1) for field in line.split())
            if fields["name"] == name:
                return int(fields["qbuf"])
        return 0

    def test_redis_sees_a_command_that_is_still_arriving(self):
        connection = self.connect()
        self.assertEqual(connection.call("CLIENT", "SETNAME", "in-pieces"), "OK")
        frame = connection.encode("SET", "k", "x" * SIZE)
        connection.send_raw(frame[:FIRST])
        deadline = time.monotonic() + 10
        while self.query_buffer_of("in-pieces") < FIRST // 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertGreaterEqual(self.query_buffer_of("in-pieces"), FIRST // 2)
        connection.send_raw(frame[FIRST:] + connection.encode("STRLEN", "k"))
        self.assertEqual(connection.read(), "OK")
        self.assertEqual(connection.read(), SIZE)

    def test_redis_closes_a_client_over_its_own_query_buffer_limit(self):
        bare = self.bare()
        self.assertEqual(bare.call("CONFIG", "SET", "client-query-buffer-limit", "1mb"), "OK")
        try:
            connection = self.connect()
            connection.call("PING")
            with self.assertRaises((EOFError, OSError)):
                connection.send_raw(connection.encode("SET", "k", "x" * 3_000_000)[:2_500_000])
                connection.read()
            self.assertEqual(metrics(self.proxy).sum("tidegate_client_errors_total"), 0, "the proxy ended it, not Redis")
        finally:
            bare.call("CONFIG", "SET", "client-query-buffer-limit", "1gb")
