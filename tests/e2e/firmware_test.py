"""Firmware of other kinds, each as far as it is meant to come: docs/firmware.md has the table."""
import os
import re

from farboot_lab.case import LabCase, Setup

HTTP_MAC, ARM64_MAC = "52:54:00:65:00:03", "52:54:00:65:00:04"


class HttpBoot(LabCase):
    """OVMF fetches its loader by HTTP: no TFTP at all."""

    def test_installs(self):
        stage = self.enterContext(self.make_stage())
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={"web3": HTTP_MAC}))
        with self.capture(stage, "http", f"tcp dst port 80 and dst host {stage.net.pi} and greater 70") as capture:
            self.run_machine(self.machine(stage, "http", HTTP_MAC, firmware="uefi-http", order="net", reset="stop",
                                          expect=self.installed_and_booted()[:-1]))
        with open(capture.path, "rb") as file:
            asked = re.findall(rb"([A-Z]+ \S+) HTTP/1.1\r\n(?:[^\r]+\r\n)*?User-Agent: UefiHttpBoot", file.read())
        self.assertEqual(asked, [b"HEAD /snponly.efi", b"GET /snponly.efi"], "what the firmware itself asked for")
        self.assertEqual(stage.agent.daemon.events("tftp.sent"), [])


class Arm64(LabCase):
    """AAVMF. Debian 12 has no arm64 iPXE: the file it boots is the kernel of Debian's installer, which is an EFI program."""
    FILES = "debian-installer-12-netboot-arm64/usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64"

    def test_starts_a_kernel_by_pxe(self):
        loaders = os.path.join(self.work, "loaders")
        os.makedirs(loaders)
        os.symlink(os.path.join(Setup.packages, self.FILES, "linux"), os.path.join(loaders, "snponly-arm64.efi"))
        stage = self.enterContext(self.make_stage())
        stage.bring_up(self.tree.iso, self.make_fleet(), loaders=[loaders])
        self.run_machine(self.machine(stage, "arm64", ARM64_MAC, firmware="arm64", order="net",
                                      expect=["EFI stub: Booting Linux Kernel", r"Linux version \S+"]))
        answered = stage.agent.daemon.events("dhcp.answered")
        self.assertEqual([e["type"] for e in answered if e["mac"] == ARM64_MAC], ["OFFER", "ACK"])


class Switch(LabCase):
    """No proxyDHCP: the site's switch names us and one file, whoever asks. iPXE asks too, and is told the same file."""

    def installs(self, firmware, mac, loader):
        stage = self.enterContext(self.make_stage(agent_settings='dhcp_mode = "off"\n', boot_file=loader))
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={"web4": mac}))
        self.run_machine(self.machine(stage, firmware, mac, firmware=firmware, order="net", reset="stop", timeout=240,
                                      expect=self.installed_and_booted()[:-1]))
        self.assertEqual(stage.agent.daemon.events("dhcp.answered"), [])
        return [int(e["bytes"]) for e in stage.agent.daemon.events("tftp.sent") if e["path"] == loader]

    def test_bios(self):
        """Its ROM is an iPXE already: one that asks for the loader's name and is given the script."""
        self.installs("bios", "52:54:00:65:00:08", "undionly.kpxe")

    def test_uefi(self):
        loader, script = self.installs("uefi", "52:54:00:65:00:09", "snponly.efi")
        self.assertGreater(loader, script, "first the loader, then its script by the same name")
