"""The examples of docs/ as they stand: a job of 100,000 writes against 5,000/s that refuses, without one refused; and two
jobs in one bucket, where what was refused is sent again and nothing is lost or written twice; byte budgets, also for values
that are larger than the bucket."""

import json
import os
import subprocess
import sys

from harness.cases import proxied_case
from harness.exposition import metrics
from harness.processes import ROOT
from harness.wire import wire

EXAMPLES = ROOT / "docs/examples"
JOBS = {"redis-py": [sys.executable, EXAMPLES / "redis_py_job.py"], "ioredis": ["node", EXAMPLES / "ioredis_job.js"],
        "node-redis": ["node", EXAMPLES / "node_redis_job.js"]}
JOB_SECONDS_MAX = 300


class examples(proxied_case):
    CONFIGURATION = {"limits": [
        {"name": "jobs", "match": {"client": "job-*"}, "rate": "5000/s", "action": "reject"},
        {"name": "shared", "match": {"client": "together"}, "rate": "2000/s", "burst": 500, "action": "reject"},
        {"name": "sized", "match": {"client": "bytes-*"}, "rate": "400KiB/s", "burst": "20KiB", "cost": "byte",
         "action": "reject"},
    ]}

    def start_job(self, library, name, count, *longest):
        where = {"REDIS_URL": f"redis://{self.proxy.host}:{self.proxy.port}", "JOB_NAME": name,
                 "NODE_PATH": str(ROOT / "tests/clients/node_modules")}
        return subprocess.Popen([*map(str, JOBS[library]), str(count), *map(str, longest)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **where})

    def finish(self, job):
        try:
            said, trouble = job.communicate(timeout=JOB_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            job.kill()
            job.communicate()
            raise
        self.assertEqual(job.returncode, 0, trouble[-2000:])
        return json.loads(said.splitlines()[-1])

    def test_write_a_hundred_thousand_without_one_refused(self):
        count = 100_000
        jobs = {library: self.start_job(library, f"job-{library}", count) for library in JOBS}
        for library, job in jobs.items():
            self.assertEqual(self.finish(job), {"written": count, "throttled": 0}, library)
        seen = metrics(self.proxy)
        for library in JOBS:
            self.assertEqual(seen.sum("tidegate_rejected_total", client=f"job-{library}"), 0)
            self.assertEqual(seen.sum("tidegate_writes_total", client=f"job-{library}", command="set"), count)
        with wire(self.server) as bare:
            self.assertEqual(bare.call("DBSIZE"), count * len(JOBS))

    def test_share_a_bucket_and_lose_nothing(self):
        count = 4_000
        jobs = [self.start_job(library, "together", count) for library in JOBS]
        throttled = sum(self.finish(job)["throttled"] for job in jobs)
        seen = metrics(self.proxy)
        self.assertEqual(seen.sum("tidegate_rejected_total", client="together"), throttled)
        self.assertEqual(seen.sum("tidegate_writes_total", client="together", command="set"), count * len(JOBS))
        with wire(self.server) as bare:
            self.assertEqual(bare.call("DBSIZE"), count * len(JOBS))

    def pace_by_bytes(self, library):
        """Small values, mixed ones, and some that are larger than the bucket: none may be refused, nor wait for ever."""
        name = f"bytes-{library}"
        runs = [(5_000, 32), (150, 4_000), (12, 25_000)]
        for count, longest in runs:
            self.assertEqual(self.finish(self.start_job(library, name, count, longest)), {"written": count, "throttled": 0})
        seen = metrics(self.proxy)
        self.assertEqual(seen.sum("tidegate_rejected_total", client=name), 0)
        self.assertEqual(seen.sum("tidegate_writes_total", client=name, command="set"), sum(count for count, _ in runs))
        with wire(self.server) as bare:
            self.assertEqual(bare.call("DBSIZE"), sum(count for count, _ in runs))

    def test_redis_py_paces_itself_by_bytes(self):
        self.pace_by_bytes("redis-py")

    def test_ioredis_paces_itself_by_bytes(self):
        self.pace_by_bytes("ioredis")

    def test_node_redis_paces_itself_by_bytes(self):
        self.pace_by_bytes("node-redis")

    def test_run_unpaced_against_a_bare_server(self):
        for library in JOBS:
            where = {"REDIS_URL": self.server.url, "JOB_NAME": "bare", "NODE_PATH": str(ROOT / "tests/clients/node_modules")}
            done = subprocess.run([*map(str, JOBS[library]), "2000"], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=60, check=False, env={**os.environ, **where})
            self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"written": 2000, "throttled": 0}), done.stderr)
