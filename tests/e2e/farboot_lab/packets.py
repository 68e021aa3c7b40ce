"""DHCP and TFTP as a client speaks them, and reading a capture. Small on purpose, and written without looking at ours:
the tests must not share a mistake with the product."""
import dataclasses
import random
import socket
import struct

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
SERVER, CLIENT, BOOT_SERVER = 67, 68, 4011
# Options by number
SUBNET, ROUTER, VENDOR, ADDRESS, LEASE, TYPE, SERVER_ID, WANTED, CLASS, BOOT_FILE = 1, 3, 43, 50, 51, 53, 54, 55, 60, 67
USER_CLASS, ARCH, UNDI, GUID, IPXE = 77, 93, 94, 97, 175
# iPXE's features: HTTP, menus, bzImage, PXE, EFI …
IPXE_FEATURES = bytes.fromhex("b105011af41000eb03010000170101220101130101110101270101190101100102150101180101240101")


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


@dataclasses.dataclass
class Dhcp:
    """One DHCP packet."""
    op: int = 1
    xid: int = 0
    flags: int = 0x8000
    ciaddr: str = "0.0.0.0"
    yiaddr: str = "0.0.0.0"
    siaddr: str = "0.0.0.0"
    giaddr: str = "0.0.0.0"
    mac: str = ""
    sname: bytes = b""
    file: bytes = b""
    options: dict = dataclasses.field(default_factory=dict)

    @property
    def type(self):
        return self.options.get(TYPE, b"\0")[0]

    @property
    def file_name(self):
        """The boot file: of the header, or of option 67."""
        text = self.file.split(b"\0")[0] or self.options.get(BOOT_FILE, b"").rstrip(b"\0")
        return text.decode()

    def encode(self):
        head = struct.pack(">BBBBIHH", self.op, 1, 6, 0, self.xid, 0, self.flags)
        for address in (self.ciaddr, self.yiaddr, self.siaddr, self.giaddr):
            head += socket.inet_aton(address)
        head += mac_bytes(self.mac) + bytes(10) + self.sname.ljust(64, b"\0") + self.file.ljust(128, b"\0") + COOKIE
        body = b"".join(bytes([tag, len(value)]) + value for tag, value in self.options.items())
        return (head + body + b"\xff").ljust(300, b"\0")


def decode_dhcp(data):
    """A Dhcp, or None if `data` is none."""
    if len(data) < 241 or data[236:240] != COOKIE:
        return None
    op, _, _, _, xid, _, flags = struct.unpack(">BBBBIHH", data[:12])
    addresses = [socket.inet_ntoa(data[12 + 4 * i:16 + 4 * i]) for i in range(4)]
    options, at = {}, 240
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return None
        options[data[at]] = options.get(data[at], b"") + data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return Dhcp(op, xid, flags, *addresses, data[28:34].hex(":"), data[44:108], data[108:236], options)


def pxe_options(arch, guid=bytes(16)):
    return {WANTED: bytes([1, 3, 43, 60, 66, 67, 97]), CLASS: f"PXEClient:Arch:{arch:05d}:UNDI:003001".encode(),
            ARCH: struct.pack(">H", arch), UNDI: b"\x01\x03\x01", GUID: b"\0" + guid}


def ipxe_options(arch, guid=bytes(16)):
    return {**pxe_options(arch, guid), USER_CLASS: b"iPXE", IPXE: IPXE_FEATURES}


def http_boot_options(arch, guid=bytes(16)):
    return {**pxe_options(arch, guid), CLASS: f"HTTPClient:Arch:{arch:05d}:UNDI:003001".encode()}


def discover(mac, options, xid=None):
    return Dhcp(xid=xid if xid is not None else random.getrandbits(32), mac=mac, options={TYPE: b"\x01", **options})


def request(mac, offer, options):
    """The DHCPREQUEST that takes a lease server's offer."""
    return Dhcp(xid=offer.xid, mac=mac, options={TYPE: b"\x03", SERVER_ID: offer.options[SERVER_ID],
                                                 ADDRESS: socket.inet_aton(offer.yiaddr), **options})


# ---- TFTP ---------------------------------------------------------------------------------------------------------------
def tftp_read_request(name, options):
    body = struct.pack(">H", 1) + name.encode() + b"\0octet\0"
    for key, value in options.items():
        body += key.encode() + b"\0" + str(value).encode() + b"\0"
    return body


def tftp_options(packet):
    parts = packet[2:].split(b"\0")
    return {parts[i].decode().lower(): int(parts[i + 1]) for i in range(0, len(parts) - 2, 2)}


class TftpError(Exception):
    def __init__(self, code, text):
        super().__init__(f"TFTP error {code}: {text}")
        self.code = code


def tftp_get(sock, server, name, options, port=69, timeout=5.0, tries=6):
    """Reads a file over `sock` (UDP, unconnected). Returns (bytes, options the server took)."""
    sock.settimeout(timeout)
    packet, peer = tftp_read_request(name, options), (server, port)
    accepted, parts, block, misses = {}, [], 0, 0
    while True:
        sock.sendto(packet, peer)
        while True:
            try:
                data, source = sock.recvfrom(65536)
            except socket.timeout:
                misses += 1
                if misses > tries:
                    raise
                break                                            # say it again
            if source[0] != server or (peer[1] != port and source != peer):
                continue
            opcode = struct.unpack(">H", data[:2])[0]
            if opcode == 5:
                raise TftpError(struct.unpack(">H", data[2:4])[0], data[4:].rstrip(b"\0").decode("utf-8", "replace"))
            if opcode == 6:
                peer, accepted, packet = source, tftp_options(data), struct.pack(">HH", 4, 0)
                break
            number = struct.unpack(">H", data[2:4])[0]
            if number != (block + 1) & 0xffff:
                packet = struct.pack(">HH", 4, block)            # the last in order; the server goes on from there
                break
            peer, block = source, number
            parts.append(data[4:])
            misses = 0
            last = len(data) - 4 < accepted.get("blksize", 512)
            packet = struct.pack(">HH", 4, block)
            if last:
                sock.sendto(packet, peer)
                return b"".join(parts), accepted
            if len(parts) % accepted.get("windowsize", 1) == 0:
                break


# ---- captures -----------------------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Udp:
    """One UDP datagram of a capture."""
    time: float
    source_mac: str
    source: str
    source_port: int
    target: str
    target_port: int
    data: bytes


def read_pcap(path):
    """The UDP datagrams of a capture file (Ethernet, IPv4, unfragmented)."""
    with open(path, "rb") as file:
        raw = file.read()
    order = "<" if raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    found, at = [], 24
    while at + 16 <= len(raw):
        seconds, fraction, length, _ = struct.unpack(order + "IIII", raw[at:at + 16])
        frame = raw[at + 16:at + 16 + length]
        at += 16 + length
        if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        header = 14 + (frame[14] & 15) * 4
        source_port, target_port, size = struct.unpack(">HHH", frame[header:header + 6])
        found.append(Udp(seconds + fraction / 1e6, frame[6:12].hex(":"), socket.inet_ntoa(frame[26:30]), source_port,
                         socket.inet_ntoa(frame[30:34]), target_port, frame[header + 8:header + size]))
    return found


def address_givers(datagrams):
    """Who, of the servers in a capture, gave or offered an address: {IPv4 of the server}."""
    givers = set()
    for datagram in datagrams:
        dhcp = decode_dhcp(datagram.data)
        if dhcp and dhcp.op == 2 and (dhcp.yiaddr != "0.0.0.0" or LEASE in dhcp.options or SUBNET in dhcp.options):
            givers.add(datagram.source)
    return givers
