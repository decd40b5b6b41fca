"""Where and with what a result was taken: without it the figures cannot be compared."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "not installed"
    found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return found.group() if found else "unknown"


def git(root, *words):
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def describe(root):
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git(root, "rev-parse", "--short=12", "HEAD") + ("+changes" if git(root, "status", "--porcelain") else ""),
        "cpu": cpu.group(1) if cpu else platform.processor(), "cores": os.cpu_count(), "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "versions": {"haproxy": first_line("haproxy", "-v"), "nutcracker": first_line("nutcracker", "-V"),
                     "stunnel": first_line("stunnel", "-version"), "redis-server": first_line("redis-server", "-v"),
                     "openssl": first_line("openssl", "version")},
    }


def sentence(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (f"Taken {about['date'][:10]} at commit {about['commit']}: {about['cpu']}, {about['cores']} cores, Linux "
            f"{about['kernel']}; {versions}.")
