"""What an operator meets: an upstream that is away or not who it says, reloads, draining, logins, many clients, the tools."""

import json
import re
import signal
import socket
import ssl
import subprocess
import unittest

from harness.cases import proxied_case, with_its_own_servers
from harness.exposition import metrics
from harness.processes import certificates, free_port, redis_server, tidegate, wait_until
from harness.wire import wire


class with_certificates(with_its_own_servers):
    @classmethod
    def setUpClass(cls):
        cls.tls = certificates()
        cls.addClassCleanup(cls.tls.remove)


class an_upstream_that_is_away(with_certificates):
    def test_does_not_stop_the_start_and_is_told_to_clients(self):
        proxy = self.start(tidegate, f"redis://127.0.0.1:{free_port()}", ready=False,
                           more={"upstream": {"queue_timeout": "100ms", "connect_timeout": "200ms"}})
        self.assertEqual(proxy.get("/healthz")[0], 200)
        self.assertEqual(proxy.get("/readyz")[0], 503)
        connection = self.connect(proxy)
        self.assertEqual(connection.call("SET", "a", "1"), "ERR upstream unavailable")
        connection.send_raw(wire.encode("GET", "a") * 100)
        self.assertEqual([connection.read() for _ in range(100)], ["ERR upstream unavailable"] * 100)

    def test_is_used_as_soon_as_it_is_there(self):
        port = free_port()
        proxy = self.start(tidegate, f"redis://127.0.0.1:{port}", ready=False, more={"upstream": {"queue_timeout": "20s"}})
        connection = self.connect(proxy)
        connection.send("SET", "a", "1")
        self.start(redis_server, port=port)
        self.assertEqual(connection.read(), "OK")
        wait_until(lambda: proxy.get("/readyz")[0] == 200, what="/readyz 200")

    def test_leaves_no_command_unanswered_when_it_dies(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, more={"upstream": {"queue_timeout": "200ms", "connect_timeout": "200ms"}})
        connections = [self.connect(proxy) for _ in range(20)]
        for connection in connections:
            self.assertEqual(connection.call("SET", "a", "1"), "OK")
        server.signal(signal.SIGSTOP)
        for connection in connections:
            connection.send_raw(wire.encode("SET", "a", "2") * 10)
        server.signal(signal.SIGKILL)
        server.wait()
        allowed = {"ERR upstream connection lost; the command may have been applied", "ERR upstream unavailable"}
        for connection in connections:
            for _ in range(10):
                self.assertIn(connection.read(), allowed)
        wait_until(lambda: proxy.get("/readyz")[0] == 503, what="/readyz 503")

    def test_closes_dedicated_clients_when_it_dies_and_answers_them_first(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        waiter = self.connect(proxy)
        waiter.send("BLPOP", "nothing", "0")
        with wire(server) as bare:
            wait_until(lambda: "blocked_clients:1\r" in bare.call("INFO", "clients").decode(), what="the block")
        server.signal(signal.SIGKILL)
        self.assertEqual(waiter.read(), "ERR upstream connection lost; the command may have been applied")
        with self.assertRaises(EOFError):
            waiter.read()

    def test_serves_again_after_a_restart(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, more={"upstream": {"queue_timeout": "20s"}})
        connection = self.connect(proxy)
        self.assertEqual(connection.call("SET", "a", "1"), "OK")
        server.signal(signal.SIGKILL)
        server.wait()
        self.start(redis_server, port=server.port)
        # A command under way when the connection broke may answer so once; it is never sent twice.
        replies = [connection.call("SET", "a", "2") for _ in range(2)]
        self.assertEqual(replies[-1], "OK", replies)


class an_upstream_that_is_not_who_it_says(with_certificates):
    def refused(self, server, url):
        proxy = self.start(tidegate, url, ready=False, more={"upstream": {"queue_timeout": "200ms"}})
        connection = self.connect(proxy)
        self.assertEqual(connection.call("SET", "secret", "x"), "ERR upstream unavailable")
        self.assertEqual(proxy.get("/readyz")[0], 503)
        with wire(server) as bare:
            self.assertEqual(bare.call("DBSIZE"), 0)
            self.assertNotIn("cmdstat_set", bare.call("INFO", "commandstats").decode())

    def test_is_refused_when_its_authority_is_unknown(self):
        others = certificates()
        self.addCleanup(others.remove)
        server = self.start(redis_server, tls=others)
        self.refused(server, f"rediss://127.0.0.1:{server.port}?ca={self.tls.ca}")

    def test_is_refused_when_its_certificate_names_another_host(self):
        certificate, key = self.tls.issue("elsewhere", "DNS:elsewhere.example,IP:127.0.0.9")
        named_wrong = certificates.__new__(certificates)
        named_wrong.__dict__.update(self.tls.__dict__, server=certificate, server_key=key)

        class other_host(redis_server):
            def connect(self, timeout=30.0):
                context = ssl.create_default_context(cafile=str(named_wrong.ca))
                context.check_hostname = False
                return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout))

        server = self.start(other_host, tls=named_wrong)
        self.refused(server, server.url)

    def test_is_refused_when_it_speaks_plain(self):
        server = self.start(redis_server)
        self.refused(server, f"rediss://127.0.0.1:{server.port}?ca={self.tls.ca}")


