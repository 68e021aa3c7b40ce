#!/usr/bin/env python3
"""Inside walk.sh: the machines of a site whose agent is the packaged one.

machines.py boots NAME MAC bios|uefi TREE   from firmware to the installed machine: every step compared
machines.py offered NAME MAC                a stranger is given the boot loader
machines.py hold-67                         a DHCP server that will not share its port; says `held`, ends with its stdin"""
import re
import socket
import sys

from farboot_lab import fake_machine, programs

LOADERS = {fake_machine.BIOS: "/usr/lib/ipxe/undionly.kpxe", fake_machine.UEFI_X64: "/usr/lib/ipxe/snponly.efi"}


class Net:
    """The LAN that walk.sh made: a bridge with the agent's address."""
    pi, router = "10.9.0.2", "10.9.0.1"

    def client(self, name, mac):
        netns = f"c-{name}"
        run = lambda *words: programs.run(["ip", *words])  # noqa: E731
        run("netns", "add", netns)
        run("link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "address", mac, "netns", netns)
        run("link", "set", f"v-{name}", "master", "lan", "up")
        run("-n", netns, "link", "set", "eth0", "up")
        return netns


def content(path):
    with open(path, "rb") as file:
        return file.read()


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"machines.py: {what}: got {got[:300]!r}, wanted {wanted[:300]!r}")


def loaded(machine):
    name, loader = machine.firmware()
    if loader != content(LOADERS[machine.arch]):
        sys.exit(f"machines.py: {name} is not Debian's loader")
    return name


def boots(name, mac, arch, tree):
    machine = fake_machine.FakeMachine(Net(), name, mac, fake_machine.BIOS if arch == "bios" else fake_machine.UEFI_X64)
    loader = loaded(machine)
    url, script = machine.machine_script()
    boot = fake_machine.boot_of(script)
    if not boot:
        sys.exit(f"machines.py: {url} does not install:\n{script}")
    kernel, arguments, initrds = boot
    check(kernel, machine.get(kernel).body, content(f"{tree}/images/pxeboot/vmlinuz"))
    check(initrds[0], machine.get(initrds[0]).body, content(f"{tree}/images/pxeboot/initrd.img"))
    kickstart = machine.get(fake_machine.argument(arguments, "inst.ks", "ks")).text
    base = re.search(r'^url --url="([^"]+)"', kickstart, re.M).group(1)
    check(".treeinfo", machine.get(f"{base}/.treeinfo").body, content(f"{tree}/.treeinfo"))
    event = re.search(r'curl -fsS "(http://[^?"]+)\?event=installed', kickstart).group(1)
    machine.get(f"{event}?event=installed")
    again = machine.machine_script()[1]
    if fake_machine.boot_of(again):
        sys.exit(f"machines.py: a finished machine would be installed again:\n{again}")
    print(f"{name} ({arch}): {loader} by TFTP, kernel, initrd, kickstart and tree by HTTP, then its own disk")


def offered(name, mac):
    loader = loaded(fake_machine.FakeMachine(Net(), name, mac))
    print(f"{name}: {loader} by TFTP")


def hold_67():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 67))
        print("held", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    {"boots": boots, "offered": offered, "hold-67": hold_67}[sys.argv[1]](*sys.argv[2:])
