"""Firmware of other kinds, each as far as it is meant to come: docs/firmware.md has the table."""
import os
import re
import struct
import zlib

from farboot_lab import fleet
from farboot_lab.case import LabCase, Setup
from farboot_lab.wait import wait_for

HTTP_MAC = "52:54:00:65:00:03"
EMBED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "ipxe", "embed.ipxe")


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


class SignedPair(LabCase):
    """OVMF with Secure Boot on, Debian's shim and GRUB, a kernel that Debian signed: to a whole install."""

    def installs(self, suite, mac, firmware="uefi-sb", serial="", **options):
        """With `serial`, a number, the machine is known by that alone."""
        folder = os.path.join(Setup.packages, suite)
        if not os.path.isdir(os.path.join(folder, "shim-signed")) or not os.path.isdir(os.path.join(folder, "grub-efi-amd64-signed")):
            self.skipTest(f"shim and GRUB of {suite} did not come from the package mirror")
        stage = self.enterContext(self.make_stage("stage" + mac[-2:], **options))      # its log is of this test alone
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={"web5": f"serial: {serial}" if serial else mac}, variables="{loader: shim}"),
                       loaders=[os.path.join(folder, "shim-signed/usr/lib/shim"),
                                os.path.join(folder, "grub-efi-amd64-signed/usr/lib/grub")])
        self.run_machine(self.machine(stage, "secure", mac, firmware=firmware, order="net", reset="stop", timeout=300,
                                      serial_number=serial or "LAB 1/+",      # GRUB cannot put the latter in a path
                                      expect=["Farboot: centos7 of release r1", "Secure boot enabled", *self.installed_and_booted()[:-1]]))
        decided = [e["boot"] for e in stage.agent.daemon.events("boot.decided")]
        self.assertEqual(decided, ["entry"])
        wait_for("the controller knows of it", lambda: stage.controller.host_state("lyon/web5") == "done", 60)
        return [e["path"] for e in stage.agent.daemon.events("tftp.sent")], [e["path"] for e in stage.agent.daemon.events("tftp.refused")]

    def test_debian_13_by_pxe(self):
        """Its GRUB reads the proxy's offer: the site's DHCP server knows nothing of us."""
        sent, refused = self.installs("trixie", "52:54:00:65:00:11", serial="LAB-0011.x")
        self.assertEqual(sent[:3], ["shim/shimx64.efi", "shim/grubx64.efi", "grub/grub.cfg"])
        self.assertEqual(refused[:3], ["shim/revocations_sku.efi", "shim/revocations_sbat.efi", "shim/shim_certificate_0.efi"])

    def test_debian_13_by_http(self):
        sent, _ = self.installs("trixie", "52:54:00:65:00:12", firmware="uefi-sb-http")
        self.assertEqual(sent, [])

    def test_debian_12_by_pxe(self):
        """Its GRUB asks the server of the lease: the site's DHCP server names us, without a file. It knows no HTTP."""
        sent, refused = self.installs("", "52:54:00:65:00:13", serial="LAB-0013.x", boot_file="")
        self.assertEqual(sent[:3], ["shim/shimx64.efi", "shim/grubx64.efi", "grub/grub.cfg"])
        self.assertIn("grub/x86_64-efi/http.mod", refused)
        self.assertEqual([os.path.basename(path) for path in sent[3:]], ["x86_64-efi.grub", "vmlinuz", "initrd.img"])

    def test_debian_12_without_proxy(self):
        """The site's DHCP server names us and shim: by option 67, where shim does not look for its folder."""
        sent, _ = self.installs("", "52:54:00:65:00:14", boot_file="shim/shimx64.efi", agent_settings='dhcp_mode = "off"\n')
        self.assertEqual(sent[:3], ["shim/shimx64.efi", "grubx64.efi", "grub/grub.cfg"])


class Ia32(LabCase):
    """UEFI of 32 bits on a machine of 64, GRUB that nobody signed: by TFTP alone, for its image has no HTTP."""
    MAC = "52:54:00:65:00:15"

    def test_grub(self):
        ovmf, grub = (os.path.join(Setup.packages, name) for name in ("ovmf-ia32/usr/share/OVMF",
                                                                      "grub-efi-ia32-bin/usr/lib/grub/i386-efi/monolithic"))
        stage = self.enterContext(self.make_stage(boot_file=""))        # GRUB 2.06 asks the server of the lease
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={"web7": self.MAC}, variables="{loader: grub}"), loaders=[grub])
        self.run_machine(self.machine(stage, "ia32", self.MAC, firmware="uefi32", ovmf=ovmf, order="net", reset="stop", timeout=300,
                                      serial_number="LAB-0015", expect=["Farboot: centos7 of release r1", *self.installed_and_booted()[:-1]]))
        self.assertEqual([e["boot"] for e in stage.agent.daemon.events("boot.decided")], ["entry"])
        sent = [e["path"] for e in stage.agent.daemon.events("tftp.sent")]
        self.assertEqual(sent[:2], ["grub/grubia32.efi", "grub/grub.cfg"])
        self.assertEqual([os.path.basename(path) for path in sent[2:]], ["i386-efi.grub", "vmlinuz", "initrd.img"])


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


def png(width, height):
    """A picture, grey all over."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x40" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Embedded(LabCase):
    """No proxyDHCP, and a DHCP server that knows nothing of us: the operator's iPXE has a script in it that names the agent."""
    MAC = "52:54:00:65:00:0a"
    FLEET = """variables: {timezone: Asia/Shanghai}
menu: {title: "Menu of {{site.name}}", default: disk, picture: start.png, entries: [centos7, "-", "- Tools", shell, disk]}
entries:
  centos7: {title: CentOS 7, key: c, image: centos7@1708, kickstart: base, args: "no_timer_check console=tty0 console=ttyS0"}
  shell: {kind: shell, title: iPXE shell, key: s}
  disk: {kind: local, title: The local disk, key: l}
"""

    def test_menu_to_an_install(self):
        """Debian 12's iPXE has no `console` command: the menu's picture fails, and the menu comes all the same."""
        folder = self.make_fleet()
        fleet.write(os.path.join(folder, "fleet.yaml"), self.FLEET)
        os.makedirs(os.path.join(folder, "assets"))
        with open(os.path.join(folder, "assets", "start.png"), "wb") as file:
            file.write(png(1024, 768))
        stage = self.enterContext(self.make_stage(agent_settings='dhcp_mode = "off"\n'))
        stage.bring_up(self.tree.iso, folder)
        with open(EMBED, encoding="utf-8") as file:
            fleet.write(script := os.path.join(stage.work, "embed.ipxe"), file.read().replace("@SERVER@", stage.net.pi))
        menu = ["console: command not found", "Menu of lyon", "CentOS 7", "Tools", "iPXE shell", "The local disk"]
        self.run_machine(self.machine(
            stage, "embed", self.MAC, firmware="bios-embed", script=script, order="net", reset="stop", keys=["The local disk=c"],
            expect=[rf"http://{stage.net.pi}/boot.ipxe\.\.\. ok", *menu, *self.installed_and_booted()[:-1]]))
        chosen = [(e["entry"], e["mac"]) for e in stage.agent.daemon.events("boot.chosen")]
        self.assertEqual(chosen, [("centos7", self.MAC)])
        self.assertEqual(stage.agent.daemon.events("dhcp.answered") + stage.agent.daemon.events("tftp.sent"), [])
