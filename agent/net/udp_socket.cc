#include "agent/net/udp_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/base/log.h"

namespace farboot {
namespace {

sockaddr_in to_sockaddr(Ipv4 address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(address.value);
  return in;
}

bool set(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Error open_failed(const UdpBinding& binding, int error) {
  Errc code = Errc::unavailable;
  if (error == EACCES || error == EPERM) code = Errc::denied;
  if (error == EADDRINUSE) code = Errc::conflict;
  return fail(code, "udp port {}:{}: {}", binding.address.to_string(), binding.port,
              std::generic_category().message(error));
}

}  // namespace

int widen_receive_buffer(int fd, int bytes) {
  // The first needs CAP_NET_ADMIN; the second stops at net.core.rmem_max without a word.
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  int doubled = 0;
  socklen_t length = sizeof doubled;
  if (::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &doubled, &length) != 0) return 0;
  const int given = doubled / 2;  // socket(7): the kernel counts its own needs in
  static std::atomic<bool> told = false;
  if (given < bytes && !told.exchange(true)) {
    log::warn("net.receive_buffer_small", log::kv("wanted_bytes", bytes),
              log::kv("given_bytes", given), log::kv("raise", "net.core.rmem_max"));
  }
  return given;
}

Result<UdpSocket> UdpSocket::open(const UdpBinding& binding) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return open_failed(binding, errno);
  if (!set(fd.get(), IPPROTO_IP, IP_PKTINFO, 1)) return open_failed(binding, errno);
  // Routers may fragment: ROMs cannot, and a lost "too big" message would stop them for good.
  set(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  widen_receive_buffer(fd.get(), kReceiveRoomBytes);
  if (binding.reuse && !set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1))
    return open_failed(binding, errno);
  if (binding.broadcast && !set(fd.get(), SOL_SOCKET, SO_BROADCAST, 1))
    return open_failed(binding, errno);
  const sockaddr_in address = to_sockaddr(binding.address, binding.port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return open_failed(binding, errno);
  return UdpSocket(std::move(fd));
}

std::uint16_t UdpSocket::port() const {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.sin_port);
}

std::optional<UdpArrival> UdpSocket::receive(std::span<std::uint8_t> buffer) const {
  sockaddr_in source{};
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) std::array<char, 128> control;
  msghdr message{};
  message.msg_name = &source;
  message.msg_namelen = sizeof source;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(fd_.get(), &message, 0);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return std::nullopt;

  UdpArrival arrival;
  arrival.size_bytes = static_cast<std::size_t>(size);
  arrival.cut = (message.msg_flags & MSG_TRUNC) != 0;
  arrival.source.value = ntohl(source.sin_addr.s_addr);
  arrival.source_port = ntohs(source.sin_port);
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(c), sizeof info);
    arrival.interface = info.ipi_ifindex;
    arrival.destination.value = ntohl(info.ipi_addr.s_addr);
    arrival.local.value = ntohl(info.ipi_spec_dst.s_addr);
  }
  return arrival;
}

Result<void> UdpSocket::send(ByteView packet, const UdpRoute& route) const {
  return send_by(fd_.get(), packet, route);
}

Result<void> send_by(int fd, ByteView packet, const UdpRoute& route) {
  sockaddr_in to = to_sockaddr(route.to, route.to_port);
  iovec part{.iov_base = const_cast<std::uint8_t*>(packet.data()), .iov_len = packet.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  in_pktinfo info{};
  info.ipi_ifindex = route.interface;
  info.ipi_spec_dst.s_addr = htonl(route.from.value);
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_PKTINFO;
  c->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
  while (::sendmsg(fd, &message, 0) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return {};
    return fail(Errc::unavailable, "udp to {}:{}: {}", route.to.to_string(), route.to_port,
                std::generic_category().message(errno));
  }
  return {};
}

Result<void> join_group(int fd, Ipv4 group, int interface) {
  ip_mreqn membership{};
  membership.imr_multiaddr.s_addr = htonl(group.value);
  membership.imr_ifindex = interface;
  if (::setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) != 0 &&
      errno != EADDRINUSE)  // a member already
    return fail(Errc::unavailable, "multicast group {}: {}", group.to_string(),
                std::generic_category().message(errno));
  return {};
}

}  // namespace farboot
