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
    # With a maxmemory, or `tidegate status` could not say how full it is.
    memory = [["maxmemory", "256mb"], ["maxmemory-policy", "volatile-lfu"]]
    with redis_server(arguments=memory) as server, tidegate(server) as proxy:
        told = [(f"redis://127.0.0.1:{proxy.port}", "give this URL to an application"),
                (f"http://127.0.0.1:{proxy.admin_port}/", f"who writes what (admin token: {proxy.TOKEN}); /metrics for Prometheus"),
                (f"redis://127.0.0.1:{server.port}", "the redis-server behind"),
                (f"{proxy.config_path}", "a change takes effect at once")]
        width = max(len(what) for what, _ in told)
        print("\n".join(f"{what:{width}}   {why}" for what, why in told) + "\n"
              "status, top, cap and the others find it in another terminal with\n"
              f"  export TIDEGATE_ADMIN=127.0.0.1:{proxy.admin_port} TIDEGATE_TOKEN={proxy.TOKEN}\n"
              f"  {sys.argv[1]} status\n"
              "Ctrl-C stops both.", flush=True)
        while not asked_to_end and proxy.is_running() and server.is_running():
            signal.sigtimedwait([], 0.2)
        if not asked_to_end:
            print(proxy.log[-4000:], file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
