"""Firmware of other kinds, each as far as it is meant to come: docs/firmware.md has the table."""
import re

from farboot_lab.case import LabCase

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
