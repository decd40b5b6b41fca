"""The driver of the measurements: what it reads from the kernel's books, its arithmetic, and the configurations it writes.
Nothing here is timed."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import types
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/end_to_end"))

import accounting  # noqa: E402
import figures  # noqa: E402
import matrix  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402
import plots  # noqa: E402
import scaling  # noqa: E402
import table  # noqa: E402

TLS = types.SimpleNamespace(both="/t/both.pem", ca="/t/ca.crt", certificate="/t/server.crt", key="/t/server.key")


class the_books_of_the_kernel(unittest.TestCase):
    def test_give_the_cpu_of_a_process_whose_name_has_blanks_and_brackets(self):
        line = "7 (a (b) c) S 1 7 7 0 -1 4194304 1 2 3 4 250 50 9 9 20 0 1 0 100 200 300"
        self.assertEqual(accounting.cpu_of_stat(line) * accounting.CLOCK_TICKS, 300)

    def test_charge_this_process_for_what_it_does(self):
        before = accounting.cpu_seconds(os.getpid())
        # The scheduler books a running thread at its ticks: several of them, in CPU time and not in time.
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
        self.assertGreater(accounting.cpu_seconds(os.getpid()), before)
        self.assertGreater(accounting.memory_bytes(os.getpid()), 1 << 20)

    def test_count_established_connections_of_one_process_to_one_port(self):
        table_text = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:9C40 0100007F:18EB 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0
   1: 0100007F:9C41 0100007F:18EB 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0
   2: 0100007F:9C42 0100007F:18EB 06 00000000:00000000 00:00000000 00000000     0        0 13 1 0
   3: 0100007F:9C43 0100007F:18EC 01 00000000:00000000 00:00000000 00000000     0        0 14 1 0
   4: 0100007F:18EB 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 15 1 0
"""
        self.assertEqual(accounting.count_connections(table_text, {"11", "13", "14", "15"}, 0x18EB), 1)
        self.assertEqual(accounting.count_connections(table_text, {"11", "12"}, 0x18EB), 2)

    def test_are_read_from_perf_and_from_strace(self):
        self.assertEqual(accounting.count_of_perf("# started\n\n240123,,raw_syscalls:sys_enter,1000,100.00,,\n"), 240123)
        self.assertIsNone(accounting.count_of_perf("<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n"))
        with_errors = ("% time     seconds  usecs/call     calls    errors syscall\n"
                       " 60.00    0.100000           1     70000       300 recvfrom\n"
                       "100.00    0.166000           1    120000       300 total\n")
        self.assertEqual(accounting.count_of_strace(with_errors), 120000)
        self.assertEqual(accounting.count_of_strace("100.00    0.166000           1    120000           total\n"), 120000)


