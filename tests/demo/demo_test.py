"""The demo's arithmetic: its scale against the documents, its traffic, its figures, and that each verdict can fail."""

import contextlib
import dataclasses
import json
import pathlib
import sqlite3
import sys
import tempfile
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cli/demo"))

import commands  # noqa: E402
import demo  # noqa: E402
import display  # noqa: E402
import evidence  # noqa: E402
import figures  # noqa: E402
import keyspace  # noqa: E402
import outcome  # noqa: E402
import scenario  # noqa: E402
import servers  # noqa: E402
import watch  # noqa: E402
import wire  # noqa: E402


class the_curve(unittest.TestCase):
    line = scenario.curve([(1, 0), (3, 10), (4, 10)])

    def test_is_constant_outside_its_points(self):
        self.assertEqual([self.line.at(time) for time in (-5, 1, 2, 3, 3.5, 99)], [0, 0, 5, 10, 10, 10])

    def test_adds_up_from_its_first_point_on(self):
        self.assertEqual([self.line.sum_to(time) for time in (0, 1, 2, 3, 4, 6)], [0, 0, 2.5, 10, 20, 40])


class the_writes_for_a_level(unittest.TestCase):
    def test_are_the_level_where_nothing_expires(self):
        written = scenario.writes_for(scenario.curve([(0, 0), (2, 20)]), 100, 200, 0.0, 0.5)
        self.assertEqual([round(each, 6) for each in written], [5, 5, 5, 5])

    def test_replace_what_expired_and_keep_what_has_no_ttl(self):
        flat = scenario.curve([(0, 0), (1, 100), (4, 100)])
        written = scenario.writes_for(flat, 1, 2, 0.25, 1)
        self.assertEqual([round(each, 6) for each in written], [100, 0, 75, 0])

    def test_are_never_negative_where_the_level_falls(self):
        falling = scenario.curve([(0, 0), (1, 10), (2, 0)])
        self.assertEqual(scenario.writes_for(falling, 50, 60, 0.0, 1), [10, 0])

    def test_know_when_a_key_is_gone(self):
        self.assertEqual([scenario.alive_after(age, 10, 30) for age in (0, 10, 20, 30, 31)], [1, 1, 0.5, 0, 0])


class the_scale(unittest.TestCase):
    def test_leaves_rates_as_they_are(self):
        self.assertEqual(scenario.TIME, scenario.KEYS)
        self.assertEqual(scenario.BYTE_BUDGET, 150 * 1024 * scenario.KEY_SIZE)

    def test_gives_the_first_burst_the_keys_and_the_rate_of_the_report(self):
        burst = scenario.BURSTS[0]
        self.assertAlmostEqual(burst.jobs_due(1e9) * scenario.KEYS / 343_149, 1.0, delta=0.03)
        second = burst.jobs[-1] - burst.jobs[-1 - round(1 / scenario.STEP)]
        self.assertAlmostEqual(second * burst.job_commands + scenario.BASELINE_RATE, 11_091, delta=200)
        self.assertEqual(51 + round(max(value for _, value in burst.connections.points)), 134)

    def test_gives_the_second_burst_a_third_of_the_command_rate(self):
        burst = scenario.BURSTS[1]
        steps = round(1 / scenario.STEP)
        peak = max(b - a for a, b in zip(burst.jobs, burst.jobs[steps:]))
        self.assertAlmostEqual(peak * burst.job_commands + scenario.BASELINE_RATE, 3_817, delta=200)

    def test_scales_the_ttls_of_11_to_29_minutes(self):
        self.assertAlmostEqual(scenario.BURSTS[1].ttl_seconds[0] * scenario.TIME, 11 * 60)
        self.assertAlmostEqual(scenario.BURSTS[1].ttl_seconds[1] * scenario.TIME, 29 * 60)

    def test_stays_clear_of_a_growing_hash_table_within_a_burst(self):
        # A table that doubles in a burst would be memory that no document shows: 2^17 < keys < 2^18 throughout.
        for (keys, _), burst in zip(scenario.KEYS_BEFORE, scenario.BURSTS):
            self.assertGreater(scenario.scaled_keys(keys), 2**17)
            self.assertLess(scenario.scaled_keys(keys) + burst.jobs_due(1e9), 2**18)

    def test_is_over_in_a_minute_and_a_half(self):
        self.assertLess(sum(scenario.PHASE_SECONDS.values()), 82)
        self.assertEqual(set(scenario.PHASE_SECONDS) | {"two days later", "end"}, set(scenario.PHASES))

    def test_opens_51_connections_before_a_burst(self):
        self.assertEqual(sum(each.connections for each in scenario.SERVICES) + 2, 51)
        self.assertAlmostEqual(sum(each.share for each in scenario.SERVICES), 1.0)


