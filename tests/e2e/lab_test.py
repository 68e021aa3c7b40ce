"""The lab itself: a test that leans on it is worth as much as it is."""
import glob
import hashlib
import os
import shutil
import subprocess
import sys

from farboot_lab import packets, programs
from farboot_lab.case import DHCP, LabCase
from farboot_lab.fake_machine import FakeMachine
from farboot_lab.site import LAB, Capture, Net
from farboot_lab.wait import wait_for


class Isolation(LabCase):
    def test_what_cannot_run_here_is_a_failure_where_it_is_required(self):
        tools = os.path.join(self.work, "tools")                # no nft, no dnsmasq
        os.mkdir(tools)
        for tool in ("unshare", "true"):
            os.symlink(shutil.which(tool), os.path.join(tools, tool))
        run = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")
        for required, status in (("1", 1), ("0", 77)):
            done = subprocess.run([sys.executable, "-B", run, "--bin", ".", "--work", self.work, "--tree", ".", "no_test"],
                                  env={"PATH": tools, "FARBOOT_E2E_REQUIRED": required}, check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertIn("./dev deps demo", done.stdout)


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


class InstalledDigest(LabCase):
    """What a machine says of its disk is worth as much as the program that reads the disk."""

    def setUp(self):
        self.root = os.path.join(self.work, self.id().rsplit(".", 1)[-1])
        self.cache = os.path.join(self.root, "var/cache/lab")
        os.makedirs(self.cache)
        self.packages = sorted(glob.glob(os.path.join(self.tree.folder, "Packages", "c*.rpm")))
        for package in self.packages:
            shutil.copy(package, self.cache)
            files = subprocess.run(["busybox", "rpm2cpio", package], check=True, capture_output=True).stdout
            subprocess.run(["busybox", "cpio", "-idm"], input=files, check=True, capture_output=True, cwd=self.root)

    def digest(self, ok=(0,)):
        return programs.run(["busybox", "sh", os.path.join(LAB, "tree", "installed-digest"), self.root], ok=ok).stdout.strip()

    def expected(self):
        paths = [os.path.relpath(package, self.tree.folder) for package in self.packages]
        lines = sorted(f"{self.tree.sha256(path)} {os.path.basename(path)}\n" for path in paths)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def change_byte(self, path, at):
        with open(path, "r+b") as file:
            file.seek(at)
            before = file.read(1)[0]
            file.seek(at)
            file.write(bytes([before ^ 1]))

    def test_is_that_of_the_packages_in_the_tree(self):
        self.assertGreater(len(self.packages), 2)
        self.assertEqual(self.digest(), self.expected())

    def test_a_changed_byte_of_a_package_is_noticed(self):
        package = os.path.join(self.cache, os.path.basename(self.packages[1]))
        for at in (100, os.path.getsize(package) // 2, os.path.getsize(package) - 1):
            self.change_byte(package, at)
            self.assertNotEqual(self.digest(ok=None), self.expected(), f"byte {at}")
            self.change_byte(package, at)
        self.assertEqual(self.digest(), self.expected())

    def test_a_changed_byte_of_an_installed_file_is_noticed(self):
        self.change_byte(os.path.join(self.root, "usr/share/lab/chrony"), 1000)
        self.assertIn("not as its package holds it: ./usr/share/lab/chrony: FAILED", self.digest(ok=(1,)))

    def test_a_missing_package_is_noticed(self):
        os.unlink(os.path.join(self.cache, os.path.basename(self.packages[0])))
        self.assertNotEqual(self.digest(), self.expected())
