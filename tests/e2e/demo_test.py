"""`./dev demo`: to its end with the line cut, in its shell (--keep), and what is left of it; with --iso up to Ctrl-C."""
import os
import signal
import subprocess
import sys

from farboot_lab import programs
from farboot_lab.case import LabCase, Setup
from farboot_lab.wait import wait_for

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")


class Iso(LabCase):
    """Broken off by Ctrl-C once the fleet that names the image is applied."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scratch, log = os.path.join(cls.work, "tmp"), os.path.join(cls.work, "demo.log")
        os.mkdir(cls.scratch)

        def printed():
            with open(log, encoding="utf-8") as file:
                return file.read()

        def interrupt():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)       # as a terminal does: to the whole group
                process.wait(60)

        with open(log, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-B", DEMO, "--bin", Setup.bin_folder, "--lab", cls.work, "--iso", cls.tree.iso],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "TMPDIR": cls.scratch})
        try:
            wait_for(f"the fleet is applied (see {log})",
                     lambda: "== At the site" in printed() or process.poll() is not None, 240)
            cls.before = os.listdir(cls.scratch)
        finally:
            interrupt()
        cls.status, cls.printed = process.returncode, printed()

    def test_is_named_and_tagged_as_its_tree_says(self):
        self.assertIn(f"farboot image import {self.tree.iso} --name centos7\n", self.printed)
        self.assertIn("imported centos7@7.1:", self.printed)
        self.assertIn("== At the site", self.printed, "the fleet names that image")

    def test_nothing_is_left_after_ctrl_c(self):
        self.assertTrue(self.before, "it works in TMPDIR")
        self.assertEqual(os.listdir(self.scratch), [], self.printed)
        self.assertEqual(self.status, 130)


class Killed(LabCase):
    def test_nothing_is_left_after_sigterm(self):
        scratch = os.path.join(self.work, "tmp")
        os.mkdir(scratch)
        process = subprocess.Popen(
            [sys.executable, "-B", DEMO, "--bin", Setup.bin_folder, "--lab", self.work, "--iso", self.tree.iso],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": scratch})
        try:
            printed = iter(process.stdout.readline, b"")
            self.assertTrue(any(b"In the data centre" in line for line in printed), "it began")
            self.assertTrue(os.listdir(scratch), "it works in TMPDIR")
        finally:
            process.terminate()
            process.communicate(timeout=60)
        self.assertEqual(os.listdir(scratch), [])


class Whole(LabCase):
    """--offline --keep, to the end. What the shell is told comes from a pipe."""

    def test_installs_a_machine_and_cleans_up(self):
        scratch = os.path.join(self.work, "tmp")
        os.mkdir(scratch)
        done = programs.run([sys.executable, "-B", DEMO, "--bin", Setup.bin_folder, "--lab", os.path.dirname(self.tree.folder),
                             "--offline", "--keep"], {**os.environ, "TMPDIR": scratch}, timeout=540,
                            text_input="farboot host list\nexit\n")
        printed = done.stdout
        for text in ("operator$ farboot image import ", "operator$ farboot apply ", "operator$ farboot rollout start r1",
                     "controller stopped, uplink down, agent started anew", f"INSTALL-OK {self.tree.expect}",
                     f"BOOTED-FROM-DISK {self.tree.expect}", "over the line", "stage, prove and activate",
                     "machine: power on to its own disk", "The site stays up while this shell runs"):
            self.assertIn(text, printed)
        self.assertRegex(printed, r"(?m)^ *stage, prove and activate +[\d.]+ +[1-9][\d.]+ MB$", "bytes are counted")
        self.assertRegex(printed, r"(?m)^ *machine: power on to its own disk +[\d.]+ +0\.0 MB$")
        self.assertRegex(printed.split("The site stays up")[1], r"web1 .*done", "the shell reaches the controller")
        self.assertEqual(os.listdir(scratch), [], printed)
