"""Programs other people wrote, against the agent as it runs: what each of them fetched is compared with the tree."""
import hashlib
import os
import re

from farboot_lab import packets, programs
from farboot_lab.case import LabCase, Setup
from farboot_lab.fake_machine import FakeMachine
from farboot_lab.tree import packages_of

KERNEL, INITRD, STAGE2 = "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "LiveOS/squashfs.img"
LOADER = "/usr/lib/ipxe/undionly.kpxe"
MISSING = "images/centos7/images/updates.img"
DRACUT = "usr/lib/dracut"


class ClientCase(LabCase):
    """One machine at a site that serves the tree; `run_client` runs a program on it."""
    settings = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(cls.make_stage(agent_settings=cls.settings))
        cls.stage.bring_up(cls.tree.iso, cls.make_fleet())
        cls.pi = cls.stage.net.pi
        machine = FakeMachine(cls.stage.net, "clients", "52:54:00:65:00:60")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        cls.netns = machine.netns

    def setUp(self):
        self.folder = os.path.join(self.work, self.id().rsplit(".", 1)[-1])
        os.mkdir(self.folder)
        self.out = os.path.join(self.folder, "out")

    def run_client(self, *command, ok=(0,), **options):
        return programs.run(command, netns=self.netns, ok=ok, timeout=120, **options)

    def same(self, path, file=None):
        self.assertEqual(self.digest(file or self.out), self.tree.sha256(path), path)

    def digest(self, file):
        with open(file, "rb") as opened:
            return hashlib.sha256(opened.read()).hexdigest()

    def half_fetched(self, path):
        """`out` holds the first part of the file, as an interrupted transfer leaves it."""
        with open(self.out, "wb") as file:
            file.write(self.tree.read(path)[:1_000_001])
        return path


class TftpClients:
    """Each client's own way to ask: a class that mixes this in has the agent answer as `settings` say."""

    def test_curl(self):
        self.run_client("curl", "-fsS", "-o", self.out, f"tftp://{self.pi}/images/centos7/{INITRD}")
        self.same(INITRD)

    def test_curl_with_large_blocks(self):
        self.run_client("curl", "-fsS", "--tftp-blksize", "1468", "-o", self.out, f"tftp://{self.pi}/images/centos7/{STAGE2}")
        self.same(STAGE2)

    def test_curl_without_options(self):
        self.run_client("curl", "-fsS", "--tftp-no-options", "-o", self.out, f"tftp://{self.pi}/undionly.kpxe")
        self.assertEqual(self.digest(self.out), self.digest(LOADER))

    def test_tftp_hpa(self):
        self.run_client("tftp", "-m", "binary", self.pi, "-c", "get", f"images/centos7/{INITRD}", self.out)
        self.same(INITRD)

    def test_tftp_hpa_in_its_own_default_mode(self):
        """Text: what is sent so comes back as it was, or not at all. A loader with a byte less would start, and crash."""
        self.run_client("tftp", self.pi, "-c", "get", "undionly.kpxe", self.out)
        self.assertEqual(self.digest(self.out), self.digest(LOADER))
        large = self.run_client("tftp", self.pi, "-c", "get", f"images/centos7/{INITRD}", self.out, ok=None)
        self.assertIn("Error code", large.stdout + large.stderr)

    def test_atftp_with_windows(self):
        for blocks in 1, 4, 64:
            with self.subTest(windowsize=blocks):
                self.run_client("atftp", "--option", "blksize 1428", "--option", f"windowsize {blocks}", "-g", "-r",
                                f"images/centos7/{KERNEL}", "-l", self.out, self.pi)
                self.same(KERNEL)

    def test_busybox(self):
        for size, path in ("512", INITRD), ("1468", KERNEL):
            self.run_client("busybox", "tftp", "-g", "-b", size, "-r", f"images/centos7/{path}", "-l", self.out, self.pi)
            self.same(path)

    def test_what_is_not_there_is_refused(self):
        """Each by its own status, and none of them waits for a time-out of 120 s."""
        self.run_client("curl", "-fsS", "-o", self.out, f"tftp://{self.pi}/{MISSING}", ok=(68,))
        self.run_client("atftp", "-g", "-r", MISSING, "-l", self.out, self.pi, ok=(255,))
        self.run_client("busybox", "tftp", "-g", "-r", MISSING, "-l", self.out, self.pi, ok=(1,))
        hpa = self.run_client("tftp", "-m", "binary", self.pi, "-c", "get", MISSING, self.out, ok=None)
        self.assertIn("Error code 1", hpa.stdout + hpa.stderr)

    def ports_answered_from(self):
        with self.capture(self.stage, "tftp", f"udp and src host {self.pi}") as capture:
            self.run_client("curl", "-fsS", "-o", self.out, f"tftp://{self.pi}/undionly.kpxe")
        return {d.source_port for d in packets.read_pcap(capture.path)}