class the_arithmetic(unittest.TestCase):
    def test_takes_ratios_round_by_round(self):
        # The second round was on a machine half as fast: the ratio did not change.
        self.assertEqual(figures.ratios([3.0, 6.0], [4.0, 8.0]), [0.75, 0.75])
        with self.assertRaises(ValueError):
            figures.ratios([1.0], [1.0, 2.0])

    def test_spreads_from_minimum_to_maximum_about_the_median(self):
        self.assertEqual(figures.spread.of([5, 1, 2]), figures.spread(1, 2, 5))

    def test_meets_a_bound_that_it_equals_and_none_where_there_is_none(self):
        self.assertIs(figures.verdict(0.64, 0.64), True)
        self.assertIs(figures.verdict(0.65, 0.64), False)
        self.assertIsNone(figures.verdict(0.65, None))
        self.assertIsNone(figures.verdict(None, 0.64))
        self.assertEqual(figures.words_of(False), "NOT MET")

    def test_begins_each_round_with_another(self):
        self.assertEqual([figures.rotated(["a", "b", "c"], turn)[0] for turn in range(4)], ["a", "b", "c", "a"])
        self.assertCountEqual(figures.rotated(["a", "b", "c"], 1), ["a", "b", "c"])

    def test_never_calls_memory_negative(self):
        self.assertEqual(figures.idle_bytes(1000, 3000, 10), 200)
        self.assertEqual(figures.idle_bytes(3000, 1000, 10), 0)

    def test_gives_a_dear_peer_fewer_commands_but_whole_batches(self):
        row = matrix.rate_row("r", "r", (), 1, 1, 1000, pipeline=16)
        self.assertEqual(measure.bench._commands(row, matrix.HAPROXY, 2), 2000)
        self.assertEqual(measure.bench._commands(row, matrix.STUNNEL, 8), 2000)
        self.assertEqual(measure.bench._commands(row, matrix.HAPROXY, 0.1), 1600)

    def test_judges_growth_by_the_doubling_and_by_the_dearest_point(self):
        logarithmic = [(2 ** power, 0, 1 + 0.04 * power, 0) for power in range(8)]
        self.assertAlmostEqual(scaling.growth_a_doubling(logarithmic), 0.04)
        linear = [(2 ** power, 0, 1 + 0.04 * 2 ** power, 0) for power in range(8)]
        self.assertGreater(scaling.growth_a_doubling(linear), scaling.SHARE_A_DOUBLING_MAX)
        hump = [(1, 0, 1.0, 0), (2, 0, 2.0, 0), (1024, 0, 1.0, 0)]
        self.assertAlmostEqual(scaling.growth_a_doubling(hump), 1.0)

    def test_prices_no_evidence_that_was_not_written(self):
        def result(files):
            return {"met": True, "aim_met": None, "peers": {matrix.EVIDENCE: {"evidence": files}, matrix.ON: {}}}
        self.assertIs(figures.void_without_evidence(result(["a.aof", "ledger.db"]))["met"], True)
        for files in ([], ["ledger.db"]):
            self.assertIsNone(figures.void_without_evidence(result(files))["met"])

    def test_makes_windows_of_time_out_of_a_probe(self):
        self.assertEqual(scaling.commands_for({"commands": 1000, "seconds": 0.1}, 200), int(10_000 * scaling.WINDOW_SECONDS))
        self.assertEqual(scaling.commands_for({"commands": 10, "seconds": 1.0}, 200), 200)


class the_rows(unittest.TestCase):
    def test_have_names_of_their_own_and_an_aim_no_easier_than_the_must(self):
        rows = [*matrix.RATE_ROWS, *matrix.COUNT_ROWS]
        self.assertEqual(len({row.name for row in rows}), len(rows))
        for row in rows:
            self.assertTrue(row.aim is None or row.aim <= row.must, row.name)
            self.assertIn(getattr(row, "ours", matrix.ON), row.peers)
            self.assertIn(getattr(row, "reference", matrix.ON), row.peers)

    def test_are_chosen_by_a_part_of_the_name(self):
        rates, counts = matrix.rows_named(["plain-1", "idle"])
        self.assertEqual([row.name for row in rates], ["plain-1", "plain-16", "plain-16k"])
        self.assertEqual([row.name for row in counts], ["idle-plain", "idle-tls"])
        self.assertEqual(matrix.rows_named(["nothing"]), ([], []))

    def test_say_in_the_table_what_is_not_met(self):
        costs = {"minimum": 1.0, "median": 2.0, "maximum": 3.0}
        result = {"name": "r", "title": "a row", "kind": "cpu", "must": 0.64, "aim": 0.60, "met": False, "aim_met": False,
                  "ours": matrix.ON,
                  "peers": {matrix.HAPROXY: {"cpu_us": costs, "ratio": costs},
                            matrix.ON: {"cpu_us": costs, "ratio": {"minimum": 0.6, "median": 0.7, "maximum": 0.8}}}}
        line = table.main_table([result])[2]
        self.assertIn("0.70 (0.60-0.80)", line)
        self.assertIn("NOT MET", line)
        self.assertIn("2.00 us = 1.00", line)


    def test_are_put_between_their_marks_again_and_again(self):
        text = "a\n<!-- t -->\nold\nolder\n<!-- /t -->\nz\n"
        once = table.put_between(text, "t", ["new"])
        self.assertEqual(once, "a\n<!-- t -->\nnew\n<!-- /t -->\nz\n")
        self.assertEqual(table.put_between(once, "t", ["new"]), once)
        with self.assertRaises(ValueError):
            table.put_between("a\n<!-- t -->\n", "t", [])
        readme = (ROOT / "bench/README.md").read_text()
        for name in ("table", "scaling", "tail"):
            table.put_between(readme, name, [])

    def test_write_large_numbers_as_they_are_said(self):
        self.assertEqual([plots.tick_text(value) for value in (0.1, 10, 1000.0, 9800, 4096, 1048576, 1e6)],
                         ["0.1", "10", "1k", "9.8k", "4096", "1048576", "1M"])


