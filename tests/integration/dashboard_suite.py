"""Every query of the dashboard, asked of a real Prometheus that scrapes a real tidegate under traffic."""

import json
import pathlib
import re
import shutil
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness.cases import proxied_case
from harness.processes import ROOT, free_port, process, wait_until
from harness.wire import wire

DASHBOARD = ROOT / "deploy/grafana/tidegate.json"
RULES = ROOT / "deploy/prometheus"


def panels(document):
    for panel in document["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries():
    """(panel's title, expression) with Grafana's variables filled in."""
    document = json.loads(DASHBOARD.read_text())
    for panel in panels(document):
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "10s").replace("$__range", "1m")
            yield panel["title"], text


class prometheus(process):
    """Scrapes `targets` every second and evaluates our rules as often.

    Our groups ask for an evaluation every 15 s, and Prometheus begins each group somewhere within its interval: a
    rate, which needs two scrapes, may come with the second evaluation only, half a minute after the start.
    """

    def __init__(self, targets):
        super().__init__("prometheus")
        self.port = free_port()
        configuration = self.folder / "prometheus.yml"
        rules = [self.write_rules(path) for path in sorted(RULES.glob("*.rules.yaml"))]
        configuration.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "tidegate", "static_configs": [{"targets": targets}]}]}))
        self.spawn(["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"])
        wait_until(lambda: not self.is_running() or self.is_ready(), what="Prometheus")

    def write_rules(self, path):
        text, groups = re.subn(r"(?m)^( +)interval: \w+$", r"\1interval: 1s", path.read_text())
        assert groups == text.count("- name: "), f"{path}: a group without an interval of its own"
        copy = self.folder / path.name
        copy.write_text(text)
        return copy

    def is_ready(self):
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def query(self, expression):
        status, body = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        if status != 200:
            raise AssertionError(f"{expression}: {body}")
        return json.loads(body)["data"]["result"]


class the_dashboard(proxied_case):
    SERVER_ARGUMENTS = (("maxmemory", "24mb"),)
    CONFIGURATION = {
        "ledger": {"path": tempfile.mkdtemp(prefix="tidegate-dashboard-") + "/ledger.db", "bucket": "1s"},
        "limits": [{"name": "slow", "match": {"client": "batch-job"}, "rate": "200/s", "burst": "10"},
                   {"name": "strict", "match": {"client": "rude-job"}, "rate": "5/s", "burst": "2", "action": "reject"},
                   {"name": "watched", "match": {"client": "order-api"}, "rate": "5/s", "burst": "2", "action": "observe"}],
        "ttl": [{"pattern": "coupon:*", "default": "60d", "max": "90d"}]}

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(shutil.rmtree, pathlib.Path(cls.CONFIGURATION["ledger"]["path"]).parent)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self._done = threading.Event()
        self._writers = [threading.Thread(target=self.keep_writing, args=(name,)) for name in
                         ("batch-job", "rude-job", "order-api", "")]
        self._writers.append(threading.Thread(target=self.keep_growing))
        for each in self._writers:
            each.start()
        self.addCleanup(self.stop_writing)
        self.prometheus = prometheus([f"127.0.0.1:{self.proxy.admin_port}"])
        self.addCleanup(self.prometheus.stop)

    def stop_writing(self):
        self._done.set()
        for each in self._writers:
            each.join()

    def keep_writing(self, name):
        number = 0
        while not self._done.is_set():
            with wire(self.proxy) as connection:
                if name:
                    connection.call("CLIENT", "SETNAME", name)
                for _ in range(10):
                    number += 1
                    connection.send("SET", f"coupon:{number % 100}", "x" * 100)
                    connection.send("SET", f"coupon:{number % 100}", "x", "EX", "9000000")
                    connection.send("SADD", f"job:{number % 100}", "a", "b")
                    connection.send("GET", "coupon:1")
                for _ in range(40):
                    connection.read()
            self._done.wait(0.05)

    def keep_growing(self):
        """A burst that would fill the server within the minute, so that there is something to foresee."""
        with wire(self.proxy) as connection:
            connection.call("CLIENT", "SETNAME", "growing-job")
            number = 0
            while not self._done.wait(0.05):
                for _ in range(20):
                    number += 1
                    connection.send("SET", f"grown:{number}", "x" * 1000)
                for _ in range(20):
                    connection.read()

    def test_has_data_for_every_query(self):
        waiting = dict.fromkeys(queries())
        self.assertGreater(len(waiting), 25)
        missing = []

        def all_answered():
            missing[:] = [f"{title}: {text}" for title, text in waiting if not self.answers(text)]
            return not missing

        try:
            wait_until(all_answered, seconds=60, what="data for every query")
        except AssertionError:
            self.fail("no data for\n" + "\n".join(missing))

    def answers(self, text):
        result = self.prometheus.query(text)
        return any(sample["value"][1] != "NaN" for sample in result)

    def test_has_the_four_panels_of_the_runbook(self):
        titles = [panel["title"] for panel in panels(json.loads(DASHBOARD.read_text()))]
        for title in ("Memory usage", "Keys: with TTL and without", "Evictions", "Writes by key pattern"):
            self.assertIn(title, titles)

    def test_uses_only_what_grafana_fills_in(self):
        text = DASHBOARD.read_text()
        for title, query in queries():
            self.assertNotIn("$", query, title)
        identifiers = [panel["id"] for panel in panels(json.loads(text))]
        self.assertEqual(len(identifiers), len(set(identifiers)))

    def test_is_fed_by_rules_that_prometheus_evaluates(self):
        wait_until(lambda: self.prometheus.query("tidegate:client_write_bytes:rate1m"), what="a recorded series")
        rules = json.loads(self.prometheus.get("/api/v1/rules")[1])["data"]["groups"]
        wait_until(lambda: all(rule["health"] == "ok" for group in
                               json.loads(self.prometheus.get("/api/v1/rules")[1])["data"]["groups"]
                               for rule in group["rules"] if rule["health"] != "unknown"), what="healthy rules")
        self.assertGreaterEqual(sum(len(group["rules"]) for group in rules), 37)


if __name__ == "__main__":
    unittest.main()
