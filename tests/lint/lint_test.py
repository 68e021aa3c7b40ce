#!/usr/bin/env python3
"""Tests of deploy/lint/lint.py: each check finds what it is for, and leaves good code alone."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "deploy", "lint"))
import lint  # noqa: E402


class DepsTest(unittest.TestCase):
    """What ./dev deps asks of apt for somebody who is not root."""

    def fetch(self, tools):
        """tests/e2e/lab/packages.sh where only root may update apt's lists, and nothing is found before that."""
        with tempfile.TemporaryDirectory() as top:
            stubs = {"id": "echo 1000", "dpkg-deb": "[ $1 != -x ] || mkdir -p $3",
                     "apt-get": f"""for word; do case $word in
                       update) [ "${{BECAME:-}}" = root ] || exit 100; touch {top}/updated ;;
                       download) [ -e {top}/updated ] && touch x_1.deb || exit 100 ;;
                     esac; done""", **tools}
            for name in ("bash", "dirname", "mkdir", "flock", "mktemp", "chmod", "rm", "touch", "env"):
                os.symlink(shutil.which(name), os.path.join(top, name))
            for name, text in stubs.items():
                with open(os.path.join(top, name), "w", encoding="utf-8") as file:
                    file.write(f"#!{shutil.which('bash')}\n{text}\n")
                os.chmod(file.name, 0o755)
            return subprocess.run(["bash", os.path.join(TOP, "tests/e2e/lab/packages.sh"), os.path.join(top, "out"), "x"],
                                  env={"PATH": top}, check=False, capture_output=True, text=True)

    def test_lists_are_refreshed_by_sudo(self):
        done = self.fetch({"sudo": 'BECAME=root exec "$@"'})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_without_sudo_it_says_what_is_missing(self):
        done = self.fetch({})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("this needs root, and there is no sudo: apt-get", done.stderr)


class TreeTest(unittest.TestCase):
    """What make-tree.sh asks of apt for its kernel."""

    def test_nothing_of_the_machine_is_written(self):
        with tempfile.TemporaryDirectory() as top:
            log = os.path.join(top, "log")
            machine = os.path.join(top, "machine.conf")  # read before what -c names
            with open(machine, "w", encoding="utf-8") as file:
                for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"):
                    file.write(f'APT::Update::{hook} {{"HOOK-OF-THE-MACHINE";}};\n')
            for name in ("apt-get", "apt-cache"):
                with open(os.path.join(top, name), "w", encoding="utf-8") as file:
                    file.write(f"""#!{shutil.which('bash')}
                        echo "$@" >>{log}
                        while getopts c:o:q option; do [ "$option" != c ] || config=$OPTARG; done
                        apt-config -c "$config" dump >>{log}.config
                        case "$*" in
                          *depends*) echo "  Depends: linux-image-6.1.0-1-cloud-amd64" ;;
                          *download*) exit 100 ;;
                        esac\n""")
                os.chmod(file.name, 0o755)
            subprocess.run(["bash", os.path.join(TOP, "tests/e2e/lab/make-tree.sh"), os.path.join(top, "tree")],
                           env={**os.environ, "PATH": f"{top}:{os.environ['PATH']}", "TMPDIR": top, "APT_CONFIG": machine},
                           check=False, capture_output=True, text=True)
            with open(log, encoding="utf-8") as file:
                calls = file.read().splitlines()
            with open(log + ".config", encoding="utf-8") as file:
                config = file.read()
        self.assertIn("APT::Architecture ", config)
        self.assertNotIn("HOOK-OF-THE-MACHINE", config)
        self.assertIn("download linux-image-6.1.0-1-cloud-amd64", calls[-1])
        for call in calls:
            for where in ("Dir::State=", "Dir::State::status=", "Dir::Cache="):
                self.assertIn(f"-o {where}{top}/", call)


class ToolsTest(unittest.TestCase):
    """What `./dev lint` makes of a tool that finds something."""

    def lint(self, path, text):
        """True if the steps of ./dev lint that other tools do are content with a tree of this one file."""
        with tempfile.TemporaryDirectory() as top:
            subprocess.run(["git", "init", "-q", top], check=True)
            with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                file.write(text)
            steps = 'lint_failed=; lint_step format lint_format; lint_step shell lint_shell; [ -z "$lint_failed" ]'
            return subprocess.run(["bash", "-c", f'set -euo pipefail; . "$0"; {steps}', os.path.join(TOP, "deploy/dev/30-lint.sh")],
                                  cwd=top, check=False, capture_output=True).returncode == 0

    def test_a_file_that_clang_format_would_change_is_found(self):
        self.assertTrue(self.lint("a.cc", "int a;\n"))
        self.assertFalse(self.lint("a.cc", "int    a ;\n"))

    def test_a_script_that_shellcheck_warns_of_is_found(self):
        self.assertTrue(self.lint("a.sh", "#!/bin/sh\necho a\n"))
        self.assertFalse(self.lint("a.sh", "#!/bin/sh\necho $1\n"))


