"""Keys counted exactly, though they come and go, and what follows from the counts: rules to paste, and what eviction may take."""

import json
import sqlite3
import time
import unittest

from harness.old_keyspace import ALL, DAY, SHARES, expiries, fill, old_keyspace_case, pipelined, rule_of
from harness.processes import ROOT, wait_until


class key_counts(old_keyspace_case):
    # --- counting

    def test_counts_each_key_once_and_finds_the_patterns_that_nobody_named(self):
        server = self.start(arguments=[["maxmemory", "1gb"], ["maxmemory-policy", "allkeys-lfu"]])
        bare = self.bare(server)
        count = fill(bare, 30_000)
        found = self.json_of("ttl", "audit", "--url", server.url)
        self.assertEqual(found["total"]["keys"], count)
        self.assertTrue(found["exact"])
        rows = {row["pattern"]: row for row in found["patterns"]}
        for pattern, share, ttl in SHARES:
            row = rows[pattern.replace("{}", "*")]
            keys = max(1, 30_000 * share // ALL)
            self.assertEqual(row["keys"], keys, pattern)
            self.assertEqual(row["without_ttl"], 0 if ttl else keys, pattern)
        everything = pipelined(bare, [("MEMORY", "USAGE", key) for key in bare.call("KEYS", "*")])
        memory = found["total"]["bytes"]
        self.assertAlmostEqual(memory["estimate"] / sum(everything), 1, delta=0.1)
        self.assertLess(memory["keys_measured"], count / 10)
        self.assertGreater(rows["session:*"]["frequency"]["sampled"], 0)

    def test_counts_each_key_once_though_the_table_shrinks_and_keys_come_and_go(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"kept:{i}", "x") for i in range(20_000)])
        pipelined(bare, [("SET", f"gone:{i}", "x") for i in range(100_000)])
        child = self.spawn("ttl", "audit", "--url", server.url, "--format", "json", "--rate", "20000/s")
        wait_until(lambda: b"name=tidegate-ttl-audit" in bare.call("CLIENT", "LIST"), 30, "the audit's connection")
        for begin in range(0, 100_000, 1000):
            bare.call("UNLINK", *[f"gone:{i}" for i in range(begin, begin + 1000)])
        out, err = child.communicate(timeout=300)
        self.assertEqual(child.returncode, 0, err)
        rows = {row["pattern"]: row for row in json.loads(out)["patterns"]}
        self.assertEqual(rows["kept:*"]["keys"], 20_000)

    def test_leaves_the_use_of_keys_as_it_was(self):
        server = self.start()
        bare = self.bare(server)
        pipelined(bare, [("SET", f"a:{i}", "x") for i in range(50)])
        wait_until(lambda: bare.call("OBJECT", "IDLETIME", "a:1") >= 2, 60, "keys that idle")
        self.json_of("ttl", "audit", "--url", server.url)
        self.assertGreaterEqual(min(pipelined(bare, [("OBJECT", "IDLETIME", f"a:{i}") for i in range(50)])), 2)

    # --- what follows from the counts

    def ledger(self, rows):
        """A ledger as the proxy leaves it: rows of (client, pattern, command, commands, without TTL, longest TTL s)."""
        schema = (ROOT / "evidence/ledger/schema.cpp").read_text().split('R"sql(')[1].split(')sql"')[0]
        path = self.folder / "ledger.db"
        book = sqlite3.connect(path)
        book.executescript(schema)
        book.execute("INSERT INTO meta VALUES ('schema_version', '1')")
        now = int(time.time() * 1000)
        book.execute("INSERT INTO run VALUES (1, 'it', 'test', ?, NULL, 10000, ?)", (now - 60_000, now))
        book.execute("INSERT INTO source VALUES (1, '10.0.3.7')")
        for number, (client, pattern, command, commands, without, longest) in enumerate(rows):
            identifiers = []
            for table, column, value in (("client", "name", client), ("command", "name", command), ("pattern", "glob", pattern)):
                book.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (value,))
                identifiers.append(book.execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()[0])
            histogram = {"none": [without, 10 * without]} if without else {}
            if longest:
                histogram[str(max(0, (longest - 1).bit_length()))] = [commands - without, 10 * (commands - without)]
            book.execute("INSERT INTO write_bucket VALUES (1, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, ?)",
                         (now - 30_000 + number, identifiers[0], identifiers[1], identifiers[2], commands, commands,
                          commands * 10, without, longest and longest * 1000, longest and longest * 1000, json.dumps(histogram)))
        book.commit()
        book.close()
        return path

    def test_suggests_rules_that_check_accepts_and_says_who_needs_them(self):
        server = self.start()
        bare = self.bare(server)
        fill(bare, 20_000)
        book = self.ledger([("isales-campaign", "user:profile:*", "set", 5000, 4000, 7 * DAY - 100),
                            ("isales-batch", "user:profile:*", "set", 300, 300, None),
                            ("shop", "cart:*:items", "set", 900, 900, None),
                            ("shop", "session:*", "set", 900, 0, 1200)])
        config = self.configured(server, ledger={"path": str(book)})
        yaml, _ = self.run_tidegate("ttl", "suggest", "-c", config, "-q")
        self.assertIn("isales-campaign (4,000), isales-batch (300)", yaml)
        self.assertIn('{ pattern: "user:profile:*", default: 7d, jitter: 10% }', yaml)
        self.assertIn('{ pattern: "cart:*:items", default: 30d, jitter: 10%, mode: observe }', yaml)
        self.assertNotIn("session:", yaml)
        self.assertNotIn("MARKETING", yaml, "the file has a rule for it")
        pasted = self.folder / "pasted.yaml"
        pasted.write_text(f'listen: [ {{ address: "127.0.0.1:6380" }} ]\nupstream: {{ url: "{server.url}" }}\nledger: off\n{yaml}')
        self.run_tidegate("check", "-c", pasted, "--offline")
        only = self.json_of("ttl", "suggest", "-c", config, "--from", "ledger")["ttl"]
        self.assertEqual({rule["pattern"] for rule in only}, {"user:profile:*", "cart:*:items"})
        self.assertTrue(all(rule["keys"] == 0 for rule in only))

    def test_says_what_eviction_may_take_and_what_a_change_would_expose(self):
        server = self.start(arguments=[["maxmemory", "1gb"], ["maxmemory-policy", "volatile-lfu"]])
        bare = self.bare(server)
        count = fill(bare, 20_000)
        view = self.json_of("policy", "-c", self.configured(server))
        before = expiries(bare)
        with_ttl = sum(1 for was in before.values() if was != -1)
        ruled = sum(1 for key, was in before.items() if was == -1 and rule_of(key))
        self.assertEqual(view["keys"], count)
        self.assertEqual(view["policy"], "volatile-lfu")
        self.assertEqual(view["evictable"]["now"]["keys"], with_ttl)
        self.assertEqual(view["evictable"]["allkeys"]["keys"], count)
        self.assertEqual(view["evictable"]["volatile_after_rules"]["keys"], with_ttl + ruled)
        self.assertEqual(view["exposed"][0]["pattern"], "user:profile:*")
        self.assertIn(view["exposed"][0]["likelihood"], ("low", "medium", "high"))
        text, _ = self.run_tidegate("policy", "--url", server.url, "-q")
        self.assertIn("would expose", text)
        self.assertIn("淘汰策略", self.run_tidegate("policy", "--url", server.url, "-q", "--lang", "zh")[0])

    def test_counted_keys_take_the_ledgers_place_in_the_report(self):
        server = self.start(arguments=[["maxmemory", "1gb"], ["maxmemory-policy", "volatile-lfu"]])
        count = fill(self.bare(server), 5000)
        config = self.configured(server, ledger={"path": str(self.ledger([("shop", "cart:*:items", "set", 900, 900, None)]))})
        written = self.folder / "keyspace.json"
        written.write_text(self.run_tidegate("policy", "-c", config, "-q", "--format", "json")[0])
        said = json.loads(written.read_text())
        for where in (written, server.url, "upstream"):
            seen = json.loads(self.run_tidegate("report", "-c", config, "--format", "json", "--keyspace", where)[0])["eviction"]
            self.assertEqual((seen["source"], seen["keys"], seen["target"]), ("keys", count, said["target"]), where)
            self.assertEqual(seen["exposed"][0]["pattern"], "user:profile:*", where)
        text, _ = self.run_tidegate("report", "-c", config, "--keyspace", written)
        self.assertIn("`user:profile:*`", text)
        self.assertIn(said["verdict"].split(":")[0].replace("*", ""), text.replace("`", "").replace("*", ""))
        for wrong in ("/nowhere/keys.json", config, "redis://127.0.0.1:1"):
            _, err = self.run_tidegate("report", "-c", config, "--keyspace", wrong, status=1)
            self.assertIn("keyspace" if "redis" not in str(wrong) else "127.0.0.1:1", err)


if __name__ == "__main__":
    unittest.main()
