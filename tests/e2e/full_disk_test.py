"""A full disk: refused early, with the numbers, and what is active keeps serving."""
import os
import re
import subprocess

from farboot_lab import fleet
from farboot_lab.case import LabCase
from farboot_lab.fake_machine import FakeMachine
from farboot_lab.wait import wait_for

TREE_NEEDS = re.compile(r"the tree needs [\d.]+ MiB \((\d+) bytes\), but the store can take only [\d.]+ MiB \((\d+) bytes\) more ")
DOES_NOT_FIT = re.compile(r"release r2: does not fit: (\d+) bytes, (\d+) free and (\d+) held under a budget of \d+; raise store_budget_bytes ")
NOISE_BYTES = 120 << 20


def small_disk(case, folder, megabytes):
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "small", folder], check=True)
    case.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)


def take_all(folder):
    """Somebody else takes all the space there is; returns the file that holds it."""
    hog = os.path.join(folder, "hog")
    with open(hog, "wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 20)) == 1 << 20:
                pass
        except OSError:
            pass
    return hog


class FullDisk(LabCase):
    def setUp(self):
        self.stage = self.enterContext(self.make_stage())
        for config in (self.stage.controller.config, self.stage.agent.config):
            with open(config, "a", encoding="utf-8") as file:
                file.write("store_reserve_bytes = 4000000\n")        # the default suits no disk of 100 MB

    def test_import_that_does_not_fit(self):
        small_disk(self, self.stage.controller.state, 40)
        controller = self.stage.start_controller()
        before = self.held()
        needed = self.refused_import("centos7")
        self.assertGreater(needed, 40 << 20)
        self.assertLess(needed, os.path.getsize(self.tree.iso))
        self.assertEqual(self.held(), before)
        controller.daemon.restart()
        self.assertEqual(self.held(), before)

    def held(self):
        """Of the controller: its images and chunks."""
        controller = self.stage.controller
        return controller.json("image", "list"), controller.json("status")["content"].get("chunks", 0)

    def refused_import(self, name):
        """The bytes it is told are needed, more than there are."""
        done = self.stage.controller.cli("image", "import", self.tree.iso, "--name", name, "--tag", "1708", ok=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, TREE_NEEDS)
        needed, free = map(int, TREE_NEEDS.search(done.stderr).groups())
        self.assertGreater(needed, free)
        return needed

    def big_fleet(self):
        """The second release: as the first, and an image of 120 MB that shares nothing with it."""
        folder = os.path.join(self.work, "noise-" + self._testMethodName)
        os.makedirs(os.path.join(folder, "images"))
        with open(os.path.join(folder, "images", "noise.img"), "wb") as file:
            for _ in range(NOISE_BYTES >> 20):
                file.write(os.urandom(1 << 20))
        for name in ("vmlinuz", "initrd.img"):
            fleet.write(os.path.join(folder, "images", "pxeboot", name), f"{name} of a tool\n")
        fleet.write(os.path.join(folder, ".treeinfo"), "[general]\nfamily = Noise\nversion = 1\narch = x86_64\n"
                    "[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n")
        self.stage.controller.cli("image", "import", folder, "--name", "noise", "--tag", "1")
        target = self.make_fleet()
        path = os.path.join(target, "fleet.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        fleet.write(path, text + "  noise: {kind: install, title: Noise, image: noise@1}\n")
        return target

    def agent_error(self):
        return next(iter(self.stage.controller.json("agent", "list")), {}).get("error", "")

    def test_staging_that_does_not_fit_is_refused_at_the_offer(self):
        small_disk(self, self.stage.agent.state, 100)
        self.stage.bring_up(self.tree.folder, self.make_fleet())
        self.stage.controller.cli("apply", self.big_fleet())
        before = self.stage.net.wan_bytes()[0]
        self.stage.controller.cli("rollout", "start", "r2", "--site", "lyon")
        told = wait_for("the agent says why it will not take r2", self.agent_error, 60)
        self.assertRegex(told, DOES_NOT_FIT)
        needed, free, held = map(int, DOES_NOT_FIT.search(told).groups())
        self.assertGreater(needed, max(NOISE_BYTES, free + held))
        self.assertLess(self.stage.net.wan_bytes()[0] - before, 20e6, "before the content moved")
        self.serves_everything()

    def test_disk_that_fills_up_while_staging(self):
        """Somebody else takes the space after the offer was accepted."""
        small_disk(self, self.stage.agent.state, 300)
        self.stage.bring_up(self.tree.folder, self.make_fleet())
        self.stage.controller.cli("apply", self.big_fleet())
        self.stage.net.shape_wan("rate", "50mbit")
        start = self.stage.net.wan_bytes()[0]
        self.stage.controller.cli("rollout", "start", "r2", "--site", "lyon")
        wait_for("the transfer is under way", lambda: self.stage.net.wan_bytes()[0] - start > 20e6, 60)
        hog = take_all(self.stage.agent.state)
        wait_for("the agent says that its disk is full", self.agent_error, 90)
        self.serves_everything()
        self.stage.agent.daemon.kill()
        self.stage.agent.daemon.start()
        self.serves_everything()
        os.unlink(hog)
        wait_for("with space again it finishes by itself", self.serves_noise, 180)

    def test_controller_whose_disk_is_full_sends_what_it_has(self):
        small_disk(self, self.stage.controller.state, 400)
        self.stage.bring_up(self.tree.folder, self.make_fleet())
        controller = self.stage.controller
        controller.cli("apply", self.big_fleet())
        self.stage.net.shape_wan("rate", "50mbit")
        start = self.stage.net.wan_bytes()[0]
        controller.cli("rollout", "start", "r2", "--site", "lyon")
        wait_for("the transfer is under way", lambda: self.stage.net.wan_bytes()[0] - start > 20e6, 60)
        hog = take_all(controller.state)
        before = self.held()
        self.refused_import("other")
        self.assertEqual(self.held(), before)
        controller.daemon.kill()
        controller.daemon.start()
        self.assertEqual(self.held(), before)
        wait_for("all of r2 is sent", lambda: self.stage.net.wan_bytes()[0] - start > 120e6, 180)
        os.unlink(hog)
        controller.cli("rollout", "watch", timeout=180)
        self.assertTrue(self.serves_noise())
        self.serves_everything()

    def client(self):
        if not hasattr(self, "fake"):
            self.fake = FakeMachine(self.stage.net, "c1", "52:54:00:65:00:71")
            self.fake.take_lease(self.fake.offers(self.fake.options())[0][0], {})
        return self.fake

    def serves_noise(self):
        return self.client().get(f"http://{self.stage.net.pi}/images/noise/images/pxeboot/vmlinuz").status == 200

    def serves_everything(self):
        machine = self.client()
        connection = machine.connect(self.stage.net.pi)
        for path in self.tree.files():
            got = machine.get(f"http://{self.stage.net.pi}/images/centos7/{path}", connection=connection)
            self.assertEqual((got.status, got.sha256), (200, self.tree.sha256(path)), path)
        connection.close()