class tls_towards_clients(with_certificates):
    def test_refuses_what_is_below_1_2(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, tls=self.tls)
        old = self.tls.client_context()
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            old.wrap_socket(socket.create_connection((proxy.tls_host, proxy.tls_port), 10), server_hostname=proxy.tls_host)

    def test_survives_plain_text_and_garbage_on_the_tls_port(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, tls=self.tls)
        for garbage in (b"PING\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x00" * 4096):
            with socket.create_connection((proxy.tls_host, proxy.tls_port), 10) as stray:
                stray.sendall(garbage)
                stray.shutdown(socket.SHUT_WR)
                while True:
                    try:
                        if not stray.recv(4096):
                            break
                    except ConnectionResetError:
                        break
        self.assertEqual(self.connect(proxy, tls=True).call("PING"), "PONG")

    def test_names_a_writer_by_his_certificate(self):
        certificate, key = self.tls.issue("billing", "DNS:billing.example")
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, more={"listen": [
            {"address": "127.0.0.1:0"},
            {"address": "127.0.0.2:0", "tls": {"certificate": str(self.tls.server), "key": str(self.tls.server_key),
                                               "client_ca": str(self.tls.ca), "client_auth": "required"}}]})
        context = self.tls.client_context()
        context.load_cert_chain(certificate, key)
        proxy.tls = type("with_certificate", (), {"client_context": staticmethod(lambda: context)})
        self.assertEqual(self.connect(proxy, tls=True).call("SET", "a", "1"), "OK")
        self.assertEqual(metrics(proxy).sum("tidegate_writes_total", client="billing.example"), 1)
        proxy.tls = self.tls
        with self.assertRaises((ssl.SSLError, ConnectionResetError, EOFError)):
            self.connect(proxy, tls=True).call("PING")


class logins(with_certificates):
    def test_are_the_upstreams_in_passthrough(self):
        server = self.start(redis_server, arguments=[["requirepass", "default-secret"]])
        proxy = self.start(tidegate, server, more={"upstream": {
            "control": {"username": "default", "password": "default-secret"}}})
        connection = self.connect(proxy)
        self.assertEqual(connection.call("GET", "a"), "NOAUTH Authentication required.")
        self.assertTrue(connection.call("AUTH", "wrong").startswith("WRONGPASS"))
        self.assertEqual(connection.call("GET", "a"), "NOAUTH Authentication required.")
        self.assertEqual(connection.call("AUTH", "default-secret"), "OK")
        self.assertEqual(connection.call("SET", "a", "1"), "OK")
        stranger = self.connect(proxy)
        self.assertEqual(stranger.call("GET", "a"), "NOAUTH Authentication required.")
        self.assertNotIn("default-secret", proxy.log + proxy.get("/metrics")[1])

    def test_give_each_user_his_own_rights_and_name(self):
        server = self.start(redis_server)
        with wire(server) as bare:
            bare.call("ACL", "SETUSER", "orders", "on", ">one", "~order:*", "+@all")
            bare.call("ACL", "SETUSER", "reader", "on", ">two", "~*", "+@read", "+@connection")
        proxy = self.start(tidegate, server)
        orders, reader = self.connect(proxy), self.connect(proxy)
        self.assertEqual(orders.call("AUTH", "orders", "one"), "OK")
        self.assertIn(b"proto", reader.call("HELLO", "3", "AUTH", "reader", "two"))
        for _ in range(50):
            self.assertEqual(orders.call("SET", "order:1", "x"), "OK")
            self.assertTrue(reader.call("SET", "order:1", "y").startswith("NOPERM"))
            self.assertTrue(orders.call("GET", "other").startswith("NOPERM"))
            self.assertEqual(reader.call("GET", "order:1"), b"x")
        self.assertEqual(metrics(proxy).sum("tidegate_writes_total", client="orders"), 50)

    def test_are_checked_here_where_the_proxy_has_credentials(self):
        server = self.start(redis_server, arguments=[["requirepass", "upstream-secret"]])
        proxy = self.start(tidegate, server, more={
            "upstream": {"auth": {"username": "default", "password": "upstream-secret"}},
            "users": [{"name": "campaign", "password": "token-of-campaign"}]})
        connection = self.connect(proxy)
        self.assertTrue(connection.call("GET", "a").startswith("NOAUTH"))
        self.assertTrue(connection.call("AUTH", "campaign", "wrong").startswith("WRONGPASS"))
        self.assertTrue(connection.call("AUTH", "upstream-secret").startswith("WRONGPASS"))
        self.assertEqual(connection.call("AUTH", "campaign", "token-of-campaign"), "OK")
        self.assertEqual(connection.call("SET", "a", "1"), "OK")
        self.assertEqual(metrics(proxy).sum("tidegate_writes_total", client="campaign"), 1)


