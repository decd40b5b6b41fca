"""Old keys against real servers: mended without a miss, whatever interrupts it, from wherever it connects.

With TIDEGATE_LONG the keyspace has a million keys, and the latency of other traffic is reported (not judged: the machine
decides it).
"""

import json
import multiprocessing
import os
import signal
import socketserver
import threading
import time
import unittest

from harness.old_keyspace import DAY, RULES, expiries, fill, old_keyspace_case, pipelined, rule_of
from harness.processes import certificates, tidegate, wait_until
from harness.wire import error_reply, wire


class old_keys(old_keyspace_case):
    # --- mending

    def test_mends_every_key_of_its_patterns_and_no_other_though_it_is_interrupted_twice(self):
        server = self.start()
        bare = self.bare(server)
        fill(bare)
        before = expiries(bare)
        to_give = sum(1 for key, was in before.items() if was == -1 and rule_of(key))
        had = sum(1 for was in before.values() if was != -1)
        began = time.time() * 1000
        arguments = ["ttl", "fix", "-c", self.configured(server), "--yes", "-q"]
        long = bool(os.environ.get("TIDEGATE_LONG"))
        rate = [] if long else ["--rate", "4000/s"]
        seldom = 0.5 if long else 0.01  # who asks a hundred times a second is other traffic, too

        def given():
            return int(bare.call("INFO", "keyspace").split(b"expires=")[1].split(b",")[0]) - had

        with other_traffic(server) as traffic:
            child = self.spawn(*arguments, *rate)
            wait_until(lambda: given() > to_give // 6, 300, "some keys mended", seldom)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 1, err)
            self.assertIn("--resume goes on", err)
            at_interrupt = given()
            self.assertLess(at_interrupt, to_give)

            child = self.spawn(*arguments, *rate, "--resume")
            wait_until(lambda: given() > at_interrupt + to_give // 6, 300, "more keys mended", seldom)
            child.kill()
            child.communicate()
            self.assertLess(given(), to_give)

            child = self.spawn(*arguments, *rate, "--resume", "--format", "json")
            out, err = child.communicate(timeout=550)
            self.assertEqual(child.returncode, 0, err)
        traffic.report("while keys are mended")
        self.assertEqual(list((self.folder / "tidegate").iterdir()), [], "a finished run leaves no state")
        bare.call("DEL", *traffic.keys)
        self.assert_mended(before, expiries(bare), began)
        self.assertLess(sum(one["given"] for one in json.loads(out)["patterns"]), to_give,
                        "the last run went on where the others stood")

    def test_verification_leaves_no_state_that_a_later_run_would_go_on_from(self):
        server = self.start()
        pipelined(self.bare(server), [("SET", f"a:{i}", "x") for i in range(4000)])
        self.run_tidegate("ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1h", "--rate", "2500/s", "--verify",
                          "-q")
        self.assertEqual(list((self.folder / "tidegate").iterdir()), [])

    def test_spreads_the_ends_by_jitter(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(500)])
        self.run_tidegate("ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1000s", "--jitter", "50%",
                          "--yes", "-q")
        ttls = pipelined(bare, [("TTL", f"a:{i}") for i in range(500)])
        self.assertLessEqual(max(ttls), 1000)
        self.assertGreaterEqual(min(ttls), 480)
        self.assertGreater(len(set(ttls)), 100)

    def test_matches_as_the_rules_do_and_not_as_redis_globs_do(self):
        server = self.start()
        bare = self.bare(server)
        keys = ["a[1]:x", "a1:x", "a[1]:", "a\\[1]:x", "b?c", "bxc", "bc"]
        for key in keys:
            bare.call("SET", key, "v")
        self.run_tidegate("ttl", "fix", "--url", server.url, "--pattern", "a[1]:*", "--default", "1h", "--yes", "-q")
        self.assertEqual([key for key in keys if bare.call("TTL", key) != -1], ["a[1]:x", "a[1]:"])
        self.run_tidegate("ttl", "fix", "--url", server.url, "--pattern", "b?c", "--default", "1h", "--yes", "-q")
        self.assertEqual([key for key in keys if bare.call("TTL", key) != -1], ["a[1]:x", "a[1]:", "b?c", "bxc"])

    def test_takes_keys_for_bytes(self):
        server = self.start()
        bare = self.bare(server)
        keys = [b"bin:\xff\x00\r\n", b"bin:", "bin:é".encode(), b"bin:" + b"k" * 100_000, b"\xff:bin:"]
        for key in keys:
            bare.call("SET", key, "v")
        self.assertEqual(self.json_of("ttl", "audit", "--url", server.url, "--pattern", "bin:*")["patterns"][0]["keys"], 4)
        self.run_tidegate("ttl", "fix", "--url", server.url, "--pattern", "bin:*", "--default", "1h", "-q")
        self.assertEqual([bare.call("TTL", key) > 0 for key in keys], [True, True, True, True, False])

    def test_changes_nothing_in_a_dry_run(self):
        server = self.start()
        bare = self.bare(server)
        count = fill(bare, 5000)
        before = expiries(bare)
        found = self.json_of("ttl", "fix", "-c", self.configured(server), "--dry-run")
        self.assertEqual(expiries(bare), before)
        self.assertEqual(bare.call("DBSIZE"), count)
        wanted = {pattern: sum(1 for key in before if key.startswith(pattern[:-1].encode())) for pattern in RULES}
        self.assertEqual({one["pattern"]: one["given"] + one["cut"] for one in found["patterns"]}, wanted)
        self.assertTrue(all(one["bytes"] > 0 for one in found["patterns"]))
        self.assertEqual(sum(one["keys"] for one in found["ttl_after"]["histogram"]), sum(wanted.values()))

    def test_wants_a_yes_for_the_rules_of_a_whole_file_where_nobody_can_be_asked(self):
        server = self.start()
        bare = self.bare(server)
        bare.call("SET", "contact:userGroupLabel:set:1", "x")
        _, err = self.run_tidegate("ttl", "fix", "-c", self.configured(server), status=2)
        self.assertIn("--yes", err)
        self.assertEqual(bare.call("TTL", "contact:userGroupLabel:set:1"), -1)
        self.run_tidegate("ttl", "fix", "-c", self.configured(server), "--pattern", "contact:userGroupLabel:set:*")
        self.assertGreater(bare.call("TTL", "contact:userGroupLabel:set:1"), 26 * DAY)

    def test_begins_anew_at_a_server_that_is_another_process(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(3000)])
        arguments = ["ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1h", "--yes"]
        child = self.spawn(*arguments, "--rate", "200/s")
        wait_until(lambda: list(self.folder.glob("tidegate/*.json")), 60, "a state")
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        state_path = next(self.folder.glob("tidegate/*.json"))
        state = json.loads(state_path.read_text())
        self.assertNotEqual(state["cursor"], 0)
        # As a failover leaves it: the cursor came from a process that is no more.
        state["run_id"] = "0" * 40
        state_path.write_text(json.dumps(state))
        for i in range(3000):  # what the first run did is lost with the process
            bare.send("PERSIST", f"a:{i}")
        for _ in range(3000):
            bare.read()
        _, err = self.run_tidegate(*arguments, "--resume", "--rate", "50000/s")
        self.assertIn("begins anew", err)
        self.assertNotIn(-1, pipelined(bare, [("TTL", f"a:{i}") for i in range(3000)]))

    def test_goes_on_when_its_connection_is_lost(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(3000)])
        child = self.spawn("ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1h", "--yes", "--rate", "4000/s",
                           "--format", "json")
        for _ in range(2):
            before = bare.call("INFO", "keyspace")
            wait_until(lambda: bare.call("INFO", "keyspace") != before, 60, "keys mended")
            bare.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        out, err = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 0, err)
        self.assertIn("trying again", err)
        self.assertNotIn(-1, pipelined(bare, [("TTL", f"a:{i}") for i in range(3000)]))
        found = json.loads(out)
        self.assertLessEqual(found["given"], 3000)

    def test_begins_anew_when_the_server_restarts_under_it(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(3000)])
        child = self.spawn("ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1h", "--yes", "--rate", "2000/s")
        wait_until(lambda: b"expires=0" not in bare.call("INFO", "keyspace"), 60, "keys mended")
        pipelined(bare, [("PERSIST", f"a:{i}") for i in range(3000)])
        bare.call("SAVE")  # what is loaded after the crash: nothing of the first pages is mended
        self.assertIsNone(child.poll(), "it is at work still")
        server.signal(signal.SIGKILL)
        server.child.wait()
        again = self.start(port=server.port, arguments=[["dir", str(server.folder)]])
        _, err = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 0, err)
        self.assertIn("begins anew", err)
        self.assertNotIn(-1, pipelined(self.bare(again), [("TTL", f"a:{i}") for i in range(3000)]))

    def test_waits_where_the_proxy_throttles_it(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(600)])
        limits = [{"name": "slow-fix", "match": {"client": "tidegate-ttl-fix", "command": "expire"}, "rate": "200/s", "burst": 60,
                   "action": "reject"}]
        with tidegate(server, more={"limits": limits}) as proxy:
            found = self.json_of("ttl", "fix", "--through", f"redis://127.0.0.1:{proxy.port}", "--pattern", "a:*", "--default", "1h",
                                 "--yes", "--rate", "50000/s")
            text = proxy.get("/metrics")[1]
        self.assertEqual(found["given"], 600)
        self.assertIn('tidegate_rejected_total{rule="slow-fix"', text.replace('client="tidegate-ttl-fix",rule="slow-fix"',
                                                                              'rule="slow-fix"'))
        self.assertNotIn(-1, pipelined(bare, [("TTL", f"a:{i}") for i in range(600)]))

    def test_gives_way_when_the_upstream_fills(self):
        server = self.start(arguments=[["maxmemory", "3mb"], ["maxmemory-policy", "noeviction"]])
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(2000)])
        used = int(bare.call("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
        bare.call("CONFIG", "SET", "maxmemory", str(used + used // 100))
        found = self.json_of("ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1h", "--yes", "--rate", "4000/s")
        self.assertGreater(found["slowed"], 0)
        self.assertEqual(found["given"], 2000)

    def test_leaves_the_processors_to_others_unless_it_is_told_to_compete(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(3000)])
        for arguments, policy in (([], os.SCHED_IDLE), (["--keep-priority"], os.SCHED_OTHER)):
            before = bare.call("INFO", "keyspace")
            child = self.spawn("ttl", "fix", "--url", server.url, "--pattern", "a:*", "--default", "1h", "--yes", "--rate", "200/s",
                               *arguments)
            wait_until(lambda before=before: bare.call("INFO", "keyspace") != before, 60, "keys mended")
            self.assertEqual(os.sched_getscheduler(child.pid), policy, arguments)
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=60)

    # --- where it connects to

    def test_asks_a_server_before_7_0_by_script(self):
        server = self.start()
        bare = self.bare(server)
        for i in range(300):
            bare.call("SET", f"a:{i}", "x", *(("EX", "9000000") if i % 3 == 0 else ("EX", "50") if i % 3 == 1 else ()))
        with server_without_expire_options(server) as port:
            self.run_tidegate("ttl", "fix", "--url", f"redis://127.0.0.1:{port}", "--pattern", "a:*", "--default", "1h",
                              "--max", "2h", "--yes", "-q")
        ttls = pipelined(bare, [("TTL", f"a:{i}") for i in range(300)])
        for i, ttl in enumerate(ttls):
            most = (7200, 50, 3600)[i % 3]
            self.assertTrue(most - 20 <= ttl <= most, f"{i}: {ttl}")

    def test_goes_through_the_proxy_under_a_name_of_its_own(self):
        server = self.start()
        bare = self.bare(server)
        fill(bare, 4000)
        before = expiries(bare)
        began = time.time() * 1000
        with tidegate(server, more={"attribution": {"patterns": list(RULES)}}) as proxy:
            found = self.json_of("ttl", "fix", "-c", self.configured(server), "--through", f"redis://127.0.0.1:{proxy.port}",
                                 "--yes")
            text = proxy.get("/metrics")[1]
        lines = [line for line in text.splitlines() if line.startswith("tidegate_writes_total{")
                 and 'client="tidegate-ttl-fix"' in line and 'command="expire"' in line]
        self.assertEqual(sum(float(line.rsplit(" ", 1)[1]) for line in lines), found["given"] + found["cut"] + 1,
                         "each EXPIRE, and the one that asks whether NX is known")
        self.assert_mended(before, expiries(bare), began)

    def test_is_in_the_audit_log_of_the_proxy_that_it_goes_through(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(30)])
        with tidegate(server) as proxy:
            through = ["ttl", "fix", "--through", f"redis://127.0.0.1:{proxy.port}", "--pattern", "a:*", "--default", "1h", "--yes"]
            told = {"TIDEGATE_ADMIN": f"127.0.0.1:{proxy.admin_port}", "TIDEGATE_TOKEN": tidegate.TOKEN, "USER": "olga",
                    "SUDO_USER": ""}
            self.run_tidegate(*through, "--dry-run", environment=told)
            self.run_tidegate(*through, environment=told)
            lines = [json.loads(line) for line in
                     proxy.config_path.with_name("tidegate.audit.jsonl").read_text().splitlines()]
            self.assertEqual([line["what"] for line in lines], ["ttl fix", "ttl fix"], "a dry run is no change")
            self.assertIn("begins; a:*: ", lines[0]["detail"])
            self.assertIn("finished: 30 keys given a TTL, 0 cut", lines[1]["detail"])
            self.assertIn("from 127.0.0.1", lines[0]["who"])
            plan = self.folder / "plan.json"
            self.run_tidegate(*through, "--dry-run", "--plan", plan, "--by", "anna")
            self.run_tidegate("ttl", "approve", "--plan", plan, "--by", "ben")
            self.run_tidegate(*through[:4], "--plan", plan, environment=told)
            self.assertIn("plan of anna, approved by ben",
                          proxy.config_path.with_name("tidegate.audit.jsonl").read_text())
            _, err = self.run_tidegate(*through)
            self.assertEqual(err.count("audit log does not have it"), 1, err)
            self.assertEqual(bare.call("TTL", "a:1") > 0, True)

    def test_verifies_the_server_and_hides_the_password(self):
        tls = certificates()
        self.addCleanup(tls.remove)
        server = self.start(tls=tls, arguments=[["requirepass", "hushhush"]])
        url = f"rediss://default@127.0.0.1:{server.port}?ca={tls.ca}"
        environment = {"TIDEGATE_SERVER_PASSWORD": "hushhush"}
        self.assertEqual(self.json_of("ttl", "audit", "--url", url, environment=environment)["total"]["keys"], 0)
        secret = self.folder / "secret"
        secret.write_text("hushhush\n")
        secret.chmod(0o600)
        self.json_of("ttl", "audit", "--url", url, "--password-file", secret)
        secret.chmod(0o644)
        out, err = self.run_tidegate("ttl", "audit", "--url", url, "--password-file", secret, status=2)
        self.assertIn("chmod 600", err)
        for wrong in (f"rediss://default:hushhush@127.0.0.1:{server.port}",
                      f"rediss://default:hushhush@localhost:1?ca={tls.ca}",
                      f"rediss://default:hushhush@127.0.0.1:{server.port}/x?ca={tls.ca}", "rediss://default:hushhush@"):
            child = self.spawn("ttl", "audit", "--url", wrong)
            out, err = child.communicate(timeout=60)
            self.assertNotEqual(child.returncode, 0, wrong)
            self.assertNotIn("hushhush", out + err)

    def test_refuses_a_replica_with_the_reason(self):
        primary = self.start()
        replica = self.start(arguments=[["replicaof", "127.0.0.1", str(primary.port)]])
        _, err = self.run_tidegate("ttl", "fix", "--url", replica.url, "--pattern", "a:*", "--default", "1h", "--yes", status=1)
        self.assertIn("replica", err)

    def test_says_which_right_is_missing(self):
        server = self.start()
        bare = self.bare(server)
        bare.call("SET", "a:1", "x")
        bare.call("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-expire")
        _, err = self.run_tidegate("ttl", "fix", "--url", f"redis://reader:pw@127.0.0.1:{server.port}", "--pattern", "a:*",
                                   "--default", "1h", "--yes", status=1)
        self.assertIn("+expire", err)

    # --- the plan

    def test_runs_a_plan_only_as_a_second_person_approved_it(self):
        server, other = self.start(), self.start()
        bare = self.bare(server)
        fill(bare, 2000)
        before = expiries(bare)
        began = time.time() * 1000
        plan = self.folder / "plan.json"
        self.run_tidegate("ttl", "fix", "-c", self.configured(server), "--dry-run", "--plan", plan, "--by", "anna", "-q")
        run = ["ttl", "fix", "--url", server.url, "--plan", plan, "-q"]
        self.assertIn("nobody has approved", self.run_tidegate(*run, status=1)[1])
        self.assertIn("second person", self.run_tidegate("ttl", "approve", "--plan", plan, "--by", "anna", status=1)[1])
        out, _ = self.run_tidegate("ttl", "approve", "--plan", plan, "--by", "ben")
        self.assertIn("contact:userGroupLabel:set:*", out)
        self.assertIn("made for", self.run_tidegate("ttl", "fix", "--url", other.url, "--plan", plan, status=1)[1])
        text = plan.read_text()
        plan.write_text(text.replace("5184000000", "5184000"))  # 60 days to 86 minutes
        self.assertIn("edited", self.run_tidegate(*run, status=1)[1])
        self.assertEqual(expiries(bare), before)
        plan.write_text(text)
        self.run_tidegate(*run, "--verify")
        self.assert_mended(before, expiries(bare), began)


class other_traffic:
    """An application beside, in a process of its own: one GET or SET after the other, and how long each took."""

    ALONE = 3000

    def __init__(self, server):
        self.keys = [f"traffic:{i}" for i in range(100)]
        self._ready, self._stop = multiprocessing.Event(), multiprocessing.Event()
        self._times, result = multiprocessing.Pipe(False)
        self._process = multiprocessing.Process(target=self._run, args=(server, result), daemon=True)

    def _run(self, server, result):
        times = []
        with wire(server) as connection:
            while not self._stop.is_set():
                key = self.keys[len(times) % 100]
                begin = time.perf_counter()
                if len(times) % 2:
                    connection.call("GET", key)
                else:
                    connection.call("SET", key, "v")
                times.append(time.perf_counter() - begin)
                if len(times) == self.ALONE:
                    self._ready.set()
                time.sleep(0.0005)  # an application thinks between two commands
        result.send((times[:self.ALONE], times[self.ALONE:]))

    def __enter__(self):
        self._process.start()
        self._ready.wait(120)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._alone, self._beside = self._times.recv() if self._times.poll(60) else ([0.0], [0.0])
        self._process.join()

    def report(self, what):
        def percentile(times, share):
            return sorted(times)[int(len(times) * share)] * 1e6
        print(f"latency of other traffic, us: alone p50 {percentile(self._alone, .5):.0f} p99 {percentile(self._alone, .99):.0f};"
              f" {what} p50 {percentile(self._beside, .5):.0f} p99 {percentile(self._beside, .99):.0f}"
              f" ({len(self._beside)} commands)", flush=True)


class server_without_expire_options:
    """A relay that answers EXPIRE with four words as Redis 6 does, and passes everything else."""

    def __init__(self, server):
        class handler(socketserver.BaseRequestHandler):
            def handle(self):
                with wire(server) as upstream:
                    reader = wire(self)
                    while True:
                        try:
                            command = reader.read()
                        except (EOFError, OSError):
                            return
                        if command[0].upper() == b"EXPIRE" and len(command) == 4:
                            self.request.sendall(b"-ERR wrong number of arguments for 'expire' command\r\n")
                        else:
                            upstream.send(*command)
                            self.request.sendall(reply_bytes(upstream.read()))

            def connect(self, _timeout):
                return self.request

        self._relay = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._relay.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self._relay.serve_forever, daemon=True).start()
        return self._relay.server_address[1]

    def __exit__(self, *_):
        self._relay.shutdown()
        self._relay.server_close()


def reply_bytes(value):
    if isinstance(value, error_reply):
        return b"-%s\r\n" % value.encode()
    if isinstance(value, int):
        return b":%d\r\n" % value
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(reply_bytes, value))
    data = value if isinstance(value, bytes) else value.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


if __name__ == "__main__":
    unittest.main()
