"""What the test cases share: where things are, a stage per class, virtual machines."""
import os
import sys
import unittest

from . import fleet
from .site import LAB, Capture, Stage
from .tree import Tree

sys.path.insert(0, LAB)
import vm  # noqa: E402

INSTALL_SECONDS = 480
DHCP = "udp port 67 or udp port 68 or udp port 4011"


class Setup:
    """Set once by run.py."""
    bin_folder = work = tree_folder = packages = None


def configure(bin_folder, work, tree):
    Setup.bin_folder, Setup.work, Setup.tree_folder = bin_folder, work, tree
    Setup.packages = os.path.join(os.path.dirname(tree), "packages")     # where lab/packages.sh unpacks


class LabCase(unittest.TestCase):
    """A test with a virtual site. `stage_up()` makes one; a class may share one by setUpClass."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tree = Tree(Setup.tree_folder)
        cls.work = os.path.join(Setup.work, cls.__name__)
        os.makedirs(cls.work, exist_ok=True)

    @classmethod
    def make_stage(cls, name="stage", taps=2, **options):
        return Stage(os.path.join(cls.work, name), Setup.bin_folder, taps=taps, **options)

    @classmethod
    def make_fleet(cls, name="fleet", **options):
        return fleet.write_fleet(os.path.join(cls.work, name), **options)

    def capture(self, stage, name="dhcp", expression=DHCP, interface="br0"):
        return Capture(stage.net.router_netns, interface, os.path.join(stage.work, f"{name}.pcap"), expression)

    # ---- machines -------------------------------------------------------------------------------------------------------
    def machine(self, stage, name, mac, firmware="bios", tap="tap0", expect=(), order="disk,net", timeout=INSTALL_SECONDS, **more):
        """A virtual machine at the site, switched on. `run_machine` follows it to its end."""
        argv = ["--netns", stage.net.router_netns, "--tap", tap, "--firmware", firmware, "--mac", mac, "--name", name,
                "--out", os.path.join(stage.work, "vm"), "--disk", os.path.join(stage.work, f"{name}.qcow2"),
                "--order", order, "--timeout", str(timeout),
                "--fail", "INSTALL-FAILED", "--fail", "Kernel panic", "--fail", "BOOT-FAILED"]
        for pattern in expect:
            argv += ["--expect", pattern]
        for key, values in more.items():
            for value in values if isinstance(values, (list, tuple)) else [values]:
                argv += [f"--{key.replace('_', '-')}", str(value)]
        machine = vm.Machine(vm.arguments(argv), lambda seconds, text: print(f"  {name} {seconds:6.1f} s  {text}", flush=True))
        self.addCleanup(lambda: os.path.exists(machine.o.disk) and os.unlink(machine.o.disk))
        self.addCleanup(machine.stop)
        machine.start()
        return machine

    def run_machine(self, machine):
        status = machine.run()
        self.assertEqual(status, vm.DONE, f"{machine.o.name}: saw {machine.seen}, console in {machine.base}.serial")
        return machine

    def installed_and_booted(self):
        """What the console of a machine shows that installs the tree and comes up from its disk."""
        return ["mini-anaconda: started", "STAGE2-OK", "VERIFIED", f"INSTALL-OK {self.tree.expect}",
                f"BOOTED-FROM-DISK {self.tree.expect}"]
