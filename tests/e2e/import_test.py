"""Imports: one whose controller is killed goes on where it was, one of a mirror ends with what a directory ends with."""
import contextlib
import os
import re
import shutil
import subprocess
import urllib.parse

from farboot_lab.case import LabCase
from farboot_lab.wait import wait_for


def bytes_in(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)) if os.path.isdir(folder) else 0


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Importing(LabCase):
    def setUp(self):
        self.controller = self.enterContext(self.make_stage()).start_controller()

    def words(self, source):
        return "image", "import", source, "--name", "centos7", "--tag", "1708"

    def held(self):
        """What the store holds, and the image's manifest."""
        content = self.controller.json("status")["content"]
        image = self.controller.json("image", "show", "centos7@1708")
        return content["chunks"], content["payload_bytes"], image["manifest"]

    def remove(self):
        self.controller.cli("image", "remove", "centos7@1708")
        wait_for("its bytes are freed", lambda: int(self.controller.json("status")["content"].get("chunks", 0)) == 0, 60)


class KilledImport(Importing):
    def setUp(self):
        super().setUp()
        self.packs = os.path.join(self.controller.state, "packs")

    def import_until(self, size):
        """Killed once the packs have grown to `size`; False if the import was done before."""
        controller = self.controller
        with open(os.path.join(self.work, "import.log"), "ab") as log:
            process = subprocess.Popen(["ip", "netns", "exec", controller.netns, *controller.cli_command(*self.words(self.tree.iso))],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=controller.programs.environment)
        try:
            wait_for(f"packs of {size} bytes", lambda: process.poll() is not None or bytes_in(self.packs) >= size, 120, poll=0.005)
        finally:
            under_way = process.poll() is None
            controller.daemon.kill()
            status = process.wait(60)
            controller.daemon.start()
        if under_way:
            self.assertNotEqual(status, 0, "the operator is told")
            self.assertEqual(controller.json("image", "list"), [], "half an image is none")
        return under_way

    def test_goes_on_after_kills_of_the_controller(self):
        controller = self.controller
        controller.cli(*self.words(self.tree.iso))
        in_one_go, whole = self.held(), bytes_in(self.packs)
        self.remove()
        before, killed = bytes_in(self.packs), 0
        for tenths in (2, 4, 6, 8):
            killed += self.import_until(before + whole * tenths // 10)
        self.assertGreaterEqual(killed, 3, "kills in the middle of an import")
        controller.cli(*self.words(self.tree.iso))
        self.assertEqual(self.held(), in_one_go)
        self.assertLess(bytes_in(self.packs) - before, whole * 3 // 2, "what was stored before a kill is not stored again")


class Mirror(Importing):
    def tree_of_a_mirror(self):
        """The tree, without what none of its metadata names: nobody can list a mirror."""
        folder = os.path.join(self.work, "mirror")
        shutil.copytree(self.tree.folder, folder, ignore=shutil.ignore_patterns("isolinux", "ks.cfg"))
        return folder

    @contextlib.contextmanager
    def served(self, folder):
        """Behind HTTP, beside the controller: (its address, its log)."""
        log = os.path.join(self.work, "mirror.log")
        with open(log, "wb") as file:
            server = subprocess.Popen(["ip", "netns", "exec", self.controller.netns, "/usr/bin/python3", "-u", "-m", "http.server",
                                       "0", "--bind", "127.0.0.1", "--directory", folder], stdin=subprocess.DEVNULL,
                                      stdout=file, stderr=file)
        try:
            yield wait_for("the mirror serves", lambda: re.search(r"http://[\d.]+:\d+/", read(log)), 30).group(), log
        finally:
            server.kill()
            server.wait()

    def test_is_imported_as_a_directory_is(self):
        folder = self.tree_of_a_mirror()
        self.controller.cli(*self.words(folder))
        of_the_directory = self.held()
        self.remove()
        with self.served(folder) as (address, log):
            self.controller.cli(*self.words(address))
        self.assertEqual(self.held(), of_the_directory)
        self.assertEqual(self.controller.json("image", "show", "centos7@1708")["source"], address)
        fetched = {urllib.parse.unquote(path) for path in re.findall(r'"GET /(\S*) HTTP/1.1" 200', read(log))}
        files = {os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names}
        self.assertEqual(fetched, files, "all of it came by HTTP")
