"""Who is spoken to over TLS, and how: versions and ciphers, each kind of bad certificate on both sides, resumption."""

import os
import signal
import socket
import ssl
import subprocess
import time
import unittest

from harness.certificate_kinds import certificate_kinds
from harness.exposition import metrics
from harness.faulty_case import UNAVAILABLE
from harness.faulty_redis import faulty_redis
from harness.processes import redis_server, tidegate, wait_until
from harness.wire import wire

LONG = bool(os.environ.get("TIDEGATE_LONG"))
REFUSED = (ssl.SSLError, ConnectionError, EOFError)
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3}
# Forward secrecy and authenticated encryption, by the key of the certificate; then what 1.2 knows besides.
WANTED = {"right": ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
          "right_with_rsa": ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]}
UNWANTED = {"right": ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-NULL-SHA", "ECDHE-ECDSA-AES128-CCM",
                      "AECDH-AES128-SHA"],
            "right_with_rsa": ["ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
                               "AES128-SHA", "AES256-SHA256", "DHE-RSA-AES128-GCM-SHA256", "NULL-SHA256", "ADH-AES128-SHA256"]}
BAD_SERVERS = {
    "expired": "expired", "not_yet_valid": "not yet valid", "of_another_host": "does not name 127.0.0.1",
    "of_another_authority": "local issuer", "self_signed": "self-signed", "with_a_weak_key": "too small|too weak",
    "with_a_weak_signature": "too weak|md too weak", "chainless": "local issuer", "signed_by_a_leaf": "invalid CA",
    "for_clients_alone": "purpose"}
WORDS = {"expired": "expired", "not_yet_valid": "not_yet_valid", "of_another_host": "wrong_host",
         "of_another_authority": "unknown_authority", "self_signed": "self_signed", "with_a_weak_key": "weak",
         "with_a_weak_signature": "weak", "chainless": "unknown_authority", "signed_by_a_leaf": "invalid_authority",
         "for_clients_alone": "purpose", "for_servers_alone": "purpose", None: "no_certificate"}
BAD_CLIENTS = ["expired", "not_yet_valid", "of_another_authority", "self_signed", "with_a_weak_key", "with_a_weak_signature",
               "chainless", "signed_by_a_leaf", "for_servers_alone"]


class tls_case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.kinds = certificate_kinds()
        cls.addClassCleanup(cls.kinds.remove)

    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(started.stop)
        return started

    def start_proxy(self, upstream, shown="right", **policy):
        certificate, key = self.kinds.pair(shown)
        tls = {"certificate": str(certificate), "key": str(key), **{name: str(value) for name, value in policy.items()}}
        return self.start(tidegate, upstream, workers=1, more={"listen": [{"address": "127.0.0.1:0"},
                                                                          {"address": "127.0.0.2:0", "tls": tls}]})

    @staticmethod
    def handshake(proxy, context, session=None):
        plain = socket.create_connection((proxy.tls_host, proxy.tls_port), 30)
        try:
            return context.wrap_socket(plain, server_hostname=proxy.tls_host, session=session)
        except Exception:
            plain.close()
            raise

    def is_served(self, proxy, context, session=None):
        """One command; the connection, closed with the case. In TLS 1.3 a client hears of a refusal only then."""
        connection = self.handshake(proxy, context, session)
        self.addCleanup(connection.close)
        connection.sendall(b"PING\r\n")
        data = connection.recv(100)
        if not data:
            raise EOFError
        self.assertEqual(data, b"+PONG\r\n")
        return connection