class Clients(TftpClients, ClientCase):
    def test_each_transfer_has_a_port_of_its_own(self):
        ports = self.ports_answered_from()
        self.assertEqual(len(ports), 1)
        self.assertNotIn(69, ports)

    def url(self, path):
        return f"http://{self.pi}/images/centos7/{path}"

    def test_curl_by_http(self):
        self.run_client("curl", "-fsS", "-o", self.out, self.url(STAGE2))
        self.same(STAGE2)
        self.half_fetched(KERNEL)
        self.run_client("curl", "-fsS", "-C", "-", "-o", self.out, self.url(KERNEL))
        self.same(KERNEL)

    def test_curl_asks_for_several_ranges(self):
        self.run_client("curl", "-fsS", "-r", "0-9,1000-1009,-10", "-o", self.out, self.url(KERNEL))
        whole = self.tree.read(KERNEL)
        with open(self.out, "rb") as file:
            parts = file.read()
        for part in (whole[:10], whole[1000:1010], whole[-10:]):
            self.assertIn(b"\r\n\r\n" + part + b"\r\n--", parts)

    def test_wget(self):
        self.run_client("wget", "-q", "-O", self.out, self.url(STAGE2))
        self.same(STAGE2)

    def test_wget_goes_on(self):
        self.half_fetched(STAGE2)
        done = self.run_client("wget", "-c", "--progress=dot:mega", "-O", self.out, self.url(STAGE2))
        self.assertIn("206 Partial Content", done.stderr)
        self.same(STAGE2)
        again = self.run_client("wget", "-c", "-O", self.out, self.url(STAGE2))
        self.assertIn("416", again.stderr)                      # there is no more of it
        self.same(STAGE2)

    def test_busybox_wget(self):
        self.run_client("busybox", "wget", "-q", "-O", self.out, self.url(STAGE2))
        self.same(STAGE2)
        self.half_fetched(KERNEL)
        self.run_client("busybox", "wget", "-q", "-c", "-O", self.out, self.url(KERNEL))
        self.same(KERNEL)

    def test_aria2_with_many_ranges(self):
        """Sixteen connections, pieces of 1 MB."""
        done = self.run_client("aria2c", "-x16", "-s16", "-k1M", "--no-conf", "--file-allocation=none", "--console-log-level=info",
                               f"--checksum=sha-256={self.tree.sha256(STAGE2)}", "-d", self.folder, "-o", "out", self.url(STAGE2))
        self.same(STAGE2)
        self.assertGreater(len(set(re.findall(r"Range: bytes=(\d+)-", done.stdout))), 8)

    def test_dnf(self):
        """It reads the repository's metadata, checks every package's digest and refuses one that differs."""
        self.run_client("dnf", "-y", "-q", "--installroot", f"{self.folder}/root", "--releasever", "7", "--nogpgcheck",
                        "--setopt=reposdir=/nowhere", "--setopt=keepcache=1", f"--repofrompath=lab,http://{self.pi}/images/centos7",
                        "--repo", "lab", "install", "--downloadonly", "--downloaddir", f"{self.folder}/rpms", "@core")
        listed = {os.path.basename(path): digest for path, digest in packages_of(self.tree.read(self.primary()))}
        got = os.listdir(f"{self.folder}/rpms")
        self.assertGreater(len(got), 40)
        for name in got:
            self.assertEqual(self.digest(f"{self.folder}/rpms/{name}"), listed[name], name)

    def primary(self):
        return next(path for path in self.tree.files() if path.endswith("-primary.xml.gz"))

    # ---- the code of an installer's initrd ----------------------------------------------------------------------------------
    def dracut(self, url, ok=(0,)):
        """dracut's fetch_url, from its packages, with a /run of its own as in an initrd."""
        core, network = (os.path.join(Setup.packages, name, DRACUT) for name in ("dracut-core", "dracut-network"))
        for name in ("dracut-getarg", "dracut-getargs"):
            if not os.path.lexists(link := os.path.join(self.folder, name)):
                os.symlink(f"{core}/dracut-util", link)
        parts = (f"{core}/modules.d/99base/dracut-dev-lib.sh", f"{core}/modules.d/99base/dracut-lib.sh",
                 f"{network}/modules.d/45url-lib/url-lib.sh")
        return self.run_client(
            "sh", "-c", f"mount -t tmpfs run /run && PREFIX=/run/ PATH={self.folder}:$PATH && " +
            "".join(f". {part}; " for part in parts) +
            f"set_http_header X-RHN-Provisioning-MAC-0 'eth0 52:54:00:65:00:60' && fetch_url {url} {self.out}", ok=ok)

    def test_dracut(self):
        self.dracut(self.url(STAGE2))
        self.same(STAGE2)
        self.dracut(f"tftp://{self.pi}/images/centos7/{KERNEL}")
        self.same(KERNEL)

    def test_dracut_goes_on_without_what_is_not_there(self):
        """An answer it takes for a passing trouble would cost an install its three tries, a page of HTML its initrd."""
        done = self.dracut(f"http://{self.pi}/{MISSING}", ok=(22,))
        self.assertIn("404", done.stderr)
        self.assertNotIn("retry", done.stderr)
        self.assertFalse(os.path.exists(self.out))


class OnePort(TftpClients, ClientCase):
    settings = "tftp_single_port = true\n"

    def test_all_comes_from_that_port(self):
        self.assertEqual(self.ports_answered_from(), {69})
