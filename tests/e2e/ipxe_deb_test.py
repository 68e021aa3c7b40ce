"""Debian 13's iPXE: its package imported as the file it is. It asks for autoexec.ipxe, and runs that with its card closed."""
import os

from debian_test import Installer
from farboot_lab.case import LabCase, Setup

NO_NETWORK = "Network unreachable"


class FromDeb(LabCase):
    def package(self):
        path = os.path.join(Setup.packages, "trixie", "ipxe.deb")
        if not os.path.isfile(path):
            self.skipTest("ipxe of trixie did not come from the package mirror")
        return path

    def imported(self, stage):
        """Nothing to warn of, as there is of Debian 12's."""
        said = stage.said_of_loaders
        self.assertNotIn("iPXE of 2019", said.stdout + said.stderr)
        self.assertNotIn("warning", (said.stdout + said.stderr).lower())

    def by_tftp(self, stage):
        return [e["path"] for e in stage.agent.daemon.events("tftp.sent")]


class Deb(FromDeb):
    MAC = "52:54:00:65:00:21"

    def test_uefi(self):
        package = self.package()
        stage = self.enterContext(self.make_stage())
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={"web6": self.MAC}), loaders=[package])
        self.imported(stage)
        self.run_machine(self.machine(stage, "ipxe", self.MAC, firmware="uefi", order="net", reset="stop", timeout=400,
                                      fail=NO_NETWORK, expect=self.installed_and_booted()[:-1]))
        self.assertEqual(self.by_tftp(stage), ["snponly.efi", "autoexec.ipxe"], "everything else comes by HTTP")


class Arm64Deb(FromDeb):
    def test_pxe_to_a_kernel(self):
        package = self.package()
        stage = Installer.stage_with(self, "arm64", "ttyAMA0", loaders=[package])
        self.imported(stage)
        self.run_machine(self.machine(stage, "ipxe", "52:54:00:65:00:22", firmware="arm64", order="net", timeout=400,
                                      fail=NO_NETWORK, expect=["EFI stub: Booting Linux Kernel", r"Linux version \S+"]))
        self.assertEqual(self.by_tftp(stage), ["ipxe-arm64.efi", "autoexec.ipxe"], "everything else comes by HTTP")