class versions_and_ciphers(tls_case):
    def context(self, version, cipher=None):
        context = self.kinds.client_context()
        context.minimum_version = context.maximum_version = VERSIONS[version]
        context.set_ciphers(f"{cipher or 'ALL'}:@SECLEVEL=0")
        return context

    def test_are_the_documented_ones_for_clients(self):
        server = self.start(redis_server)
        for shown in ("right", "right_with_rsa"):
            proxy = self.start_proxy(server, shown)
            for version in VERSIONS:
                with self.subTest(version=version, shown=shown):
                    if version in ("1.2", "1.3"):
                        connection = self.is_served(proxy, self.context(version))
                        self.assertEqual(connection.version(), f"TLSv{version}")
                        self.assertIsNone(connection.compression())
                    else:
                        self.assertRaises(REFUSED, self.is_served, proxy, self.context(version))
            for cipher in WANTED[shown]:
                with self.subTest(cipher=cipher):
                    self.assertEqual(self.is_served(proxy, self.context("1.2", cipher)).cipher()[0], cipher)
            for cipher in UNWANTED[shown]:
                with self.subTest(cipher=cipher):
                    self.assertRaises(REFUSED, self.is_served, proxy, self.context("1.2", cipher))
            served = 2 + len(WANTED[shown])
            self.assertEqual(metrics(proxy).sum("tidegate_tls_handshakes_total", side="client", result="done"), served)
            # Nobody but those who were served was ever let in.
            self.assertEqual(metrics(proxy).sum("tidegate_client_connections_opened_total"), served)

    def test_are_the_documented_ones_for_the_upstream(self):
        for version in VERSIONS:
            with self.subTest(version):
                context = self.kinds.server_context("right")
                context.minimum_version = context.maximum_version = VERSIONS[version]
                upstream = self.start(faulty_redis, tls=context)
                good = version in ("1.2", "1.3")
                proxy = self.start(tidegate, f"rediss://127.0.0.1:{upstream.port}?ca={self.kinds.ca}", ready=good,
                                   more={"upstream": {"queue_timeout": "5s" if good else "200ms"}})
                with wire(proxy) as connection:
                    self.assertEqual(connection.call("ECHO", "x"), b"x" if good else UNAVAILABLE)
                if not good:
                    self.assertEqual(upstream.received, [])

    def test_cannot_be_negotiated_anew(self):
        proxy = self.start_proxy(self.start(redis_server))
        attempts = 1000 if LONG else 10
        used, begun = proxy.cpu_seconds, time.monotonic()
        for _ in range(attempts):
            done = subprocess.run(["openssl", "s_client", "-connect", f"{proxy.tls_host}:{proxy.tls_port}", "-tls1_2",
                                   "-CAfile", str(self.kinds.ca)], input=b"R\n", capture_output=True, timeout=60, check=False)
            said = done.stdout + done.stderr
            self.assertIn(b"RENEGOTIATING", said)
            self.assertIn(b"no renegotiation", said)
        load = (proxy.cpu_seconds - used) / (time.monotonic() - begun)
        self.assertEqual(metrics(proxy).sum("tidegate_tls_handshakes_total", side="client", result="done"), attempts)
        self.is_served(proxy, self.kinds.client_context())
        print(f"{type(self).__name__}: {attempts} renegotiations refused, handshakes included {load:.1%} of a core")


class an_upstream_that_shows(tls_case):
    def against(self, kind, good):
        upstream = self.start(faulty_redis, tls=self.kinds.server_context(kind))
        proxy = self.start(tidegate, f"rediss://127.0.0.1:{upstream.port}?ca={self.kinds.ca}", ready=good, workers=1,
                           more={"upstream": {"queue_timeout": "10s" if good else "200ms"}})
        with wire(proxy) as connection:
            connection.send_raw(wire.encode("ECHO", "secret") + wire.encode("EVAL", "secret", "0"))
            return upstream, proxy, [connection.read(), connection.read()]

    def test_a_certificate_of_any_bad_kind_gets_no_byte_of_a_client(self):
        for kind, reason in BAD_SERVERS.items():
            with self.subTest(kind):
                upstream, proxy, replies = self.against(kind, False)
                self.assertEqual(replies, [UNAVAILABLE] * 2)
                self.assertEqual(upstream.received, [])
                self.assertGreater(upstream.accepted, 0)
                status, why = proxy.get("/readyz")
                self.assertEqual(status, 503)
                self.assertRegex(why, reason)
                seen = metrics(proxy)
                self.assertEqual(seen.sum("tidegate_tls_handshakes_total", side="upstream", result="done"), 0)
                refused = seen.sum("tidegate_tls_handshakes_total", side="upstream", result="refused")
                self.assertGreater(refused, 0)
                self.assertEqual(seen.sum("tidegate_tls_refused_total", side="upstream", reason=WORDS[kind]), refused)

    def test_a_good_certificate_is_spoken_to(self):
        for kind in ("right", "right_with_rsa", "right_with_its_chain", "for_servers_alone"):
            with self.subTest(kind):
                upstream, proxy, replies = self.against(kind, True)
                self.assertEqual(replies, [b"secret", "OK"])
                self.assertTrue(upstream.commands(b"ECHO"))
                self.assertEqual(metrics(proxy).samples["tidegate_tls_certificate_not_after_seconds"],
                                 [({"side": "upstream", "address": f"127.0.0.1:{upstream.port}"},
                                   ssl.cert_time_to_seconds("Jan  1 00:00:00 2049 GMT"))])


