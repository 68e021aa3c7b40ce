#include "agent/net/raw_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "common/wire/ip_datagram.h"

namespace farboot {
namespace {

Error failed(std::string_view what, int error) {
  const Errc code = error == EACCES || error == EPERM ? Errc::denied : Errc::unavailable;
  return fail(code, "raw socket: {}: {}", what, std::generic_category().message(error));
}

constexpr std::uint16_t kAccept = 0xffff;
constexpr std::uint32_t kGiaddrOffset = 8 + 24;  ///< behind the IP header: UDP's, then BOOTP's

/// Whole UDP datagrams to `port`: broadcasts, or others that name a relay. The filter sees the IP
/// header first.
bool filter(int fd, std::uint16_t port, RawHears hears) {
  const bool relayed = hears == RawHears::relayed;
  std::array<sock_filter, 13> program = {{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),           // protocol
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 10),  // UDP
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),          // destination
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, static_cast<std::uint8_t>(relayed ? 8 : 0),
               static_cast<std::uint8_t>(relayed ? 0 : 8)),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),  // fragment offset
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 6, 0),
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),  // length of the IP header
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),   // destination port
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, relayed ? kGiaddrOffset : 0),  // never 0 at the start
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kAccept),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog code{.len = program.size(), .filter = program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &code, sizeof code) == 0;
}

}  // namespace

Result<std::unique_ptr<RawSocket>> RawSocket::open(std::uint16_t port, RawHears hears) {
  // Protocol 0 at first: nothing comes in before the filter is there.
  UniqueFd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed("open", errno);
  if (!filter(fd.get(), port, hears)) return failed("filter", errno);
  widen_receive_buffer(fd.get(), kReceiveRoomBytes);
  sockaddr_ll every{};
  every.sll_family = AF_PACKET;
  every.sll_protocol = htons(ETH_P_IP);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&every), sizeof every) != 0)
    return failed("bind", errno);
  UniqueFd ip(::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!ip) return failed("open", errno);
  return std::make_unique<RawSocket>(std::move(fd), std::move(ip), port);
}

std::optional<UdpArrival> RawSocket::receive(std::span<std::uint8_t> buffer) const {
  sockaddr_ll link{};
  socklen_t length = sizeof link;
  const ssize_t size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                  reinterpret_cast<sockaddr*>(&link), &length);
  if (size < 0) return std::nullopt;
  UdpArrival arrival;
  arrival.interface = link.sll_ifindex;
  const auto datagram = decode_ip_datagram(ByteView(buffer).first(static_cast<std::size_t>(size)));
  // Our own packets pass here as well on their way out; and a card that listens to everything hears
  // what is for others.
  if (!datagram || link.sll_pkttype == PACKET_OUTGOING || link.sll_pkttype == PACKET_OTHERHOST) {
    arrival.cut = true;
    return arrival;
  }
  arrival.source = datagram->from;
  arrival.source_port = datagram->from_port;
  arrival.destination = datagram->to;
  arrival.size_bytes = datagram->payload.size();
  std::copy(datagram->payload.begin(), datagram->payload.end(), buffer.begin());
  return arrival;
}

Result<void> RawSocket::send(ByteView packet, const UdpRoute& route) const {
  const auto bytes = encode_ip_datagram({.from = route.from,
                                         .from_port = port_,
                                         .to = route.to,
                                         .to_port = route.to_port,
                                         .payload = packet});
  if (!bytes) return bytes.error();
  if (route.to == Ipv4::broadcast()) return broadcast(*bytes, route.interface);
  return send_by(ip_.get(), *bytes,
                 {.to = route.to, .from = route.from, .interface = route.interface});
}

Result<void> RawSocket::broadcast(const Bytes& datagram, int interface) const {
  if (interface == 0) return fail(Errc::invalid, "raw socket: a broadcast needs an interface");
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(ETH_P_IP);
  link.sll_ifindex = interface;
  link.sll_halen = ETH_ALEN;
  std::fill_n(link.sll_addr, ETH_ALEN, 0xff);
  if (::sendto(fd_.get(), datagram.data(), datagram.size(), 0,
               reinterpret_cast<const sockaddr*>(&link), sizeof link) < 0 &&
      errno != EAGAIN && errno != ENOBUFS)
    return failed("send", errno);
  return {};
}

}  // namespace farboot
