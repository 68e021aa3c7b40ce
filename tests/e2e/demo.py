#!/usr/bin/env python3
"""The main job end to end, in a virtual site on this machine: controller and agent as separate programs in separate
networks, an ISO, a fleet directory, a rollout, and a machine that boots from the network and installs itself.

  ./dev demo                 an install tree is made on the spot
  ./dev demo --iso FILE      a real ISO (CentOS-shaped), named and tagged as its .treeinfo says, installed by the example
                             kickstart (CentOS 7) on 20 GB; hours without KVM (FARBOOT_LAB_ACCEL=kvm where it works)
  ./dev demo --offline       the line is cut and the controller stopped before the machine is switched on
  ./dev demo --keep          ends in a shell inside the site; leaving it cleans up
"""
import argparse
import configparser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from farboot_lab import isolate, programs, site  # noqa: E402
from farboot_lab.case import vm  # noqa: E402
from farboot_lab.tree import Tree  # noqa: E402

ISO_SECONDS = 4 * 3600
WORK = "FARBOOT_DEMO_WORK"
COMMAND_SECONDS = 1800          # an import, a rollout that never ends
SITE, HOST, MAC = "lyon", "web1", "52:54:00:65:00:01"
EXAMPLES = os.path.join(HERE, "..", "..", "deploy", "examples", "fleet")


def arguments():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iso", help="a real ISO instead of the one made on the spot")
    parser.add_argument("--keep", action="store_true", help="end in a shell inside the virtual site")
    parser.add_argument("--offline", action="store_true", help="cut the line before the machine boots")
    parser.add_argument("--firmware", default="bios", choices=["bios", "uefi"])
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--lab", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def megabytes(count):
    return f"{count / 1e6:.1f} MB"


def name_of(iso, scratch):
    """Of the image in an ISO: family and major version of its .treeinfo, as in centos7; else the file name's first word."""
    path = os.path.join(scratch, "treeinfo")
    programs.run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/.treeinfo", path], ok=None)
    info = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        info.read(path, encoding="utf-8")       # nothing is read if there is none
    except (configparser.Error, ValueError) as error:
        raise programs.CommandFailed(f"{iso}: .treeinfo: {error}") from None
    family, version = (info.get("general", key, fallback="") for key in ("family", "version"))
    words = re.findall("[a-z0-9]+", family.lower() + version.split(".")[0]) if family else []
    return "".join(words)[:63] or next(iter(re.findall("[a-z0-9]+", os.path.basename(iso).lower())), "image")


