"""The generated menu in a real iPXE, operated by its keyboard and left alone."""
import os

from farboot_lab import fleet
from farboot_lab.case import LabCase

FLEET = """menu: {title: "Menu of {{site.name}}", timeout: 4, default: shell, entries: [centos7, "-", "- Tools", shell, disk]}
entries:
  centos7: {title: CentOS 7, image: centos7@1708, key: c, args: "no_timer_check console=ttyS0"}
  shell: {kind: shell, title: iPXE shell, key: s}
  disk: {kind: local, title: The local disk, key: l}
"""
MENU = ["Menu of lyon", "CentOS 7", "Tools", "iPXE shell", "The local disk"]
DISK = "STARTED-FROM-DISK"
# A boot sector that prints DISK and halts: xor ax,ax; mov ds,ax; mov si,text; next: lodsb; or al,al; jz end;
# mov ah,0eh; int 10h; jmp next; end: hlt; jmp end; text
BOOT_SECTOR = bytes.fromhex("31c0 8ed8 be157c ac 08c0 7406 b40e cd10 ebf5 f4 ebfd") + DISK.encode() + b"\r\n\0"


def typed(text):
    """QEMU's names of the keys for a line."""
    names = {" ": "spc", "/": "slash", ".": "dot", ":": "shift-semicolon"}
    return ",".join([names.get(letter, letter) for letter in text] + ["ret"])


class MenuCase(LabCase):
    FLEET = FLEET

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = os.path.join(cls.work, "fleet")
        fleet.write(os.path.join(folder, "fleet.yaml"), cls.FLEET)
        fleet.write(os.path.join(folder, "sites", "lyon.yaml"), "labels: {}\n")
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.stage.bring_up(cls.tree.iso, folder)

    def talk(self, mac, *steps, firmware="bios"):
        """Each step is something to be seen, or the keys to be typed when the last of it was: ("keys", typed("exit"))."""
        expect, typed = [], {}
        for step in steps:
            if isinstance(step, tuple):
                typed[len(expect)] = step[1].split(",")
            else:
                expect.append(step)
        name = self.id().rsplit(".", 1)[-1]
        with open(os.path.join(self.stage.work, f"{name}.qcow2"), "wb") as disk:    # a raw one, as vm.py sees
            disk.write(BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        machine = self.machine(self.stage, name, mac, firmware=firmware, expect=expect, order="net", timeout=240)
        follow = machine.on_seen

        def typing(seconds, text):
            follow(seconds, text)
            machine.type_keys(typed.get(len(machine.seen), []))
        machine.on_seen = typing
        self.run_machine(machine)
        return [e["entry"] for e in self.stage.agent.daemon.events("boot.chosen") if e["mac"] == mac]


class Menu(MenuCase):
    def test_keys_escape_and_timer(self):
        """The shell by its key and back; out by ESC and back; then nobody touches it: the default. Last, the local disk."""
        chosen = self.talk("52:54:00:65:00:21", *MENU, ("keys", "s"), "iPXE> ", ("keys", typed("exit")), *MENU, ("keys", "esc"),
                           "Press M for the menu", ("keys", "m"), *MENU, "iPXE> ", ("keys", typed("exit")), *MENU, ("keys", "l"),
                           "Booting from SAN device", DISK)
        self.assertEqual(chosen, [], "none of these asks the agent")

    def test_arrows_pass_over_what_is_no_entry(self):
        """From the shell, where the cursor stands, over the gap and its title to the install."""
        self.assertEqual(self.talk("52:54:00:65:00:22", *MENU, ("keys", "up,ret"), "Linux version"), ["centos7"])

    def test_escape_and_left_alone_is_the_local_disk(self):
        self.talk("52:54:00:65:00:23", *MENU, ("keys", "esc"), "Press M for the menu", "Booting from SAN device", DISK)

    def test_undionly(self):
        """No ROM here is less than a whole iPXE, so this one is told by hand to fetch what a lesser one would."""
        self.talk("52:54:00:65:00:25", *MENU, ("keys", "s"), "iPXE> ", ("keys", typed(f"chain tftp://{self.stage.net.pi}/undionly.kpxe")),
                  r"undionly.kpxe\.\.\. ok", "UNDI", *MENU, ("keys", "l"), "Booting from SAN device", DISK)

    def test_uefi(self):
        """The same by snponly.efi; its local disk is what the firmware tries next."""
        self.talk("52:54:00:65:00:24", *MENU, ("keys", "s"), "iPXE> ", ("keys", typed("exit")), *MENU, ("keys", "esc"),
                  "Press M for the menu", ("keys", "m"), *MENU, ("keys", "l"), "BdsDxe: failed to start Boot0001", firmware="uefi")


class SubMenus(MenuCase):
    """Menus in the menu."""
    FLEET = """menu:
  title: "Menu of {{site.name}}"
  timeout: 8
  default: shell
  entries:
    - shell
    - {menu: tools, title: Tools, key: t, entries: ["- Of the house", {menu: more, title: More, key: m, entries: [disk]}, centos7]}
entries:
  centos7: {title: CentOS 7, image: centos7@1708, key: c, args: "no_timer_check console=ttyS0"}
  shell: {kind: shell, title: iPXE shell}
  disk: {kind: local, title: The local disk, key: l}
"""

    def test_in_back_and_an_entry(self):
        """In by key, two deep; back by ENTER; left alone, which is back in the first menu; in again, and an entry by its key."""
        first, tools = ["Menu of lyon", "iPXE shell", "Tools >"], ["< Back", "Of the house", "More >", "CentOS 7"]
        chosen = self.talk("52:54:00:65:00:26", *first, ("keys", "t"), *tools, ("keys", "m"), "< Back", "The local disk", ("keys", "ret"),
                           *tools, *first, ("keys", "t"), *tools, ("keys", "c"), "Linux version")
        self.assertEqual(chosen, ["centos7"])
