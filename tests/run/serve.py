"""`./dev run` without a configuration: a redis-server of its own, a tidegate in front of it, until Ctrl-C."""

import signal
import sys
import os
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness.processes import redis_server, tidegate  # noqa: E402


def main():
    os.environ["TIDEGATE_BINARY"] = str(pathlib.Path(sys.argv[1]).resolve())
    asked_to_end = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_end.append(True))
    with redis_server() as server, tidegate(server) as proxy:
        print(f"redis://127.0.0.1:{proxy.port}            give this URL to an application\n"
              f"http://127.0.0.1:{proxy.admin_port}/metrics   what it wrote (admin token: {proxy.TOKEN})\n"
              f"redis://127.0.0.1:{server.port}            the redis-server behind\n"
              f"{proxy.config_path}   a change takes effect at once\n"
              "Ctrl-C stops both.", flush=True)
        while not asked_to_end and proxy.is_running() and server.is_running():
            signal.sigtimedwait([], 0.2)
        if not asked_to_end:
            print(proxy.log[-4000:], file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
