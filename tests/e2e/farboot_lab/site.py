"""A virtual site (lab/site.sh) with a controller in the wan and an agent on its pi."""
import os
import shutil
import subprocess
import sys

from . import programs
from .wait import wait_for

LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab")
CONTROLLER_ADDRESS = "198.18.0.1"
CONTROLLER_PORT = 7443


def site_sh(*args, lab):
    return programs.run([os.path.join(LAB, "site.sh"), *args], environment={**os.environ, "FARBOOT_LAB": lab}).stdout


class Net:
    """One site's network: namespaces, addresses, and what may be done to its cables."""

    def __init__(self, name, lab, taps=2, boot_file=None):
        self.name, self.lab = name, lab
        boot = [] if boot_file is None else ["-B", boot_file]
        text = site_sh("up", name, "-n", str(taps), *boot, lab=lab)
        values = dict(line.split("=", 1) for line in text.split())
        self.router_netns, self.pi_netns, self.wan_netns = values["NS"], values["PINS"], values["WANNS"]
        self.router, self.pi, self.net = values["ROUTER"], values["PI"], values["NET"]
        self.router_log = os.path.join(lab, "site", name, "router.log")

    def sh(self, command, *args):
        return site_sh(command, self.name, *args, lab=self.lab)

    def cut(self, port="wan"):
        self.sh("cut", port)

    def heal(self, port="wan"):
        self.sh("heal", port)

    def down(self):
        """Ends every process in the site's namespaces and removes them: the next stage of the run has its name again."""
        shutil.copy(self.router_log, os.path.join(os.path.dirname(self.lab), f"router-{self.name}.log"))
        self.sh("down")

    def shape_wan(self, *args):
        self.sh("shape", "wan", *args)

    def client(self, name, mac):
        """A namespace with a NIC on the site's LAN, without an address."""
        return self.sh("client", name, mac).strip()

    def wan_bytes(self):
        """Bytes through the uplink so far: (towards the site, from the site), Ethernet frames and all."""
        down, up = self.sh("wan-bytes").split()
        return int(down), int(up)


class Capture:
    """tcpdump of one interface while the `with` lasts; `packets()` afterwards or meanwhile."""

    def __init__(self, netns, interface, path, expression="udp"):
        self.path = path
        self.command = ["ip", "netns", "exec", netns, "tcpdump", "-i", interface, "-U", "-n", "-s", "0", "--immediate-mode", "-w", path,
                        "-Z", "root", expression]
        self.process = None

    def __enter__(self):
        with open(self.path + ".log", "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_for("tcpdump listens", lambda: os.path.exists(self.path) and os.path.getsize(self.path) >= 24)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def packets(self):
        from .packets import read_pcap
        return read_pcap(self.path)


class Programs:
    """Where the built programs are and what their environment is."""

    def __init__(self, folder):
        self.folder = folder
        suppressions = os.path.join(LAB, "..", "..", "support", "lsan.supp")
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
                            "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0"}
        for name in ("farboot-controller", "farboot-agent", "farboot"):
            if not os.path.exists(self.path(name)):
                sys.exit(f"no {self.path(name)}: build first")

    def path(self, name):
        return os.path.join(self.folder, name)


class Controller:
    """`farboot-controller` in the wan, and the operator's `farboot` beside it."""

    def __init__(self, programs_, work, netns, settings=""):
        self.programs, self.netns = programs_, netns
        self.folder = os.path.join(work, "controller")
        self.state = os.path.join(self.folder, "state")
        os.makedirs(self.state, exist_ok=True)
        self.config = os.path.join(self.folder, "controller.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'state_dir = "{self.state}"\nlisten = "0.0.0.0:{CONTROLLER_PORT}"\n'
                       f'names = ["controller.test", "{CONTROLLER_ADDRESS}"]\nlog_level = "debug"\n{settings}')
        self.daemon = programs.Daemon("farboot-controller", netns,
                                      [programs_.path("farboot-controller"), "--config", self.config],
                                      os.path.join(work, "controller.log"), programs_.environment)
        self.database = os.path.join(self.state, "db")
        self.context = os.path.join(self.state, "operator")

    def cli_command(self, *args):
        return [self.programs.path("farboot"), "--context", self.context, *map(str, args)]

    def cli(self, *args, ok=(0,), timeout=300):
        """Runs the operator's command line in the wan; returns the CompletedProcess."""
        return programs.run(self.cli_command(*args), self.programs.environment, self.netns, ok, timeout)

    def json(self, *args, timeout=300):
        return programs.run_json(self.cli_command(*args, "-o", "json"), environment=self.programs.environment,
                                 netns=self.netns, timeout=timeout)

    def host_state(self, host):
        """Of `SITE/NAME`, as `farboot host list` says; None if it is not there."""
        return next((h.get("state") for h in self.json("host", "list") if f"{h['site']}/{h['name']}" == host), None)