class a_plot(unittest.TestCase):
    def test_is_an_svg_with_a_point_for_each_measurement(self):
        drawn = plots.svg("a < b", "x", "y", {"one": [(1, 0.9, 1.0, 1.1), (1000, 2.0, 2.1, 2.2)], "two": [(10, 3, 4, 5)]})
        root = xml.etree.ElementTree.fromstring(drawn)
        self.assertEqual(len(root.findall("{http://www.w3.org/2000/svg}circle")), 3)
        self.assertEqual(len(root.findall("{http://www.w3.org/2000/svg}polyline")), 2)

    def test_covers_its_points_with_decades(self):
        self.assertEqual(plots.decades(0.5, 3.7), [0.1, 1.0, 10.0])
        self.assertEqual(plots.decades(1, 1), [1.0, 10.0])
        self.assertEqual(plots.decades(10, 1000), [10.0, 100.0, 1000.0])


class the_configurations(unittest.TestCase):
    def test_of_haproxy_differ_in_where_tls_is_spoken(self):
        plain = peers.haproxy_config(1, 2, TLS, False, False)
        self.assertNotIn("ssl", plain)
        client = peers.haproxy_config(1, 2, TLS, True, False)
        self.assertIn(f"bind 127.0.0.1:1 ssl crt /t/both.pem ssl-min-ver TLSv1.3 ciphersuites {peers.CIPHER}", client)
        self.assertIn("server redis 127.0.0.1:2\n", client)
        self.assertIn("verify required ca-file /t/ca.crt", peers.haproxy_config(1, 2, TLS, True, True))

    def test_of_tidegate_have_the_policy_that_the_rows_promise(self):
        config = json.loads(peers.tidegate_config(2, TLS, True, True, True))
        self.assertEqual(len(config["attribution"]["patterns"]), 30)
        self.assertEqual(len(config["attribution"]["names"]), 50)
        self.assertEqual(len(config["limits"]), 5)
        self.assertEqual(len(config["ttl"]), 3)
        self.assertEqual(config["workers"], 1)
        self.assertTrue(config["upstream"]["url"].startswith("rediss://"))
        # A tenth of the SETs: three of the thirty families have a TTL rule.
        self.assertLess({rule["pattern"] for rule in config["ttl"]}, set(config["attribution"]["patterns"]))
        off = json.loads(peers.tidegate_config(2, TLS, False, False, False))
        self.assertFalse({"limits", "ttl", "attribution"} & set(off))

    def test_of_tidegate_are_without_mistakes(self):
        binary = os.environ.get("TIDEGATE_BINARY", str(ROOT / "build/release/tidegate"))
        if not os.path.exists(binary):
            self.skipTest(f"{binary} is not built")
        texts = [peers.tidegate_config(1, TLS, False, False, policy) for policy in (True, False)]
        texts += [peers.tidegate_config(1, TLS, False, False, True, more=more)
                  for more in (peers.LEDGER_ON, peers.EVIDENCE_ON)]
        texts += [peers.tidegate_config(1, TLS, False, False, True, workers=at.workers, more=at.more)
                  for one in scaling.sweeps() for curve in one.curves.values() for at in (curve[0], curve[-1])]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tidegate.yaml"
            for text in texts:
                path.write_text(text)
                # No server answers here: check warns of that, and it is no mistake of the file.
                checked = subprocess.run([binary, "check", "-c", path], capture_output=True, text=True, check=False)
                self.assertEqual(checked.returncode, 0, checked.stderr)

    @unittest.skipUnless(shutil.which("haproxy") and shutil.which("nutcracker"), "haproxy and nutcracker are not installed")
    def test_of_the_others_are_accepted_by_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for command, text in ((["haproxy", "-c", "-f"], peers.haproxy_config(40001, 40002, TLS, False, False)),
                                  (["nutcracker", "-t", "-c"], peers.nutcracker_config(40001, 40002))):
                path = pathlib.Path(folder) / command[0]
                path.write_text(text)
                checked = subprocess.run([*command, path], capture_output=True, text=True, check=False)
                self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


if __name__ == "__main__":
    unittest.main()
