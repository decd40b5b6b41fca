"""The alerting rules on the timelines of both incidents, and each rule on what it is for: promtool runs them."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

from harness import timelines
from harness.processes import ROOT, binary

RULES = ROOT / "deploy/prometheus"
LABELS = 'job="tidegate",instance="proxy-a:9121"'
STEP = f"{timelines.STEP}s"


def with_target(name):
    """The labels that a scrape adds."""
    return f"{name[:-1]},{LABELS}}}" if name.endswith("}") else f"{name}{{{LABELS}}}"


def values_text(values):
    return " ".join("_" if value is None else str(value) for value in values)


def as_series(series):
    return [{"series": with_target(name), "values": values_text(values)} for name, values in series.items()]


def firing(at, matching="", expected=()):
    """At `at` exactly the alerts in `expected` fire: dicts of labels."""
    labels = sorted({label for each in expected for label in each} | {"alertname"})
    samples = [{"labels": "{" + ", ".join(f'{key}="{value}"' for key, value in each.items()) + "}", "value": 1}
               for each in expected]
    return {"expr": f'group by ({", ".join(labels)}) (ALERTS{{alertstate="firing"{matching}}})', "eval_time": at,
            "exp_samples": samples}


def run_promtool(tests):
    """Status and output of `promtool test rules`; tests: of one file."""
    with tempfile.TemporaryDirectory(prefix="tidegate-alerts-") as folder:
        path = pathlib.Path(folder) / "alerts.test.yaml"
        path.write_text(json.dumps({
            "rule_files": [str(RULES / "recording.rules.yaml"), str(RULES / "alerting.rules.yaml")],
            "evaluation_interval": STEP, "tests": tests}))
        done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def alerts():
    document = yaml.safe_load((RULES / "alerting.rules.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


class rules_case(unittest.TestCase):
    maxDiff = None

    def holds(self, series, expressions, interval=STEP):
        status, output = run_promtool([{"interval": interval, "input_series": as_series(series),
                                        "promql_expr_test": expressions}])
        self.assertEqual(status, 0, output[-6000:])


class the_rules(rules_case):
    def test_pass_promtool(self):
        done = subprocess.run(["promtool", "check", "rules", *map(str, sorted(RULES.glob("*.yaml")))], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_say_what_to_do_in_commands_that_exist(self):
        usage = subprocess.run([binary(), "--help"], capture_output=True, text=True, check=False).stdout
        known = set(re.findall(r"^  (\w+)", usage, re.MULTILINE))
        for rule in alerts():
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("page", "warning", "ticket"))
                for name in ("summary", "description", "do"):
                    self.assertTrue(rule["annotations"][name].strip(), name)
                for command in re.findall(r"^tidegate (\w+)", rule["annotations"]["do"], re.MULTILINE):
                    self.assertIn(command, known)

    def test_are_each_tried_below(self):
        self.assertEqual({rule["alert"] for rule in alerts()}, {name for name, _, _, _ in SINGLE})


class an_incident(rules_case):
    def called(self, incident, alertname, minute, client=None):
        by_client = {"alertname": alertname, **({"client": client} if client else {})}
        return firing(f"{minute}m", f',alertname="{alertname}"', [by_client])

    def test_of_february_10_is_called_within_two_minutes_and_by_its_name(self):
        self.holds(timelines.FIRST.series(), [
            self.called(timelines.FIRST, "TidegateClientBurst", 62, "isales-campaign"),
            self.called(timelines.FIRST, "TidegateConnectionsOpened", 62, "isales-campaign"),
            self.called(timelines.FIRST, "TidegateMemoryGrows", 64),
            self.called(timelines.FIRST, "TidegateMemoryAbove60", 67),
            self.called(timelines.FIRST, "TidegateMemoryAbove70", 73)])

    def test_of_february_12_is_called_within_two_minutes_and_by_its_name(self):
        self.holds(timelines.SECOND.series(), [
            self.called(timelines.SECOND, "TidegateClientBurst", 62, "contact-label-sync"),
            self.called(timelines.SECOND, "TidegateConnectionsOpened", 62, "contact-label-sync"),
            self.called(timelines.SECOND, "TidegateMemoryGrows", 62),
            self.called(timelines.SECOND, "TidegateMemoryAbove60", 62),
            self.called(timelines.SECOND, "TidegateMemoryAbove70", 64),
            self.called(timelines.SECOND, "TidegateMemoryAbove85", 70)])

    def test_is_called_after_an_hour_that_raised_nothing(self):
        for name, incident in (("first", timelines.FIRST), ("second", timelines.SECOND)):
            with self.subTest(name):
                self.holds(incident.series(), [
                    {"expr": f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{timelines.QUIET}m]))',
                     "eval_time": f"{timelines.QUIET}m", "exp_samples": []}])

    def test_would_be_called_in_that_hour_if_the_noise_were_a_burst(self):
        # The quiet hour must be able to fail: the same hour with one service writing eight times its usual.
        series = timelines.FIRST.series()
        name = next(each for each in series if each.startswith("tidegate_write_bytes_total") and "order-api" in each)
        at = 30 * 60 // timelines.STEP
        values = series[name]
        step = values[at] - values[at - 1]
        series[name] = values[:at] + [value + 40 * step * (index + 1) for index, value in enumerate(values[at:])]
        self.holds(series, [self.called(None, "TidegateClientBurst", 32, "order-api")])


def steady(value, samples=1600):
    return [value] * samples


def rising(step, samples=1600, first=0):
    return [first + step * index for index in range(samples)]


MIB = 1 << 20
CLIENT = 'client="a",pattern="p:*",command="set"'
HOUR = 3600 // timelines.STEP
# (alert, series, when it does not fire yet, when it does)
SINGLE = (
    ("TidegateClientBurst", {f"tidegate_write_bytes_total{{{CLIENT}}}": rising(15 * 2000, HOUR) +
                             rising(15 * 50_000, 600, 15 * 2000 * HOUR)}, "60m", "63m"),
    ("TidegateConnectionsOpened", {'tidegate_client_connections_opened_total{client="a"}': steady(4, HOUR) + rising(3, 100, 4),
                                   'tidegate_client_connections{client="a"}': steady(4)}, "60m", "63m"),
    ("TidegateUnnamedWriters", {f"tidegate_writes_total{{{CLIENT}}}": rising(100),
                                'tidegate_writes_total{client="unnamed@10.0.0.1",pattern="p:*",command="set"}':
                                    steady(0, 40) + rising(50, 200)}, "9m", "30m"),
    ("TidegateMemoryAbove60", {"tidegate_upstream_memory_used_bytes": steady(61 * MIB, 40) + steady(63 * MIB),
                               "tidegate_upstream_memory_max_bytes": steady(100 * MIB)}, "9m", "11m"),
    ("TidegateMemoryAbove70", {"tidegate_upstream_memory_used_bytes": steady(69 * MIB, 40) + steady(71 * MIB),
                               "tidegate_upstream_memory_max_bytes": steady(100 * MIB)}, "9m", "11m"),
    ("TidegateMemoryAbove85", {"tidegate_upstream_memory_used_bytes": steady(84 * MIB, 40) + steady(86 * MIB),
                               "tidegate_upstream_memory_max_bytes": steady(100 * MIB)}, "9m", "11m"),
    ("TidegateMemoryChronic", {"tidegate_upstream_memory_used_bytes": steady(61 * MIB),
                               "tidegate_upstream_memory_max_bytes": steady(100 * MIB)}, "359m", "361m"),
    ("TidegateMemoryGrows", {"tidegate_upstream_memory_used_bytes": steady(50 * MIB, 40) + rising(4 * MIB, 40, 50 * MIB)},
     "9m", "13m"),
    ("TidegateForecast", {'tidegate_forecast_seconds_to{threshold="85"}': steady(0, 40) + steady(2000, 8) + steady(800)},
     "11m", "13m"),
    ("TidegateEvictions", {"tidegate_upstream_evicted_keys_total": steady(7, 40) + rising(1, 40, 8)}, "9m", "11m"),
    ("TidegateWritesWithoutTtl", {f"tidegate_writes_without_ttl_total{{{CLIENT}}}": rising(20, 80) + rising(200, 200, 1600)},
     "19m", "31m"),
    ("TidegateKeysWithoutTtlLeak", {"tidegate_upstream_keys": rising(20, 1600, 1_000_000),
                                    "tidegate_upstream_keys_with_ttl": steady(500_000)}, "100m", "250m"),
    ("TidegateTtlFailed", {'tidegate_ttl_failed_total{pattern="p:*"}': steady(0, 40) + steady(3)}, "9m", "11m"),
    ("TidegateRejects", {'tidegate_rejected_total{rule="r",client="a"}': steady(0, 40) + rising(5, 100)}, "10m", "13m"),
    ("TidegateDelays", {'tidegate_delayed_total{rule="r",client="a"}': steady(0, 40) + rising(5, 200)}, "20m", "27m"),
    ("TidegateDelayLong", {'tidegate_delay_seconds_bucket{le="1"}': steady(0), 'tidegate_delay_seconds_bucket{le="2"}':
                           steady(0, 40) + rising(5, 200), 'tidegate_delay_seconds_bucket{le="+Inf"}':
                           steady(0, 40) + rising(5, 200)}, "10m", "20m"),
    ("TidegateDown", {"up": steady(1, 40) + steady(0)}, "9m", "11m"),
    ("TidegateUpstreamDown", {"tidegate_upstream_up": steady(1, 40) + steady(0)}, "9m", "11m"),
    ("TidegateInfoStale", {"tidegate_upstream_info_stale": steady(0, 40) + steady(1), "tidegate_upstream_up": steady(1)},
     "10m", "12m"),
    ("TidegateDesynchronised", {"tidegate_upstream_desynchronised_total": steady(0, 40) + steady(1)}, "9m", "11m"),
    ("TidegateWritesUnknown", {"tidegate_writes_unknown_total": steady(0, 40) + steady(1)}, "9m", "11m"),
    ("TidegateTlsRefused", {'tidegate_tls_handshakes_total{side="client",result="done"}': rising(10),
                            'tidegate_tls_handshakes_total{side="client",result="refused"}': steady(0, 40) + rising(5, 200)},
     "10m", "20m"),
    ("TidegateConfigRefused", {'tidegate_config_reloads_total{result="refused"}': steady(0, 40) + steady(1)}, "9m", "11m"),
    # promtool's clock begins at 0; the rule waits for five minutes of its own.
    ("TidegateCertificateEnds", {'tidegate_tls_certificate_not_after_seconds{side="client",address="0.0.0.0:6379"}':
                                 steady(14 * 86400 + 600)}, "14m", "16m"),
    ("TidegateDescriptors", {"process_open_fds": steady(10, 40) + steady(900), "process_max_fds": steady(1024)}, "10m", "12m"),
    ("TidegateLedgerDropped", {'tidegate_ledger_dropped_total{reason="disk"}': steady(0, 40) + steady(9)}, "9m", "11m"),
    ("TidegateLedgerDown", {"tidegate_ledger_up": steady(1, 40) + steady(0)}, "10m", "12m"),
    ("TidegateCaptureDropped", {'tidegate_capture_dropped_total{reason="room"}': steady(0, 40) + steady(9)}, "9m", "11m"),
)


class each_alert(rules_case):
    def test_fires_for_what_it_is_for_and_not_before(self):
        tests = []
        for alert, series, before, at in SINGLE:
            only = f',alertname="{alert}"'
            tests.append({"name": alert, "interval": STEP, "input_series": as_series(series), "promql_expr_test": [
                firing(before, only), firing(at, only, [{"alertname": alert}])]})
        status, output = run_promtool(tests)
        self.assertEqual(status, 0, output[-6000:])

    def test_says_who_and_how_much(self):
        _, series, _, at = SINGLE[0]
        rule = alerts()[0]
        label = {"client": "a", "job": "tidegate", "instance": "proxy-a:9121", "severity": "warning"}
        expected = {"exp_labels": label, "exp_annotations": {
            "summary": "a began a burst: it writes 48.83kiB/s", "description": rule["annotations"]["description"],
            "do": rule["annotations"]["do"].replace("{{ $labels.client }}", "a")}}
        status, output = run_promtool([{"interval": STEP, "input_series": as_series(series), "alert_rule_test": [
            {"eval_time": at, "alertname": rule["alert"], "exp_alerts": [expected]}]}])
        self.assertEqual(status, 0, output[-3000:])


if __name__ == "__main__":
    unittest.main()
