"""Children of a measurement: pinned to a core, on loopback, with a folder of their own, gone with whoever measures."""

import contextlib
import ctypes
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 10.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def cores():
    """The core of the proxy, and the core of the server and of who asks. One core serves for both if there is no other."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 if len(allowed) > 1 else 0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descriptors_max():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class process:
    def __init__(self, name, command, core, *, files=None, environment=None, ready_port=None, pipes=False):
        """`files`: name -> text, written beside; `{folder}` in the command stands for where. Ready when the port takes."""
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"tidegate-bench-{name}-"))
        for file, text in (files or {}).items():
            path = self.folder / file
            path.touch(mode=0o600)
            path.write_text(text)

        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, core if isinstance(core, set) else {core})
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max(), descriptors_max()))

        with open(self.folder / "log", "wb") as log:
            self.child = subprocess.Popen(
                [str(word).replace("{folder}", str(self.folder)) for word in command],
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL, stdout=subprocess.PIPE if pipes else log,
                stderr=log, cwd=self.folder, text=True, env={**os.environ, **(environment or {})}, preexec_fn=prepare)
        if ready_port:
            self.wait_for(lambda: takes_connections(ready_port), f"{name} to listen")

    @property
    def pid(self):
        return self.child.pid

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def wait_for(self, true, what):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (value := true()):
            if self.child.poll() is not None or time.monotonic() > deadline:
                log = self.log
                self.stop()
                raise RuntimeError(f"waited for {what} in vain:\n{log[-3000:]}")
            time.sleep(0.02)
        return value

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def takes_connections(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


class certificates:
    """An authority and one server certificate (P-256), which every peer shows: handshakes and records cost alike."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-bench-tls-"))
        self.ca, ca_key = self.folder / "ca.crt", self.folder / "ca.key"
        self.certificate, self.key = self.folder / "server.crt", self.folder / "server.key"
        self.both = self.folder / "both.pem"  # haproxy wants them in one file
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self._openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=bench authority", "-keyout", ca_key, "-out", self.ca)
        request, extensions = self.folder / "server.csr", self.folder / "server.ext"
        self._openssl("req", *new_key, "-subj", "/CN=127.0.0.1", "-keyout", self.key, "-out", request)
        extensions.write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
                      "-extfile", extensions, "-out", self.certificate)
        self.key.chmod(0o600)
        self.both.touch(mode=0o600)
        self.both.write_text(self.certificate.read_text() + self.key.read_text())

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
