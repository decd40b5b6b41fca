"""Old keys of a cluster: each master is walked by itself, none is passed over, and slots that move meanwhile are no secret."""

import json
import signal
import time
import unittest

from harness.old_keyspace import expiries, old_keyspace_case, pipelined, rule_of
from harness.processes import free_port, redis_server, tidegate, wait_until
from harness.wire import wire

NODES = 3
SLOTS = 16_384
FORMS = ["MARKETING:COUPON:UNREAD:{}", "contact:userGroupLabel:set:{}", "contact:last:activity:{}", "user:profile:{}"]
YEAR = 364 * 86_400


class cluster_keys(old_keyspace_case):
    @classmethod
    def setUpClass(cls):
        cls.nodes = []
        for _ in range(NODES):
            cls.nodes.append(redis_server(arguments=[["cluster-enabled", "yes"], ["cluster-port", str(free_port())]]))
            cls.addClassCleanup(cls.nodes[-1].stop)
        cls.wires = [wire(node) for node in cls.nodes]
        edges = [SLOTS * number // NODES for number in range(NODES + 1)]
        for number, each in enumerate(cls.wires):
            cls.addClassCleanup(each.close)
            each.call("CLUSTER", "ADDSLOTSRANGE", edges[number], edges[number + 1] - 1)
            bus = each.call("CONFIG", "GET", "cluster-port")[1].decode()
            for other in cls.wires[:number]:
                other.call("CLUSTER", "MEET", "127.0.0.1", cls.nodes[number].port, bus)
        cls.await_whole_cluster()

    @classmethod
    def await_whole_cluster(cls):
        wait_until(lambda: all(b"cluster_state:ok" in each.call("CLUSTER", "INFO") and
                               sum(row[1] - row[0] + 1 for row in each.call("CLUSTER", "SLOTS")) == SLOTS
                               for each in cls.wires), 60, "a whole cluster")

    def setUp(self):
        super().setUp()
        for each in self.wires:
            each.call("FLUSHALL")

    def node_of(self, slot):
        row = next(row for row in self.slots if row[0] <= slot <= row[1])
        return next(number for number, node in enumerate(self.nodes) if node.port == row[2][1])

    def fill(self, keys):
        """So many keys of each form, each on its node."""
        batches = [[] for _ in self.nodes]
        self.slots = self.wires[0].call("CLUSTER", "SLOTS")
        slots = pipelined(self.wires[0], [("CLUSTER", "KEYSLOT", form.format(i)) for form in FORMS for i in range(keys)])
        for (form, i), slot in zip(((form, i) for form in FORMS for i in range(keys)), slots):
            ttl = ("EX", YEAR) if "activity" in form else ()
            batches[self.node_of(slot)].append(("SET", form.format(i), "x" * (i % 50), *ttl))
        for each, batch in zip(self.wires, batches):
            self.assertEqual(set(pipelined(each, batch)), {"OK"})
        self.assertTrue(all(batches), "every node has keys")

    def all_expiries(self):
        found = {}
        for each in self.wires:
            mine = expiries(each)
            self.assertFalse(found.keys() & mine.keys())
            found.update(mine)
        return found

    def test_counts_the_keys_of_every_node(self):
        self.fill(500)
        for node in self.nodes[:2]:
            seen = self.json_of("ttl", "audit", "--url", node.url)
            self.assertEqual(seen["total"]["keys"], 500 * len(FORMS))
            self.assertEqual({row["pattern"]: row["keys"] for row in seen["patterns"] if row["keys"]},
                             {form.format("*"): 500 for form in FORMS})
        view = self.json_of("policy", "--url", self.nodes[0].url)
        self.assertEqual((view["keys"], view["evictable"]["volatile_after_rules"]["keys"]), (2000, 500))

    def test_mends_every_node_though_it_is_interrupted_and_touches_no_other_key(self):
        self.fill(1000)
        before = self.all_expiries()
        began = time.time() * 1000
        arguments = ["ttl", "fix", "-c", self.configured(self.nodes[1]), "--yes", "--rate", "3000/s"]
        given = lambda: sum(1 for was in self.all_expiries().values() if was != -1) - 1000  # noqa: E731
        child = self.spawn(*arguments)
        wait_until(lambda: given() > 500, 120, "some keys mended")
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 1, err)
        state = json.loads(next(self.folder.glob("tidegate/*.json")).read_text())
        self.assertTrue(state["finished"] or state["node"])
        at_interrupt = given()
        self.assertLess(at_interrupt, 2000)
        out, err = self.run_tidegate(*arguments[:-2], "--rate", "20000/s", "--resume", "--format", "json", "--verify")
        self.assertNotIn("begins at the first key", err)
        self.assertIn("verified", err)
        self.assertLess(sum(one["given"] for one in json.loads(out)["patterns"]), 2000 - at_interrupt + 200,
                        "the second run went on where the first stood")
        self.assertEqual(list(self.folder.glob("tidegate/*.json")), [])
        self.assert_mended(before, self.all_expiries(), began)
        self.assertEqual(sum(1 for key in before if rule_of(key) is None), 1000)

    def test_says_when_slots_moved_meanwhile(self):
        self.fill(300)
        empty = next(slot for slot in range(SLOTS) if self.wires[0].call("CLUSTER", "COUNTKEYSINSLOT", slot) == 0)
        child = self.spawn("ttl", "audit", "--url", self.nodes[0].url, "--rate", "5000/s")
        wait_until(lambda: b"name=tidegate-ttl-audit" in self.wires[1].call("CLIENT", "LIST"), 60, "the second node's turn")
        last = self.wires[2].call("CLUSTER", "MYID").decode()
        for each in self.wires:
            each.call("CLUSTER", "SETSLOT", empty, "NODE", last)
        _, err = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 1, err)
        self.assertIn("slots moved", err)

    def test_is_not_walked_through_the_proxy(self):
        with tidegate(self.nodes[0], ready=False) as proxy:
            wait_until(lambda: "cluster mode" in proxy.get("/readyz")[1], what="the proxy's reason")
            child = self.spawn("ttl", "audit", "--through", f"redis://127.0.0.1:{proxy.port}")
            _, err = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 1, err)
            self.assertIn("cluster mode", err)
            self.assertIn("--url", err)

    def test_with_slots_that_lie_nowhere_is_refused(self):
        alone = self.start(arguments=[["cluster-enabled", "yes"], ["cluster-port", str(free_port())]])
        self.bare(alone).call("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 2)
        _, err = self.run_tidegate("ttl", "audit", "--url", alone.url, status=1)
        self.assertIn("1 of its 16,384 slots", err)


if __name__ == "__main__":
    unittest.main()
