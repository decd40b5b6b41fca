"""`tidegate report` on ledgers whose truth is known: the two incidents, hostile names, killed runs, nothing at all."""

import calendar
import contextlib
import html.parser
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from harness.processes import ROOT, binary

sys.path.insert(0, str(ROOT / "tests/evidence/report"))
import incident_ledger as incidents  # noqa: E402

HOSTILE = "</script><script>alert(1)</script>|`$(id)`\n# 中文 \u202e" + "x" * 300


class parsed(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.outside = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.outside += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]


class report_case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tidegate-report-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.ledger = self.folder / "ledger.db"

    def run_report(self, *arguments, status=0, **configuration):
        file = incidents.configuration(self.folder, self.ledger, **configuration)
        done = subprocess.run([binary(), "report", "-c", file, *arguments], capture_output=True, text=True, check=False,
                              timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, done.stderr[-2000:])
        return done.stdout if status == 0 else done.stderr

    def figures(self, *arguments):
        return json.loads(self.run_report("--format", "json", *arguments))

    def true_shares(self, sums, burst):
        """name -> (share of writes, of bytes) between the report's own begin and end."""
        inside = {name: [sum(each[which] for at, each in buckets.items() if burst["begin_ms"] <= at < burst["end_ms"])
                         for which in (0, 1)] for name, buckets in sums.items()}
        whole = [sum(each[which] for each in inside.values()) for which in (0, 1)]
        return {name: tuple(each[which] / whole[which] for which in (0, 1)) for name, each in inside.items()}


