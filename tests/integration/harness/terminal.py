"""A terminal of a given size, in a tmux of its own: what a program paints, and keys for it."""

import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile


class terminal:
    def __init__(self, arguments, *, width=80, height=24, environment=None):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-terminal-"))
        self._socket = self._folder / "tmux"
        command = " ".join(shlex.quote(str(each)) for each in arguments)
        settings = " ".join(f"{key}={shlex.quote(value)}" for key, value in (environment or {}).items())
        # What it printed at its end, and its status, stay to be read.
        script = f"env {settings} {command}; echo status=$?; exec sleep 600"
        self._tmux("new-session", "-d", "-x", str(width), "-y", str(height), script)
        self._tmux("set-option", "-g", "status", "off")
        self.resize(width, height)

    def _tmux(self, *arguments):
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        environment.pop("TMUX", None)
        return subprocess.run(["tmux", "-f", "/dev/null", "-S", str(self._socket), *arguments], env=environment,
                              capture_output=True, text=True, check=True).stdout

    def keys(self, *names):
        self._tmux("send-keys", *names)

    def type(self, text):
        self._tmux("send-keys", "-l", text)

    def resize(self, width, height):
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    @property
    def lines(self):
        return self._tmux("capture-pane", "-p").split("\n")[:-1]

    @property
    def text(self):
        return "\n".join(self.lines)

    def close(self):
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)