class a_client_that_shows(tls_case):
    def test_a_certificate_is_judged_as_configured(self):
        server = self.start(redis_server)
        for policy in ("required", "optional"):
            proxy = self.start_proxy(server, client_ca=self.kinds.ca, client_auth=policy)
            good = ["right", "right_with_its_chain", "for_clients_alone", *([None] if policy == "optional" else [])]
            for kind in good:
                with self.subTest(policy=policy, kind=kind):
                    self.is_served(proxy, self.kinds.client_context(kind))
            for kind in [*BAD_CLIENTS, *([None] if policy == "required" else [])]:
                with self.subTest(policy=policy, kind=kind):
                    counted = lambda: metrics(proxy).sum("tidegate_tls_refused_total", side="client", reason=WORDS[kind])
                    before = counted()
                    self.assertRaises(REFUSED, self.is_served, proxy, self.kinds.client_context(kind))
                    # The alert is out before it is counted.
                    wait_until(lambda: counted() == before + 1, what=f"one more {WORDS[kind]}")
            self.assertEqual(metrics(proxy).sum("tidegate_client_connections_opened_total"), len(good))
            self.assertEqual(metrics(proxy).sum("tidegate_tls_handshakes_total", side="client", result="done"), len(good))


class resumption(tls_case):
    def session_of(self, proxy, context):
        """A session that the server gave out, if it gave one."""
        connection = self.is_served(proxy, context)
        return connection.session

    def contexts(self, kind=None):
        for version in ("1.2", "1.3"):
            context = self.kinds.client_context(kind)
            context.minimum_version = context.maximum_version = VERSIONS[version]
            with self.subTest(version):
                yield context

    def test_works_where_no_certificate_is_asked_for(self):
        proxy = self.start_proxy(self.start(redis_server))
        for context in self.contexts():
            session = self.session_of(proxy, context)
            self.assertTrue(self.is_served(proxy, context, session).session_reused)

    def test_brings_nobody_past_a_policy_that_came_later(self):
        proxy = self.start_proxy(self.start(redis_server))
        known = [(context, self.session_of(proxy, context)) for context in self.contexts()]
        proxy.configuration["listen"][1]["tls"].update(client_ca=str(self.kinds.ca), client_auth="required")
        self.reload_until_refused(proxy, None)
        for context, session in known:
            self.assertRaises(REFUSED, self.is_served, proxy, context, session)

    def test_is_not_offered_to_who_shows_a_certificate_and_ends_with_his_authority(self):
        for policy in ("required", "optional"):
            proxy = self.start_proxy(self.start(redis_server), client_ca=self.kinds.ca, client_auth=policy)
            known = []
            for context in self.contexts("right"):
                session = self.session_of(proxy, context)
                self.assertFalse(self.is_served(proxy, context, session).session_reused)
                known.append((context, session))
            proxy.configuration["listen"][1]["tls"]["client_ca"] = str(self.kinds.folder / "stranger.crt")
            self.reload_until_refused(proxy, "right")
            for context, session in known:
                self.assertRaises(REFUSED, self.is_served, proxy, context, session)

    def reload_until_refused(self, proxy, kind):
        """Until who comes anew with such a certificate is refused: then every worker's listener has the new policy."""
        proxy.write_config()
        proxy.signal(signal.SIGHUP)

        def refused():
            try:
                self.is_served(proxy, self.kinds.client_context(kind))
                return False
            except REFUSED:
                return True
        wait_until(refused, what="the new policy")
