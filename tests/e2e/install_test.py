"""The main job, with real firmware: from power on to a machine that came up from its own disk."""
from farboot_lab.case import LabCase
from farboot_lab.packets import BOOT_SERVER, address_givers, decode_dhcp
from farboot_lab.wait import wait_for

BIOS_MAC, UEFI_MAC = "52:54:00:65:00:01", "52:54:00:65:00:02"


class Install(LabCase):
    def staged(self, **fleet):
        stage = self.enterContext(self.make_stage())
        stage.bring_up(self.tree.iso, self.make_fleet(**fleet))
        return stage

    def install_once(self, host, mac, firmware):
        """Net first: the second boot asks us again and is told to boot its disk. Returns the stage and what its DHCP
        servers and clients said."""
        stage = self.staged(hosts={host: mac})
        staged_bytes = sum(stage.net.wan_bytes())
        with self.capture(stage) as capture:
            machine = self.run_machine(self.machine(stage, firmware, mac, firmware=firmware, order="net,disk",
                                                    expect=self.installed_and_booted()))
        self.assertLess(sum(stage.net.wan_bytes()) - staged_bytes, staged_bytes / 20,
                        "what was staged does not come over the line again")
        self.assertEqual(len(machine.resets), 1)
        decided = [e["boot"] for e in stage.agent.daemon.events("boot.decided")]
        self.assertEqual((decided[0], set(decided[1:])), ("entry", {"local_disk"}), "armed once; asked again, it was told so")
        datagrams = capture.packets()
        self.assertEqual(address_givers(datagrams), {stage.net.router})
        wait_for("the controller knows of it", lambda: stage.controller.host_state(f"lyon/{host}") == "done", 60)
        return stage, datagrams

    def test_bios_installs_once_then_boots_its_disk(self):
        self.install_once("web1", BIOS_MAC, "bios")

    def test_uefi_installs_once_then_boots_its_disk(self):
        stage, datagrams = self.install_once("web2", UEFI_MAC, "uefi")
        self.assertTrue(any("snponly.efi" in " ".join(e.values()) for e in stage.agent.daemon.events("tftp.sent")),
                        "OVMF fetched its loader by TFTP")
        asked = [d for d in datagrams if (d.source_mac, d.target, d.target_port) == (UEFI_MAC, stage.net.pi, BOOT_SERVER)]
        self.assertTrue(asked, "OVMF asked again on port 4011")
        told = {decode_dhcp(d.data).file_name for d in datagrams if (d.source, d.source_port) == (stage.net.pi, BOOT_SERVER)}
        self.assertEqual(told, {"snponly.efi"})


class Offline(LabCase):
    """Staged, then the line cut, the controller dead and the agent started anew: both firmwares install all the same, one
    of them while the agent dies once more in the middle."""

    def offline_stage(self, host, mac):
        stage = self.enterContext(self.make_stage())
        stage.bring_up(self.tree.iso, self.make_fleet(hosts={host: mac}))
        stage.net.cut()
        stage.controller.daemon.kill()
        stage.agent.daemon.kill()
        stage.agent.daemon.start()
        return stage

    def heal_and_report(self, stage, host):
        stage.controller.daemon.start()
        stage.net.heal()
        wait_for("the controller learns how it went", lambda: stage.controller.host_state(f"lyon/{host}") == "done", 120)

    def test_bios(self):
        stage = self.offline_stage("web1", BIOS_MAC)
        machine = self.machine(stage, "bios", BIOS_MAC, expect=self.installed_and_booted())
        follow, deaths = machine.on_seen, []

        def killing(seconds, text):
            follow(seconds, text)
            if text == "STAGE2-OK":                     # packages are next
                stage.agent.daemon.kill()
                stage.agent.daemon.start()
                deaths.append(seconds)
        machine.on_seen = killing
        self.run_machine(machine)
        self.assertEqual(len(deaths), 1, "the agent died while it served the install")
        self.heal_and_report(stage, "web1")

    def test_uefi(self):
        stage = self.offline_stage("web2", UEFI_MAC)
        self.run_machine(self.machine(stage, "uefi", UEFI_MAC, firmware="uefi", expect=self.installed_and_booted()))
        self.heal_and_report(stage, "web2")


class SeedSetup(LabCase):
    """The hand-made set-up this product replaces: a menu with a timeout and a default, CentOS 7 with ks= and repo=, an
    iPXE shell, and a machine nobody has named."""
    MENU = ["Seed menu", "CentOS 7", "iPXE shell", "Boot from the local disk"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.enterClassContext(cls.make_stage())
        cls.stage.bring_up(cls.tree.iso, cls.make_fleet(style="legacy", timeout=4, default="centos7", title="Seed menu",
                                                        entries='centos7, "- Tools", shell, local'))

    def test_menu_times_out_into_centos7(self):
        self.run_machine(self.machine(
            self.stage, "seed", "52:54:00:65:00:77",
            expect=[*self.MENU, r"mini-anaconda: started.* ks=http://\S+ repo=http://", *self.installed_and_booted()[1:]],
            shot_on="Seed menu"))

    def test_shell_entry_is_an_ipxe_shell(self):
        """Chosen by hand, and alive: it runs what is typed."""
        mac = "52:54:00:65:00:78"
        self.run_machine(self.machine(
            self.stage, "shell", mac, tap="tap1", order="net", timeout=180, fail="mini-anaconda",
            keys=[f"{self.MENU[-1]}=down,ret", "iPXE> =i,f,s,t,a,t,ret"], expect=[*self.MENU, "iPXE> ", f"{mac} using"]))
