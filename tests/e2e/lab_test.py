"""The lab itself: a test that leans on it is worth as much as it is."""
import os
import subprocess

from farboot_lab import packets, programs
from farboot_lab.case import DHCP, LabCase
from farboot_lab.fake_machine import FakeMachine
from farboot_lab.site import Capture, Net
from farboot_lab.wait import wait_for


class Lab(LabCase):
    def setUp(self):
        self.net = Net("lyon", os.path.join(self.work, self.id().rsplit(".", 1)[-1]))
        self.addCleanup(self.net.sh, "down")

    def ping(self):
        return programs.run(["ping", "-qc1", "-W1", "198.18.0.1"], netns=self.net.pi_netns, ok=None).returncode == 0

    def test_the_line_can_be_cut_and_healed_and_is_counted(self):
        before = sum(self.net.wan_bytes())
        self.assertTrue(self.ping())
        self.assertGreater(sum(self.net.wan_bytes()), before)
        self.net.cut()
        self.assertFalse(self.ping())
        self.net.heal()
        wait_for("the line is back", self.ping, 20)

    def test_the_router_keeps_its_address_when_machines_come(self):
        def router_mac():
            return programs.run(["cat", "/sys/class/net/br0/address"], netns=self.net.router_netns).stdout

        before = router_mac()
        programs.run(["ip", "link", "add", "low", "address", "00:00:00:00:00:02", "master", "br0", "type", "veth"],
                     netns=self.net.router_netns)
        self.assertEqual(router_mac(), before)

    def test_the_router_gives_addresses_and_nothing_to_boot(self):
        machine = FakeMachine(self.net, "c1", "52:54:00:00:00:01")
        leases, proxies = machine.offers(machine.options(), seconds=3)
        self.assertEqual(len(leases), 1)
        self.assertEqual(proxies, [])
        ack = machine.take_lease(leases[0], machine.options())
        for packet in (leases[0], ack):
            self.assertEqual(packet.file_name, "")
            self.assertFalse({packets.VENDOR, packets.CLASS, 66, packets.BOOT_FILE} & set(packet.options))

    def test_a_second_server_that_gives_addresses_is_noticed(self):
        second = subprocess.Popen(
            ["ip", "netns", "exec", self.net.pi_netns, "dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--port=0",
             "--no-ping", "--dhcp-authoritative", "--user=root", f"--dhcp-leasefile={self.work}/second.leases",
             f"--dhcp-range={self.net.pi.rsplit('.', 1)[0]}.200,{self.net.pi.rsplit('.', 1)[0]}.210,1h"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(second.wait)
        self.addCleanup(second.terminate)
        machine = FakeMachine(self.net, "c1", "52:54:00:00:00:01")
        with Capture(self.net.router_netns, "br0", os.path.join(self.work, "two.pcap"), DHCP) as capture:
            def both():
                machine.exchange(packets.discover(machine.mac, {}), packets.OFFER, 2, lambda a: len(a) == 2)
                return len(packets.address_givers(capture.packets())) == 2
            wait_for("both servers offered an address", both, 30)
        self.assertEqual(packets.address_givers(capture.packets()), {self.net.router, self.net.pi})
