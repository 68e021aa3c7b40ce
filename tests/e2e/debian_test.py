"""Somebody else's image: the network installer of Debian's own package, imported as it is unpacked."""
import os

from farboot_lab import fleet
from farboot_lab.case import LabCase, Setup

PACKAGE = "debian-installer-12-netboot-{arch}/usr/lib/debian-installer/images/12/{arch}/text"
FLEET = """menu: {title: Debian, timeout: 2, default: debian, entries: [debian]}
entries:
  debian:
    title: Debian's installer
    image: debian@12
    args: "no_timer_check console=%s"
"""
FIRST_SCREEN = ["Linux version", "Select a language"]


class Installer(LabCase):
    """Unattended as far as its first question."""

    def stage_with(self, arch, console, **options):
        fleet.write(os.path.join(self.work, "fleet", "fleet.yaml"), FLEET % console)
        fleet.write(os.path.join(self.work, "fleet", "sites", "lyon.yaml"), "labels: {}\n")
        stage = self.enterContext(self.make_stage())
        stage.bring_up(os.path.join(Setup.packages, PACKAGE.format(arch=arch)), os.path.join(self.work, "fleet"),
                       image="debian", tag="12", **options)
        return stage

    def asks_for_a_language(self, firmware, mac):
        stage = self.stage_with("amd64", "ttyS0")
        self.run_machine(self.machine(stage, firmware, mac, firmware=firmware, order="net", expect=FIRST_SCREEN))

    def test_bios(self):
        self.asks_for_a_language("bios", "52:54:00:65:00:05")

    def test_uefi(self):
        self.asks_for_a_language("uefi", "52:54:00:65:00:06")
