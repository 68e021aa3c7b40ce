#!/usr/bin/env python3
"""vm.py: boot one QEMU machine on a tap, follow its serial console, time what is expected.

  vm.py --netns fb-lyon --tap tap0 --firmware bios --disk /tmp/c0.qcow2 --out /tmp/run --name c0 \\
        --expect 'INSTALL-OK \\w+' --expect 'BOOTED-FROM-DISK' --timeout 600

Exit status 0: every --expect regexp was seen, in this order. 1: timeout, 2: a --fail regexp was seen, 3: QEMU ended.
Leaves in --out: NAME.serial (raw console), NAME.json (seconds at which each regexp matched, resets), NAME*.png.

firmware  bios       SeaBIOS + QEMU's iPXE option ROM (it IS iPXE: sends option 175 and user class, speaks HTTP)
          bios-plain SeaBIOS + the option ROM given by --rom (PXE only, does not say it is iPXE)
          bios-embed SeaBIOS, no option ROM: Debian's ipxe.lkrn, with the script of --script as if built into it
          uefi       OVMF, no option ROM: EDK2's own PXE stack (TFTP only)
          uefi-http  OVMF, PXE off where the build can do that: EDK2's own HTTP boot
          uefi-sb    OVMF with Secure Boot on and Microsoft's keys; uefi-sb-http likewise
          uefi32     OVMF for i386, of the folder given by --ovmf, with EDK2's own PXE stack
          arm64      AAVMF on qemu 'virt', EDK2's own PXE stack; arm64-http likewise
          uboot      U-Boot for arm64 on qemu 'virt'
"""
import argparse
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

FIRMWARES = ("bios", "bios-plain", "bios-embed", "uefi", "uefi-http", "uefi-sb", "uefi-sb-http", "uefi32", "arm64", "arm64-http",
             "uboot")
# Terminal escapes are taken out so that menus drawn by firmware can be matched as text.
ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][0-9A-B]|[\x00\r]")
TEXT_MAX = 300_000
DONE, TIMEOUT, FAILED, ENDED = 0, 1, 2, 3


def first(*paths):
    return next((p for p in paths if os.path.exists(p)), paths[0])


def arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--name", default="vm")
    add("--out", default=".")
    add("--netns")
    add("--tap", default="tap0", help="or 'none'")
    add("--mac", default="52:54:00:00:00:01")
    add("--uuid")
    add("--serial-number", default="")
    add("--firmware", default="bios", choices=FIRMWARES)
    add("--rom", help="option ROM file for the NIC")
    add("--script", help="iPXE script of bios-embed")
    add("--ovmf", help="folder of uefi32's firmware")
    add("--nic", default="virtio-net-pci")
    add("--disk", help="image file; created (sparse) if it does not exist")
    add("--disk-size", default="4G")
    add("--disk-bus", default="virtio", choices=["virtio", "sata"])
    add("--order", default="disk,net", help="boot order: disk,net or net,disk or net")
    add("--mem", default="1024")
    add("--cpus", default="1")
    add("--cpu", default="max")
    add("--accel", default=os.environ.get("FARBOOT_LAB_ACCEL", "tcg,thread=multi"))
    add("--expect", action="append", default=[])
    add("--fail", action="append", default=[])
    add("--timeout", type=float, default=600)
    add("--shot-on", action="append", default=[], help="regexp: screenshot when it appears on serial")
    add("--shot-end", action="store_true")
    add("--linger", type=float, default=0, help="seconds to go on after the last match")
    add("--keys", action="append", default=[], metavar="RE=KEY,KEY", help="when RE appears type these QEMU keys")
    add("--reset", default="cold", choices=["cold", "warm", "stop"], help="guest reset: new QEMU process (cold), QEMU's "
        "own reset (warm), or the end of the run")
    add("--pcap", help="dump the machine's traffic")
    add("--quiet", action="store_true", help="do not print what was seen")
    return parser.parse_args(argv)