class reloading(with_certificates):
    def setUp(self):
        self.server = self.start(redis_server)
        self.proxy = self.start(tidegate, self.server, more={"ttl": [{"pattern": "a:*", "default": "100s"}]})
        self.connection = self.connect(self.proxy)

    def ttl_of_a_new_key(self):
        self.connection.call("SET", "a:1", "v")
        return self.connection.call("TTL", "a:1")

    def test_takes_a_good_file_at_SIGHUP_and_keeps_its_clients(self):
        self.assertEqual(self.ttl_of_a_new_key(), 100)
        self.proxy.configuration["ttl"][0]["default"] = "200s"
        self.proxy.write_config()
        self.proxy.signal(signal.SIGHUP)
        wait_until(lambda: self.ttl_of_a_new_key() == 200, what="the new TTL")

    def test_takes_a_changed_file_by_itself(self):
        self.proxy.configuration["ttl"][0]["default"] = "300s"
        self.proxy.write_config()
        wait_until(lambda: self.ttl_of_a_new_key() == 300, what="the new TTL")

    def test_keeps_everything_when_the_file_is_wrong_and_says_where(self):
        self.proxy.configuration["ttl"][0].update(default="200s", nonsense=1)
        self.proxy.write_config()
        self.proxy.signal(signal.SIGHUP)
        wait_until(lambda: "nonsense" in self.proxy.log, what="the mistake in the log")
        self.assertRegex(self.proxy.log, r"tidegate\.yaml:\d+: .*nonsense")
        self.assertEqual(self.ttl_of_a_new_key(), 100)
        self.assertTrue(self.proxy.is_running())