class the_jobs_due(unittest.TestCase):
    def test_never_fall_and_end_with_the_burst(self):
        for burst in scenario.BURSTS:
            due = [burst.jobs_due(time / 7) for time in range(-3, 400)]
            self.assertEqual(due, sorted(due))
            self.assertEqual(due[:4], [0, 0, 0, 0])
            self.assertEqual(due[-1], int(burst.jobs[-1]))


class the_keyspace(unittest.TestCase):
    def test_has_the_shares_of_the_report(self):
        parts = keyspace.plan((0, 0), scenario.KEYS_BEFORE[0])
        count = sum(number for _, _, number, _ in parts)
        untimed = sum(number for _, _, number, has_ttl in parts if not has_ttl)
        self.assertEqual(count, scenario.scaled_keys(5_988_144))
        self.assertAlmostEqual(untimed / count, 0.419, delta=0.0005)
        known = {pattern: number for pattern, _, number, _ in parts}
        self.assertEqual(known["MARKETING:COUPON:UNREAD:*"], scenario.scaled_keys(147_111))

    def test_of_the_second_incident_comes_on_top(self):
        before = tuple(map(scenario.scaled_keys, scenario.KEYS_BEFORE[0]))
        parts = keyspace.plan(before, scenario.KEYS_BEFORE[1])
        self.assertEqual(sum(number for _, _, number, _ in parts) + before[0],
                         scenario.scaled_keys(scenario.KEYS_BEFORE[1][0]))
        self.assertFalse({pattern for pattern, *_ in parts} & {pattern for pattern, *_ in scenario.KNOWN_PATTERNS})

    def test_reaches_39_4_percent_without_ttl_at_the_second_burst(self):
        keys, untimed = map(scenario.scaled_keys, scenario.KEYS_BEFORE[1])
        burst = scenario.BURSTS[1]
        alive = scenario.MEMORY_2.points[-1][1] / 100 * scenario.MAXMEMORY / 4650
        self.assertAlmostEqual((untimed + alive * burst.untimed_share) / (keys + alive), 0.394, delta=0.005)

    def test_tells_seeded_keys_from_the_run_s(self):
        self.assertNotEqual(len(str(scenario.SEEDED_ID)), len(str(scenario.RUN_ID)))
        self.assertEqual(keyspace.RUN_KEYS, "*:9????????")


class the_keys_of_the_run(unittest.TestCase):
    def found(self, ttls):
        fake = types.SimpleNamespace(scan=lambda match: [name.encode() for name in ttls],
                                     pipeline=lambda asked: [ttls[name.decode()] for _, name in asked])
        return keyspace.run_keys(fake)

    def test_are_counted_by_pattern_ttl_and_cap(self):
        seen = self.found({"MARKETING:COUPON:UNREAD:910000001": -1, "MARKETING:COUPON:UNREAD:910000002": 60,
                           "contact:last:activity:910000001": round(91 * scenario.DAY),
                           "contact:last:activity:910000002": round(90 * scenario.DAY),
                           "marketing:popup:shown:910000003": -1, "contact:campaign:touch:910000004": -2})
        self.assertEqual(seen.known["MARKETING:COUPON:UNREAD:*"], [2, 1])
        self.assertEqual((seen.count, seen.untimed, seen.known_untimed, seen.above_cap), (5, 2, 1, 1))


