"""Memory and load: what peers can make the proxy hold, and what is left when they have gone.

Memory is what the process asked for, as the kernel counts it. Figures are said on stderr; what fails a case is a bound
that is far from them.
"""

import contextlib
import re
import selectors
import signal
import socket
import ssl
import threading
import unittest

from harness.cases import proxied_case, with_its_own_servers
from harness.exposition import metrics
from harness.measured import (KIB, MIB, connections_possible, cpu_seconds_of, descriptors_of, memory_of, say, short_or_long,
                              unread_of)
from harness.processes import certificates, redis_server, tidegate, wait_until
from harness.wire import wire

IDLE_PLAIN_KIB_MAX = 8
IDLE_TLS_KIB_MAX = 40
HEADERS_KIB_MAX = 12
UNREAD_MIB_MAX = 4  # of one client that asks and does not read
# The first commands of a client share a lane, which is never paused for one of them: what they ask for is held.
UNREAD_SESSION_MIB = 16


def calls_of(server, command):
    with wire(server) as bare:
        found = re.search(rf"cmdstat_{command}:calls=(\d+)", bare.call("INFO", "commandstats").decode())
    return int(found.group(1)) if found else 0


def wait_until_it_rests(value, what):
    """Until `value` is the same three times in a row."""
    seen = []

    def rests():
        seen.append(value())
        return len(seen) >= 30 and len(set(seen[-30:])) == 1

    wait_until(rests, seconds=120, what=f"{what} at rest")
    return seen[-1]


class announced_sizes(proxied_case):
    """M1."""

    SHAPES = {
        "an array of a million": b"*1048576\r\n",
        "a name of half a gigabyte": b"*3\r\n$536870912\r\n",
        "a key of half a gigabyte": b"*3\r\n$3\r\nSET\r\n$536870912\r\n",
        "a million arguments that begin": b"*1048576\r\n$4\r\nMSET\r\n$1\r\nk\r\n$536870912\r\n",
    }

    def test_cost_what_arrived_and_not_what_was_announced(self):
        count = connections_possible(short_or_long(1000, 10_000))
        for name, header in self.SHAPES.items():
            with self.subTest(name):
                before = memory_of(self.proxy.pid)
                connections = []
                try:
                    for _ in range(count):
                        connections.append(self.proxy.connect())
                        connections[-1].sendall(header)
                    wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == count, what="all clients")
                    each = (memory_of(self.proxy.pid) - before) / count
                finally:
                    for connection in connections:
                        connection.close()
                say(f"M1 {name}: {each / KIB:.1f} KiB each of {count} connections")
                self.assertLess(each, HEADERS_KIB_MAX * KIB)
                wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="nobody left")


class a_client_that_never_reads(with_its_own_servers):
    """M2."""

    def unread(self, pooling, mib_max):
        server = self.start(redis_server)
        # Patience, because the server that has gigabytes to say may take its time to greet the next.
        proxy = self.start(tidegate, server, pooling=pooling, more={"memory": {"session": f"{UNREAD_SESSION_MIB}MiB"},
                                                                    "upstream": {"queue_timeout": "60s",
                                                                                 "connect_timeout": "60s"}})
        with wire(server) as bare:
            bare.call("SET", "big", b"x" * (256 * KIB))
        count = short_or_long(4, 16)
        other = self.connect(proxy)
        self.assertEqual(other.call("PING"), "PONG")
        before = memory_of(proxy.pid)
        for _ in range(count):
            # A GiB of replies each, asked for in 90 KB.
            self.connect(proxy).send_raw(wire.encode("GET", "big") * 4096)
        asked = wait_until_it_rests(lambda: calls_of(server, "get"), "GETs upstream")
        grown = memory_of(proxy.pid) - before
        say(f"M2 {pooling}: {grown / count / MIB:.2f} MiB each of {count} that asked for {count} GiB; "
            f"{asked} of {4096 * count} GETs went upstream")
        self.assertLess(grown, count * mib_max * MIB)
        self.assertEqual(other.call("SET", "a", "1"), "OK")
        return proxy, before

    def test_makes_the_proxy_hold_no_more_than_memory_session(self):
        self.unread("multiplex", UNREAD_SESSION_MIB * 4 / 3)

    def test_makes_the_proxy_hold_a_small_part_with_a_connection_each(self):
        self.unread("session", UNREAD_MIB_MAX)

    def test_is_closed_in_the_end_and_gives_all_of_it_back(self):
        if not short_or_long(False, True):
            self.skipTest("waits for the 30 s in which a client must take something; the long form does")
        for pooling, mib_max in (("multiplex", UNREAD_SESSION_MIB * 4 / 3), ("session", UNREAD_MIB_MAX)):
            with self.subTest(pooling):
                proxy, before = self.unread(pooling, mib_max)
                wait_until(lambda proxy=proxy: metrics(proxy).sum("tidegate_client_connections") == 1, seconds=120,
                           what="the unread closed")
                # But for the spare blocks, 16 MiB a worker.
                wait_until(lambda proxy=proxy, before=before: memory_of(proxy.pid) < before + 40 * MIB,
                           seconds=60, what="the memory given back")