class ending(with_certificates):
    def test_answers_what_it_received_and_refuses_what_comes_later(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        busy = self.connect(proxy)
        busy.send("BLPOP", "queue", "0")
        with wire(server) as bare:
            wait_until(lambda: "blocked_clients:1\r" in bare.call("INFO", "clients").decode(), what="the block")
            proxy.signal(signal.SIGTERM)

            def refused():
                try:
                    with wire(proxy, timeout=5) as late:
                        late.call("PING")
                    return False
                except OSError:
                    return True
                except EOFError:
                    return True

            wait_until(refused, what="a refused connection")
            bare.call("RPUSH", "queue", "item")
        self.assertEqual(busy.read(), [b"queue", b"item"])
        with self.assertRaises((EOFError, ConnectionResetError)):
            busy.read()
        self.assertEqual(proxy.wait(), 0)

    def test_waits_for_no_idle_client(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, more={"drain": "1h"})
        for connection in [self.connect(proxy) for _ in range(10)]:
            self.assertEqual(connection.call("PING"), "PONG")
        proxy.signal(signal.SIGTERM)
        self.assertEqual(proxy.wait(), 0)

    def test_ends_at_the_second_signal(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server, more={"drain": "1h"})
        self.connect(proxy).send("BLPOP", "queue", "0")
        with wire(server) as bare:
            wait_until(lambda: "blocked_clients:1\r" in bare.call("INFO", "clients").decode(), what="the block")
        proxy.signal(signal.SIGTERM)
        wait_until(lambda: proxy.get("/readyz")[0] == 503, what="/readyz 503")
        proxy.signal(signal.SIGTERM)
        proxy.wait()

    def test_leaves_no_write_that_was_executed_unanswered(self):
        server = self.start(redis_server)
        proxy = self.start(tidegate, server)
        connections = [self.connect(proxy) for _ in range(8)]
        for connection in connections:
            connection.send_raw(wire.encode("INCR", "n") * 2000)
        proxy.signal(signal.SIGTERM)
        answered = 0
        for connection in connections:
            try:
                while isinstance(connection.read(), int):
                    answered += 1
            except (EOFError, ConnectionResetError):
                pass
        with wire(server) as bare:
            self.assertEqual(int(bare.call("GET", "n") or 0), answered)
        self.assertEqual(proxy.wait(), 0)


class many_clients(proxied_case):
    def test_hold_at_most_32_upstream_connections(self):
        connections = [self.connect() for _ in range(1000)]
        for round_number in range(3):
            for number, connection in enumerate(connections):
                connection.send_raw(wire.encode("SET", f"k:{number}", round_number) + wire.encode("GET", f"k:{number}"))
            for connection in connections:
                self.assertEqual([connection.read(), connection.read()], ["OK", b"%d" % round_number])
        clients = int(re.search(r"connected_clients:(\d+)", self.bare().call("INFO", "clients").decode()).group(1))
        # Lanes, the control connection, and this very one.
        self.assertLessEqual(clients - 1, 32)
        self.assertEqual(metrics(self.proxy).sum("tidegate_client_connections"), 1000)

    def test_leave_nothing_behind(self):
        for connection in [self.connect() for _ in range(200)]:
            connection.call("MULTI")
            connection.close()
        wait_until(lambda: metrics(self.proxy).sum("tidegate_client_connections") == 0, what="0 client connections")
        wait_until(lambda: metrics(self.proxy).sum("tidegate_upstream_connections", kind="dedicated") == 0,
                   what="0 dedicated connections")


class the_metrics(proxied_case):
    def test_pass_promtool(self):
        self.connect().call("SET", "a", "1")
        checked = subprocess.run(["promtool", "check", "metrics"], input=self.proxy.get("/metrics")[1], text=True,
                                 capture_output=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_declare_every_name_of_the_contract_from_the_start(self):
        text = self.proxy.get("/metrics")[1]
        for name in ("commands_total writes_total write_elements_total write_bytes_total writes_without_ttl_total delayed_total "
                     "rejected_total observed_total delay_seconds ttl_injected_total ttl_capped_total client_connections "
                     "client_connections_opened_total upstream_connections sessions_dedicated upstream_rtt_seconds "
                     "upstream_memory_used_bytes upstream_memory_max_bytes upstream_keys upstream_keys_with_ttl "
                     "upstream_evicted_keys_total build_info own_commands_total script_calls_total writes_assumed_total "
                     "writes_unknown_total ttl_observed_total ttl_failed_total").split():
            with self.subTest(name):
                self.assertIn(f"# TYPE tidegate_{name} ", text)


class the_tools(proxied_case):
    TLS = True

    def cli(self, *arguments, data=None, program="redis-cli"):
        done = subprocess.run([program, "-h", self.proxy.tls_host, "-p", str(self.proxy.tls_port), "--tls", "--cacert",
                               str(self.tls.ca), *arguments], input=data, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout

    def test_redis_cli_talks(self):
        self.assertEqual(self.cli("SET", "a", "1"), b"OK\n")
        self.assertEqual(self.cli("GET", "a"), b"1\n")
        self.assertEqual(self.cli("-3", "HGETALL", "none"), b"\n")
        self.assertEqual(self.cli("-n", "5", "SET", "b", "5"), b"OK\n")
        self.assertIn(b"redis_version:7", self.cli("INFO", "server"))
        self.assertEqual(self.cli("--scan"), b"a\n")

    def test_redis_cli_loads_by_pipe(self):
        data = b"".join(wire.encode("SET", f"k:{number}", number) for number in range(100_000))
        self.assertIn(b"errors: 0, replies: 100000", self.cli("--pipe", data=data))
        self.assertEqual(self.bare().call("DBSIZE"), 100_000)

    def test_redis_cli_runs_from_its_standard_input(self):
        self.assertEqual(self.cli(data=b"SET a 1\nINCR a\nMULTI\nINCR a\nEXEC\n"), b"OK\n2\nOK\nQUEUED\n3\n")

    def test_redis_benchmark_runs_pipelined_over_tls(self):
        out = self.cli("-P", "16", "-c", "50", "-n", "200000", "-r", "1000", "-q", "-t", "set,get,incr,lpush,sadd,hset,zadd",
                       program="redis-benchmark")
        for name in (b"SET", b"GET", b"INCR", b"LPUSH", b"SADD", b"HSET", b"ZADD"):
            self.assertRegex(out, name + rb": [\d.]+ requests per second")
        self.assertNotIn(b"rror", out)


class the_api(proxied_case):
    CONFIGURATION = {"limits": [{"name": "one", "match": {"key": "a:*"}, "rate": "10/s"}]}

    def test_answers_json(self):
        self.connect().call("SET", "a:1", "x")
        for path in ("clients", "patterns", "limits", "writes"):
            with self.subTest(path):
                status, body = self.proxy.get(f"/api/v1/{path}")
                self.assertEqual(status, 200, body[:300])
                json.loads(body)
        self.assertEqual(self.proxy.get("/nowhere")[0], 404)