class LintTest(unittest.TestCase):
    def check(self, name, files):
        with tempfile.TemporaryDirectory() as top:
            for path, text in files.items():
                full = os.path.join(top, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return list(lint.CHECKS[name](lint.Tree(top)))

    def test_include_that_points_up_is_found(self):
        found = self.check("includes", {"common/wire/dhcp.h": '#include "agent/dhcp/server.h"\n'})
        self.assertEqual([(p, n) for p, n, _ in found], [("common/wire/dhcp.h", 1)])

    def test_agent_may_not_include_controller(self):
        found = self.check("includes", {"agent/main.cc": '#include "controller/pki/authority.h"\n'})
        self.assertEqual(len(found), 1)

    def test_library_stays_in_its_rooms(self):
        found = self.check("includes", {"agent/http/a.cc": "#include <rocksdb/db.h>\n"})
        self.assertEqual(len(found), 1)

    def test_include_downwards_is_allowed(self):
        found = self.check("includes", {"agent/http/routes.cc": '#include "agent/catalog/catalog.h"\n'
                                        '#include "common/wire/http_range.h"\n#include <vector>\n'})
        self.assertEqual(found, [])

    def test_unknown_room_is_found(self):
        self.assertEqual(len(self.check("includes", {"common/utils/a.h": "\n"})), 1)

    def test_event_without_row_row_without_event_and_wrong_level(self):
        doc = "| event | level | meaning |\n|---|---|---|\n| `a.b` | warn | x |\n| `z.z` | info | y |\n"
        found = self.check("events", {"docs/log-events.md": doc, "common/base/a.cc":
                                      'log::info("a.b", x); log::info(\n    "c.d");\n'})
        text = " ".join(what for _, _, what in found)
        self.assertIn("`z.z` is not logged", text)
        self.assertIn("`a.b` is logged as info", text)
        self.assertIn("c.d has no row", text)

    def test_event_logged_twice(self):
        doc = "| `a.b` | info | x |\n"
        found = self.check("events", {"docs/log-events.md": doc, "agent/x/a.cc": 'log::info("a.b");\n',
                                      "agent/x/b.cc": 'log::info("a.b");\n'})
        self.assertEqual(len(found), 1)

    def test_one_name_for_two_types(self):
        one = "namespace farboot {\n\nstruct Signal {\n  int a;\n};\n\n}  // namespace farboot\n"
        two = "namespace farboot {\nvoid f() {\n}\n\nclass Signal final : public X {\n};\n\n}  // namespace farboot\n"
        found = self.check("names", {"agent/link/a.h": one, "controller/fleet/b.h": two})
        self.assertEqual([(path, line) for path, line, _ in found], [("controller/fleet/b.h", 5)])

    def test_names_that_cannot_meet(self):
        self.assertEqual(self.check("names", {
            "agent/link/a.h": "namespace farboot {\nstruct Signal {\n};\nclass Only;\n}  // namespace farboot\n",
            "agent/dhcp/b.h": "namespace farboot::dhcp {\nstruct Signal {\n};\n}  // namespace farboot::dhcp\n",
            "agent/sync/c.cc": "namespace farboot {\nnamespace {\nstruct Signal {\n};\n}  // namespace\n"
                               "struct Only::Impl {\n};\n}  // namespace farboot\n",
            "agent/sync/d.h": "namespace farboot {\nclass Only {\n  struct Signal {\n  };\n};\n}  // namespace farboot\n",
        }), [])

    def test_capturing_lambda_in_co_await(self):
        found = self.check("trap", {"agent/x/a.cc":
                                    "auto v = co_await on_disk(pool,\n [store, id] { return 1; });\n"})
        self.assertEqual(len(found), 1)

    def test_struct_built_in_co_await(self):
        self.assertEqual(len(self.check("trap", {"agent/x/a.cc": "co_await send(Reply{a, b});\n"})), 1)
        self.assertEqual(len(self.check("trap", {"agent/x/a.cc": "co_await send({a, b});\n"})), 1)

    def test_harmless_co_await(self):
        good = ("auto v = co_await on_disk(pool, std::move(job));\n"
                "if (!co_await read(buffers[i])) { co_return Error{Errc::internal, \"{}\"}; }\n"
                "co_await wait(std::chrono::seconds{5});\n"
                "if (auto r = co_await x(); !r) { Reply{1}; }\n"
                "// co_await x([a] { })\n")
        self.assertEqual(self.check("trap", {"agent/x/a.cc": good}), [])

    def test_long_file(self):
        self.assertEqual(len(self.check("size", {"agent/x/a.cc": "\n" * 451})), 1)
        self.assertEqual(self.check("size", {"agent/x/a.cc": "\n" * 400}), [])

    def test_python_that_does_not_parse_or_imports_for_nothing(self):
        self.assertEqual(len(self.check("scripts", {"a.py": "def f(:\n"})), 1)
        self.assertEqual(len(self.check("scripts", {"a.py": "import os\nimport sys\nprint(sys.argv)\n"})), 1)


if __name__ == "__main__":
    unittest.main()
