"""Firmware of other kinds, each as far as it is meant to come: docs/firmware.md has the table."""
import os
import re

from farboot_lab.case import LabCase, Setup

HTTP_MAC = "52:54:00:65:00:03"


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


class LoaderCase(LabCase):
    """A site whose loaders are what a test puts into a folder; the machines here go no further than a kernel."""

    def stage_with(self, loaders, **options):
        folder = os.path.join(self.work, self.id().rsplit(".", 1)[-1])
        os.makedirs(folder)
        for name, path in loaders.items():
            os.symlink(path, os.path.join(folder, name))
        stage = self.enterContext(self.make_stage(self.id().rsplit(".", 1)[-1] + "-stage", **options))
        stage.bring_up(self.tree.iso, self.make_fleet(), loaders=[folder])
        return stage

    def answers(self, stage):
        return [(e["type"], e["client"]) for e in stage.agent.daemon.events("dhcp.answered")]


class Arm64(LoaderCase):
    """Debian 12 has no arm64 iPXE: the file that is booted is the kernel of Debian's installer, which is an EFI program."""
    FILES = "debian-installer-12-netboot-arm64/usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64"
    NAME = "snponly-arm64.efi"

    def starts_a_kernel(self, firmware, **options):
        stage = self.stage_with({self.NAME: os.path.join(Setup.packages, self.FILES, "linux")}, **options)
        self.run_machine(self.machine(stage, firmware, "52:54:00:65:00:04", firmware=firmware, order="net", timeout=240,
                                      expect=["EFI stub: Booting Linux Kernel", r"Linux version \S+"]))
        return stage

    def test_edk2_by_pxe(self):
        stage = self.starts_a_kernel("arm64")
        self.assertEqual(self.answers(stage), [("OFFER", "uefi"), ("ACK", "uefi")])

    def test_uboot(self):
        """It takes server and file from the lease alone. Our offer, which it cannot use, does it no harm."""
        stage = self.starts_a_kernel("uboot", boot_file=self.NAME)
        self.assertEqual(self.answers(stage), [("OFFER", "uefi")])
        refused = [e["path"] for e in stage.agent.daemon.events("tftp.refused")]
        self.assertEqual(refused, ["boot.scr.uimg", "dtb"], "what it asks for besides")


class SecureBoot(LoaderCase):
    """OVMF with Secure Boot on and Microsoft's keys."""
    MAC = "52:54:00:65:00:10"

    def boots(self, stage, expect):
        self.run_machine(self.machine(stage, "secure", self.MAC, firmware="uefi-sb", order="net", timeout=180, expect=expect))
        return [e["path"] for e in stage.agent.daemon.events("tftp.sent")]

    def test_an_unsigned_loader_is_refused(self):
        stage = self.stage_with({"snponly.efi": "/usr/lib/ipxe/snponly.efi"})
        self.assertEqual(self.boots(stage, ["NBP file downloaded successfully", "Access Denied"]), ["snponly.efi"])

    def test_shim_and_grub(self):
        """Debian 12's. This GRUB asks the server of the lease, which therefore has to be us."""
        stage = self.stage_with({"snponly.efi": os.path.join(Setup.packages, "shim-signed/usr/lib/shim/shimx64.efi.signed"),
                                 "grubx64.efi": os.path.join(Setup.packages, "grub-efi-amd64-signed/usr/lib/grub/x86_64-efi-signed",
                                                             "grubnetx64.efi.signed")}, boot_file="")
        sent = self.boots(stage, ["Fetching Netboot Image grubx64.efi", "Welcome to GRUB", "grub> "])
        self.assertEqual(sent, ["snponly.efi", "grubx64.efi"])
        refused = [e["path"] for e in stage.agent.daemon.events("tftp.refused")]
        self.assertEqual(refused[:3], ["revocations_sku.efi", "revocations_sbat.efi", "shim_certificate_0.efi"])
        self.assertIn("grub/grub.cfg", refused)


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
