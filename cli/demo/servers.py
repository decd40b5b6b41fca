"""What the demo starts: an authority, two redis-servers that serve TLS only, a tidegate before one of them.

Everything listens on loopback at a port chosen by the system or found free, lives in one temporary folder, is stopped
by its own pid, and dies with the demo even if that is killed.
"""

import contextlib
import ctypes
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
import urllib.request

import scenario
from wire import connection

START_SECONDS_MAX = 15.0
STOP_SECONDS_MAX = 10.0
START_TRIES_MAX = 8
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class failure(Exception):
    """Something that was started did not come up, or did not last."""


class process:
    def __init__(self, name, arguments, folder):
        self.name = name
        self.last_words = ""  # after stop(): the end of its log
        self.log_path = folder / f"{name}.log"
        with open(self.log_path, "wb") as log:
            # A session of its own: Ctrl-C is for the demo, which then stops what it started in order.
            self.child = subprocess.Popen([str(each) for each in arguments], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
                                          preexec_fn=die_with_parent)

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def is_running(self):
        return self.child.poll() is None

    def stop(self):
        if self.is_running():
            self.child.terminate()
            try:
                self.child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()
        self.last_words = self.log[-2000:] if self.log_path.exists() else ""

    def wait_until(self, true, what):
        """Stops the process where that does not come, or the demo is interrupted: nobody else knows of it yet."""
        try:
            return self._waited(true, what)
        except BaseException:
            self.stop()
            raise

    def _waited(self, true, what):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            value = true()
            if value:
                return value
            if not self.is_running():
                raise failure(f"{self.name} ended at its start:\n{self.log[-2000:]}")
            time.sleep(0.02)
        raise failure(f"{self.name}: {what} did not come within {START_SECONDS_MAX:.0f} s:\n{self.log[-2000:]}")


class certificates:
    """A private authority and one certificate for `localhost`."""

    def __init__(self, folder):
        self.ca, self.certificate, self.key = (folder / name for name in ("ca.crt", "server.crt", "server.key"))
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self._openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=tidegate demo authority",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                      "-keyout", folder / "ca.key", "-out", self.ca)
        self._openssl("req", *new_key, "-subj", "/CN=localhost", "-keyout", self.key, "-out", folder / "server.csr")
        (folder / "server.ext").write_text("subjectAltName=DNS:localhost\n")
        self._openssl("x509", "-req", "-in", folder / "server.csr", "-CA", self.ca, "-CAkey", folder / "ca.key",
                      "-CAcreateserial", "-days", "2", "-extfile", folder / "server.ext", "-out", self.certificate)
        self.key.chmod(0o600)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, start_new_session=True)
        if done.returncode != 0:
            raise failure(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_private(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


class redis_server(process):
    def __init__(self, name, folder, tls, passwords):
        self.ca = tls.ca
        self.passwords = passwords
        configuration = folder / f"{name}.conf"
        for _ in range(START_TRIES_MAX):
            self.port = free_port()
            write_private(configuration, self._directives(tls))
            super().__init__(name, ["redis-server", configuration, "--dir", folder], folder)
            try:
                self.wait_until(self._answers, "an answer")
                return
            except failure:
                if "Address already in use" not in self.log:
                    raise
        raise failure(f"{name} found no free port")

    def _directives(self, tls):
        users = "".join(f"user {user} on >{word} ~* &* +@all\n" for user, word in self.passwords.items())
        return ("bind 127.0.0.1\nport 0\nsave \"\"\nappendonly no\n"
                f"tls-port {self.port}\ntls-cert-file {tls.certificate}\ntls-key-file {tls.key}\n"
                f"tls-ca-cert-file {tls.ca}\ntls-auth-clients no\ntls-session-caching no\n"
                f"active-expire-effort 10\n"  # its sampling is not scaled in time, the TTLs are
                f"maxmemory {scenario.MAXMEMORY}\nmaxmemory-policy volatile-lfu\nuser default off\n{users}")

    def _answers(self):
        with contextlib.suppress(OSError):
            self.connect(timeout=2.0).close()
            return True
        return False

    def connect(self, user="ops", timeout=30.0):
        return connection(self.port, self.ca, user, self.passwords[user], timeout)


def proxy_configuration(tls, upstream_port, passwords, folder):
    """What an operator would write for these two incidents, scaled as the demo is."""
    hour = 3600 / scenario.TIME
    rules = []
    for pattern, _, _, days in scenario.KNOWN_PATTERNS:
        rule = {"pattern": pattern, **{key: f"{round(value * 24 * hour)}s" for key, value in days.items()}}
        rules.append(rule | {"jitter": "10%"} if "default" in days else rule)
    return {
        "instance": "demo",
        "workers": 2,
        "drain": "2s",
        "listen": [{"address": "127.0.0.1:0", "tls": {"certificate": str(tls.certificate), "key": str(tls.key)}}],
        "upstream": {
            "url": f"rediss://localhost:{upstream_port}?ca={tls.ca}",
            "auth": {"username": "tidegate", "password": passwords["tidegate"]},
        },
        "users": [{"name": name, "password": passwords[name]} for name in scenario.USERS if name != "tidegate"],
        "admin": {"address": "127.0.0.1:0"},
        "attribution": {
            "identify_by": ["client_name", "username", "source", "library"],
            "names": [{"match": "isales-campaign-*", "as": "isales-campaign"},
                      {"match": "push-gateway-*", "as": "push-gateway"}],
            "patterns": [pattern for pattern, *_ in scenario.KNOWN_PATTERNS],
        },
        "limits": [{
            "name": "bytes-of-each-writer", "per": "client", "cost": "byte",
            "rate": f"{scenario.BYTE_BUDGET // 1024}KiB/s", "action": "delay", "max_delay": "10m",
            "memory": {"from": "60%", "to": "69%", "floor": "10%"}, "owner": "#isales-dev",
        }],
        "ttl": rules,
        # The smallest bucket: a minute of the documents lasts little more than a second.
        "ledger": {"path": str(folder / "ledger.db"), "bucket": "1s"},
        "capture": {"directory": str(folder / "captures"), "rotate": "1MiB", "max_size": "256MiB"},
        "log": {"level": "warn"},
    }


class tidegate(process):
    def __init__(self, binary, folder, tls, upstream, passwords):
        self.configuration = folder / "tidegate.yaml"
        self.ledger = folder / "ledger.db"
        self.told = proxy_configuration(tls, upstream.port, passwords, folder)
        # JSON is YAML, and an operator can read it.
        write_private(self.configuration, json.dumps(self.told, indent=2) + "\n")
        super().__init__("tidegate", [binary, "serve", "-c", self.configuration], folder)
        line = self.wait_until(lambda: re.search(r"^listening (.*)\n", self.log, re.MULTILINE), "the line `listening`")
        self.port = int(re.search(r"127\.0\.0\.1:(\d+) \(tls\)", line.group(1)).group(1))
        self.admin_port = int(re.search(r"admin 127\.0\.0\.1:(\d+)", line.group(1)).group(1))
        self.wait_until(self._ready, "/readyz")

    def _get(self, path):
        # Not through a proxy that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.admin_port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def _ready(self):
        with contextlib.suppress(OSError):
            self._get("/readyz")
            return True
        return False

    def metrics(self):
        return self._get("/metrics")


def new_passwords():
    return {user: secrets.token_hex(16) for user in scenario.USERS}
