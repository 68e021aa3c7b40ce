"""What must be refused: bad images, bad fleet files, bad tokens, foreign certificates, tampered releases. Each with a
message that says what and where, an exit status, and nothing half-stored."""
import base64
import hashlib
import os
import re
import shutil

from farboot_lab import fleet, programs
from farboot_lab.case import LabCase
from farboot_lab.fake_machine import FakeMachine
from farboot_lab.site import Agent, Controller, token_of
from farboot_lab.wait import wait_for

# The operator's text names the place: sites/lyon.yaml:7: …
PLACE = re.compile(r"[\w./-]+\.(?:yaml|ks):\d+")
ISO_WAY_OUT = "no image was stored: copy the ISO again and compare its SHA-256 with the one published for it"
TREE_WAY_OUT = "no image was stored: copy the tree again, all of it from one version, or import the ISO"


def with_another_secret(token):
    """`fb1.` and base64url of: expiry (8 bytes), CA's fingerprint (32), id (8), secret (24), names, 4 bytes of the SHA-256 of
    all that."""
    text = token.removeprefix("fb1.")
    body = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-4])
    body[48] ^= 1
    return "fb1." + base64.urlsafe_b64encode(body + hashlib.sha256(body).digest()[:4]).decode().rstrip("=")


class Controllers(LabCase):
    """The controller alone: images and fleet directories."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.controller = cls.stage.start_controller()
        cls.controller.cli("image", "import", cls.tree.iso, "--name", "good", "--tag", "1")

    def refused_import(self, source, *expected, options=()):
        held = lambda: (self.controller.json("image", "list"), self.controller.json("status")["content"]["chunks"])  # noqa: E731
        before = held()
        done = self.controller.cli("image", "import", source, "--name", "bad", "--tag", "1", *options, ok=None)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in expected:
            self.assertIn(word, done.stderr)
        self.assertEqual(held(), before, "nothing half-stored: images, chunks")

    def copy_of_tree(self, name):
        folder = os.path.join(self.work, name)
        shutil.copytree(self.tree.folder, folder)
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def copy_of_iso(self, name, length=None, flip=None):
        path = os.path.join(self.work, name)
        with open(self.tree.iso, "rb") as source:
            data = bytearray(source.read())
        if flip is not None:
            data[flip] ^= 0x40
        with open(path, "wb") as file:
            file.write(data[:length])
        self.addCleanup(os.unlink, path)
        return path

    def test_truncated_iso(self):
        cut = self.copy_of_iso("cut.iso", length=os.path.getsize(self.tree.iso) * 2 // 3)
        self.refused_import(cut, "cut.iso", ISO_WAY_OUT)

    def test_iso_cut_to_nothing(self):
        self.refused_import(self.copy_of_iso("none.iso", length=100), "none.iso", "not an ISO 9660 image", ISO_WAY_OUT)

    def test_rotten_byte_in_a_package_of_an_iso(self):
        path = next(p for p in self.tree.files() if p.startswith("Packages/glibc-"))
        with open(self.tree.iso, "rb") as file:
            at = file.read().find(self.tree.read(path)[:4096])
        self.assertGreater(at, 0)
        self.refused_import(self.copy_of_iso("rot.iso", flip=at + 100), path, ISO_WAY_OUT)

    def test_tree_that_is_not_what_its_treeinfo_says(self):
        folder = self.copy_of_tree("treeinfo")
        path = os.path.join(folder, "images/pxeboot/initrd.img")
        os.unlink(path)                                             # a hard link to isolinux/
        with open(path, "wb") as file:
            file.write(self.tree.read("images/pxeboot/initrd.img")[:-1] + b"x")
        self.refused_import(folder, "images/pxeboot/initrd.img", TREE_WAY_OUT)

    def test_tree_that_lacks_a_package_of_its_repository(self):
        folder = self.copy_of_tree("missing")
        path = next(p for p in self.tree.files() if p.startswith("Packages/zlib") or p.startswith("Packages/yum-"))
        os.unlink(os.path.join(folder, path))
        self.refused_import(folder, path, TREE_WAY_OUT)

    def test_tree_without_boot_files(self):
        folder = os.path.join(self.work, "empty")
        fleet.write(os.path.join(folder, "README"), "nothing to boot here\n")
        iso = os.path.join(self.work, "no-boot.iso")
        programs.run(["xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-o", iso, folder])
        self.addCleanup(os.unlink, iso)
        for source in (folder, iso):
            self.refused_import(source, source, "no boot files", "images/pxeboot/vmlinuz",
                                "import the disc that machines are installed from")

    def test_iso_with_another_digest(self):
        self.refused_import(self.tree.iso, "0" * 64, ISO_WAY_OUT, options=("--sha256", "0" * 64))

    def test_source_that_is_not_there(self):
        self.refused_import("/no/such.iso", "/no/such.iso: no such file or directory on the controller")

    def refused_fleet(self, folder, *expected):
        releases = self.controller.json("release", "list")
        for verb in ("diff", "apply"):
            done = self.controller.cli(verb, folder, ok=None)
            text = done.stdout + done.stderr
            self.assertNotEqual(done.returncode, 0, text)
            for word in expected:
                self.assertIn(word, text)
            self.assertRegex(text, PLACE)
        self.assertEqual(self.controller.json("release", "list"), releases, "nothing half-stored")
        return text

    def bad_fleet(self, name, change):
        folder = self.make_fleet(name, hosts={"web1": "52:54:00:00:00:01", "web2": "52:54:00:00:00:02"})
        text = open(os.path.join(folder, "fleet.yaml"), encoding="utf-8").read().replace("centos7@1708", "good@1")
        fleet.write(os.path.join(folder, "fleet.yaml"), text)
        change(folder)
        return folder

    def edit(self, folder, path, old, new):
        full = os.path.join(folder, path)
        with open(full, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        fleet.write(full, text.replace(old, new))

    def test_wrong_type(self):
        self.refused_fleet(self.bad_fleet("type", lambda f: self.edit(f, "fleet.yaml", "timeout: 10", "timeout: soon")),
                           "fleet.yaml:", "timeout")

    def test_unknown_key(self):
        self.refused_fleet(self.bad_fleet("key", lambda f: self.edit(f, "fleet.yaml", "timeout: 10", "time_out: 10")),
                           "fleet.yaml:", "time_out")

    def test_undefined_variable(self):
        self.refused_fleet(self.bad_fleet("variable", lambda f: self.edit(f, "kickstarts/base.ks", "{{timezone}}", "{{timezon}}")),
                           "base.ks:", "timezon")

    def test_unknown_image(self):
        self.refused_fleet(self.bad_fleet("image", lambda f: self.edit(f, "fleet.yaml", "good@1", "centos9@1")), "centos9@1")

    def test_duplicate_mac(self):
        self.refused_fleet(self.bad_fleet("mac", lambda f: self.edit(f, "sites/lyon.yaml", "52:54:00:00:00:02", "52-54-00-00-00-01")),
                           "52:54:00:00:00:01")

    def test_everything_wrong_is_told_at_once(self):
        def change(folder):
            self.edit(folder, "fleet.yaml", "timeout: 10", "timeout: soon")
            self.edit(folder, "sites/lyon.yaml", "entry: centos7", "entry: nosuch")
        text = self.refused_fleet(self.bad_fleet("many", change))
        self.assertGreaterEqual(len(set(PLACE.findall(text))), 2, text)


class Trust(LabCase):
    """Who may say what to whom."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.stage.bring_up(cls.tree.folder, cls.make_fleet())

    def new_agent(self, name):
        return Agent(self.stage.programs, self.stage.work, self.stage.net, name)

    def token(self, name, *args):
        return token_of(self.stage.controller.cli("agent", "enroll", "--site", "lyon", "--name", name, *args).stdout)

    def tokens_refused(self):
        return int(self.stage.controller.json("status").get("refusals", {}).get("tokens", 0))

    def refused_enrolment(self, name, token, text, *reasons):
        """Refused with `text`; by the controller for `reasons`, which it logs and counts."""
        agent, controller = self.new_agent(name), self.stage.controller
        since, before = controller.daemon.log_size(), self.tokens_refused()
        done = agent.enroll(token, ok=None)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(text, done.stdout + done.stderr)
        self.assertFalse(os.path.exists(os.path.join(agent.state, "identity", "identity.json")))
        self.assertEqual([e["reason"] for e in controller.daemon.events("pki.token_refused", since)], list(reasons))
        self.assertEqual(self.tokens_refused() - before, len(reasons))

    def test_token_is_used_once(self):
        token = self.token("once")
        self.new_agent("once").enroll(token)
        self.refused_enrolment("twice", token, "used already", "used")

    def test_token_expires(self):
        token = self.token("late", "--ttl", "1s")
        import time
        time.sleep(1.1)        # the token's own life: there is nothing else to wait for
        self.refused_enrolment("late", token, "expired at", "expired")

    def test_token_with_another_secret(self):
        """Well-formed, and of an agent that is expected: only its secret is guessed."""
        token = self.token("guessed")
        self.refused_enrolment("guessed", with_another_secret(token), "wrong secret", "wrong secret")
        self.new_agent("guessed").enroll(token)

    def test_token_with_another_letter(self):
        """The agent sees that itself, and asks nobody."""
        token = self.token("letter")
        middle = len(token) * 3 // 4
        damaged = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]
        self.refused_enrolment("letter", damaged, "copy the whole line again")

    def second_controller(self):
        """Another fleet's controller, in the same wan: its own CA, its own operator."""
        other = Controller(self.stage.programs, os.path.join(self.stage.work, "other"), self.stage.net.wan_netns)
        with open(other.config, encoding="utf-8") as file:
            text = file.read().replace("0.0.0.0:7443", "0.0.0.0:7444")
        fleet.write(other.config, text)
        other.daemon.start()
        self.addCleanup(other.daemon.stop)
        return other

    def test_operator_of_another_fleet_is_refused(self):
        other = self.second_controller()
        forged = os.path.join(self.stage.work, "forged")
        shutil.copytree(other.context, forged)
        shutil.copy(os.path.join(self.stage.controller.context, "context.json"), forged)      # our address
        shutil.copy(os.path.join(self.stage.controller.context, "ca.pem"), forged)            # our CA: he trusts us
        controller = self.stage.controller
        since, before = controller.daemon.log_size(), int(controller.json("status").get("refusals", {}).get("handshakes", 0))
        done = programs.run([self.stage.programs.path("farboot"), "--context", forged, "status"],
                            self.stage.programs.environment, self.stage.net.wan_netns, ok=None)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertTrue(controller.daemon.events("rpc.handshake_refused", since), "the controller logs it")
        self.assertGreater(int(controller.json("status")["refusals"]["handshakes"]), before, "and counts it")

    def test_agent_of_another_fleet_is_refused(self):
        other = self.second_controller()
        other.cli("image", "import", self.tree.folder, "--name", "centos7", "--tag", "1708")
        other.cli("loader", "import")
        other.cli("apply", self.make_fleet("other-fleet"))
        stranger = self.new_agent("stranger")
        stranger.enroll(token_of(other.cli("agent", "enroll", "--site", "lyon", "--name", "stranger").stdout))
        folder = os.path.join(stranger.state, "identity")
        own = os.path.join(self.stage.agent.state, "identity")
        for name in ("ca.pem", "verify.key"):                       # it trusts our controller, with a foreign certificate
            shutil.copy(os.path.join(own, name), folder)
        with open(os.path.join(folder, "identity.json"), encoding="utf-8") as file:
            text = file.read()
        fleet.write(os.path.join(folder, "identity.json"), text.replace(":7444", ":7443"))
        agents = self.stage.controller.json("agent", "list")
        # Ports of its own, so that it can run beside the site's agent.
        with open(stranger.config, "a", encoding="utf-8") as file:
            file.write('http_port = 8080\ntftp_port = 6969\ndhcp_mode = "off"\n')
        since = self.stage.controller.daemon.log_size()
        before = int(self.stage.controller.json("status").get("refusals", {}).get("handshakes", 0))
        stranger.daemon.start()
        self.addCleanup(stranger.daemon.kill)
        wait_for("the stranger hears that it is refused",
                 lambda: stranger.daemon.events("link.down"), 60)
        self.assertTrue(self.stage.controller.daemon.events("rpc.handshake_refused", since), "the controller logs it")
        self.assertGreater(int(self.stage.controller.json("status")["refusals"]["handshakes"]), before, "and counts it")
        self.assertEqual([a["id"] for a in agents], [a["id"] for a in self.stage.controller.json("agent", "list")])
        self.assertFalse(stranger.daemon.events("sync.ready"))


