"""Puts a test into its own network, mount and process namespaces.

Nothing of a run can collide with another's, and the kernel takes everything down when its first process ends, however
that ends: processes, interfaces, mounts."""
import os
import shutil
import signal
import subprocess
import sys

SKIP = 77     # ctest's SKIP_RETURN_CODE
MARK = "FARBOOT_LAB_ISOLATED"
FOLDERS = "/run/netns", "/etc/netns"


def refuse(why):
    if os.environ.get("FARBOOT_E2E_REQUIRED") == "1":
        print("FAILED:", why, "(FARBOOT_E2E_REQUIRED=0 leaves out what needs virtual sites)")
        sys.exit(1)
    print("SKIPPED:", why)
    sys.exit(SKIP)


def isolate():
    """Starts this program again inside, and ends with its status. Inside, prepares the mounts and returns."""
    if os.environ.get(MARK) == "1":
        prepare()
        return
    unshare = ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child=SIGKILL", "--mount-proc",
               "--propagation", "private"]
    if os.geteuid() != 0:
        unshare[1:1] = ["--user", "--map-root-user"]
        if not all(os.path.isdir(folder) for folder in FOLDERS):
            refuse(f"virtual sites need root, who makes {' and '.join(FOLDERS)}")
    probe = subprocess.run(unshare + ["true"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if probe.returncode != 0:
        refuse(f"virtual sites need root: {probe.stderr.strip()}")
    missing = [tool for tool in ("ip", "nft", "dnsmasq", "tcpdump") if not shutil.which(tool)]
    if missing:
        refuse(f"./dev deps demo installs what is missing: {', '.join(missing)}")
    # setpriv: should we be killed, unshare is too, and with it everything inside.
    child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + unshare + [sys.executable, "-B"] + sys.argv,
                             env={**os.environ, MARK: "1"})
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: child.kill())    # unshare itself blocks SIGTERM
    signal.signal(signal.SIGINT, lambda n, frame: None)         # the terminal sends it inside as well
    sys.exit(child.wait())


def prepare():
    """Own lists of namespaces; end by exception on signals, so that `finally` runs."""
    del os.environ[MARK]
    for folder in FOLDERS:
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "farboot-lab", folder], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))