class Agent:
    """`farboot-agent` on a site's pi."""

    def __init__(self, programs_, work, net, name="pi1", settings="", state=None):
        self.programs, self.net, self.name = programs_, net, name
        self.folder = os.path.join(work, f"agent-{net.name}-{name}")
        self.state = state or os.path.join(self.folder, "state")
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs(self.state, exist_ok=True)
        self.config = os.path.join(self.folder, "agent.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'state_dir = "{self.state}"\ninterfaces = ["eth0"]\nlog_level = "debug"\n{settings}')
        self.log = os.path.join(work, f"agent-{net.name}-{name}.log")
        self.database = os.path.join(self.state, "db")
        self.daemon = programs.Daemon("farboot-agent", net.pi_netns,
                                      [programs_.path("farboot-agent"), "--config", self.config], self.log,
                                      programs_.environment)

    def enroll(self, token, ok=(0,)):
        return programs.run([self.programs.path("farboot-agent"), "--config", self.config, "enroll", token],
                            self.programs.environment, self.net.pi_netns, ok)

    def lose_card(self, identity=True):
        """Stops it and takes all it ever stored: a fresh card. With its identity it comes up again by itself."""
        self.daemon.stop()
        kept = os.path.join(self.state, "identity") if identity else None
        for name in os.listdir(self.state):
            path = os.path.join(self.state, name)
            if path != kept:
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        if identity:
            self.daemon.start()


def token_of(output):
    """The token in what `farboot agent enroll` printed: the last word of the `farboot-agent enroll TOKEN` line."""
    for line in output.splitlines():
        words = line.split()
        if "enroll" in words and words.index("enroll") + 1 < len(words):
            return words[words.index("enroll") + 1]
    raise AssertionError(f"no `farboot-agent enroll TOKEN` in: {output}")


class Stage:
    """Everything of one test: work folder, network, programs. Use as a context manager. `boot_file`: what the site's own
    DHCP server tells everybody to fetch from the agent; nothing if None."""

    def __init__(self, work, bin_folder, site="lyon", taps=2, agent_settings="", boot_file=None):
        self.work = work
        os.makedirs(work, exist_ok=True)
        self.programs = Programs(bin_folder)
        self.lab = os.path.join(work, "lab")
        self.net = Net(site, self.lab, taps, boot_file)
        self.controller = Controller(self.programs, work, self.net.wan_netns)
        self.agent = Agent(self.programs, work, self.net, settings=agent_settings)
        self.site = site
        self.said_of_loaders = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            for daemon in (self.agent.daemon, self.controller.daemon):
                if kind is None:
                    daemon.stop()
                else:
                    daemon.kill()
        finally:
            self.net.down()
            # Only what was kept for looking at stays.
            for folder in (self.controller.folder, self.agent.folder):
                shutil.rmtree(folder, ignore_errors=True)

    def start_controller(self):
        self.controller.daemon.start()
        return self.controller

    def enroll_agent(self):
        done = self.controller.cli("agent", "enroll", "--site", self.site, "--name", self.agent.name)
        self.agent.enroll(token_of(done.stdout))
        self.agent.daemon.start()

    def bring_up(self, source, fleet, image="centos7", tag="1708", loaders=()):
        """The operator's whole walk: import, apply, enrol, roll out, until the site serves the release. `loaders`: words for
        `farboot loader import`, as a folder; what it answered is in `said_of_loaders`."""
        cli = self.start_controller().cli
        cli("image", "import", source, "--name", image, "--tag", tag)
        self.said_of_loaders = cli("loader", "import", *loaders)
        cli("apply", fleet)
        self.enroll_agent()
        self.roll_out("r1")

    def roll_out(self, release, timeout=300):
        self.controller.cli("rollout", "start", release, "--site", self.site)
        self.controller.cli("rollout", "watch", timeout=timeout)