class a_slow_upstream(with_its_own_servers):
    """M3."""

    def test_holds_its_clients_back_and_loses_nothing(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        before = memory_of(proxy.pid)
        count, each = short_or_long((8, 32), (32, 64))
        value = b"x" * (256 * KIB)
        server.signal(signal.SIGSTOP)
        sent = [0] * count

        def write(number, connection):
            request = wire.encode("SET", f"k:{number}", value)
            for _ in range(each):
                connection.send_raw(request)
                sent[number] += 1

        connections = [self.connect(proxy, timeout=120) for _ in range(count)]
        writers = [threading.Thread(target=write, args=pair, daemon=True) for pair in enumerate(connections)]
        for writer in writers:
            writer.start()
        taken = wait_until_it_rests(lambda: sum(sent), "what the clients could send")
        grown = memory_of(proxy.pid) - before
        say(f"M3: {grown / MIB:.1f} MiB held for {count} clients who sent {taken} of {count * each} values of 256 KiB")
        self.assertLess(taken, count * each)
        self.assertLess(grown, count * 2 * MIB + 16 * MIB)
        server.signal(signal.SIGCONT)
        for connection in connections:
            self.assertEqual([connection.read() for _ in range(each)], ["OK"] * each)
        for writer in writers:
            writer.join()
        self.assertEqual(calls_of(server, "set"), count * each)


class the_total(with_its_own_servers):
    """M4."""

    def hold(self, proxy, size):
        """A client for whom the proxy holds `size` bytes: the keys of a command that does not end."""
        connection = self.connect(proxy)
        head = b"*3\r\n$3\r\nSET\r\n$%d\r\n" % (32 * MIB)
        connection.send_raw(head + b"k" * (size - len(head)))
        return connection

    def test_costs_the_greediest_his_connection_and_nobody_else_on_any_worker(self):
        total = short_or_long(64, 512)
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, workers=2, more={"memory": {"session": "64MiB", "total": f"{total}MiB"}})
        modest = [self.hold(proxy, 4 * KIB) for _ in range(100)]
        busy = self.connect(proxy)
        before = memory_of(proxy.pid)
        greedy = [self.hold(proxy, 8 * MIB) for _ in range(total // 8 * 2)]
        wait_until(lambda: metrics(proxy).sum("tidegate_client_errors_total", kind="memory") >= total // 8,
                   seconds=60, what="the greediest closed")
        closed = metrics(proxy).sum("tidegate_client_errors_total", kind="memory")
        grown = memory_of(proxy.pid) - before
        say(f"M4: {grown / MIB:.0f} MiB held under a total of {total} MiB; {closed:.0f} of {len(greedy)} greedy closed")
        self.assertLess(grown, (2 * total + 32) * MIB)  # blocks are powers of two, and a worker keeps 16 MiB of spare ones
        self.assertEqual(busy.call("SET", "a", "1"), "OK")
        # Every modest one is still there: its command is cut off, and answered as Redis answers it.
        for connection in modest:
            connection.socket.setblocking(False)
            with self.assertRaises(BlockingIOError):
                connection.socket.recv(1)
        for connection in greedy:
            connection.close()
        wait_until(lambda: memory_of(proxy.pid) < before + 40 * MIB, what="the memory given back")


class idle_connections(with_its_own_servers):
    """M5."""

    def idle(self, tls, kib_max):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, tls=tls)
        count = connections_possible(short_or_long(1000, 10_000))
        with wire(proxy, tls=tls is not None) as first:
            first.call("PING")
        wait_until(lambda: metrics(proxy).sum("tidegate_client_connections") == 0, what="nobody")
        before = memory_of(proxy.pid)
        connections = [wire(proxy, tls=tls is not None) for _ in range(count)]
        try:
            for connection in connections:
                self.assertEqual(connection.call("PING"), "PONG")
            each = (memory_of(proxy.pid) - before) / count
        finally:
            for connection in connections:
                connection.close()
        wait_until(lambda: metrics(proxy).sum("tidegate_client_connections") == 0, what="nobody left")
        # What the allocator keeps is given back to the system some seconds after most have left.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: memory_of(proxy.pid) < before * 1.1 + MIB, seconds=15)
        after = memory_of(proxy.pid)
        say(f"M5 {'TLS' if tls else 'plain'}: {each / KIB:.1f} KiB each of {count} idle connections; "
            f"{before / MIB:.1f} MiB before, {after / MIB:.1f} MiB when they had gone")
        self.assertLess(each, kib_max * KIB)
        self.assertLess(after, before * 1.1 + MIB)

    def test_cost_little_and_give_it_back(self):
        self.idle(None, IDLE_PLAIN_KIB_MAX)

    def test_cost_little_under_TLS_and_give_it_back(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        self.idle(tls, IDLE_TLS_KIB_MAX)


class a_storm_of_connections(with_its_own_servers):
    """M6. All of them at once, a third of them broken off in the middle of the handshake."""

    def test_is_served_but_for_those_who_break_off(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, tls=tls)
        context = tls.client_context()
        count = connections_possible(short_or_long(600, 9000))
        waiting = selectors.DefaultSelector()
        self.addCleanup(waiting.close)
        served, broken, under_way, begun = [], [], 0, 0

        def is_at_its_end(secure, breaks_off):
            """One step of a client's handshake."""
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                if not breaks_off:
                    waiting.modify(secure, selectors.EVENT_READ, (secure, breaks_off))
                    return False
                broken.append(secure)
                return True
            except ssl.SSLWantWriteError:
                return False
            served.append(secure)
            return True

        while begun < count or under_way:
            # Not more at once than the listener's queue holds: what lies beyond it is the kernel's to refuse.
            while begun < count and under_way < 1000:
                raw = socket.socket()
                raw.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    raw.connect((proxy.tls_host, proxy.tls_port))
                secure = context.wrap_socket(raw, server_hostname=proxy.tls_host, do_handshake_on_connect=False)
                waiting.register(secure, selectors.EVENT_WRITE, (secure, begun % 3 == 2))
                begun += 1
                under_way += 1
            for key, _ in waiting.select(30):
                if is_at_its_end(*key.data):
                    waiting.unregister(key.fileobj)
                    under_way -= 1
                    if broken and broken[-1] is key.fileobj:
                        key.fileobj.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                        key.fileobj.close()
        for secure in served:
            self.addCleanup(secure.close)
            secure.setblocking(True)
            secure.settimeout(60)
            secure.sendall(b"PING\r\n")
        self.assertEqual([secure.recv(100) for secure in served], [b"+PONG\r\n"] * len(served))
        self.assertEqual(len(served) + len(broken), count)
        self.assertEqual(metrics(proxy).sum("tidegate_accept_errors_total"), 0)
        say(f"M6: {len(served)} of {count} at once served over TLS, {len(broken)} broke off, nobody refused")


class descriptors(with_its_own_servers):
    """M7."""

    def test_run_out_for_new_clients_and_not_for_old_ones(self):
        server = self.start(redis_server)
        proxy = self.start(limited_tidegate, server)
        # 256 descriptors: 96 clients, and as many upstream connections of their own.
        clients = [self.connect(proxy) for _ in range(96)]
        for client in clients:
            self.assertEqual(client.call("MULTI"), "OK")
        self.assertLessEqual(descriptors_of(proxy.pid), 256)
        for _ in range(20):
            self.assertEqual(self.connect(proxy).read(), "ERR max number of clients reached")
        for client in clients:
            self.assertEqual(client.call("SET", "a", "1"), "QUEUED")
            self.assertEqual(client.call("EXEC"), ["OK"])
        clients.pop().close()
        wait_until(lambda: self.connect(proxy).call("PING") == "PONG", what="room for one more")

    def test_that_are_none_stop_accepting_without_spinning_and_it_goes_on_by_itself(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        old = self.connect(proxy)
        self.assertEqual(old.call("SET", "a", "1"), "OK")
        limits = resource_limits(proxy.pid)
        errors = metrics(proxy).sum("tidegate_accept_errors_total")
        set_descriptors_max(proxy.pid, descriptors_of(proxy.pid), limits)
        knocking = [socket.create_connection((proxy.host, proxy.port), 30) for _ in range(200)]
        for one in knocking:
            self.addCleanup(one.close)
        before, lines = cpu_seconds_of(proxy.pid), proxy.log.count("\n")
        rounds = 0
        knocking[0].settimeout(3)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while knocking[0].recv(1):  # 3 s of a full house
                rounds += 1
        spent = cpu_seconds_of(proxy.pid) - before
        # A dedicated connection cannot be had either: that is said, and the client lives on.
        self.assertEqual(old.call("PING"), "PONG")
        self.assertEqual(old.call("MULTI"), "ERR upstream unavailable")
        self.assertEqual(old.call("SET", "a", "2"), "OK")
        self.assertLess(proxy.log.count("\n") - lines, 20)
        set_descriptors_max(proxy.pid, limits[0], limits)
        wait_until(lambda: self.connect(proxy).call("PING") == "PONG", what="a new client served")
        seen = metrics(proxy).sum("tidegate_accept_errors_total") - errors
        say(f"M7: {spent:.2f} s of CPU while 200 knocked in vain, {seen:.0f} accept errors counted")
        self.assertGreater(seen, 0)
        self.assertLess(seen, 400)


def resource_limits(pid):
    import resource
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def set_descriptors_max(pid, count, before):
    import resource
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, before[1]))


class limited_tidegate(tidegate):
    """Started as by a shell with `ulimit -n 256`."""

    def spawn(self, arguments, environment=None):
        super().spawn(["prlimit", "--nofile=256:256", *arguments], environment)


class half_closes(with_its_own_servers):
    """M8: eight orderings of who has finished when."""

    def setUp(self):
        self.connections = []
        self.server = self.start(redis_server)
        self.proxy = self.start(tidegate, self.server)
        with wire(self.server) as bare:
            bare.call("SET", "big", b"x" * (8 * MIB))
        self.other = self.connect(self.proxy)

    def connect(self, source, **how):
        self.connections.append(super().connect(source, **how))
        return self.connections[-1]

    def tearDown(self):
        self.assertEqual(self.other.call("PING"), "PONG")
        for connection in self.connections:
            connection.close()
        wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="nobody left")

    def test_of_a_client_after_a_pipeline_gets_every_reply(self):
        client = self.connect(self.proxy)
        client.send_raw(wire.encode("INCR", "n") * 2000)
        client.finish_sending()
        self.assertEqual(client.read_to_end(), b"".join(b":%d\r\n" % n for n in range(1, 2001)))

    def test_of_a_client_before_its_first_byte_is_answered_by_one(self):
        client = self.connect(self.proxy)
        client.finish_sending()
        self.assertEqual(client.read_to_end(), b"")

    def test_in_the_middle_of_a_command_runs_what_was_whole(self):
        client = self.connect(self.proxy)
        client.send_raw(wire.encode("SET", "a", "1") + b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n")
        client.finish_sending()
        self.assertEqual(client.read_to_end(), b"+OK\r\n")
        self.assertEqual(self.other.call("GET", "a"), b"1")

    def test_while_the_upstream_stands_still_waits_for_it(self):
        client = self.connect(self.proxy)
        self.assertEqual(client.call("PING"), "PONG")
        self.server.signal(signal.SIGSTOP)
        client.send_raw(wire.encode("INCR", "n") * 50)
        client.finish_sending()
        self.server.signal(signal.SIGCONT)
        self.assertEqual(client.read_to_end(), b"".join(b":%d\r\n" % n for n in range(1, 51)))

    def test_before_a_large_reply_was_read_gets_all_of_it(self):
        client = self.connect(self.proxy)
        client.send("GET", "big")
        client.finish_sending()
        self.assertEqual(len(client.read_to_end()), len(b"$8388608\r\n") + 8 * MIB + 2)

    def test_of_the_upstream_between_replies_harms_nobody(self):
        client = self.connect(self.proxy)
        self.assertEqual(client.call("SET", "a", "1"), "OK")
        with wire(self.server) as bare:
            bare.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        replies = [client.call("GET", "a") for _ in range(2)]
        self.assertEqual(replies[-1], b"1", replies)

    def test_of_the_upstream_in_a_dedicated_wait_ends_that_client(self):
        client = self.connect(self.proxy)
        client.send("BLPOP", "nothing", "0")
        with wire(self.server) as bare:
            wait_until(lambda: "blocked_clients:1\r" in bare.call("INFO", "clients").decode(), what="the block")
            bare.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.assertEqual(client.read_to_end(), b"-ERR upstream connection lost; the command may have been applied\r\n")

    def test_of_a_client_that_then_resets_leaves_nothing_behind(self):
        client = self.connect(self.proxy)
        client.send_raw(wire.encode("BLPOP", "queue", "0"))
        with wire(self.server) as bare:
            wait_until(lambda: "blocked_clients:1\r" in bare.call("INFO", "clients").decode(), what="the block")
            client.finish_sending()
            client.reset()
            wait_until(lambda: "blocked_clients:0\r" in bare.call("INFO", "clients").decode(), what="no block")
            bare.call("RPUSH", "queue", "item")
            self.assertEqual(bare.call("LLEN", "queue"), 1)


class a_slow_sender(with_its_own_servers):
    """Slowloris: a command that arrives byte by byte, or not at all."""

    def test_is_ended_when_nothing_comes_and_nobody_waits_for_it(self):
        if not short_or_long(False, True):
            self.skipTest("waits for the 15 s in which a begun command must go on; the long form does")
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        slow = [self.connect(proxy) for _ in range(500)]
        for connection in slow:
            connection.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nx")
        idle, quick = self.connect(proxy), self.connect(proxy)
        self.assertEqual(idle.call("PING"), "PONG")
        self.assertEqual([connection.read_to_end() for connection in slow], [b""] * len(slow))
        self.assertEqual(metrics(proxy).sum("tidegate_client_errors_total", kind="slow"), len(slow))
        self.assertEqual([idle.call("PING"), quick.call("PING")], ["PONG", "PONG"])


class fairness(with_its_own_servers):
    """M10, in commands instead of time: how many of a deep pipeline's stand on a lane before a small client's."""

    def test_lets_only_so_many_of_a_deep_pipeline_before_a_small_clients_command(self):
        def connection_in(line):
            return re.match(r"\S+ \[\d+ (\S+)\]", line)[1]

        server = self.start(redis_server)
        proxy = self.start(tidegate, server, workers=1)
        with wire(server) as bare:
            bare.call("SET", "big", b"x" * (64 * KIB))
        rounds, depth, most, ended = short_or_long(20, 300), 512, 0, threading.Event()
        deep, small = self.connect(proxy, timeout=120), self.connect(proxy)
        self.assertEqual(small.call("GET", "little"), None)

        def pipeline():
            # Where he does not keep up he has a connection of his own, and the server alone shares out the turns.
            into, reply = bytearray(MIB), len(b"$65536\r\n") + 64 * KIB + 2
            while not ended.is_set():
                deep.send_raw(wire.encode("GET", "big") * depth)
                left = depth * reply
                while left:
                    left -= deep.socket.recv_into(into, min(left, MIB))

        worker = threading.Thread(target=pipeline)
        worker.start()
        with wire(server) as monitor:
            monitor.call("MONITOR")
            for number in range(rounds):
                while '"big"' not in monitor.read():
                    pass  # until the deep pipeline is under way
                server.signal(signal.SIGSTOP)
                monitor.socket.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    while True:
                        monitor.read()
                monitor.socket.settimeout(30)
                small.send("GET", f"small:{number}")
                # From the moment at which the proxy has read it; when that is, is the machine's affair.
                wait_until(lambda: unread_of(proxy, small) == 0, what="the small command in the proxy")
                server.signal(signal.SIGCONT)
                big = []
                while f'"small:{number}"' not in (line := monitor.read()):
                    if '"big"' in line:
                        big.append(connection_in(line))
                self.assertEqual(small.read(), None)
                most = max(most, big.count(connection_in(line)))
        ended.set()
        worker.join()
        say(f"M10: at most {most} of a pipeline of {depth} GETs of 64 KiB stood before a small client's command")
        self.assertLessEqual(most, 32)


if __name__ == "__main__":
    unittest.main()
