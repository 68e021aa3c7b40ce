#include "common/wire/ip_datagram.h"

#include <algorithm>

namespace farboot {
namespace {

constexpr std::size_t kIpBytes = 20;
constexpr std::size_t kUdpBytes = 8;
constexpr std::size_t kPacketBytesMax = 65535;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint16_t kFragmentMask = 0x3fff;  // more fragments, or not the first
constexpr std::uint8_t kTimeToLive = 64;

std::uint16_t get16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t get32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}
void put16(Bytes& out, std::size_t at, std::uint32_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Bytes& out, std::size_t at, std::uint32_t value) {
  put16(out, at, value >> 16);
  put16(out, at + 2, value & 0xffff);
}

/// Adds 16-bit words; an odd last byte counts as if a zero followed.
std::uint64_t sum(ByteView bytes, std::uint64_t start) {
  for (std::size_t at = 0; at < bytes.size(); at += 2)
    start += at + 1 < bytes.size() ? get16(bytes, at) : static_cast<std::uint64_t>(bytes[at]) << 8;
  return start;
}
std::uint16_t checksum(std::uint64_t words) {
  while (words > 0xffff) words = (words & 0xffff) + (words >> 16);
  return static_cast<std::uint16_t>(~words);
}

}  // namespace

Result<IpDatagram> decode_ip_datagram(ByteView packet) {
  if (packet.size() < kIpBytes || packet[0] >> 4 != 4)
    return fail(Errc::invalid, "ip packet: not version 4");
  const std::size_t header = static_cast<std::size_t>(packet[0] & 0xf) * 4;
  const std::size_t total = get16(packet, 2);
  if (header < kIpBytes || total < header + kUdpBytes || total > packet.size())
    return fail(Errc::invalid, "ip packet: impossible length");
  if (packet[9] != kUdp || (get16(packet, 6) & kFragmentMask) != 0)
    return fail(Errc::invalid, "ip packet: no whole udp datagram");
  const ByteView udp = packet.subspan(header, total - header);
  const std::size_t length = get16(udp, 4);
  if (length < kUdpBytes || length > udp.size())
    return fail(Errc::invalid, "udp datagram: impossible length");
  return IpDatagram{.from = Ipv4{get32(packet, 12)},
                    .from_port = get16(udp, 0),
                    .to = Ipv4{get32(packet, 16)},
                    .to_port = get16(udp, 2),
                    .payload = udp.subspan(kUdpBytes, length - kUdpBytes)};
}

Result<Bytes> encode_ip_datagram(const IpDatagram& datagram) {
  const std::size_t length = kUdpBytes + datagram.payload.size();
  if (length > kPacketBytesMax - kIpBytes)
    return fail(Errc::invalid, "udp datagram: {} bytes, too long", datagram.payload.size());
  Bytes out(kIpBytes + length, 0);
  out[0] = 0x45;  // version 4, five words of header
  put16(out, 2, static_cast<std::uint32_t>(out.size()));
  out[8] = kTimeToLive;
  out[9] = kUdp;
  put32(out, 12, datagram.from.value);
  put32(out, 16, datagram.to.value);
  put16(out, 10, checksum(sum(ByteView(out).first(kIpBytes), 0)));
  put16(out, kIpBytes, datagram.from_port);
  put16(out, kIpBytes + 2, datagram.to_port);
  put16(out, kIpBytes + 4, static_cast<std::uint32_t>(length));
  std::copy(datagram.payload.begin(), datagram.payload.end(), out.begin() + kIpBytes + kUdpBytes);
  const std::uint64_t pseudo = sum(ByteView(out).subspan(12, 8), kUdp + length);
  const std::uint16_t udp = checksum(sum(ByteView(out).subspan(kIpBytes), pseudo));
  put16(out, kIpBytes + 6, udp == 0 ? 0xffff : udp);  // 0 would say "none": some ROMs drop that
  return out;
}

}  // namespace farboot
