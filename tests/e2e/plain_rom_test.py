"""A network card whose ROM is no iPXE, as most are: it takes undionly.kpxe by TFTP, which asks again."""
import os

from farboot_lab.case import LabCase, Setup
from farboot_lab.packets import USER_CLASS, decode_dhcp

MAC = "52:54:00:65:00:05"


class PlainRom(LabCase):
    def test_installs(self):
        # Debian has no such ROM for QEMU's cards; `./dev e2e --all` makes one if it can get iPXE's source.
        rom = os.path.join(os.path.dirname(Setup.packages), "ipxe", "rom", "plain.rom")
        if not os.path.exists(rom):
            self.skipTest(f"no {rom}: `deploy/ipxe/build --only rom --out build/lab/ipxe --source TREE` makes it")
        stage = self.enterContext(self.make_stage())
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={"web5": MAC}))
        with self.capture(stage) as capture:
            self.run_machine(self.machine(stage, "plain", MAC, firmware="bios-plain", rom=rom, order="net", reset="stop",
                                          expect=self.installed_and_booted()[:-1]))
        asked = [decode_dhcp(d.data) for d in capture.packets() if d.source_mac == MAC and d.source_port == 68]
        classes = [d.options.get(USER_CLASS, b"") for d in asked]
        self.assertEqual(classes[0], b"", "the ROM does not say that it is iPXE")
        self.assertIn(b"iPXE", classes, "undionly.kpxe does")
        sent = {e["path"] for e in stage.agent.daemon.events("tftp.sent")}
        self.assertEqual(sent, {"undionly.kpxe"}, "everything else comes by HTTP")
