"""A point release to a site that has the release before: what crosses the line is what changed, and little more."""
import os
import random
import shutil

from farboot_lab import fleet
from farboot_lab.case import LabCase
from farboot_lab.fake_machine import FakeMachine

EXTRA_FILES, EXTRA_BYTES = 60, 2 << 20
CHANGED_FILES = 4
SENT_MAX = 1.15         # of the changed files' bytes: frames, TCP, TLS, the manifest and the reports with them


class Update(LabCase):
    def tree_with_extras(self):
        """The tree, and beside it as much again that does not compress, so that 5 % of it is more than small change."""
        folder = os.path.join(self.work, "first")
        shutil.copytree(self.tree.folder, folder)
        self.random = random.Random(1708)
        os.makedirs(os.path.join(folder, "extra"))
        for number in range(EXTRA_FILES):
            self.write_extra(folder, number)
        return folder

    def write_extra(self, folder, number):
        with open(os.path.join(folder, "extra", f"{number}.bin"), "wb") as file:
            file.write(self.random.randbytes(EXTRA_BYTES - number))

    def test_point_release_sends_what_changed(self):
        first = self.tree_with_extras()
        second = os.path.join(self.work, "second")
        shutil.copytree(first, second)
        changed = self.random.sample(range(EXTRA_FILES), CHANGED_FILES)
        for number in changed:
            self.write_extra(second, number)
        changed_bytes = sum(EXTRA_BYTES - number for number in changed)
        total_bytes = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(second) for name in names)
        self.assertLess(changed_bytes, total_bytes * 0.05)

        stage = self.enterContext(self.make_stage())
        folder = self.make_fleet()
        stage.bring_up(first, folder)
        stage.controller.cli("image", "import", second, "--name", "centos7", "--tag", "1804")
        path = os.path.join(folder, "fleet.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        fleet.write(path, text.replace("centos7@1708", "centos7@1804"))
        stage.controller.cli("apply", folder)
        before = stage.net.wan_bytes()[0]
        stage.roll_out("r2")
        sent = stage.net.wan_bytes()[0] - before
        print(f"  {changed_bytes} of {total_bytes} bytes changed, {sent} went over the line: {sent / changed_bytes:.3f} x")
        self.assertLessEqual(sent, changed_bytes * SENT_MAX)
        self.serves(stage, second, changed)

    def serves(self, stage, folder, numbers):
        machine = FakeMachine(stage.net, "c1", "52:54:00:65:00:71")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        for number in numbers:
            got = machine.get(f"http://{stage.net.pi}/images/centos7/extra/{number}.bin")
            with open(os.path.join(folder, "extra", f"{number}.bin"), "rb") as file:
                self.assertEqual((got.status, got.body == file.read()), (200, True), number)