class the_two_incidents(report_case):
    def check(self, sums, culprit, peak, begin_minute, end_minute, start):
        facts = self.figures()
        burst = facts["burst"]
        self.assertEqual([each["client"] for each in facts["writers"] if each["culprit"]], [culprit])
        self.assertAlmostEqual((burst["begin_ms"] - start) / 60_000, begin_minute, delta=1.5)
        self.assertAlmostEqual((burst["end_ms"] - start) / 60_000, end_minute, delta=2.5)
        self.assertAlmostEqual(facts["memory"]["peak"]["used_share"], peak, delta=0.001)
        true = self.true_shares(sums, burst)
        for each in facts["writers"]:
            writes, size = true[each["client"]]
            self.assertAlmostEqual(each["share_of_writes"], writes, delta=0.0001)
            self.assertAlmostEqual(each["share_of_bytes"], size, delta=0.0001)
        self.assertGreaterEqual(facts["coverage"]["share"], 0.999)
        self.assertTrue(facts["holding_limit"]["possible"])
        self.assertLessEqual(facts["holding_limit"]["peak_share"], 0.70)
        current = [each for each in facts["node_sizes"]["sizes"] if each["current"]]
        self.assertEqual([(each["type"], each["per_month"]) for each in current], [("cache.t4g.medium", 94.90)])
        return facts

    def test_the_report_of_10_february_names_the_campaign(self):
        sums = incidents.first_incident(self.ledger)
        facts = self.check(sums, "isales-campaign", 0.758, 30, 50, incidents.FIRST_START)
        self.assertEqual(facts["state"], "warning")
        self.assertEqual(facts["writers"][0]["owner"], "#isales-dev")
        self.assertEqual(facts["burst"]["connections_most"], 134)

    def test_the_runbook_of_12_february_names_the_label_sync(self):
        sums = incidents.second_incident(self.ledger)
        self.check(sums, "contact-label-sync", 0.894, 56, 77.5, incidents.SECOND_START)

    def test_every_format_and_language_names_the_same(self):
        incidents.second_incident(self.ledger)
        for form in ("md", "html", "slack"):
            for lang, word in (("en", "Is this an emergency?"), ("zh", "是否为紧急情况")):
                text = self.run_report("--format", form, "--lang", lang)
                self.assertIn("contact-label-sync", text)
                self.assertIn(word, text)
        self.assertIn("过期时间", self.run_report("--lang", "zh"))

    def test_the_eviction_policy_is_weighed_in_every_format_and_language(self):
        incidents.second_incident(self.ledger)
        rule = {"ttl": [{"pattern": "MARKETING:COUPON:UNREAD:*", "default": "60d"}]}
        told = {"en": ("Eviction policy", "and could be lost silently"), "zh": ("淘汰策略", "可能在无提示的情况下丢失")}
        for form in ("md", "html", "slack"):
            for lang, (heading, advice) in told.items():
                text = self.run_report("--format", form, "--lang", lang, **rule)
                text = json.dumps(json.loads(text), ensure_ascii=False) if form == "slack" else text
                self.assertIn(heading, text, form)
                self.assertIn(advice, text, form)
                if form != "slack":
                    self.assertIn("MARKETING:COUPON:UNREAD", text.split(heading)[-1])
        seen = json.loads(self.run_report("--format", "json", **rule))["eviction"]
        self.assertEqual((seen["source"], seen["policy"], seen["keys"]), ("writes", "volatile-lfu", 6_658_630))
        self.assertAlmostEqual(seen["evictable"]["now"]["keys_share"], 0.606, delta=0.001)
        self.assertIsNone(seen["evictable"]["volatile_after_rules"]["keys"])
        exposed = {each["pattern"]: each for each in seen["exposed"]}
        self.assertTrue(exposed["MARKETING:COUPON:UNREAD:*"]["ruled"])
        self.assertFalse(exposed["contact:segment:snapshot:*"]["ruled"])
        with contextlib.closing(sqlite3.connect(self.ledger)) as database:
            sums = {"none": 0, "timed": 0}
            for (histogram,) in database.execute("SELECT ttl_histogram FROM write_bucket WHERE at >= ? AND at < ?",
                                                 self.window(**rule)):
                for ttl, (_, size) in json.loads(histogram).items():
                    if ttl != "keep":
                        sums["none" if ttl == "none" else "timed"] += size
        self.assertEqual(seen["evictable"]["now"]["bytes"]["estimate"], sums["timed"])
        self.assertEqual(seen["evictable"]["allkeys"]["bytes"]["estimate"], sums["timed"] + sums["none"])

    def window(self, **configuration):
        facts = json.loads(self.run_report("--format", "json", **configuration))
        return [calendar.timegm(time.strptime(facts[end], "%Y-%m-%dT%H:%M:%SZ")) * 1000 for end in ("since", "until")]

    def test_the_page_needs_nothing_from_elsewhere(self):
        incidents.second_incident(self.ledger)
        page = parsed(self.run_report("--format", "html"))
        self.assertEqual(page.outside, [])
        self.assertEqual(page.tags.count("link"), 0)
        self.assertGreaterEqual(page.tags.count("canvas"), 5)
        self.assertGreaterEqual(page.tags.count("table"), 5 + page.tags.count("canvas"))


class hostile_names(report_case):
    def test_stay_text_in_every_format(self):
        incidents.second_incident(self.ledger, burst=incidents.label_sync(HOSTILE))
        page = self.run_report("--format", "html")
        self.assertNotIn("<script>alert", page)
        self.assertEqual(parsed(page).tags.count("script"), 2 + parsed(page).tags.count("canvas"))
        for line in self.run_report().splitlines():
            if line.startswith("|"):
                self.assertTrue(line.endswith("|"), line)
        self.assertEqual(self.figures()["writers"][0]["client"], HOSTILE)
        message = json.loads(self.run_report("--format", "slack"))
        self.assertNotIn("<script>", json.dumps(message))

    def test_are_quoted_in_commands_to_paste(self):
        incidents.second_incident(self.ledger, burst=incidents.label_sync("a'; reboot '"))
        text = self.run_report()
        command = re.search(r"^tidegate cap .*$", text, re.MULTILINE).group(0)
        words = subprocess.run(["bash", "-c", "printf '%s\\n' " + command], capture_output=True, text=True, check=True).stdout
        self.assertEqual(words.splitlines()[2], "a'; reboot '")


