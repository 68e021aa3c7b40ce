"""A machine that boots from the network, without a machine: it walks DHCP, boot server, TFTP, iPXE script, kernel,
kickstart and packages as firmware, iPXE and installer would, and returns what it was given."""
import hashlib
import http.client
import random
import re
import socket
import time
import urllib.parse

from . import packets, programs
from .netns import in_netns

BIOS, UEFI_X64 = 0, 7
RESEND_SECONDS = 2.0
OFFER_SECONDS = 8.0      # as patient as firmware is
SO_BINDTODEVICE = 25


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def sha256(self):
        return hashlib.sha256(self.body).hexdigest()


class FakeMachine:
    """One NIC on a site's LAN. Not thread-safe."""

    def __init__(self, net, name, mac, arch=BIOS, uuid="", serial=""):
        self.net, self.name, self.mac, self.arch, self.uuid, self.serial = net, name, mac, arch, uuid, serial
        self.netns = net.client(name, mac)
        self.address = None
        self.xid = random.getrandbits(32)

    # ---- DHCP -----------------------------------------------------------------------------------------------------------
    def udp(self, port, broadcast=False):
        with in_netns(self.netns):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if broadcast:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"eth0")
            sock.bind(("0.0.0.0", port))
        return sock

    def exchange(self, packet, wanted, seconds=OFFER_SECONDS, enough=None):
        """Broadcasts `packet` and collects answers of type `wanted` until `enough(answers)` or the time is over.
        Returns [(packet, (address, port) it came from)]."""
        answers, deadline = [], time.monotonic() + seconds
        with self.udp(packets.CLIENT, broadcast=True) as sock:
            send_at = time.monotonic()
            while (left := deadline - time.monotonic()) > 0 and not (enough and enough(answers)):
                if not answers and time.monotonic() >= send_at:     # a broadcast may be lost: firmware asks again
                    sock.sendto(packet.encode(), ("255.255.255.255", packets.SERVER))
                    send_at = time.monotonic() + RESEND_SECONDS
                sock.settimeout(min(left, RESEND_SECONDS))
                try:
                    data, source = sock.recvfrom(2048)
                except socket.timeout:
                    continue
                answer = packets.decode_dhcp(data)
                if answer and answer.op == 2 and answer.xid == packet.xid and answer.type == wanted:
                    answers.append((answer, source))
        return answers

    def offers(self, options, seconds=OFFER_SECONDS):
        """One DISCOVER; returns (offers with an address, offers without one)."""
        both = lambda a: any(o.yiaddr != "0.0.0.0" for o, _ in a) and any(o.yiaddr == "0.0.0.0" for o, _ in a)  # noqa: E731
        found = self.exchange(packets.discover(self.mac, options), packets.OFFER, seconds, both)
        return ([o for o, _ in found if o.yiaddr != "0.0.0.0"], [o for o, _ in found if o.yiaddr == "0.0.0.0"])

    def take_lease(self, offer, options):
        """Asks the lease server for what it offered and gives the interface its address."""
        ack = self.exchange(packets.request(self.mac, offer, options), packets.ACK, enough=bool)[0][0]
        self.address = ack.yiaddr
        bits = bin(int.from_bytes(ack.options[packets.SUBNET], "big")).count("1")
        run = lambda *args: programs.run(["ip", *args], netns=self.netns)  # noqa: E731
        run("addr", "flush", "dev", "eth0")
        run("addr", "add", f"{self.address}/{bits}", "brd", "+", "dev", "eth0")
        run("route", "replace", "default", "via", socket.inet_ntoa(ack.options[packets.ROUTER][:4]))
        return ack

    def options(self, ipxe=False):
        guid = bytes.fromhex(self.uuid.replace("-", "")) if self.uuid else bytes(16)
        return (packets.ipxe_options if ipxe else packets.pxe_options)(self.arch, guid)

    def ask_boot_server(self, server):
        """The REQUEST to port 4011, from 4011 as EDK2 does it; returns the ACK."""
        packet = packets.Dhcp(xid=random.getrandbits(32), flags=0, ciaddr=self.address, mac=self.mac,
                              options={packets.TYPE: b"\x03", **self.options()})
        with self.udp(packets.BOOT_SERVER) as sock:
            sock.settimeout(OFFER_SECONDS)
            sock.sendto(packet.encode(), (server, packets.BOOT_SERVER))
            answer = packets.decode_dhcp(sock.recvfrom(2048)[0])
        assert answer.type == packets.ACK and answer.xid == packet.xid, answer
        return answer

    # ---- files ----------------------------------------------------------------------------------------------------------
    def tftp(self, server, name, **options):
        with self.udp(0) as sock:
            return packets.tftp_get(sock, server, name, options)

    def connect(self, host, port=80, timeout=60):
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        with in_netns(self.netns):
            connection.connect()
        return connection

    def get(self, url, headers=None, method="GET", connection=None):
        parts = urllib.parse.urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = connection or self.connect(parts.hostname, parts.port or 80)
        try:
            own.request(method, path, headers={"User-Agent": "farboot-fake/1", **(headers or {})})
            answer = own.getresponse()
            return Response(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            if connection is None:
                own.close()

    # ---- the walk ---------------------------------------------------------------------------------------------------------
    def firmware(self):
        """Power on to the boot loader: returns (loader's name, its bytes)."""
        # Firmware asks four times; a router that first looks whether an address is free may miss the first.
        for _ in range(4):
            leases, proxies = self.offers(self.options())
            if leases:
                break
        assert leases, "no DHCP server gave an address"
        assert proxies, "nobody offered to boot us"
        offer = proxies[0]
        assert offer.options.get(packets.CLASS) == b"PXEClient", offer
        assert offer.siaddr == self.net.pi, offer
        self.take_lease(leases[0], self.options())
        if self.arch != BIOS:
            offer = self.ask_boot_server(socket.inet_ntoa(offer.options[packets.SERVER_ID]))
        name = offer.file_name
        data, accepted = self.tftp(offer.siaddr, name, tsize=0, blksize=1468)
        assert accepted.get("tsize") == len(data), accepted
        return name, data

    def ipxe_script_url(self):
        """iPXE's own DHCP: returns the URL it is offered."""
        leases, proxies = self.offers(self.options(ipxe=True))
        assert leases and proxies, (leases, proxies)
        if self.address is None:
            self.take_lease(leases[0], self.options(ipxe=True))
        url = proxies[0].file_name
        assert url.startswith("http://"), f"iPXE was offered '{url}'"
        return url

    def settings(self):
        """What iPXE's ${...} expand to on this machine."""
        return {"mac": self.mac, "net0/mac": self.mac, "netX/mac": self.mac, "uuid": self.uuid, "serial": self.serial,
                "manufacturer": "Lab", "product": "Netboot", "asset": "", "buildarch": "x86_64" if self.arch else "i386",
                "platform": "efi" if self.arch else "pcbios", "ip": self.address or "", "next-server": self.net.pi}

    def expand(self, text):
        def value(match):
            name, _, kind = match.group(1).partition(":")
            found = self.settings().get(name, "")
            if kind == "hexhyp":
                return found.replace(":", "-")
            return urllib.parse.quote(found, safe="") if kind == "uristring" else found
        return re.sub(r"\$\{([^}]*)\}", value, text)

    def machine_script(self, extra=""):
        """From iPXE's DHCP to the script made for this machine; returns (its URL, its text)."""
        url = self.ipxe_script_url()
        first = self.get(self.expand(url))
        assert first.status == 200 and first.text.startswith("#!ipxe"), (url, first.status, first.body[:200])
        chain = re.search(r"^\s*chain\s+(?:--\S+\s+)*(\S+)", first.text, re.M)
        assert chain, f"{url} chains nothing:\n{first.text}"
        target = urllib.parse.urljoin(self.expand(url), self.expand(chain.group(1))) + extra
        script = self.get(target)
        assert script.status == 200 and script.text.startswith("#!ipxe"), (target, script.status, script.body[:200])
        return target, script.text


def boot_of(script):
    """(kernel URL, kernel arguments, initrd URLs) of an iPXE script that boots at once; None if it does not."""
    kernel = re.search(r"^\s*kernel\s+(?:--\S+\s+)*(\S+)\s*([^|\n]*)", script, re.M)
    if not kernel:
        return None
    initrds = re.findall(r"^\s*initrd\s+(?:--name\s+\S+\s+)?(\S+)", script, re.M)
    return kernel.group(1), kernel.group(2).split(), initrds


def argument(arguments, *names):
    """The value of the last kernel argument with one of these names, or None."""
    found = None
    for word in arguments:
        name, _, value = word.partition("=")
        if name in names:
            found = value
    return found
