"""The walk of an image without a virtual machine: a fake machine is given every byte an installer would ask for, and each
is compared with the tree it came from."""
import hashlib
import re

from farboot_lab import packets, programs
from farboot_lab.case import LabCase
from farboot_lab.fake_machine import BIOS, UEFI_X64, FakeMachine, argument, boot_of
from farboot_lab.tree import metadata_of, packages_of
from farboot_lab.wait import wait_for

HOSTS = {"web1": "52:54:00:65:00:01", "web2": "52:54:00:65:00:02", "web3": "52:54:00:65:00:03"}
LOADERS = {BIOS: "/usr/lib/ipxe/undionly.kpxe", UEFI_X64: "/usr/lib/ipxe/snponly.efi"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Walker(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.stage.bring_up(cls.tree.iso, cls.make_fleet(hosts=HOSTS))

    def fake(self, name, mac, arch=BIOS):
        return FakeMachine(self.stage.net, name, mac, arch, uuid="4c4c4544-0051-3510-8052-b4c04f4d4e31", serial="ABC 1/+")

    # ---- what every firmware gets -----------------------------------------------------------------------------------------
    def walk(self, machine):
        name, loader = machine.firmware()
        with open(LOADERS[machine.arch], "rb") as file:
            self.assertEqual(sha256(loader), sha256(file.read()), name)
        url, script = machine.machine_script()
        boot = boot_of(script)
        self.assertIsNotNone(boot, f"{url} does not install:\n{script}")
        self.install(machine, *boot)

    def install(self, machine, kernel, arguments, initrds):
        """What dracut, anaconda and dnf fetch, in their order."""
        self.same(machine.get(kernel), "images/pxeboot/vmlinuz")
        self.same(machine.get(initrds[0]), "images/pxeboot/initrd.img")
        self.assertIn("console=ttyS0", arguments)
        ks = machine.get(argument(arguments, "inst.ks", "ks"),
                         headers={"X-RHN-Provisioning-MAC-0": f"eth0 {machine.mac}", "X-System-Serial-Number": machine.serial})
        self.assertEqual(ks.status, 200, ks.body)
        self.assertNotIn("{{", ks.text)
        self.assertIn("timezone Asia/Shanghai", ks.text)
        base = re.search(r'^url --url="([^"]+)"', ks.text, re.M).group(1).rstrip("/")
        repo = argument(arguments, "inst.repo", "repo", "inst.stage2")
        self.assertEqual(repo.rstrip("/"), base)
        self.same(machine.get(f"{base}//.treeinfo"), ".treeinfo")
        self.assertEqual(machine.get(f"{base}/images/updates.img").status, 404)
        self.same(machine.get(f"{base}/LiveOS/squashfs.img"), "LiveOS/squashfs.img")
        self.packages(machine, base)
        event = re.search(r'curl -fsS "(http://[^?"]+)\?event=installed', ks.text).group(1)
        self.assertEqual(machine.get(f"{event}?event=installed&detail=x").status // 100, 2)

    def packages(self, machine, base):
        repomd = machine.get(f"{base}/repodata/repomd.xml")
        self.same(repomd, "repodata/repomd.xml")
        path, digest = metadata_of(repomd.body)["primary"]
        primary = machine.get(f"{base}/{path}")
        self.assertEqual(primary.sha256, digest)
        listed = packages_of(primary.body)
        self.assertGreater(len(listed), 50)
        host = base.split("/")[2]
        connection = machine.connect(host)                       # dnf keeps its connections
        for path, digest in listed:
            got = machine.get(f"{base}/{path}", connection=connection)
            self.assertEqual((got.status, got.sha256), (200, digest), path)
        half = machine.get(f"{base}/{listed[0][0]}", headers={"Range": "bytes=1000-"}, connection=connection)
        self.assertEqual((half.status, half.body), (206, self.tree.read(listed[0][0])[1000:]))
        connection.close()

    def same(self, response, path):
        self.assertEqual(response.status, 200, f"{path}: {response.body[:200]}")
        self.assertEqual(response.sha256, self.tree.sha256(path), path)


class Walk(Walker):
    def test_bios(self):
        self.walk(self.fake("bios", HOSTS["web1"]))

    def test_uefi(self):
        self.walk(self.fake("uefi", HOSTS["web2"], UEFI_X64))

    def test_armed_once_then_local_disk(self):
        machine = self.fake("once", HOSTS["web3"])
        machine.firmware()
        _, first = machine.machine_script()
        self.install(machine, *boot_of(first))
        _, again = machine.machine_script()
        self.assertIsNone(boot_of(again), f"a finished machine would be installed again:\n{again}")
        self.assertRegex(again, r"(?m)^\s*(sanboot|exit)\b")
        self.stage.controller.cli("host", "install", "lyon/web3")
        wait_for("an ordered install arms it once more", lambda: boot_of(machine.machine_script()[1]), 30)

    def test_unknown_machine_gets_the_menu(self):
        machine = self.fake("nobody", "52:54:00:65:00:99")
        machine.firmware()
        url, script = machine.machine_script()
        for text in ("menu Farboot lyon", "CentOS 7", "iPXE shell", "choose"):
            self.assertIn(text, script)
        self.assertRegex(script, r"--timeout\s+10000\b")
        separator = "&" if "?" in url else "?"
        chosen = machine.get(f"{url}{separator}entry=centos7")
        self.install(machine, *boot_of(chosen.text))

    def test_whole_tree_by_name(self):
        machine = self.fake("curl", "52:54:00:65:00:98")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        connection = machine.connect(self.stage.net.pi)
        for path in self.tree.files():
            self.same(machine.get(f"http://{self.stage.net.pi}/images/centos7/{path}", connection=connection), path)

    def test_plain_dhcp_client_gets_nothing_from_us(self):
        mac = "52:54:00:65:00:55"
        machine = self.fake("plain", mac)
        with self.capture(self.stage, "plain") as capture:
            programs.run(["busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", "/bin/true"],
                         netns=machine.netns)
            # A PXE client next, so that silence is known to be silence and not a dead agent or a deaf capture.
            self.fake("pxe", "52:54:00:65:00:56").firmware()
        seen = [(p, packets.decode_dhcp(p.data)) for p in capture.packets()]
        replies = [(p, d) for p, d in seen if d and d.op == 2]
        plain = [p for p, d in replies if d.mac == mac]
        self.assertTrue(plain, "the router answered")
        self.assertEqual({p.source for p in plain}, {self.stage.net.router})
        self.assertIn(self.stage.net.pi, {p.source for p, d in replies if d.mac == "52:54:00:65:00:56"})
        self.assertEqual(packets.address_givers(capture.packets()), {self.stage.net.router})

    def test_http_boot_client_is_given_a_url(self):
        machine = self.fake("http", "52:54:00:65:00:57")
        _, proxies = machine.offers(packets.http_boot_options(16))
        self.assertEqual(proxies[0].options[packets.CLASS], b"HTTPClient")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        loader = machine.get(proxies[0].file_name)
        with open(LOADERS[UEFI_X64], "rb") as file:
            self.assertEqual(loader.sha256, sha256(file.read()))

    def test_nothing_of_the_walk_went_over_the_line(self):
        machine = self.fake("line", "52:54:00:65:00:58")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        before = sum(self.stage.net.wan_bytes())
        got = machine.get(f"http://{self.stage.net.pi}/images/centos7/LiveOS/squashfs.img")
        self.assertLess(sum(self.stage.net.wan_bytes()) - before, len(got.body) / 100)

    def test_unknown_names_are_refused_at_once(self):
        machine = self.fake("names", "52:54:00:65:00:59")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        with self.assertRaises(packets.TftpError) as refused:
            machine.tftp(self.stage.net.pi, "no/such/file")
        self.assertEqual(refused.exception.code, 1)
        with self.assertRaises(packets.TftpError):
            machine.tftp(self.stage.net.pi, "../../etc/passwd")
        self.assertEqual(machine.get(f"http://{self.stage.net.pi}/ks/0123456789").status, 404)
        self.assertEqual(machine.get(f"http://{self.stage.net.pi}/images/centos7/../../../etc/passwd").status, 404)


class LostCard(Walker):
    """Cards die. What was installed stays installed, whatever the agent forgot."""

    def boots(self, machine):
        """What it would install; None also while the agent cannot be asked."""
        try:
            return boot_of(machine.machine_script()[1])
        except (OSError, AssertionError):
            return None

    def serves_again(self, machine):
        def served():
            try:
                return machine.get(f"http://{self.stage.net.pi}/images/centos7/.treeinfo").status == 200
            except OSError:
                return False
        wait_for("it serves again", served, 120)

    def test_what_was_installed_is_not_installed_again(self):
        done, armed = (self.fake(name, HOSTS[name]) for name in ("web1", "web2"))
        for machine in (done, armed):
            machine.firmware()
        self.install(done, *boot_of(done.machine_script()[1]))
        wait_for("the controller knows of it", lambda: self.stage.controller.host_state("lyon/web1") == "done", 60)
        self.stage.agent.lose_card()
        self.serves_again(done)
        self.assertIsNone(self.boots(done), "the store was lost")
        self.assertIsNone(self.boots(armed), "it may have been installed since the agent last said that it was not")
        self.stage.agent.lose_card(identity=False)
        self.stage.controller.cli("agent", "revoke", "lyon/pi1")
        self.stage.enroll_agent()
        self.serves_again(done)
        self.assertIsNone(self.boots(done), "a new card, enrolled anew")
        for host, machine in (("web1", done), ("web2", armed)):
            self.stage.controller.cli("host", "install", f"lyon/{host}")
            wait_for("an ordered install arms it once more", lambda: self.boots(machine), 60)  # noqa: B023