class Machine:
    """One virtual machine from power on until everything expected was seen, and `may_end()` says yes. `on_seen(seconds,
    text)` hears of each."""

    def __init__(self, options, on_seen=None):
        self.o = options
        self.base = os.path.join(options.out, options.name)
        os.makedirs(options.out, exist_ok=True)
        self.t0, self.seen, self.resets, self.shots = time.monotonic(), [], [], 0
        self.serial = open(self.base + ".serial", "wb")
        self.sockets = tempfile.mkdtemp(prefix="farboot-vm-")     # a socket's path has 107 bytes at most
        self.again = False
        self.proc = self.qmp = self.console = None
        self.on_seen = on_seen or (lambda seconds, text: None)
        self.may_end = lambda: True

    # ---- the command line -------------------------------------------------------------------------------------------
    def command(self):
        o, base = self.o, self.base
        arm = o.firmware.startswith("arm64") or o.firmware == "uboot"
        q = ["qemu-system-aarch64" if arm else "qemu-system-x86_64", "-name", o.name, "-nodefaults", "-display", "none",
             "-accel", o.accel, "-smp", o.cpus, "-m", o.mem, "-rtc", "base=utc",
             "-chardev", f"socket,id=ser,path={self.sockets}/serial,server=on,wait=off", "-serial", "chardev:ser",
             "-qmp", f"unix:{self.sockets}/qmp,server=on,wait=off",
             "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng,romfile="]
        if arm:
            q += ["-machine", "virt", "-cpu", "cortex-a57" if o.cpu == "max" else o.cpu, "-device", "ramfb"]
            q += ["-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"] if o.firmware == "uboot" else self.flash("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd")
        else:
            # graphics=off makes SeaBIOS copy its (and iPXE's) text screen to the serial port as well.
            secure = o.firmware.startswith("uefi-sb") or o.firmware == "uefi32"     # Debian's for i386 has it too, without keys
            q += ["-machine", "q35" + (",graphics=off" if o.firmware.startswith("bios") else ",smm=on" if secure else ""),
                  "-cpu", o.cpu, "-device", "VGA", "-boot", "reboot-timeout=3000"]
            if secure:      # the variables can be written in system management mode only
                q += ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"]
                if o.firmware == "uefi32":
                    q += self.flash(f"{o.ovmf}/OVMF32_CODE_4M.secboot.fd", f"{o.ovmf}/OVMF32_VARS_4M.fd")
                else:
                    q += self.flash("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
            elif o.firmware.startswith("uefi"):
                q += self.flash(first("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"),
                                first("/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS.fd"))
        if o.firmware in ("uefi", "uefi-sb", "uefi32") or o.firmware.endswith("-http"):  # the site has no IPv6: OVMF would wait minutes for it
            q += ["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]
        if o.firmware.endswith("-http"):
            q += ["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"]
        if o.uuid:
            q += ["-uuid", o.uuid]
        if o.serial_number:
            q += ["-smbios", f"type=1,serial={o.serial_number},manufacturer=Lab,product=Netboot"]
        if o.firmware == "bios-embed":
            q += ["-kernel", "/usr/lib/ipxe/ipxe.lkrn", "-initrd", o.script]
        q += self.network() + self.storage()
        if o.reset != "warm":
            q += ["-no-reboot"]
        return (["ip", "netns", "exec", o.netns] if o.netns else []) + q

    def boot_index(self, device):
        order = self.o.order.split(",")
        return f",bootindex={order.index(device) + 1}" if device in order else ""

    def network(self):
        o = self.o
        if o.tap == "none":
            return ["-nic", "none"]
        if o.firmware == "bios-plain" and not o.rom:
            sys.exit("vm.py: bios-plain needs --rom")
        rom = o.rom if o.rom else (None if o.firmware == "bios" else "")
        q = ["-netdev", f"tap,id=n0,ifname={o.tap},script=no,downscript=no", "-device",
             f"{o.nic},netdev=n0,mac={o.mac}" + ("" if rom is None else f",romfile={rom}") + self.boot_index("net")]
        if o.pcap:
            q += ["-object", f"filter-dump,id=dump,netdev=n0,file={o.pcap}"]
        return q

    def storage(self):
        o = self.o
        if not o.disk:
            return []
        if not os.path.exists(o.disk):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", o.disk, o.disk_size], check=True)
        with open(o.disk, "rb") as file:
            kind = "qcow2" if file.read(4) == b"QFI\xfb" else "raw"
        return ["-drive", f"if=none,id=d0,file={o.disk},format={kind},cache=unsafe,discard=unmap", "-device",
                ("virtio-blk-pci" if o.disk_bus == "virtio" else "ide-hd") + ",drive=d0" + self.boot_index("disk")]

    def flash(self, code, variables):
        copy = self.base + ".vars.fd"
        if not os.path.exists(copy):
            with open(variables, "rb") as source, open(copy, "wb") as target:
                target.write(source.read())
        return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                "-drive", f"if=pflash,format=raw,unit=1,file={copy}"]

    # ---- QEMU's process and its two sockets ---------------------------------------------------------------------------
    def start(self):
        self.again = False
        for name in os.listdir(self.sockets):
            os.unlink(os.path.join(self.sockets, name))
        command = self.command()
        with open(self.base + ".qemu", "a" if self.resets else "w", encoding="utf-8") as log:
            log.write(" ".join(command) + "\n")
            log.flush()
            self.proc = subprocess.Popen(["nice"] + command, stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=subprocess.STDOUT)
        serial, self.qmp = self.connect("serial"), self.connect("qmp")
        self.qmp.settimeout(120)                            # of a monitor that is stuck; a run ends so much late at most twice
        # A thread of its own reads the console: QEMU stands still while the console socket is full, and then answers
        # no QMP either.
        self.console = queue.Queue()
        threading.Thread(target=self.read_console, args=(serial, self.console), daemon=True).start()
        self.unread = b""
        if not self.answer() or "return" not in self.ask("qmp_capabilities"):
            raise RuntimeError(f"QEMU's monitor says nothing, see {self.base}.qemu")

    def connect(self, name):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(os.path.join(self.sockets, name))
                return s
            except OSError:
                if self.proc.poll() is not None:
                    raise RuntimeError(f"QEMU ended with {self.proc.returncode}, see {self.base}.qemu") from None
                time.sleep(0.05)
        raise RuntimeError("QEMU did not open its sockets")

    def read_console(self, serial, out):
        data = b"x"
        while data:
            try:
                data = serial.recv(65536)
            except OSError:
                data = b""
            self.serial.write(data)
            self.serial.flush()
            out.put(data)

    def ask(self, command, **args):
        """The answer; {} if the monitor gives none, which the run outlives: the console says how it went."""
        try:
            self.qmp.sendall(json.dumps({"execute": command, "arguments": args}).encode() + b"\n")
        except OSError:
            return {}
        while message := self.answer():
            self.event(message)
            if "return" in message or "error" in message:
                return message
        return {}

    def answer(self):
        """The monitor's next message, {} at its end or when none comes in time; a later call takes it up again."""
        while b"\n" not in self.unread:
            try:
                data = self.qmp.recv(65536)
            except OSError:
                return {}
            if not data:
                return {}
            self.unread += data
        line, self.unread = self.unread.split(b"\n", 1)
        return json.loads(line)

    def event(self, message):
        what = message.get("data", {})
        if message.get("event") == "RESET" and what.get("guest") or what.get("reason") == "guest-reset":
            self.resets.append(round(self.now(), 1))
            self.again = True

    def ended(self):
        """QEMU has ended: True if that was a guest reset after which the machine is to start again."""
        while message := self.answer():
            self.event(message)
        self.proc.wait(60)
        return self.o.reset == "cold" and self.again

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        shutil.rmtree(self.sockets, ignore_errors=True)

    # ---- following the console ------------------------------------------------------------------------------------------
    def now(self):
        return time.monotonic() - self.t0

    def shot(self, tag):
        self.shots += 1
        png = f"{self.base}-{self.shots:02d}-{tag}.png"
        self.ask("screendump", filename=os.path.abspath(png), format="png")

    def run(self):
        """Follows the machine to its end and returns DONE, TIMEOUT, FAILED or ENDED. start() came before."""
        o = self.o
        expect, fails = [re.compile(e) for e in o.expect], [re.compile(f) for f in o.fail]
        shots = [re.compile(r) for r in o.shot_on]
        keys = [(re.compile(k.rsplit("=", 1)[0]), k.rsplit("=", 1)[1].split(",")) for k in o.keys]
        shot_at, text, until, status = [], "", None, TIMEOUT
        while self.now() < o.timeout:
            try:
                data = self.console.get(timeout=0.25)
            except queue.Empty:
                data = None
            if data == b"":
                if self.ended():
                    self.start()
                    continue
                status = ENDED if expect or not o.expect else DONE
                break
            if data:
                text = (text + ESCAPES.sub("", data.decode("utf-8", "replace")))[-TEXT_MAX:]
            for pattern in [p for p in shots if p.search(text)]:
                shots.remove(pattern)
                shot_at.append(self.now() + 1)              # a moment later, when the screen has been drawn
            for at in [a for a in shot_at if self.now() >= a]:
                shot_at.remove(at)
                self.shot(f"{at:.0f}s")
            for pair in [k for k in keys if k[0].search(text)]:
                keys.remove(pair)
                self.type_keys(pair[1])
            text = self.match(expect, text)
            if any(f.search(text) for f in fails):
                status = FAILED
                break
            if not expect and until is None and self.may_end():
                until = self.now() + o.linger
            if until is not None and self.now() >= until:
                status = DONE
                break
            self.ask("query-status")                        # collects RESET events
        self.finish(status, [e.pattern for e in expect])
        return status

    def match(self, expect, text):
        """Takes what was seen off `expect`; returns the text after it. A match at the very end waits for more."""
        while expect:
            m = expect[0].search(text)
            if not m or (m.end() == len(text) and m.group(0)[-1:].isalnum()):
                break
            self.seen.append([round(self.now(), 1), m.group(0)])
            expect.pop(0)
            self.on_seen(*self.seen[-1])
            text = text[m.end():]
        return text

    def type_keys(self, names):
        for name in names:                                  # shift-minus: both at once
            self.ask("send-key", keys=[{"type": "qcode", "data": key} for key in name.split("-")])
            time.sleep(0.1)

    def finish(self, status, missing):
        if (status != DONE or self.o.shot_end) and self.proc.poll() is None:
            self.shot("end")
        self.stop()
        report = {"name": self.o.name, "firmware": self.o.firmware, "status": status, "elapsed": round(self.now(), 1),
                  "seen": self.seen, "missing": missing, "resets": self.resets}
        with open(self.base + ".json", "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


def main():
    options = arguments()
    say = None if options.quiet else lambda s, text: print(f"{options.name} {s:7.1f}s {text}", flush=True)
    machine = Machine(options, say)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        machine.start()
        status = machine.run()
    finally:
        machine.stop()
    if status != DONE:
        print(f"{options.name}: status {status} after {machine.now():.0f} s; seen {machine.seen}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