class what_is_missing(report_case):
    def test_no_ledger_is_said_with_its_path(self):
        self.assertIn(str(self.ledger), self.run_report(status=1))

    def test_a_ledger_that_is_off_is_said(self):
        self.assertIn("ledger: off", self.run_report(status=1, ledger="off"))

    def test_a_file_that_is_no_ledger_is_said(self):
        self.ledger.write_text("no database" * 1000)
        self.assertIn(str(self.ledger), self.run_report(status=1))

    def test_an_empty_ledger_gives_a_document(self):
        incidents.ledger(self.ledger, incidents.FIRST_START).finish(incidents.FIRST_START)
        self.assertIn("Nothing was recorded", self.run_report())
        self.assertEqual(self.figures()["state"], "empty")

    def test_an_hour_without_a_burst_gives_a_document(self):
        incidents.first_incident(self.ledger)
        facts = self.figures("--since", "2026-02-10T08:00:00Z", "--until", "2026-02-10T08:25:00Z")
        self.assertEqual((facts["state"], facts["burst"]), ("quiet", None))
        self.assertIn("No burst", self.run_report("--since", "2026-02-10T08:00:00Z", "--until", "2026-02-10T08:25:00Z"))

    def test_a_killed_run_is_said(self):
        incidents.second_incident(self.ledger, ended=False)
        self.assertIn("nothing was recorded", self.run_report("--until", "now"))

    def test_an_upstream_that_says_nothing_leaves_coverage_unknown(self):
        incidents.second_incident(self.ledger, calls=False)
        self.assertEqual(self.figures()["coverage"]["known"], False)

    def test_buckets_that_began_late_lose_no_row_of_the_timeline(self):
        incidents.first_incident(self.ledger)
        whole = self.figures()["timeline"]
        with contextlib.closing(sqlite3.connect(self.ledger)) as database:
            for table in ("write_bucket", "upstream_bucket", "connection_bucket"):
                database.execute(f"UPDATE {table} SET at = at + 1 + (at / 10000) % 37")
            database.commit()
        late = self.figures()["timeline"]
        self.assertGreater(sum(row["used_bytes"] is not None for row in whole), 100)
        self.assertEqual([(row["at"], row["used_bytes"], row["writes_per_second"]) for row in late],
                         [(row["at"], row["used_bytes"], row["writes_per_second"]) for row in whole])

    def test_writes_past_the_proxy_show(self):
        incidents.second_incident(self.ledger, bypass=lambda minute: int(max(0, minute - 60) * 60_000))
        self.assertLess(self.figures()["coverage"]["share"], 0.9)

    def test_wrong_usage_is_status_2_and_wrong_times_are_explained(self):
        self.run_report("--format", "pdf", status=2)
        incidents.first_incident(self.ledger)
        self.assertIn("2026-02-12T14:00:00Z", self.run_report("--since", "yesterday", status=1))
        self.assertIn("nothing lies between", self.run_report("--since", "-1m", "--until", "-2m", status=1))

    def test_a_price_file_is_used_and_its_mistakes_are_said(self):
        incidents.second_incident(self.ledger)
        prices = self.folder / "prices.yaml"
        prices.write_text("nodes: 3\nsizes:\n  - { type: mine, maxmemory: 8GiB, price: 1 }\n")
        sizes = self.figures("--prices", str(prices))["node_sizes"]["sizes"]
        self.assertEqual([(each["type"], each["per_month"]) for each in sizes], [("mine", 2190)])
        prices.write_text("sizes:\n  - { type: mine }\n")
        self.assertIn("prices.yaml:2", self.run_report("--prices", str(prices), status=1))


if __name__ == "__main__":
    unittest.main()
