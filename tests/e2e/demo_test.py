"""`./dev demo --iso FILE`: what it calls a real ISO, and what is left after Ctrl-C. install_test does the job itself."""
import os
import signal
import subprocess
import sys

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