class Demo:
    def __init__(self, options, work):
        self.o, self.work = options, work
        self.phases = []            # (what, seconds, bytes over the line)
        self.stage = None
        self.tree = None

    # ---- telling ----------------------------------------------------------------------------------------------------------
    def say(self, text=""):
        print(text, flush=True)

    def step(self, title):
        self.say(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n== {title}")

    def operator(self, *words):
        """A command of the operator: shown as typed, run with its own live output. Returns what it printed."""
        self.say(f"operator$ farboot {' '.join(words)}")
        return self.live(self.stage.controller.cli_command(*words), self.stage.net.wan_netns)

    def live(self, command, netns):
        """Runs with our terminal, so that progress bars move; keeps what was printed."""
        full = ["ip", "netns", "exec", netns, "timeout", "--foreground", str(COMMAND_SECONDS)] + command
        environment = {k: v for k, v in self.stage.programs.environment.items() if k != "NO_COLOR"}
        process = subprocess.Popen(full, stdout=None if sys.stdout.isatty() else subprocess.PIPE, text=True, env=environment)
        printed = []
        for line in process.stdout or []:
            printed.append(line)
            print(f"  {line}", end="", flush=True)
        if process.wait() != 0:
            raise programs.CommandFailed(f"{' '.join(command)} ended with {process.returncode}")
        return "".join(printed)

    def phase(self, what, action):
        started, before = time.monotonic(), sum(self.stage.net.wan_bytes())
        result = action()
        self.phases.append((what, time.monotonic() - started, sum(self.stage.net.wan_bytes()) - before))
        return result

    # ---- the walk -----------------------------------------------------------------------------------------------------------
    def iso(self):
        if self.o.iso:
            return os.path.abspath(self.o.iso)
        self.step("An install tree shaped like CentOS 7, and its ISO (kept for the next time)")
        programs.run([os.path.join(HERE, "lab", "trees.sh"), self.o.lab], timeout=900)
        self.tree = Tree(os.path.join(os.path.abspath(self.o.lab), "tree"))
        self.say(f"  {self.tree.iso}: {megabytes(os.path.getsize(self.tree.iso))}, {len(self.tree.files())} files")
        return self.tree.iso

    def network(self):
        self.step("A wide network, and a site behind a home router that gives addresses and nothing else")
        self.stage = site.Stage(self.work, self.o.bin, site=SITE)
        net = self.stage.net
        self.say(f"  controller 198.18.0.1   =line=   router {net.router} (DHCP, NAT) - agent {net.pi} - machine")

    def controller(self, iso):
        self.step("In the data centre")
        stage = self.stage
        self.say(f"controller# farboot-controller --config {os.path.basename(stage.controller.config)} &")
        self.phase("controller starts", stage.start_controller)
        # A real ISO has a version of its own; the one made on the spot is what the example fleet names.
        name, tag = (name_of(iso, self.work), []) if self.o.iso else ("centos7", ["--tag", "1708"])
        self.phase("import the ISO", lambda: self.operator("image", "import", iso, "--name", name, *tag))
        self.phase("import boot loaders", lambda: self.operator("loader", "import"))
        folder = self.fleet(stage.controller.json("image", "list")[0])
        self.say(f"  (the fleet directory: {', '.join(sorted(os.listdir(folder)))})")
        self.operator("diff", folder)
        self.phase("apply the fleet directory", lambda: self.operator("apply", folder))

    def fleet(self, image):
        """The example fleet, with `image` in it."""
        folder = os.path.join(self.work, "fleet")
        shutil.copytree(EXAMPLES, folder)
        replace = {"centos7@1708": f"{image['name']}@{image['tag']}", "centos7": image["name"],
                   # An emulated clock on a busy machine fails a check of the kernel that real ones pass.
                   'args: "': 'args: "no_timer_check '}
        if self.o.iso:
            replace["CentOS 7"] = f"{image['name']} {image['tag']}"
        for path in (os.path.join(folder, "fleet.yaml"), os.path.join(folder, "sites", f"{SITE}.yaml")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for old, new in replace.items():
                text = text.replace(old, new)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return folder

    def agent(self):
        self.step("At the site")
        stage = self.stage
        self.say(f"operator$ farboot agent enroll --site {SITE} --name pi1")
        printed = stage.controller.cli("agent", "enroll", "--site", SITE, "--name", "pi1").stdout
        token = site.token_of(printed)
        self.say(f"  farboot-agent enroll {token[:24]}…")
        self.say(f"pi# farboot-agent enroll {token[:24]}…")
        self.phase("enrol the agent", lambda: stage.agent.enroll(token))
        self.say("pi# systemctl start farboot-agent")
        self.phase("agent starts", stage.agent.daemon.start)
        self.step("The rollout")
        self.operator("rollout", "start", "r1", "--site", SITE)
        self.phase("stage, prove and activate", lambda: self.operator("rollout", "watch"))
        self.operator("agent", "list")

    def cut(self):
        self.step("The line is cut and the controller stopped")
        self.stage.net.cut()
        self.stage.controller.daemon.stop()
        self.stage.agent.daemon.restart()
        self.say("  controller stopped, uplink down, agent started anew")

    def machine(self):
        self.step(f"A machine is switched on at {SITE} ({self.o.firmware}, {MAC})")
        digest = self.tree.expect if self.tree else r"\w+"
        expect = ["iPXE", "mini-anaconda: started", "STAGE2-OK", "VERIFIED", f"INSTALL-OK {digest}", f"BOOTED-FROM-DISK {digest}"]
        goal = "its own disk"
        if self.o.iso:      # what its installer says is its own affair; that it has ended, its kickstart tells the agent
            expect, goal = ["iPXE", "Linux version"], "installed, and started again"
        argv = ["--netns", self.stage.net.router_netns, "--tap", "tap0", "--firmware", self.o.firmware, "--mac", MAC,
                "--name", HOST, "--out", self.work, "--disk", os.path.join(self.work, "disk.qcow2"), "--order", "net,disk"
                if self.o.firmware == "bios" else "disk,net", "--timeout", str(ISO_SECONDS if self.o.iso else 900), "--fail", "INSTALL-FAILED", "--fail",
                "BOOT-FAILED"]
        for pattern in expect:
            argv += ["--expect", pattern]
        if self.o.iso:
            argv += ["--mem", "3072", "--cpus", "2", "--disk-size", "20G"]
        machine = vm.Machine(vm.arguments(argv), lambda seconds, text: self.say(f"  {seconds:6.1f} s  {text.strip()}"))
        if self.o.iso:
            machine.may_end = lambda: machine.resets and self.agent_has_it_done()
        try:
            machine.start()
            status = self.phase(f"machine: power on to {goal}", machine.run)
        finally:
            machine.stop()
        if status != vm.DONE:
            raise programs.CommandFailed(f"the machine did not get there: console in {machine.base}.serial")
        if self.o.offline:
            self.step("The line is back")
            self.stage.controller.daemon.start()
            self.stage.net.heal()
        site.wait_for("the controller knows how it went", self.host_is_done, 90)
        self.operator("host", "list")

    def agent_has_it_done(self):
        return any(e["phase"] == "done" for e in self.stage.agent.daemon.events("host.phase"))

    def host_is_done(self):
        return any(host.get("state") == "done" for host in self.stage.controller.json("host", "list"))

    def summary(self):
        self.step("Summary")
        width = max(len(what) for what, _, _ in self.phases)
        self.say(f"  {'phase':{width}}  {'seconds':>8}  {'over the line':>14}")
        for what, seconds, count in self.phases:
            self.say(f"  {what:{width}}  {seconds:8.1f}  {megabytes(count):>14}")
        down, up = self.stage.net.wan_bytes()
        self.say(f"  {'all':{width}}  {sum(s for _, s, _ in self.phases):8.1f}  {megabytes(down + up):>14}"
                 f"  ({megabytes(down)} to the site, {megabytes(up)} from it)")

    def shell(self):
        self.step("The site stays up while this shell runs (exit cleans up)")
        net, controller = self.stage.net, self.stage.controller
        environment = {**self.stage.programs.environment, "FARBOOT_CONTEXT": controller.context, "PS1": "farboot-demo$ ",
                       "PATH": f"{os.path.abspath(self.o.bin)}:{os.environ['PATH']}", "FARBOOT_LAB": self.stage.lab}
        self.say("  farboot status                                      the operator, beside the controller\n"
                 f"  ip netns exec {net.pi_netns} curl -s http://{net.pi}/   the agent's status page\n"
                 f"  logs: {self.work}/*.log")
        subprocess.run(["ip", "netns", "exec", net.wan_netns, "bash", "--norc"], env=environment, check=False)

    def run(self):
        iso = self.iso()
        self.network()
        with self.stage:
            self.controller(iso)
            self.agent()
            if self.o.offline:
                self.cut()
            self.machine()
            self.summary()
            if self.o.keep:
                self.shell()


def main():
    """The folder is made and removed out here: inside, everything can end at once (SIGTERM)."""
    options = arguments()
    work = os.environ.get(WORK)
    if work is None:
        work = os.environ[WORK] = tempfile.mkdtemp(prefix="farboot-demo-")
        failed = False
        try:
            isolate.isolate()               # ends the program, with the status of what ran inside
        except SystemExit as end:
            failed = end.code == 1
            raise
        finally:
            if not failed:
                shutil.rmtree(work, ignore_errors=True)
    isolate.isolate()
    try:
        Demo(options, work).run()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:              # pylint: disable=broad-except
        print(f"\ndemo: {error}\ndemo: logs are in {work}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
