"""Tools of the menu on a real iPXE: Memtest86+, and the files of a Windows disc as WinPE's loader gets them."""
import hashlib
import os
import shutil
import subprocess

from farboot_lab import fleet
from farboot_lab.case import LabCase, Setup

MEMTEST = "memtest86+/boot"
FLEET = """menu: {title: "Tools of {{site.name}}", template: start}
entries:
  memtest:
    kind: tool
    title: Memory test
    boot: {bios: loaders/memtest/x64.bin, efi: loaders/memtest/x64.efi}
    args: "console=ttyS0,115200"
  winpe:
    kind: winpe
    title: Windows PE
    image: win11
    args: "rdinit=/init console=ttyS0 no_timer_check quiet"
    files: {winpeshl.ini: assets/winpeshl.ini, init mode=755: assets/init, busybox mode=755: assets/busybox}
"""
MENUS = {"start": """#!ipxe
menu Menus of {{site.name}}
item --key 0x74 tools The tools
choose target && chain --replace --autofree {{menu.url}}${target} || shell
""", "tools": """#!ipxe
menu Tools of {{site.name}}
item --key 0x6d memtest Memory test
item --key 0x77 winpe Windows PE
choose target && chain --replace --autofree {{entry.url}}${target} || shell
"""}
# Debian has no wimboot: a Linux kernel in its place tells which files iPXE laid beside it, and what is in them.
INIT = """#!/busybox sh
for file in BCD boot.sdi boot.wim winpeshl.ini; do
  echo "HAS $file $(/busybox sha256sum "/$file" | /busybox cut -c1-64)"
done
echo ALL-LISTED
/busybox sleep 600
"""


def noise(seed, size):
    return b"".join(hashlib.sha256(f"{seed}{at}".encode()).digest() for at in range(size // 32))


class Tools(LabCase):
    """Chosen in menus that the operator wrote, one of which leads to the other."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # As Microsoft's discs are: everything in UDF, a note that says so in ISO 9660, names in small letters.
        cls.files = {"boot/bcd": noise("bcd", 16384), "boot/boot.sdi": noise("sdi", 1 << 20), "sources/boot.wim": noise("wim", 8 << 20)}
        cls.shell = b"[LaunchApps]\r\n"
        disc, cls.iso = os.path.join(cls.work, "disc"), os.path.join(cls.work, "win11.iso")
        for path, content in {**cls.files, "README.TXT": b"This disc contains a UDF file system.\r\n"}.items():
            os.makedirs(os.path.dirname(os.path.join(disc, path)), exist_ok=True)
            with open(os.path.join(disc, path), "wb") as file:
                file.write(content)
        subprocess.run(["genisoimage", "-quiet", "-udf", "-V", "WIN11", "-hide", "boot", "-hide", "sources", "-o", cls.iso, disc],
                       check=True)
        loaders, folder = os.path.join(cls.work, "loaders"), os.path.join(cls.work, "fleet")
        os.makedirs(loaders)
        shutil.copy(os.path.join(cls.tree.folder, "images/pxeboot/vmlinuz"), os.path.join(loaders, "wimboot"))
        fleet.write(os.path.join(folder, "fleet.yaml"), FLEET)
        fleet.write(os.path.join(folder, "sites", "lyon.yaml"), "labels: {}\n")
        for name, text in MENUS.items():
            fleet.write(os.path.join(folder, "menus", f"{name}.ipxe"), text)
        fleet.write(os.path.join(folder, "assets", "init"), INIT)
        fleet.write(os.path.join(folder, "assets", "winpeshl.ini"), cls.shell.decode())
        shutil.copy("/bin/busybox", os.path.join(folder, "assets", "busybox"))
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.stage.bring_up(cls.iso, folder, image="win11", tag="24h2",
                           loaders=["/usr/lib/ipxe", loaders, os.path.join(Setup.packages, MEMTEST)])

    def choose(self, key, mac, expect, timeout=200, **more):
        name = self.id().rsplit(".", 1)[-1]
        menus = ["Menus of lyon", "The tools", "Tools of lyon", "Windows PE"]
        self.run_machine(self.machine(self.stage, name, mac, order="net", timeout=timeout, expect=[*menus, *expect],
                                      keys=["The tools=t", f"Windows PE={key}"], **more))
        return [e["entry"] for e in self.stage.agent.daemon.events("boot.chosen") if e["mac"] == mac]

    def test_memtest(self):
        self.assertEqual(self.choose("m", "52:54:00:65:00:31", [r"Memtest86\+ v\d"], mem=256), ["memtest"])

    def test_memtest_uefi(self):
        self.assertEqual(self.choose("m", "52:54:00:65:00:33", [r"Memtest86\+ v\d"], firmware="uefi", mem=256, timeout=400), ["memtest"])

    def test_winpe(self):
        of = {os.path.basename(path): hashlib.sha256(content).hexdigest() for path, content in self.files.items()}
        of["winpeshl.ini"] = hashlib.sha256(self.shell).hexdigest()
        expect = [f"HAS {name} {of[name.lower()]}" for name in ("BCD", "boot.sdi", "boot.wim", "winpeshl.ini")]
        self.assertEqual(self.choose("w", "52:54:00:65:00:32", [*expect, "ALL-LISTED"]), ["winpe"])
