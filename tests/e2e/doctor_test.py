"""What `farboot doctor` and `farboot-agent doctor` say of a site as it should be, and of each way it can be wrong."""
import contextlib
import json
import os
import subprocess

from farboot_lab import programs
from farboot_lab.case import LabCase
from farboot_lab.wait import wait_for

PXE_CLASS = "--dhcp-option-force=60,PXEClient"
BOOT_FILE = "--dhcp-boot=pxelinux.0"


class Doctor(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.stage.bring_up(cls.tree.iso, cls.make_fleet())

    # ---- what is asked ----------------------------------------------------------------------------------------------------
    def on_the_pi(self):
        """(exit code, findings) of the agent's own command."""
        agent = self.stage.agent
        done = programs.run([agent.programs.path("farboot-agent"), "--config", agent.config, "doctor", "-o", "json"],
                            agent.programs.environment, self.stage.net.pi_netns, ok=(0, 1))
        return done.returncode, json.loads(done.stdout)

    def from_afar(self):
        done = self.stage.controller.cli("doctor", "lyon", "-o", "json", ok=(0, 1))
        return done.returncode, json.loads(done.stdout)

    def wrong(self):
        """Ids of what is not as it should be, as the Pi sees it; the exit code follows from them."""
        code, findings = self.on_the_pi()
        self.assertEqual(code, 1 if any(f["severity"] == "fail" for f in findings) else 0, findings)
        for finding in findings:
            self.assertTrue(finding["fix"] or finding["severity"] == "ok", finding)
        return sorted(f["id"] for f in findings if f["severity"] != "ok")

    # ---- what is done to the site -----------------------------------------------------------------------------------------
    def dnsmasq(self, netns, name, *options):
        folder = self.stage.work
        pid = os.path.join(folder, f"{name}.pid")
        process = subprocess.Popen(
            ["ip", "netns", "exec", netns, "dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--port=0",
             "--bind-interfaces", "--except-interface=lo", "--no-ping", "--user=root", f"--pid-file={pid}",
             f"--dhcp-leasefile={folder}/{name}.leases", f"--log-facility={folder}/{name}.log", *options])
        wait_for(f"{name} answers", lambda: os.path.exists(pid))
        return process

    @contextlib.contextmanager
    def router(self, *options):
        """The site's router, giving addresses with something more. It is as it was afterwards."""
        net = self.stage.net
        pidfile = os.path.join(os.path.dirname(net.router_log), "router.pid")
        with open(pidfile, encoding="utf-8") as file:
            plain = int(file.read())
        with open(f"/proc/{plain}/cmdline", encoding="utf-8") as file:
            command = [word for word in file.read().split("\0") if word]
        stop(plain)
        process = self.dnsmasq(net.router_netns, "router2", "--interface=br0", "--dhcp-authoritative",
                               f"--dhcp-range={net.net[:-2]}.100,{net.net[:-2]}.199,255.255.255.0,1h", *options)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)
            # Below a shell that waits for it: who takes the site down looks whether it has gone.
            subprocess.Popen(["bash", "-c", '"$@"; :', "router", "ip", "netns", "exec", net.router_netns, *command])
            wait_for("the router is back", lambda: os.path.exists(pidfile) and os.path.getsize(pidfile) > 0)

    # ---- the tests --------------------------------------------------------------------------------------------------------
    def test_a_site_as_it_should_be(self):
        code, findings = self.on_the_pi()
        self.assertEqual(code, 0, findings)
        self.assertEqual({f["severity"] for f in findings}, {"ok"}, findings)
        arrived = {f["where"]: f["what"] for f in findings if f["id"] == "boot.arrived"}
        self.assertEqual(sorted(arrived), ["BIOS", "UEFI x64", "UEFI x64 HTTP Boot"])
        for text in arrived.values():
            self.assertIn("kernel and initrd of centos7@1708", text)
        # Debian 12's package has none, and the release has no image for them.
        self.assertEqual(sorted(f["where"] for f in findings if f["id"] == "loader.absent"), ["UEFI 32-bit", "UEFI arm64"])
        self.assertEqual([f["where"] for f in findings if f["id"] == "dhcp.server"], [f"{self.stage.net.router} on eth0"])

    def test_the_same_from_the_controller(self):
        code, findings = self.from_afar()
        self.assertEqual(code, 0, findings)
        self.assertEqual({f["agent"] for f in findings}, {"lyon/pi1"})
        self.assertEqual(len([f for f in findings if f["check"] == "boot.arrived"]), 3, findings)
        self.assertIn("lyon/pi1\n", self.stage.controller.cli("doctor", "lyon").stdout)

    def test_nothing_was_begun(self):
        self.on_the_pi()
        self.assertEqual(self.stage.controller.json("host", "list"), [])
        self.assertFalse(self.stage.agent.daemon.events("host.phase"))

    def test_another_pxe_server(self):
        net = self.stage.net
        other = net.client("old", "52:54:00:65:02:01")
        programs.run(["ip", "addr", "add", f"{net.net[:-2]}.50/24", "dev", "eth0"], netns=other)
        process = self.dnsmasq(other, "old", "--interface=eth0", f"--dhcp-range={net.net},proxy", "--pxe-service=x86PC,Old,pxelinux")
        try:
            self.assertEqual(self.wrong(), ["dhcp.other_pxe_server"])
        finally:
            process.terminate()
            process.wait(20)

    def test_a_router_that_says_pxeclient(self):
        with self.router(PXE_CLASS):
            self.assertEqual(self.wrong(), ["dhcp.pxe_class"])
        self.assertEqual(self.wrong(), [])

    def test_a_router_that_names_a_boot_file(self):
        with self.router(BOOT_FILE):
            self.assertEqual(self.wrong(), ["dhcp.boot_file"])
            code, findings = self.from_afar()
            self.assertEqual(code, 1)
            self.assertEqual([f["check"] for f in findings if f["severity"] == "error"], ["dhcp.boot_file"])

    def test_no_dhcp_server(self):
        with self.router("--dhcp-ignore=tag:!nobody"):
            self.assertEqual(self.wrong(), ["dhcp.none"])

    def test_a_firewall(self):
        netns = self.stage.net.pi_netns
        table = "table ip doctor { chain in { type filter hook input priority 0; udp dport 69 drop; }; }"
        programs.run(["nft", table], netns=netns)
        try:
            # Every kind of machine stops at the same port.
            self.assertEqual(sorted(set(self.wrong())), ["boot.stopped", "net.firewall"])
        finally:
            programs.run(["nft", "delete table ip doctor"], netns=netns)
        self.assertEqual(self.wrong(), [])

    def test_an_agent_that_is_away(self):
        self.stage.agent.daemon.stop()
        try:
            def offline():
                code, findings = self.from_afar()
                return code == 1 and [(f["agent"], f["check"], f["severity"]) for f in findings] == [
                    ("lyon/pi1", "agent.offline", "error")]
            wait_for("the controller knows that it is away", offline, 60)
        finally:
            self.stage.agent.daemon.start()

        def back():
            return self.stage.controller.json("agent", "list")[0]["online"]
        wait_for("it is back", back, 60)


def ended(pid):
    """Also one that nobody has waited for yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def stop(pid):
    os.kill(pid, 15)
    wait_for(f"process {pid} ends", lambda: ended(pid))
