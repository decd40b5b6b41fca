"""The bases of suites: cases that share one server and one proxy, and cases that start what they need."""

import unittest

from harness.processes import certificates, redis_server, tidegate
from harness.wire import wire


class proxied_case(unittest.TestCase):
    """`server` and `proxy` of the class; the case in which the proxy dies fails, and says what it logged."""

    POOLING = "multiplex"
    TLS = False
    CONFIGURATION = {}
    SERVER_ARGUMENTS = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tls = None
        if cls.TLS:
            cls.tls = certificates()
            cls.addClassCleanup(cls.tls.remove)
        cls.server = redis_server(tls=cls.tls, arguments=cls.SERVER_ARGUMENTS)
        cls.addClassCleanup(cls.server.stop)
        cls.start_proxy()
        cls.addClassCleanup(lambda: cls.proxy.stop())

    @classmethod
    def start_proxy(cls):
        cls.proxy = tidegate(cls.server, tls=cls.tls, pooling=cls.POOLING, more=cls.CONFIGURATION)

    def setUp(self):
        if not self.proxy.is_running():  # the case in which it ended has failed already
            self.start_proxy()
        with wire(self.server) as bare:
            bare.call("FLUSHALL")
            bare.call("SCRIPT", "FLUSH")

    def tearDown(self):
        if not self.proxy.is_running():
            self.fail(f"tidegate ended with status {self.proxy.child.returncode}:\n{self.proxy.log[-4000:]}")

    def connect(self, **how):
        """A raw connection through the proxy, closed with the case."""
        how.setdefault("tls", self.TLS)
        connection = wire(self.proxy, **how)
        self.addCleanup(connection.close)
        return connection

    def bare(self):
        connection = wire(self.server)
        self.addCleanup(connection.close)
        return connection


class with_its_own_servers(unittest.TestCase):
    """Whatever a case starts or connects ends with it."""

    maxDiff = None

    def start(self, kind, *arguments, **options):
        started = kind(*arguments, **options)
        self.addCleanup(started.stop)
        return started

    def connect(self, source, **how):
        connection = wire(source, **how)
        self.addCleanup(connection.close)
        return connection