class the_commands(unittest.TestCase):
    def test_are_encoded_as_redis_reads_them(self):
        self.assertEqual(wire.encode("SET", "k", b"\r\n", 12),
                         b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n$2\r\n12\r\n")

    def test_are_measured_by_their_arguments(self):
        _, sizes = commands.batch([("GET", "key"), ("SET", "key", b"value", "EX", 60)])
        self.assertEqual(sizes, [None, 3 + 5 + 2 + 2])

    def test_are_the_same_on_both_paths(self):
        for index, burst in enumerate(scenario.BURSTS):
            first, second = commands.burst_jobs(index, burst), commands.burst_jobs(index, burst)
            self.assertEqual([first.next() for _ in range(50)], [second.next() for _ in range(50)])

    def test_of_a_job_are_as_many_as_its_burst_says_and_write_one_new_key(self):
        for index, burst in enumerate(scenario.BURSTS):
            jobs = commands.burst_jobs(index, burst)
            data, sizes = jobs.next()
            self.assertEqual(len(sizes), burst.job_commands)
            self.assertEqual(data.count(b"*"), burst.job_commands)
            self.assertEqual(len(jobs.tail()[1]), burst.job_commands)

    def test_leave_out_the_ttl_as_often_as_the_report_counts(self):
        jobs = commands.burst_jobs(0, scenario.BURSTS[0])
        timed = sum(b"\r\nPX\r\n" in jobs.next()[0] for _ in range(1000))
        self.assertAlmostEqual(timed, 930, delta=1)

    def test_without_a_ttl_hit_every_known_pattern_that_leaks(self):
        writes = commands.untimed_writes()
        names = [writes.next(number, b"v")[1] for number in range(8)]
        for pattern, _, has_ttl, _ in scenario.KNOWN_PATTERNS:
            self.assertEqual(any(name.startswith(pattern[:-1]) for name in names), not has_ttl)


class the_replies(unittest.TestCase):
    stream = b"+OK\r\n:12\r\n$-1\r\n$4\r\n\r\n-x\r\n-ERR no\r\n$0\r\n\r\n"

    def test_are_counted_at_every_split(self):
        for cut in range(len(self.stream) + 1):
            parser = wire.replies()
            self.assertEqual(bytes(parser.feed(self.stream[:cut]) + parser.feed(self.stream[cut:])), b"+:$$-$")

    def test_are_counted_byte_by_byte(self):
        parser = wire.replies()
        self.assertEqual(b"".join(bytes(parser.feed(bytes([byte]))) for byte in self.stream), b"+:$$-$")

    def test_that_nobody_expects_are_refused(self):
        with self.assertRaises(wire.reply_error):
            wire.replies().feed(b"*1\r\n:1\r\n")


class the_figures(unittest.TestCase):
    def test_take_a_percentile_by_nearest_rank(self):
        values = list(range(200, 0, -1))
        self.assertEqual(figures.percentile(values, 0.99), 198)
        self.assertEqual(figures.percentile(values, 1.0), 200)
        self.assertEqual(figures.percentile([7], 0.99), 7)

    def test_share_out_what_came_between_two_books(self):
        before = {"a": (10, 1000), "idle": (5, 50)}
        after = {"a": (13, 1600), "new": (1, 200), "idle": (5, 50)}
        self.assertEqual(figures.shares(before, after, 0), {"a": 0.75, "new": 0.25, "idle": 0.0})
        self.assertEqual(figures.shares(before, after, 1), {"a": 0.75, "new": 0.25, "idle": 0.0})
        self.assertEqual(figures.shares(after, after, 1), {})

    def test_leave_out_windows_that_a_stall_left_empty(self):
        width = figures.WINDOW
        full = [(width * n / 100, 0.001, 0.002) for n in range(100)]
        thin = [(width + width * n / 10, 9.0, 9.0) for n in range(10)]
        self.assertEqual(figures.window_p99s(full + thin, [(0.0, 2 * width)]), [(0.001, 0.002)])

    def test_take_medians_of_pairs_not_of_sides(self):
        self.assertEqual(figures.medians([(1, 2), (2, 2), (4, 16)]), (2, 2, 2))
        self.assertIsNone(figures.medians([]))

    def test_count_new_keys_and_those_with_ttl(self):
        def at(keys, timed):
            return types.SimpleNamespace(keys=keys, keys_with_ttl=timed)
        self.assertEqual(figures.new_keys(at(100, 60), at(200, 153)), (100, 0.93))
        self.assertEqual(figures.new_keys(at(100, 60), at(90, 50)), (0, 0.0))

    def test_rate_commands_over_a_span(self):
        readings = [types.SimpleNamespace(at=n / 4, commands=n * n) for n in range(9)]
        self.assertEqual(figures.command_rate_peak(readings), 48.0)
        self.assertEqual(figures.command_rate_peak(readings[:3]), 0.0)


class what_is_watched(unittest.TestCase):
    def test_is_read_from_info(self):
        text = ("# Memory\r\nused_memory:123\r\nused_memory_peak:999\r\n# Keyspace\r\n"
                "db0:keys=5,expires=3,avg_ttl=0\r\n# Clients\r\nconnected_clients:51\r\n")
        self.assertEqual(watch.parse_info(text), (123, 5, 3, 51))

    def test_is_zero_keys_in_an_empty_server(self):
        self.assertEqual(watch.parse_info("used_memory:1\r\nconnected_clients:2\r\n"), (1, 0, 0, 2))

    def test_adds_up_one_metric_by_client_and_no_other(self):
        text = ('# TYPE m counter\nm{client="a",command="set"} 2\nm{client="a",command="del"} 3\n'
                'm{command="set",client="b\\"}x"} 1e+06\nm_more{client="a"} 50\n')
        self.assertEqual(watch.by_client(text, "m"), {"a": 5, 'b\\"}x': 1e6})


class the_configuration(unittest.TestCase):
    def setUp(self):
        tls = types.SimpleNamespace(certificate="c", key="k", ca="a")
        self.made = servers.proxy_configuration(tls, 1234, {user: "word" for user in scenario.USERS},
                                                 pathlib.Path("/d"))

    def test_scales_the_runbook_s_ttls(self):
        by_pattern = {rule["pattern"]: rule for rule in self.made["ttl"]}
        self.assertEqual(by_pattern["MARKETING:COUPON:UNREAD:*"]["default"], f"{round(60 * scenario.DAY)}s")
        self.assertEqual(by_pattern["contact:last:activity:*"], {"pattern": "contact:last:activity:*",
                                                                 "max": f"{round(90 * scenario.DAY)}s"})

    def test_lets_everybody_log_in_but_the_proxy_itself(self):
        names = {user["name"] for user in self.made["users"]}
        self.assertNotIn("tidegate", names)
        for each in (*scenario.SERVICES, *scenario.BURSTS):
            self.assertIn(each.user, names)


def good_outcome():
    def incident(burst):
        shares = {burst.name: 0.9, "order-api": 0.1}
        return outcome.incident(
            burst=burst, before=(0.572, 0.572), peak=(0.758, 0.66), command_peak=(11_091.0, 3_000.0), clients=(134, 6),
            added=((7_755, 0.93), (3_000, 0.99)), done=(7_755, 3_000), due=7_755, booked=shares, counted=shares,
            booked_writes=shares, counted_writes=shares, delayed=(1_000_000, 0), latency=(0.001, 0.002, 2.0),
            report=evidence.held(seconds=0.1, burst_seconds=20.0, culprits=(burst.name,), share=0.9, true_share=0.9,
                                 error=0.0, new_keys=3000.0, coverage=1.0))
    keys = [types.SimpleNamespace(known={pattern: [100_000, left] for pattern, *_ in scenario.KNOWN_PATTERNS},
                                  known_untimed=4 * left, untimed=4 * left, above_cap=left) for left in (9, 0)]
    return outcome.outcome(incidents=tuple(map(incident, scenario.BURSTS)), quiet_latency=None, keys=tuple(keys),
                           errors=(0, 0), seconds=90.0)


class the_verdict(unittest.TestCase):
    def spoiled(self, **changed):
        good = good_outcome()
        return dataclasses.replace(good, incidents=(good.incidents[0],
                                                    dataclasses.replace(good.incidents[1], **changed)))

    def test_is_good_when_all_holds(self):
        self.assertTrue(outcome.holds(good_outcome()))

    def test_falls_with_a_share_that_is_wrong_by_more_than_a_point(self):
        for which in ("booked", "booked_writes"):
            self.assertFalse(outcome.holds(self.spoiled(**{which: {"contact-label-sync": 0.911, "order-api": 0.089}})))
            self.assertTrue(outcome.holds(self.spoiled(**{which: {"contact-label-sync": 0.909, "order-api": 0.091}})))

    def test_falls_with_the_wrong_name_and_with_none(self):
        for booked in ({"order-api": 0.9, "contact-label-sync": 0.1}, {}):
            self.assertFalse(outcome.holds(self.spoiled(booked=booked, counted=booked)))

    def test_falls_with_memory_at_the_alert(self):
        self.assertFalse(outcome.holds(self.spoiled(peak=(0.894, 0.70))))

    def test_falls_with_one_key_without_a_ttl(self):
        good = good_outcome()
        self.assertFalse(outcome.holds(dataclasses.replace(good, keys=(good.keys[0], good.keys[0]))))

    def test_falls_where_nothing_was_written(self):
        good = good_outcome()
        self.assertFalse(outcome.holds(dataclasses.replace(good, keys=(good.keys[1], good.keys[1]))))

    def test_falls_with_an_error_that_a_client_got(self):
        self.assertFalse(outcome.holds(dataclasses.replace(good_outcome(), errors=(0, 1))))

    def reporting(self, **changed):
        return self.spoiled(report=dataclasses.replace(good_outcome().incidents[1].report, **changed))

    def test_falls_with_a_report_that_names_another_two_or_nobody(self):
        for names in (("order-api",), ("contact-label-sync", "order-api"), ()):
            self.assertFalse(outcome.holds(self.reporting(culprits=names)))

    def test_falls_with_a_report_that_failed_or_was_not_asked_for(self):
        self.assertFalse(outcome.holds(self.reporting(problem="no ledger")))
        self.assertFalse(outcome.holds(self.spoiled(report=evidence.held())))

    def test_falls_with_a_report_that_is_wrong_blind_or_slow(self):
        for bad, good in (({"error": 0.011}, {"error": 0.009}), ({"coverage": 0.989}, {"coverage": 0.991}),
                          ({"seconds": 2.1}, {"seconds": 1.9})):
            self.assertFalse(outcome.holds(self.reporting(**bad)), bad)
            self.assertTrue(outcome.holds(self.reporting(**good)), good)

    def test_does_not_fall_with_slow_latency(self):
        self.assertTrue(outcome.holds(self.spoiled(latency=(0.001, 1.0, 1000.0))))


def report_of(writers, begin=2000, end=6000, coverage=0.999):
    facts = {"burst": {"begin_ms": begin, "end_ms": end}, "coverage": {"share": coverage},
             "writers": [{"client": name, "culprit": culprit, "share_of_writes": writes, "share_of_bytes": size,
                          "distinct_keys": 7} for name, culprit, writes, size in writers]}
    return types.SimpleNamespace(facts=facts, seconds=0.5, problem="")


class the_evidence(unittest.TestCase):
    counted = evidence.sums_over_time([(1000, {"a": (0, 0), "b": (10, 100)}), (3000, {"a": (20, 400), "b": (10, 100)}),
                                       (7000, {"a": (20, 400), "b": (50, 500), "new": (4, 4)})])

    def test_of_a_moment_between_two_samples_lies_on_a_line(self):
        self.assertEqual(self.counted.at(2000), {"a": (10, 200), "b": (10, 100)})
        self.assertEqual(self.counted.at(4000), {"a": (20, 400), "b": (20, 200), "new": (1, 1)})
        self.assertEqual(self.counted.at(3000), {"a": (20, 400), "b": (10, 100)})

    def test_outside_of_the_samples_is_the_nearest_one(self):
        self.assertEqual(self.counted.at(0), {"a": (0, 0), "b": (10, 100)})
        self.assertEqual(self.counted.at(9000)["new"], (4, 4))

    def test_of_the_report_is_compared_in_the_report_s_own_seconds(self):
        # a: 10 writes of 200 bytes, b: 30 of 300, new: 3 of 3.
        held = evidence.held_to(report_of([("a", True, 10 / 43, 200 / 503), ("b", False, 30 / 43, 300 / 503),
                                           ("new", False, 3 / 43, 3 / 503)]), self.counted)
        self.assertAlmostEqual(held.error, 0.0)
        self.assertEqual((held.culprits, held.burst_seconds, held.coverage, held.new_keys), (("a",), 4.0, 0.999, 7))
        self.assertAlmostEqual(held.true_share, 200 / 503)

    def test_shows_a_writer_that_the_report_left_out_or_made_up(self):
        left_out = evidence.held_to(report_of([("a", True, 10 / 43, 200 / 503)]), self.counted)
        self.assertAlmostEqual(left_out.error, 30 / 43)
        whole = [("a", True, 10 / 43, 200 / 503), ("b", False, 30 / 43, 300 / 503), ("new", False, 3 / 43, 3 / 503)]
        made_up = evidence.held_to(report_of([*whole, ("nobody", False, 0.02, 0.0)]), self.counted)
        self.assertAlmostEqual(made_up.error, 0.02)

    def test_without_a_burst_holds_nothing(self):
        nothing = types.SimpleNamespace(facts={"burst": None}, seconds=0.5, problem="")
        self.assertEqual(evidence.held_to(nothing, self.counted).culprits, ())
        self.assertTrue(evidence.held_to(nothing, self.counted).problem)

    def test_of_the_capture_is_shared_out_by_time_and_the_file_at_work_goes_to_both(self):
        written = {f"tidegate-demo-20260210T090000Z-{number}.aof.zst": 1000.0 + at
                   for number, at in ((10, 50), (9, 20), (1, 10), (11, 60))}
        first, second = evidence.share_out(written, 1030.0)
        self.assertEqual([evidence.number(each) for each in first], [1, 9, 10])
        self.assertEqual([evidence.number(each) for each in second], [10, 11])
        self.assertEqual(evidence.share_out({}, 1030.0), ([], []))

    def test_is_published_with_a_configuration_each_in_place_of_an_earlier_run_s(self):
        with tempfile.TemporaryDirectory() as name:
            folder, to = pathlib.Path(name, "run"), pathlib.Path(name, "left")
            (folder / "captures").mkdir(parents=True)
            to.mkdir()
            (to / "stale").touch()
            (folder / "captures" / "tidegate-demo-20260210T090000Z-1.aof").write_text("1")
            (folder / "ledger.db").write_text("both")
            (folder / "first.db").write_text("first")
            for each in evidence.KEPT_OF_TLS:
                (folder / each).touch(mode=0o600)
            tls = types.SimpleNamespace(ca=folder / "ca.crt", certificate=folder / "server.crt", key=folder / "server.key")
            told = servers.proxy_configuration(tls, 1234, {user: "word" for user in scenario.USERS}, folder)
            made = evidence.publish(folder, to, folder / "first.db", 0.0, told)
            self.assertEqual([each.name for each in made], ["incident-1.yaml", "incident-2.yaml"])
            self.assertFalse((to / "stale").exists())
            for path, text in zip(made, ("first", "both")):
                one = json.loads(path.read_text())
                self.assertEqual((to / one["ledger"]["path"]).read_text(), text)
                self.assertEqual(one["ledger"]["bucket"], "1s")
                self.assertEqual(len(list((to / one["capture"]["directory"]).iterdir())), 1)
                self.assertNotIn(str(folder), path.read_text())
                self.assertTrue((to / one["listen"][0]["tls"]["key"]).is_file())
                self.assertEqual(one["upstream"]["url"], "rediss://localhost:1234?ca=ca.crt")
                self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_waits_for_the_ledger_to_reach_the_moment_before_it_is_copied(self):
        with tempfile.TemporaryDirectory() as name:
            ledger, copy = pathlib.Path(name, "ledger.db"), pathlib.Path(name, "copy.db")
            with contextlib.closing(sqlite3.connect(ledger)) as database:
                database.execute("CREATE TABLE run (written_until INTEGER)")
                database.execute("INSERT INTO run VALUES (1000)")
                database.commit()

                def one_bucket_later():
                    database.execute("UPDATE run SET written_until = written_until + 1000")
                    database.commit()
                evidence.copy_ledger(ledger, copy, 2500, one_bucket_later)
            self.assertEqual(evidence.written_until(copy), 3000)


class what_is_shown(unittest.TestCase):
    def test_fits_100_columns(self):
        port = types.SimpleNamespace(port=65_535)
        stage = types.SimpleNamespace(ports=(65_535, 65_535), redis=(port, port), proxy=types.SimpleNamespace(
            configuration="/tmp/tidegate-demo-abcdefgh/tidegate.yaml", admin_port=65_535))
        shown = outcome.lines(good_outcome()) + demo.introduction(stage).split("\n") + [display.line(1.2, phase, (1.0, 1.0), (99_999, 99_999))
                                                 for phase in scenario.PHASES]
        self.assertEqual([line for line in shown if len(line) > 100 or line != line.rstrip()], [])

    def test_never_shows_more_than_all(self):
        self.assertIn(" 100%", display.line(1.2, "end", (0.5, 0.5), (0, 0)))


if __name__ == "__main__":
    unittest.main()
