"""ioredis and node-redis through the proxy over TLS: each case of tests/clients is one here, in a node process of its own."""

import os
import subprocess

from harness.cases import proxied_case
from harness.processes import ROOT

CLIENTS = ROOT / "tests/clients"
CASE_SECONDS_MAX = 60


class node_case(proxied_case):
    TLS = True
    FILE = ""

    def run_node(self, name):
        where = {"TIDEGATE_HOST": self.proxy.tls_host, "TIDEGATE_PORT": str(self.proxy.tls_port),
                 "TIDEGATE_CA": str(self.tls.ca)}
        done = subprocess.run(["node", CLIENTS / self.FILE, "--case", name], env={**os.environ, **where}, text=True,
                              capture_output=True, timeout=CASE_SECONDS_MAX, check=False, cwd=CLIENTS)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])


def suites():
    """A class for each library and each way of pooling, with a method for each case that the file lists."""
    made = {}
    for library in ("ioredis", "node_redis"):
        file = f"{library}_cases.js"
        listed = subprocess.run(["node", CLIENTS / file, "--list"], capture_output=True, text=True, check=True, cwd=CLIENTS)
        for pooling, suffix in (("multiplex", ""), ("session", "_with_a_connection_each")):
            name = f"through_{library}{suffix}"
            methods = {f"test_{case}": lambda self, case=case: self.run_node(case) for case in listed.stdout.split()}
            made[name] = type(name, (node_case,), {"FILE": file, "POOLING": pooling, "__module__": __name__, **methods})
    return made


globals().update(suites())
del node_case
