"""An import whose controller is killed goes on where it was, and ends with what one in a single go ends with."""
import os
import subprocess

from farboot_lab.case import LabCase
from farboot_lab.wait import wait_for


def bytes_in(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)) if os.path.isdir(folder) else 0


class KilledImport(LabCase):
    def setUp(self):
        self.controller = self.enterContext(self.make_stage()).start_controller()
        self.packs = os.path.join(self.controller.state, "packs")
        self.words = "image", "import", self.tree.iso, "--name", "centos7", "--tag", "1708"

    def held(self):
        """What the store holds, and the image's record but for the time."""
        content = self.controller.json("status")["content"]
        image = self.controller.json("image", "show", "centos7@1708")
        return content["chunks"], content["payload_bytes"], image["manifest"]

    def import_until(self, size):
        """Killed once the packs have grown to `size`; False if the import was done before."""
        controller = self.controller
        with open(os.path.join(self.work, "import.log"), "ab") as log:
            process = subprocess.Popen(["ip", "netns", "exec", controller.netns, *controller.cli_command(*self.words)],
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
        controller.cli(*self.words)
        in_one_go, whole = self.held(), bytes_in(self.packs)
        controller.cli("image", "remove", "centos7@1708")
        wait_for("its bytes are freed", lambda: int(controller.json("status")["content"].get("chunks", 0)) == 0, 60)
        before, killed = bytes_in(self.packs), 0
        for tenths in (2, 4, 6, 8):
            killed += self.import_until(before + whole * tenths // 10)
        self.assertGreaterEqual(killed, 3, "kills in the middle of an import")
        controller.cli(*self.words)
        self.assertEqual(self.held(), in_one_go)
        self.assertLess(bytes_in(self.packs) - before, whole * 3 // 2, "what was stored before a kill is not stored again")
