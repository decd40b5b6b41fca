"""Real servers for a test: a redis-server, a tidegate in front of it, and the certificates both show.

Every process is started on loopback at a port that nobody else has, is stopped by its own pid, and dies with the
process that started it even if that is killed: a suite never leaves a server behind and never touches another's.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 20.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def binary():
    """The tidegate under test: TIDEGATE_BINARY, else the release build."""
    return os.environ.get("TIDEGATE_BINARY", str(ROOT / "build/release/tidegate"))


_ports_given = set()


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago, and that this process was not given before; whoever uses it must be ready to be
    refused it."""
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


def wait_until(true, seconds=START_SECONDS_MAX, what="a condition", every=0.01):
    """Polls, because what is waited for lives in another process; returns the first true value."""
    deadline = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(every)


def _die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class process:
    """A child with its own folder; `log` is everything that it printed."""

    def __init__(self, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"tidegate-{name}-"))
        self._log_path = self.folder / "log"
        self.child = None

    def spawn(self, arguments, environment=None):
        with open(self._log_path, "ab") as log:
            self.child = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, **(environment or {})}, preexec_fn=_die_with_parent)

    @property
    def log(self):
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def pid(self):
        return self.child.pid

    @property
    def cpu_seconds(self):
        """What it has used so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        if self.is_running():
            os.kill(self.child.pid, number)

    def wait(self, seconds=STOP_SECONDS_MAX):
        return self.child.wait(seconds)

    def stop(self):
        if self.is_running():
            self.child.terminate()
            try:
                self.child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class certificates:
    """An authority, and certificates that it signs. Made anew for each suite: nothing secret is in the repository."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-certificates-"))
        self.ca = self.folder / "ca.crt"
        self._ca_key = self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=tidegate test authority", "-keyout", self._ca_key, "-out", self.ca)
        self.server, self.server_key = self.issue("server", "IP:127.0.0.1,IP:127.0.0.2,DNS:localhost")

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, name, alternative_names):
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", request)
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative_names}\n")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial",
                      "-days", "2", "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    def client_context(self):
        return ssl.create_default_context(cafile=str(self.ca))

    def server_context(self, certificate=None, key=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate or self.server, key or self.server_key)
        return context

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class redis_server(process):
    """A bare redis-server 7.0. `tls` is a `certificates`; then only TLS is served. `arguments` are configuration
    directives, `["maxmemory", "64mb"]` for one."""

    def __init__(self, *, tls=None, host="127.0.0.1", port=None, arguments=()):
        super().__init__("redis")
        self.tls = tls
        self.host = host
        for _ in range(8):
            self.port = port or free_port(host)
            self._start(arguments)
            if self._answers():
                return
            self.child.kill()
            self.child.wait()
        raise AssertionError(f"redis-server did not start:\n{self.log}")

    def _start(self, directives):
        listening = ["--port", self.port]
        if self.tls:
            listening = ["--port", 0, "--tls-port", self.port, "--tls-cert-file", self.tls.server,
                         "--tls-key-file", self.tls.server_key, "--tls-ca-cert-file", self.tls.ca,
                         "--tls-auth-clients", "no"]
        options = []
        for name, *values in directives:
            options += [f"--{name}", *values]
        self.spawn(["redis-server", *listening, "--bind", self.host, "--save", "", "--appendonly", "no",
                    "--dir", self.folder, "--enable-debug-command", "yes", *options])

    def _answers(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.is_running() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                with self.connect(0.5) as connection:
                    connection.sendall(b"PING\r\n")
                    answer = connection.recv(64)
                    # While it reads its file it answers -LOADING; -NOAUTH is as good as PONG.
                    if answer and not answer.startswith(b"-LOADING"):
                        return True
            time.sleep(0.02)
        return False

    def connect(self, timeout=30.0):
        plain = socket.create_connection((self.host, self.port), timeout)
        if not self.tls:
            return plain
        return self.tls.client_context().wrap_socket(plain, server_hostname=self.host)

    @property
    def url(self):
        if self.tls:
            return f"rediss://{self.host}:{self.port}?ca={self.tls.ca}"
        return f"redis://{self.host}:{self.port}"


class tidegate(process):
    """The proxy in front of `upstream` (a redis_server or a URL), on a plain port and, with `tls`, on a TLS port.

    `more` is laid over the configuration, key by key at the top level and inside `upstream` and `attribution`.
    """

    TOKEN = "integration-suite-token"

    def __init__(self, upstream, *, tls=None, workers=2, pooling="multiplex", ready=True, more=None, environment=None):
        super().__init__("proxy")
        self.tls = tls
        self.killed = False
        self.config_path = self.folder / "tidegate.yaml"
        self.configuration = {
            "instance": "it",
            "workers": workers,
            "drain": "5s",
            "listen": [{"address": "127.0.0.1:0"}],
            "upstream": {"url": upstream if isinstance(upstream, str) else upstream.url, "pooling": pooling},
            "admin": {"address": "127.0.0.1:0", "token": self.TOKEN},
            "ledger": "off",
        }
        if tls:
            # The second address keeps the two listeners apart though both ask for any port.
            self.configuration["listen"].append({"address": "127.0.0.2:0", "tls": {
                "certificate": str(tls.server), "key": str(tls.server_key)}})
        for key, value in (more or {}).items():
            if isinstance(value, dict) and isinstance(self.configuration.get(key), dict):
                self.configuration[key].update(value)
            else:
                self.configuration[key] = value
        self.write_config()
        self.spawn([binary(), "serve", "-c", self.config_path], environment)
        try:
            wait_until(lambda: self._listening() or not self.is_running(), what="the line `listening`")
            if not self.is_running():
                raise AssertionError("tidegate ended at once")
            if ready:
                wait_until(lambda: self.get("/readyz")[0] == 200, what="/readyz 200")
        except AssertionError as failure:
            log = self.log
            process.stop(self)
            raise AssertionError(f"{failure}\n{log}") from None

    def write_config(self, text=None):
        """JSON is YAML. Replaced in one step, so that a watcher never sees half of it."""
        fresh = self.folder / "tidegate.yaml.new"
        fresh.touch(mode=0o600)
        fresh.write_text(text if text is not None else json.dumps(self.configuration, indent=1))
        fresh.rename(self.config_path)

    def stop(self):
        """A proxy that ended by itself, or not cleanly at SIGTERM, is a failure of whatever test is about to end."""
        was_running = self.is_running()
        log = self.log
        super().stop()
        if self.child.returncode != 0 and not self.killed:
            raise AssertionError(f"tidegate ended with status {self.child.returncode}"
                                 f"{'' if was_running else ' by itself'}:\n{log[-6000:]}")

    def kill(self):
        self.killed = True
        self.signal(signal.SIGKILL)
        self.child.wait()

    def _listening(self):
        found = re.search(r"^listening (.*)$", self.log, re.MULTILINE)
        if not found or not self.log.endswith("\n"):
            return False
        line = found.group(1)
        ports = {kind: (host, int(port)) for host, port, kind in
                 re.findall(r"(127\.0\.0\.\d):(\d+) \((plain|tls)\)", line)}
        self.host, self.port = ports["plain"]
        self.tls_host, self.tls_port = ports.get("tls", (None, None))
        self.admin_port = int(re.search(r"admin 127\.0\.0\.1:(\d+)", line).group(1))
        return True

    def get(self, path):
        """Status and body of a GET on the admin port."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def connect(self, timeout=30.0, tls=False):
        if not tls:
            return socket.create_connection((self.host, self.port), timeout)
        plain = socket.create_connection((self.tls_host, self.tls_port), timeout)
        return self.tls.client_context().wrap_socket(plain, server_hostname=self.tls_host)