class Tampered(LabCase):
    """A release somebody changed on its way, or on the agent's disk."""

    def edit_state(self, database, *args, ok=(0,)):
        tool = self.stage.programs.path("farboot_state_edit")
        return programs.run([tool, database, *args], self.stage.programs.environment, ok=ok).stdout

    def setUp(self):
        self.stage = self.enterContext(self.make_stage())

    def tamper(self, daemon, database, prefix):
        """Changes one letter of the signed release document under `prefix`, as a thief with a screwdriver could."""
        daemon.stop()
        names = self.edit_state(database, "list", prefix).split()
        self.assertTrue(names, f"nothing under {prefix}")
        for name in names:
            before = bytes.fromhex(self.edit_state(database, "get", name))
            after = before.replace(b"centos7", b"centos8")
            self.assertNotEqual(before, after)
            self.edit_state(database, "put", name, after.hex())
        daemon.start()

    def test_release_tampered_with_at_the_controller_is_not_rolled_out(self):
        """The controller itself finds it out, before anything is offered to an agent."""
        controller, agent = self.stage.start_controller(), self.stage.agent
        controller.cli("image", "import", self.tree.folder, "--name", "centos7", "--tag", "1708")
        controller.cli("loader", "import")
        controller.cli("apply", self.make_fleet())
        self.stage.enroll_agent()
        agent_since = agent.daemon.log_size()
        self.tamper(controller.daemon, controller.database, "release/")
        wait_for("the agent is linked to it again", lambda: agent.daemon.events("link.up", agent_since), 60)
        since = controller.daemon.log_size()
        done = controller.cli("rollout", "start", "r1", "--site", "lyon", ok=None)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn("the stored document has digest", done.stdout + done.stderr)
        self.assertEqual([(e["call"], e["result"]) for e in controller.daemon.events("api.change", since)],
                         [("StartRollout", "corrupt")])
        self.assertEqual(controller.json("rollout", "list"), [])
        for event in ("sync.offer", "sync.ready", "sync.activate"):
            self.assertFalse(agent.daemon.events(event, agent_since), event)

    def test_release_tampered_with_on_the_agents_disk_is_not_served(self):
        self.stage.bring_up(self.tree.folder, self.make_fleet())
        self.stage.net.cut()
        self.tamper(self.stage.agent.daemon, self.stage.agent.database, "catalog/active")
        machine = FakeMachine(self.stage.net, "c1", "52:54:00:65:00:71")
        machine.take_lease(machine.offers(machine.options())[0][0], {})
        base = f"http://{self.stage.net.pi}"
        self.assertNotEqual(machine.get(f"{base}/images/centos8/.treeinfo").status, 200)
        self.stage.net.heal()
        wait_for("the link brings the true one back",
                 lambda: machine.get(f"{base}/images/centos7/.treeinfo").sha256 == self.tree.sha256(".treeinfo"), 120)
