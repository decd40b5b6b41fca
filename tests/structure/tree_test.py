"""Holds the tree to its rules, and the rules to a wrong tree: a rule that finds nothing anywhere proves nothing."""

import pathlib
import subprocess
import unittest

import structure_rules as rules

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tree():
    """Every file of ours, tracked or about to be; without git (a tarball) every file outside build/."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if not {"build", ".git", "node_modules"} & set(path.relative_to(ROOT).parts)]
    for name in sorted(filter(None, names)):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_text(errors="replace")


class the_tree(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.files = list(tree())

    def holds(self, rule):
        self.assertEqual(list(rule(self.files)), [])

    def test_is_read_whole(self):
        read = {rules.layer_of(path) for path, _ in self.files}
        self.assertLessEqual({"resp", "config", "policy", "proxy/session", "proxy/net", "cli"}, read)

    def test_includes_only_what_stands_below(self):
        self.holds(rules.wrong_includes)

    def test_links_only_what_stands_below(self):
        self.holds(rules.wrong_links)

    def test_has_no_dumping_ground(self):
        self.holds(rules.forbidden_folders)

    def test_has_no_file_too_long_to_read(self):
        self.holds(rules.long_files)

    def test_holds_no_left_overs(self):
        self.holds(rules.left_overs)

    def test_states_a_contract_in_every_header(self):
        self.holds(rules.headers_without_contract)

    def test_has_no_mutable_state_at_namespace_scope(self):
        self.holds(rules.mutable_globals)


class the_rules(unittest.TestCase):
    GOOD_HEADER = "// A thing.\n// Thread safety: none.\n#pragma once\n"

    def finds(self, rule, path, text, count=1):
        self.assertEqual(len(list(rule([(path, text)]))), count, f"{rule.__name__} on {path}: {text!r}")

    def test_see_an_include_that_points_upwards(self):
        self.finds(rules.wrong_includes, "resp/a.cpp", '#include "config/config.hpp"\n')
        self.finds(rules.wrong_includes, "limiter/a.hpp", '#  include "policy/snapshot.hpp"\n')
        self.finds(rules.wrong_includes, "config/a.hpp", '#include "resp/request.hpp"\n')
        self.finds(rules.wrong_includes, "proxy/session/a.cpp", '#include "proxy/net/worker.hpp"\n')
        self.finds(rules.wrong_includes, "proxy/net/a.cpp", '#include "proxy/admin/routes.hpp"\n')

    def test_let_an_include_point_downwards(self):
        self.finds(rules.wrong_includes, "proxy/session/a.cpp", '#include "policy/snapshot.hpp"\n#include <vector>\n', 0)
        self.finds(rules.wrong_includes, "cli/a.cpp", '#include "proxy/net/server.hpp"\n', 0)
        self.finds(rules.wrong_includes, "tests/session/a.cpp", '#include "proxy/net/server.hpp"\n', 0)

    def test_see_sockets_outside_the_shell(self):
        for header in ("boost/asio.hpp", "boost/asio/ip/tcp.hpp", "openssl/ssl.h", "sys/socket.h", "netdb.h"):
            self.finds(rules.wrong_includes, "proxy/session/a.cpp", f"#include <{header}>\n")
            self.finds(rules.wrong_includes, "proxy/net/a.cpp", f"#include <{header}>\n", 0)

    def test_see_tests_used_by_the_product(self):
        self.finds(rules.wrong_includes, "resp/a.cpp", '#include "tests/resp/held_request.hpp"\n')

    def test_see_a_link_line_that_points_upwards(self):
        self.finds(rules.wrong_links, "limiter/CMakeLists.txt", "tidegate_library(limiter SOURCES a.cpp LINK tidegate::policy)")
        self.finds(rules.wrong_links, "resp/CMakeLists.txt", "tidegate_library(\n resp\n PRIVATE_LINK tidegate::config)")
        self.finds(rules.wrong_links, "proxy/net/x.cmake", "tidegate_library(net LINK tidegate::admin tidegate::policy)")
        self.finds(rules.wrong_links, "policy/CMakeLists.txt", "tidegate_library(policy LINK tidegate::limiter)", 0)
        self.finds(rules.wrong_links, "policy/CMakeLists.txt", "tidegate_library(policy LINK tidegate::stuff)")

    def test_see_a_dumping_ground(self):
        self.finds(rules.forbidden_folders, "proxy/utils/a.cpp", "")
        self.finds(rules.forbidden_folders, "resp/a.cpp", "", 0)

    def test_see_a_file_of_801_lines(self):
        self.finds(rules.long_files, "resp/a.cpp", "\n" * 801)
        self.finds(rules.long_files, "resp/a.cpp", "\n" * 800, 0)

    def test_see_left_overs(self):
        self.finds(rules.left_overs, "resp/a.cpp", "// TO" "DO: later\n")
        self.finds(rules.left_overs, "resp/a.cpp", "// FIX" "ME\n")

    def test_see_a_header_without_contract(self):
        self.finds(rules.headers_without_contract, "resp/a.hpp", self.GOOD_HEADER, 0)
        self.finds(rules.headers_without_contract, "resp/a.hpp", "#pragma once\n// Thread safety: below\n")
        self.finds(rules.headers_without_contract, "resp/a.hpp", "// Thread safety: none\n")

    def test_see_mutable_state_at_namespace_scope(self):
        for text in ("int counter = 0;", "namespace a {\nstd::vector<int> all;\n}", "namespace a::b {\nnamespace {\n"
                     "static std::atomic<int> n{0};\n}\n}", "thread_local char buffer[16];",
                     "void f() { int x = 1; }\nint y = 2;"):
            found = list(rules.mutable_globals([("resp/a.cpp", text)]))
            self.assertTrue(found, text)

    def test_let_constants_and_locals_be(self):
        for text in ("constexpr int a = 1;", "const std::string b = \"x\";", "void f() { static int n = 0; int m = n; }",
                     "class c {\n int member_ = 0;\n std::vector<int> all_{};\n};", "struct d { int x; } ;",
                     "int f(int a = 1);", "// int counter = 0;\n", "using x = int;", "enum class e { a, b };",
                     "namespace a {\nint g() { int x = 2; return x; }\n}", "inline constexpr std::array<int, 2> t = {1, 2};"):
            self.assertEqual(list(rules.mutable_globals([("resp/a.cpp", text)])), [], text)


if __name__ == "__main__":
    unittest.main()
